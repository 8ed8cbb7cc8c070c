// Waiting: many callers, one question to the database at a time, and an answer as soon as another process is done.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import { endedTransfer } from '../../src/domain/transfer.ts';
import { createWaiter } from '../../src/jobs/waiter.ts';
import { adjust, type Ledger, openLedger, openWallets, requestTransfer } from '../harness/ledger.ts';

let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger();
});
afterAll(() => ledger.close());

test('a database that does not answer is asked once, however many begin to wait', async () => {
  const teller = await ledger.openTeller();
  const waiter = createWaiter(teller);
  const blocker = await ledger.connect();
  await blocker.query('BEGIN; LOCK TABLE payout IN ACCESS EXCLUSIVE MODE');
  const waits = [waiter.wait({ kind: 'payout', pkid: pkidOf('payout', 'first') }, WAIT_MS)];
  await expect.poll(questions, { timeout: WAIT_MS }).toBe(1);
  // Each of these comes when the tick of the one before would be over.
  for (let n = 0; n < 5; n += 1) {
    const pkid = pkidOf('payout', `later-${n}`);
    waits.push(waiter.wait({ kind: 'payout', pkid }, WAIT_MS));
    await waiter.wait({ kind: 'payout', pkid }, TICKS_MS);
    expect(await questions()).toBe(1);
  }
  await blocker.query('COMMIT');
  waiter.close();
  await Promise.all(waits);
});

test('says how a transfer ended here, and that it does not know when another process ended it', async () => {
  const [here, elsewhere] = [await ledger.openTeller(), await ledger.openTeller()];
  const waiter = createWaiter(here);
  await openWallets(here, ['from', 'to']);
  await adjust(here, { key: 'fund', walletId: 'from', amountMinor: 1_000n });
  const askFor = async (key: string, amountMinor: bigint) => {
    const { row } = await requestTransfer(here, { key, from: 'from', to: 'to', amountMinor });
    return { row, end: waiter.wait({ kind: 'transfer', pkid: row.pkid }, WAIT_MS) };
  };

  const paid = await askFor('paid', 10n);
  const refused = await askFor('refused', 9_999n);
  for (const { row, end } of [paid, refused]) {
    await here.transfers.run(row.pkid);
    const seen = await end;
    expect(seen).not.toBeNull();
    expect(seen && endedTransfer(row, seen)).toEqual(await here.transfers.find(row.pkid));
  }

  const unseen = await askFor('unseen', 10n);
  await elsewhere.transfers.run(unseen.row.pkid);
  expect(await unseen.end).toBeNull();
  waiter.close();
});

const WAIT_MS = 5_000;
const TICKS_MS = 60;

async function questions(): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    SELECT count(*)::int AS count FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'`.execute(ledger.db.sql);
  return rows[0]?.count ?? -1;
}
