// Statements that leave together are one transaction all the same: it is whole or not at all, and its end is known.

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type BatchPool, openBatchPool } from '../../src/runtime/batch-pool.ts';
import { isRetryable } from '../../src/runtime/db.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { Statements } from '../../src/runtime/statements.ts';
import { openCutProxy } from '../harness/cut-proxy.ts';
import { type Ledger, openLedger } from '../harness/ledger.ts';

let ledger: Ledger;
let pool: BatchPool;
beforeAll(async () => {
  ledger = await openLedger();
  const client = await ledger.connect();
  await client.query('CREATE TABLE jar (coin integer PRIMARY KEY CHECK (coin > 0), at timestamptz)');
  pool = openBatchPool({
    url: ledger.url,
    max: 2,
    sessionOptions: '-c lock_timeout=500',
    connectTimeoutMs: 5_000,
    answerTimeoutMs: 15_000,
    log: silentLogger(),
  });
});
afterAll(async () => {
  await pool.close();
  await ledger.close();
});
beforeEach(async () => {
  await (await ledger.connect()).query('TRUNCATE jar');
});

const put = (statements: Statements, coin: number) => statements.run('INSERT INTO jar VALUES ($1, now())', [coin]);
/** As through the layers above, so that the statement behind it, which fails because it did, is heard of first. */
async function heardLater<Value>(promise: Promise<Value>): Promise<Value> {
  try {
    return await promise;
  } finally {
    await new Promise(setImmediate);
  }
}

/** A transaction whose statements are all answered before its COMMIT is sent. */
const committed = <Result>(work: (statements: Statements) => Promise<Result>) =>
  pool.transaction(async (statements) => ({ underway: [], result: await work(statements) }));
const coins = async () => {
  const { rows } = await committed((statements) =>
    statements.run<{ coin: number }>('SELECT coin FROM jar ORDER BY coin'),
  );
  return rows.map(({ coin }) => coin);
};

test('what is asked for in one turn is answered in order, and a later one sees what an earlier one did', async () => {
  const counts = await committed(async (statements) => {
    const count = () => statements.run<{ count: number }>('SELECT count(*)::int AS count FROM jar');
    const answers = await Promise.all([put(statements, 1), count(), put(statements, 2), count()]);
    return answers.map(({ rows, count: affected }) => rows[0] ?? affected);
  });
  expect(counts).toEqual([1, { count: 1 }, 1, { count: 2 }]);
  expect(await coins()).toEqual([1, 2]);
});

test('one that fails undoes all, also those that were on their way behind it, and says what failed', async () => {
  const failing = committed((statements) =>
    Promise.all([put(statements, 1), heardLater(put(statements, -1)), put(statements, 2)]),
  );
  await expect(failing).rejects.toMatchObject({ constraint: 'jar_coin_check' });
  expect(await coins()).toEqual([]);
});

test('statements that leave with the COMMIT are committed, or undo all when one of them fails', async () => {
  const together = (...last: readonly number[]) =>
    pool.transaction(async (statements) => {
      await put(statements, 1);
      return { underway: last.map((coin) => put(statements, coin)), result: 'committed' };
    });
  await expect(together(2, -1, 3)).rejects.toMatchObject({ constraint: 'jar_coin_check' });
  expect(await coins()).toEqual([]);
  expect(await together(2, 3)).toBe('committed');
  expect(await coins()).toEqual([1, 2, 3]);
});

test('an error that nobody awaited is not committed over', async () => {
  const careless = committed(async (statements) => {
    put(statements, -1).catch(() => undefined);
    await put(statements, 1).catch(() => undefined);
  });
  await expect(careless).rejects.toMatchObject({ constraint: 'jar_coin_check' });
  expect(await coins()).toEqual([]);
});

test('a statement that failed while it was prepared is there again for the next batch', async () => {
  const text = 'INSERT INTO jar VALUES ($1, clock_timestamp())';
  const failing = committed((statements) => Promise.all([put(statements, -1), statements.run(text, [7])]));
  await expect(failing).rejects.toMatchObject({ constraint: 'jar_coin_check' });
  await committed((statements) => statements.run(text, [7]));
  await committed((statements) => statements.run(text, [8]));
  expect(await coins()).toEqual([7, 8]);
});

test('a connection that is cut ends its batch with an error that is tried again, and no other', async () => {
  const cut = committed(async (statements) => {
    await put(statements, 1);
    await statements.run('SELECT pg_terminate_backend(pg_backend_pid())');
    await put(statements, 2);
  });
  await expect(cut.catch(isRetryable)).resolves.toBe(true);
  expect(await coins()).toEqual([]);
});

test('a database that falls silent ends a batch with an error that is tried again', async () => {
  const wire = await openCutProxy(ledger.url);
  const options = { url: wire.url, max: 1, sessionOptions: '', connectTimeoutMs: 200, answerTimeoutMs: 200 };
  const silenced = openBatchPool({ ...options, log: silentLogger() });
  const putThere = (coin: number) =>
    silenced.transaction(async (statements) => ({ underway: [], result: await put(statements, coin) }));
  try {
    await putThere(1);
    wire.fallSilent();
    await expect(putThere(2).catch(isRetryable)).resolves.toBe(true);
    // Whoever comes next is not kept waiting by the one that was given up.
    await expect(putThere(3).catch(isRetryable)).resolves.toBe(true);
    expect(await coins()).toEqual([1]);
  } finally {
    await silenced.close();
    await wire.close();
  }
});

test('times and large numbers arrive as the database writes them', async () => {
  const { rows } = await committed((statements) =>
    statements.run(`SELECT '2026-01-02 03:04:05.678+00'::timestamptz AS at, 9007199254740993::bigint AS large`),
  );
  expect(rows).toEqual([{ at: '2026-01-02 03:04:05.678+00', large: '9007199254740993' }]);
});
