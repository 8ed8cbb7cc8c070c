// Where all want one wallet, a commit is planned on what the one before will leave: what it then must find, and what
// happens when it does not.

import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { debtWalletId } from '../../src/domain/chart.ts';
import { timedPostingIdOf } from '../../src/domain/id.ts';
import { audit } from '../../src/ledger/audit.ts';
import { type Foreseen, lockAsForeseen, lockWallets } from '../../src/ledger/wallets.ts';
import { statementsOf } from '../../src/runtime/statements.ts';
import { adjust, type Ledger, openLedger, openWallets, postedOf, requestTransfer, USD } from '../harness/ledger.ts';

let ledger: Ledger;
beforeEach(async () => {
  ledger = await openLedger();
  await openWallets(ledger, ['ann', 'bob', 'eve']);
  await adjust(ledger, { key: 'fund', walletId: 'ann', amountMinor: 1_000n });
});
afterEach(async () => {
  const { checks } = await audit(ledger.db);
  await ledger.close();
  expect(checks.filter((check) => check.violations.length > 0)).toEqual([]);
});

const WAIT = { timeout: 20_000 };

/** As many as one commit takes, and as many more as make the next one worth it. */
const COUNT = 700;

async function requested(): Promise<Awaited<ReturnType<typeof requestTransfer>>['row'][]> {
  const keys = Array.from({ length: COUNT }, (_, index) => `t${index}`);
  const intakes = await Promise.all(
    keys.map((key) => requestTransfer(ledger, { key, from: 'ann', to: 'bob', amountMinor: 1n })),
  );
  return intakes.map(({ row }) => row);
}

/** Sessions that wait for a lock, and those that have done something and wait for us. */
async function sessions(): Promise<{ waiting: number; behind: number }> {
  const { rows } = await sql<{ waiting: number; behind: number }>`
    SELECT count(*) FILTER (WHERE wait_event_type = 'Lock')::int AS waiting,
           count(*) FILTER (WHERE state = 'idle in transaction' AND application_name = 'remit')::int AS behind
    FROM pg_stat_activity WHERE datname = current_database()`.execute(ledger.db.sql);
  return rows[0] ?? { waiting: 0, behind: 0 };
}

describe('many transfers of one wallet', () => {
  test('are written while the commit before them is still under way, and end behind it', async () => {
    const rows = await requested();
    const holder = await ledger.connect();
    await holder.query('BEGIN; LOCK TABLE entry IN SHARE MODE');
    const runs = rows.map((row) => ledger.transfers.run(row.pkid));
    await expect.poll(sessions, WAIT).toEqual({ waiting: 1, behind: 1 });
    await holder.query('ROLLBACK');
    await Promise.all(runs);
    expect([await postedOf(ledger, 'ann'), await postedOf(ledger, 'bob')]).toEqual([300n, 700n]);
  });

  test('are all carried out, but for the one that made the commit before them fail', async () => {
    const rows = await requested();
    const [guilty] = rows;
    if (guilty === undefined) throw new Error('Nothing was requested.');
    const holder = await ledger.connect();
    // Another posting has its id: found out when the first commit writes, and by then the second one is planned.
    await holder.query('BEGIN');
    await holder.query(
      `INSERT INTO posting (posting_id, event, operation_kind, operation_pkid, semantic_key, created_at)
       VALUES ($1, 'transfer', 'transfer', $2, 'other', now())`,
      [timedPostingIdOf(guilty.pkid, guilty.createdAt), guilty.pkid],
    );
    const runs = rows.map((row) => ledger.transfers.run(row.pkid));
    const ends = Promise.allSettled(runs);
    await expect.poll(sessions, WAIT).toEqual({ waiting: 1, behind: 1 });
    await holder.query('COMMIT');
    const refused = (await ends).filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(1);
    expect([await postedOf(ledger, 'ann'), await postedOf(ledger, 'bob')]).toEqual([301n, 699n]);
    await holder.query('ALTER TABLE posting DISABLE TRIGGER posting_append_only');
    await holder.query("DELETE FROM posting WHERE semantic_key = 'other'");
    await holder.query('ALTER TABLE posting ENABLE TRIGGER posting_append_only');
  });
});

describe('a wallet that is to be as foreseen', () => {
  async function foreseenOf(walletId: string): Promise<Foreseen> {
    return ledger.db.transaction((tx) => lockWallets(statementsOf(tx), { must: [], may: [walletId] }));
  }
  const lock = (foreseen: Foreseen) => ledger.db.transaction((tx) => lockAsForeseen(statementsOf(tx), foreseen));

  test('is had when it is', async () => {
    await expect(lock(await foreseenOf('ann'))).resolves.toBeUndefined();
  });

  test('is refused when it has moved', async () => {
    const foreseen = await foreseenOf('ann');
    await adjust(ledger, { key: 'more', walletId: 'ann', amountMinor: 1n });
    await expect(lock(foreseen)).rejects.toThrow('1 rows to update, 0 updated');
  });

  test('is refused when it has moved there and back', async () => {
    const foreseen = await foreseenOf('ann');
    await adjust(ledger, { key: 'more', walletId: 'ann', amountMinor: 1n });
    await adjust(ledger, { key: 'less', walletId: 'ann', amountMinor: -1n });
    await expect(lock(foreseen)).rejects.toThrow('1 rows to update, 0 updated');
  });

  test('is refused when its owner owes something since', async () => {
    const foreseen = await foreseenOf('ann');
    await adjust(ledger, { key: 'owes', walletId: debtWalletId('ann', USD), amountMinor: -50n });
    await expect(lock(foreseen)).rejects.toThrow('1 rows to update, 0 updated');
  });

  test('is refused and not waited for when another one has it', async () => {
    const foreseen = await foreseenOf('ann');
    const holder = await ledger.connect();
    await holder.query("BEGIN; SELECT FROM wallet WHERE wallet_id = 'ann' FOR NO KEY UPDATE");
    await expect(lock(foreseen)).rejects.toThrow('1 rows to update, 0 updated');
    await holder.query('ROLLBACK');
  });
});
