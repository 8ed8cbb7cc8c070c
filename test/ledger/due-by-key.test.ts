// What the planner believes of a table that is empty most of the time must not decide how long a commit takes.

import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Ledger, openLedger, openWallets } from '../harness/ledger.ts';

const DUE = 3_000;
const ENDED = 100;

let ledger: Ledger;
beforeEach(async () => {
  ledger = await openLedger();
  await openWallets(ledger, ['ann', 'bob']);
});
afterEach(() => ledger.close());

test('where a transfer was due is looked up by its key, also by a connection that knew few to be due', async () => {
  const { sql: database } = ledger.db;
  await request(database, { from: 1, to: 1 });
  await sql`VACUUM (ANALYZE) transfer_due`.execute(database);
  await database.transaction().execute(async (tx) => {
    // What it plans now it keeps.
    await end(tx, { from: 1, to: 1 });
    await request(tx, { from: 2, to: DUE + 1 });
    const before = await readsOf(tx);
    await end(tx, { from: 2, to: ENDED + 1 });
    const after = await readsOf(tx);
    expect(after.lookups - before.lookups).toBe(ENDED);
    expect(after.rows - before.rows).toBeLessThanOrEqual(2 * ENDED);
  });
  const { rows } = await sql<{ left: number }>`SELECT count(*)::int AS left FROM transfer_due`.execute(database);
  expect(rows[0]?.left).toBe(DUE - ENDED);
});

type Database = Ledger['db']['sql'];
interface Range {
  readonly from: number;
  readonly to: number;
}

async function request(database: Database, { from, to }: Range): Promise<void> {
  await sql`INSERT INTO transfer (pkid, semantic_key, status, from_wallet, to_wallet, amount, currency, fingerprint,
                                  due_at, created_at, updated_at)
    SELECT gen_random_uuid(), 'due:' || n, 'initialized', 'ann', 'bob', 1, 'USD', '', now(), now(), now()
    FROM generate_series(${sql.lit(from)}, ${sql.lit(to)}) n`.execute(database);
}

async function end(database: Database, { from, to }: Range): Promise<void> {
  await sql`UPDATE transfer SET status = 'failed', failure_code = 'limit_exceeded', due_at = NULL, final_at = now()
    WHERE semantic_key IN (SELECT 'due:' || n FROM generate_series(${sql.lit(from)}, ${sql.lit(to)}) n)`.execute(
    database,
  );
}

async function readsOf(database: Database): Promise<{ lookups: number; rows: number }> {
  const { rows } = await sql<{ lookups: number; rows: number }>`
    SELECT idx_scan::int AS lookups, (idx_tup_fetch + seq_tup_read)::int AS rows
    FROM pg_stat_xact_user_tables WHERE relname = 'transfer_due'`.execute(database);
  return rows[0] ?? { lookups: 0, rows: 0 };
}
