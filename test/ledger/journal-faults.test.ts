// The journal when the database's sessions are lost, paused or killed: every caller gets an answer, and money moves
// once or not at all.

import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PaymentError } from '../../src/domain/errors.ts';
import { type CutProxy, openCutProxy } from '../harness/cut-proxy.ts';
import {
  adjust,
  closeAudited,
  countOf,
  type Ledger,
  openLedger,
  openWallets,
  postedOf,
  requestTransfer,
  type Teller,
  transfer,
} from '../harness/ledger.ts';

let ledger: Ledger;

beforeEach(async () => {
  ledger = await openLedger();
  await openWallets(ledger, ['ann', 'bob', 'eve']);
  await adjust(ledger, { key: 'fund', walletId: 'ann', amountMinor: 1_000n });
});
afterEach(async () => expect(await closeAudited(ledger)).toEqual([]));

/** The lock's time-out is two seconds; a busy machine may be slower to say so. */
const WAIT = { timeout: 20_000 };

const range = (count: number) => Array.from({ length: count }, (_, index) => index);

describe('a COMMIT whose answer is lost', () => {
  let proxy: CutProxy;
  let teller: Teller;

  beforeEach(async () => {
    proxy = await openCutProxy(ledger.url);
    teller = await ledger.openTeller({ url: proxy.url });
    // The connection stands and the platform wallets are known, so that the next commit is the one meant.
    await adjust(teller, { key: 'warm', walletId: 'eve', amountMinor: 1n });
  });
  afterEach(async () => {
    await teller.db.close();
    await proxy.close();
  });

  test('is a new operation to the caller who made it, and one row', async () => {
    proxy.cutCommits(1);
    const intake = await requestTransfer(teller, { key: 'lost', from: 'ann', to: 'bob', amountMinor: 10n });
    expect(intake.type).toBe('created');
    expect(await countOf(ledger, 'transfer')).toBe(1);
    expect(proxy.cuts()).toBe(1);
  });

  test('of a settlement moves the money once, and its caller is answered', async () => {
    const { row } = await requestTransfer(teller, { key: 'lost', from: 'ann', to: 'bob', amountMinor: 10n });
    proxy.cutCommits(1);
    await teller.transfers.run(row.pkid);
    expect(await ledger.transfers.find(row.pkid)).toMatchObject({ status: 'succeeded' });
    expect([await postedOf(ledger, 'ann'), await postedOf(ledger, 'bob')]).toEqual([990n, 10n]);
    expect(proxy.cuts()).toBe(1);
  });

  test('of an adjustment books it once', async () => {
    proxy.cutCommits(1);
    const booked = await adjust(teller, { key: 'lost', walletId: 'bob', amountMinor: 7n });
    expect(['created', 'replayed']).toContain(booked.type);
    expect(await postedOf(ledger, 'bob')).toBe(7n);
    expect(proxy.cuts()).toBe(1);
  });

  test('lost again and again ends in "unavailable", and the repeat finds what was done', async () => {
    const facts = { key: 'lost', from: 'ann', to: 'bob', amountMinor: 10n };
    proxy.cutCommits(5);
    await expect(requestTransfer(teller, facts)).rejects.toMatchObject({ code: 'unavailable', status: 503 });
    expect(proxy.cuts()).toBe(5);
    expect(await requestTransfer(teller, facts)).toMatchObject({ type: 'replayed' });
    expect(await countOf(ledger, 'transfer')).toBe(1);
  });
});

test('sessions killed again and again lose no answer and double no transfer', async () => {
  const killer = await ledger.connect();
  const facts = range(300).map((index) => ({ key: `t${index}`, from: 'ann', to: 'bob', amountMinor: 1n }));
  let isDone = false;
  const ends = Promise.all(facts.map((one) => untilAnswered(one))).finally(() => {
    isDone = true;
  });
  let killed = 0;
  // Each round waits for a session that is at work, so that it dies in the middle of something.
  while (!isDone && killed < 40) killed += await killOneAtWork(killer);
  const transfers = await ends;
  expect(killed).toBeGreaterThan(0);
  expect(transfers.map((one) => one?.status)).toEqual(facts.map(() => 'succeeded'));
  expect([await postedOf(ledger, 'ann'), await postedOf(ledger, 'bob')]).toEqual([700n, 300n]);
  expect(await countOf(ledger, 'posting')).toBe(301);

  /** As a worker does: "unavailable" means again, anything else is a defect. */
  async function untilAnswered(one: Parameters<typeof transfer>[1]) {
    for (;;) {
      try {
        return await transfer(ledger, one);
      } catch (error) {
        const isAway = error instanceof PaymentError && error.kind === 'unavailable';
        // Reads are not retried by the journal, so they show the lost session as it is.
        if (!isAway && !String(error).match(/terminat|57P01/)) throw error;
      }
    }
  }
});

async function killOneAtWork(killer: pg.Client): Promise<number> {
  const { rowCount } = await killer.query(`
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'remit' AND state <> 'idle' LIMIT 1`);
  return rowCount ?? 0;
}

test('a request whose commit had to be tried again is still told that its operation was there already', async () => {
  const facts = { key: 'known', from: 'ann', to: 'bob', amountMinor: 10n };
  const { row } = await requestTransfer(ledger, facts);
  const busy = await ledger.connect();
  await busy.query("BEGIN; SELECT * FROM wallet WHERE wallet_id = '@equity:USD' FOR UPDATE");
  // Both are submitted in one turn, so the wait for the platform's wallet is a wait for both.
  const booked = adjust(ledger, { key: 'slow', walletId: 'eve', amountMinor: 1n });
  const replayed = ledger.journal.insertTransfer(row.pkid, () => row);
  const before = ledger.batches.length;
  await expect.poll(() => ledger.warnings.filter((line) => line.includes('55P03')).length, WAIT).toBe(1);
  await busy.query('ROLLBACK');
  expect(await booked).toMatchObject({ type: 'created' });
  expect(await replayed).toMatchObject({ type: 'replayed' });
  expect(ledger.batches.slice(before)).toEqual([2]);
});

describe('a process that is paused inside a transaction', () => {
  /** What every session of ours is given. */
  const LIMITS = "SET idle_in_transaction_session_timeout = '5s'; SET lock_timeout = '2s';";

  test('is ended by the server; what waited for its wallet goes through, what did not never noticed', async () => {
    const paused = await ledger.connect();
    await paused.query(LIMITS);
    await paused.query("BEGIN; SELECT * FROM wallet WHERE wallet_id = 'ann' FOR UPDATE");
    const waiting = transfer(ledger, { key: 'waits', from: 'ann', to: 'bob', amountMinor: 10n });
    const aside = await adjust(await ledger.openTeller(), { key: 'aside', walletId: 'eve', amountMinor: 1n });
    expect(aside.type).toBe('created');
    expect(await waiting).toMatchObject({ status: 'succeeded' });
    await expect(paused.query('COMMIT')).rejects.toThrow();
    expect(await postedOf(ledger, 'bob')).toBe(10n);
  });

  test('wakes up to find that its work was not written', async () => {
    const paused = await ledger.connect();
    await paused.query("SET idle_in_transaction_session_timeout = '1ms'");
    const ended = new Promise((resolve) => paused.once('error', resolve));
    await paused.query("BEGIN; UPDATE wallet SET posted = 0, metadata = '{}' WHERE wallet_id = 'ann'");
    await ended;
    expect(await postedOf(ledger, 'ann')).toBe(1_000n);
    expect(await transfer(ledger, { key: 'next', from: 'ann', to: 'bob', amountMinor: 10n })).toMatchObject({
      status: 'succeeded',
    });
  });

  test('gives every session of the program its limits', async () => {
    const { rows } = await ledger.db.orm.em.getConnection().execute<{ rows: Record<string, string>[] }>(
      `SELECT current_setting('idle_in_transaction_session_timeout') AS idle,
              current_setting('lock_timeout') AS lock, current_setting('statement_timeout') AS statement`,
      [],
      'run',
    );
    expect(rows).toEqual([{ idle: '5s', lock: '2s', statement: '10s' }]);
  });
});
