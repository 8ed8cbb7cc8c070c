// Statements that run again are prepared once a session, and none of them is in the way of a newer process.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import { lockOperations, readRows } from '../../src/ledger/reads.ts';
import { statementsOf } from '../../src/runtime/statements.ts';
import { type Ledger, openLedger, openWallets } from '../harness/ledger.ts';

const KEY = pkidOf('payout', 'nothing');
let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger();
  await openWallets(ledger, ['ann']);
});
afterAll(() => ledger.close());

test('a statement with parameters is prepared once, however often a session runs it', async () => {
  const prepared = await ledger.db.sql.connection().execute(async (session) => {
    for (const walletId of ['ann', 'bob', 'ann']) {
      await sql`SELECT posted FROM wallet WHERE wallet_id = ${walletId}`.execute(session);
    }
    const { rows } = await sql<{ statement: string; runs: string }>`
      SELECT statement, generic_plans + custom_plans AS runs FROM pg_prepared_statements
      WHERE statement LIKE 'SELECT posted FROM wallet%'`.execute(session);
    return rows;
  });
  expect(prepared).toEqual([{ statement: 'SELECT posted FROM wallet WHERE wallet_id = $1', runs: '3' }]);
});

test('a statement for all columns is planned anew, so that a newer process may add one', async () => {
  await ledger.db.sql.connection().execute(async (session) => {
    const read = () => sql`SELECT * FROM wallet WHERE wallet_id = ${'ann'}`.execute(session);
    expect((await read()).rows).toHaveLength(1);
    await sql`ALTER TABLE wallet ADD COLUMN later text`.execute(session);
    expect((await read()).rows).toMatchObject([{ later: null }]);
  });
});

test('what the journal prepares while a table is empty does not read all of it when it has grown', async () => {
  const { db, life } = ledger;
  const plan = await db.batch(async (statements) => {
    // From the sixth time on a session keeps the plan.
    for (const _time of Array.from({ length: 8 })) await lockOperations(statements, life.tables.payout, [KEY]);
    const { rows } = await statements.run<{ name: string }>(
      `SELECT name FROM pg_prepared_statements WHERE statement LIKE '%FROM "payout"%FOR NO KEY UPDATE'`,
    );
    const explained = await statements.run<object>(`EXPLAIN EXECUTE ${rows[0]?.name} ('{${KEY}}')`);
    return { underway: [], result: explained.rows.map((row) => Object.values(row).join()).join('\n') };
  });
  expect(plan).toMatch(/Index.* Scan.* payout/);
  expect(plan).not.toContain('Seq Scan');
});

test('the reads of the ledger go on working when a newer process has added a column', async () => {
  const read = () =>
    readRows(statementsOf(ledger.db.sql), ledger.life.tables.transfer, [pkidOf('transfer', 'nothing')]);
  for (const _time of [1, 2, 3]) expect((await read()).size).toBe(0);
  const client = await ledger.connect();
  await client.query('ALTER TABLE transfer ADD COLUMN later text');
  for (const _time of [1, 2, 3]) expect((await read()).size).toBe(0);
});
