// What the database refuses for the moment is tried again as a whole, in a new transaction; what it refuses for good is
// not. Both doors to the database behave alike.

import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Db, openDb } from '../../src/runtime/db.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { createDatabase, type TestDatabase } from '../harness/postgres.ts';

let database: TestDatabase;
let db: Db;
beforeAll(async () => {
  database = await createDatabase();
  db = await openDb(database.url, { log: silentLogger() });
  await sql`CREATE TABLE jar (jar_id int PRIMARY KEY, coins int NOT NULL)`.execute(db.sql);
  // A sequence counts tries, because no rollback takes it back.
  await sql`CREATE SEQUENCE tries`.execute(db.sql);
  await sql`CREATE FUNCTION refuse(code text, times int) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN IF nextval('tries') <= times THEN RAISE 'planted' USING ERRCODE = code; END IF; END $$`.execute(db.sql);
});
beforeEach(async () => {
  await sql`TRUNCATE jar`.execute(db.sql);
  await sql`INSERT INTO jar VALUES (1, 0), (2, 0)`.execute(db.sql);
  await sql`ALTER SEQUENCE tries RESTART`.execute(db.sql);
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

type Run = (text: string) => Promise<unknown>;
const DOORS: Readonly<Record<string, (work: (run: Run) => Promise<void>) => Promise<void>>> = {
  transaction: (work) => db.transaction((tx) => work((text) => sql.raw(text).execute(tx))),
  batch: (work) =>
    db.batch(async (statements) => {
      await work((text) => statements.run(text));
      return { underway: [], result: undefined };
    }),
};

describe.each(Object.entries(DOORS))('a %s', (_name, within) => {
  const addOne = (run: Run, jarId: number) => run(`UPDATE jar SET coins = coins + 1 WHERE jar_id = ${jarId}`);
  const addRefused = (code: string, times: number) =>
    within(async (run) => {
      await addOne(run, 1);
      await run(`SELECT refuse('${code}', ${times})`);
    });

  test.each(['40001', '40P01', '55P03', '57P01', '57014', '08006', '53300'])(
    'that the database refuses for now (%s) is tried again, and done once',
    async (code) => {
      await addRefused(code, 1);
      expect(await coins()).toEqual([1, 0]);
    },
  );

  test.each(['23505', '22003', '42P01', 'P0001'])('that it refuses for good (%s) is not', async (code) => {
    await expect(addRefused(code, 3)).rejects.toMatchObject({ code });
    expect(await coins()).toEqual([0, 0]);
    expect(await tries()).toBe(1);
  });

  test('is given up after five tries: "unavailable", with the time to come back, and nothing is done', async () => {
    await expect(addRefused('40001', 99)).rejects.toMatchObject({ kind: 'unavailable', retryAfterMs: 1_000 });
    expect(await coins()).toEqual([0, 0]);
    expect(await tries()).toBe(5);
  });

  test('that meets another in a deadlock is tried again, and both are done', async () => {
    let begun = 0;
    const both = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
    const crossing = (first: number) =>
      within(async (run) => {
        begun += 1;
        await addOne(run, first);
        both[first === 1 ? 0 : 1].resolve();
        // Each holds the one that the other wants, at least the first time.
        await Promise.all(both.map(({ promise }) => promise));
        await addOne(run, 3 - first);
      });
    await Promise.all([crossing(1), crossing(2)]);
    expect(await coins()).toEqual([2, 2]);
    expect(begun).toBeGreaterThan(2);
  });
});

async function coins(): Promise<number[]> {
  const { rows } = await sql<{ coins: number }>`SELECT coins FROM jar ORDER BY jar_id`.execute(db.sql);
  return rows.map((row) => row.coins);
}

async function tries(): Promise<number> {
  const { rows } = await sql<{ last: number }>`SELECT last_value::int AS last FROM tries`.execute(db.sql);
  return rows[0]?.last ?? 0;
}
