// Locking wallets: the time that a batch is given is one at which it holds all its locks.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ledger, openLedger, openWallets, requestTransfer } from '../harness/ledger.ts';

let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger();
  await openWallets(ledger, ['a', 'b']);
});
afterAll(() => ledger.close());

test('the time is read after the last lock was waited for, also when its holder changed nothing', async () => {
  const holder = await ledger.connect();
  await holder.query("BEGIN; SELECT FROM wallet WHERE wallet_id = 'b' FOR NO KEY UPDATE");
  const { row } = await requestTransfer(ledger, { key: 'waits', from: 'a', to: 'b', amountMinor: 1n });
  const run = ledger.transfers.run(row.pkid);
  await expect.poll(waiters, { timeout: 2_000 }).toBe(1);
  const { rows } = await holder.query<{ now: Date }>('SELECT clock_timestamp() AS now');
  await holder.query('COMMIT');
  await run;
  const transfer = await ledger.transfers.find(row.pkid);
  expect(transfer?.finalAt?.getTime()).toBeGreaterThanOrEqual(rows[0]?.now.getTime() ?? Number.NaN);
});

async function waiters(): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    SELECT count(*)::int AS count FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'`.execute(ledger.db.sql);
  return rows[0]?.count ?? 0;
}
