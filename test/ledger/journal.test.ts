// The journal on a real database: many callers, few commits, every cent where it belongs.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import type { Transfer } from '../../src/domain/transfer.ts';
import { StatusChangeEntity } from '../../src/entities/status-change.ts';
import { audit } from '../../src/ledger/audit.ts';
import {
  adjust,
  countOf,
  type Ledger,
  openLedger,
  openWallets,
  postedOf,
  requestTransfer,
  type Teller,
  transfer,
  USD,
} from '../harness/ledger.ts';

let ledger: Ledger;

beforeEach(async () => {
  ledger = await openLedger();
});
afterEach(async () => {
  const { checks } = await audit(ledger.db);
  await ledger.close();
  // Whatever a test did, the books must hold.
  expect(checks.filter((check) => check.violations.length > 0)).toEqual([]);
});

async function fund(walletId: string, amountMinor: bigint): Promise<void> {
  expect(await adjust(ledger, { key: `fund:${walletId}`, walletId, amountMinor })).toMatchObject({ type: 'created' });
}

const range = (count: number) => Array.from({ length: count }, (_, index) => index);

describe('transfers', () => {
  test('200 transfers of 10.00 at once out of 1000.00: exactly 100 succeed, the rest lack the funds', async () => {
    await openWallets(ledger, ['ann', 'bob']);
    await fund('ann', 100_000n);
    const ends = await Promise.all(
      range(200).map((index) => transfer(ledger, { key: `t${index}`, from: 'ann', to: 'bob', amountMinor: 1_000n })),
    );
    const outcomes = ends.map((end) => end?.failureCode ?? end?.status);
    expect(outcomes.filter((outcome) => outcome === 'succeeded')).toHaveLength(100);
    expect(outcomes.filter((outcome) => outcome === 'insufficient_funds')).toHaveLength(100);
    expect([await postedOf(ledger, 'ann'), await postedOf(ledger, 'bob')]).toEqual([0n, 100_000n]);
  });

  test('a refused one does not disturb those that share its commit', async () => {
    await openWallets(ledger, ['ann', 'bob', 'eve']);
    await fund('ann', 30n);
    const facts = [
      { key: 'first', from: 'ann', to: 'bob', amountMinor: 10n },
      { key: 'too much', from: 'eve', to: 'bob', amountMinor: 10n },
      { key: 'second', from: 'ann', to: 'bob', amountMinor: 20n },
    ].map((one) => ({ ...one, key: one.key.replace(' ', '-') }));
    const rows = await Promise.all(facts.map((one) => requestTransfer(ledger, one)));
    const before = ledger.batches.length;
    await Promise.all(rows.map(({ row }) => ledger.transfers.run(row.pkid)));
    expect(ledger.batches.slice(before)).toEqual([3]);
    const ends = await Promise.all(rows.map(({ row }) => ledger.transfers.find(row.pkid)));
    expect(ends.map((end) => end?.status)).toEqual(['succeeded', 'failed', 'succeeded']);
  });

  test('run a hundred times at once, a transfer moves money once', async () => {
    await openWallets(ledger, ['ann', 'bob']);
    await fund('ann', 1_000n);
    const other = await ledger.openTeller();
    const { row } = await requestTransfer(ledger, { key: 'once', from: 'ann', to: 'bob', amountMinor: 10n });
    await Promise.all(range(100).map((index) => (index % 2 === 0 ? ledger : other).transfers.run(row.pkid)));
    expect(await postedOf(ledger, 'bob')).toBe(10n);
    // That of the funding, and that of the transfer.
    expect(await countOf(ledger, 'posting')).toBe(2);
  });

  test('of their status changes only a failure is written: the others follow from row and posting', async () => {
    await openWallets(ledger, ['ann', 'bob']);
    await fund('ann', 10n);
    await transfer(ledger, { key: 'moved', from: 'ann', to: 'bob', amountMinor: 10n });
    await requestTransfer(ledger, { key: 'waiting', from: 'ann', to: 'bob', amountMinor: 10n });
    expect(await countOf(ledger, 'status_change')).toBe(0);
    const failed = await transfer(ledger, { key: 'poor', from: 'ann', to: 'bob', amountMinor: 10n });
    const moved = { number: 3, operationKind: 'transfer', fromStatus: 'in_process', toStatus: 'failed' };
    const told = { attempt: 0, cause: null, createdAt: failed?.finalAt };
    expect(await ledger.db.em().find(StatusChangeEntity, {})).toEqual([{ pkid: failed?.pkid, ...moved, ...told }]);
  });

  test('money that arrives in a batch can be passed on in the same batch', async () => {
    await openWallets(ledger, ['ann', 'bob', 'eve']);
    await fund('ann', 10n);
    const chain = [
      { key: 'k1', from: 'ann', to: 'bob', amountMinor: 10n },
      { key: 'k2', from: 'bob', to: 'eve', amountMinor: 10n },
    ];
    const rows = await Promise.all(chain.map((one) => requestTransfer(ledger, one)));
    await Promise.all(rows.map(({ row }) => ledger.transfers.run(row.pkid)));
    expect(await postedOf(ledger, 'eve')).toBe(10n);
  });
});

describe('intake', () => {
  const facts = { key: 'same', from: 'ann', to: 'bob', amountMinor: 10n };

  test('a hundred equal requests at once are one operation: one was new, 99 are told what is there', async () => {
    await openWallets(ledger, ['ann', 'bob']);
    const other = await ledger.openTeller();
    const intakes = await Promise.all(
      range(100).map((index) => requestTransfer(index % 2 === 0 ? ledger : other, facts)),
    );
    expect(intakes.filter((intake) => intake.type === 'created')).toHaveLength(1);
    expect(intakes.filter((intake) => intake.type === 'replayed')).toHaveLength(99);
    expect(new Set(intakes.map((intake) => intake.row.pkid)).size).toBe(1);
    expect(await countOf(ledger, 'transfer')).toBe(1);
  });

  test('the same key with another body is told so and changes nothing, also within one batch', async () => {
    await openWallets(ledger, ['ann', 'bob']);
    const bodies = [facts, { ...facts, amountMinor: 11n }, facts];
    const together = await Promise.all(bodies.map((body) => requestTransfer(ledger, body)));
    expect(together.map((intake) => intake.type)).toEqual(['created', 'key_reused', 'replayed']);
    const later = await requestTransfer(ledger, { ...facts, to: 'ann', from: 'bob' });
    expect(later).toMatchObject({ type: 'key_reused', row: { fromWallet: 'ann', amountMinor: 10n } });
    expect(await countOf(ledger, 'transfer')).toBe(1);
  });

  test('two processes that insert the same keys in opposite orders agree on one row each', async () => {
    await openWallets(ledger, ['ann', 'bob']);
    const other = await ledger.openTeller();
    const keys = range(300).map((index) => `k${index}`);
    const insert = (teller: Teller, some: readonly string[]) =>
      Promise.all(some.map((key) => requestTransfer(teller, { ...facts, key })));
    const [forth, back] = await Promise.all([insert(ledger, keys), insert(other, keys.toReversed())]);
    const created = [...forth, ...back].filter((intake) => intake.type === 'created');
    expect(new Set(created.map((intake) => intake.row.pkid)).size).toBe(300);
    expect(created).toHaveLength(300);
    expect(await countOf(ledger, 'transfer')).toBe(300);
    expect(deadlocks(ledger, other)).toEqual([]);
  });
});

describe('an item that the database refuses', () => {
  test('gets the error alone; the others of its batch are inserted', async () => {
    await openWallets(ledger, ['ann', 'bob']);
    const { row } = await requestTransfer(ledger, { key: 'model', from: 'ann', to: 'bob', amountMinor: 10n });
    const ends = await Promise.allSettled(
      range(60).map((index) => {
        const pkid = pkidOf('transfer', `p${index}`);
        const amountMinor = index === 41 ? -1n : 1n;
        return ledger.journal.insertTransfer(pkid, (now): Transfer => {
          return { ...row, pkid, semanticKey: `p${index}`, amountMinor, createdAt: now, updatedAt: now };
        });
      }),
    );
    expect(ends.flatMap((end, index) => (end.status === 'rejected' ? [index] : []))).toEqual([41]);
    expect(ends[41]).toMatchObject({ reason: { constraint: 'transfer_amount_positive' } });
    expect(await countOf(ledger, 'transfer')).toBe(60);
  });

  test('moves nothing; the transfers that shared its commit do', async () => {
    await openWallets(ledger, ['ann', 'bob']);
    await fund('ann', 1_000n);
    const rows = await Promise.all(
      range(20).map((index) => requestTransfer(ledger, { key: `t${index}`, from: 'ann', to: 'bob', amountMinor: 10n })),
    );
    const ends = await Promise.allSettled([
      ...rows.map(({ row }) => ledger.transfers.run(row.pkid)),
      // A failure code on a row that has not failed.
      ledger.journal.stepTransfer({
        pkid: pkidOf('transfer', 't3'),
        walletIds: [],
        decide: (row, now) => ({
          movements: [],
          conclude: () => ({
            next: { ...row, failureCode: 'expired', dueAt: now, updatedAt: now },
            path: [],
            cause: null,
            result: null,
          }),
        }),
      }),
    ]);
    expect(ends.filter((end) => end.status === 'rejected')).toMatchObject([
      { reason: { constraint: 'transfer_failure_named' } },
    ]);
    expect(await postedOf(ledger, 'bob')).toBe(200n);
  });

  test('a step of an operation that is not there is refused alone', async () => {
    await openWallets(ledger, ['ann', 'bob']);
    await fund('ann', 10n);
    const { row } = await requestTransfer(ledger, { key: 'real', from: 'ann', to: 'bob', amountMinor: 10n });
    const ghost = ledger.journal.stepTransfer({
      pkid: pkidOf('transfer', 'ghost'),
      walletIds: [],
      decide: () => ({ movements: [], conclude: () => ({ next: null, path: [], cause: null, result: null }) }),
    });
    const [run, missing] = await Promise.allSettled([ledger.transfers.run(row.pkid), ghost]);
    expect(run.status).toBe('fulfilled');
    expect(missing).toMatchObject({ reason: { code: 'not-found' } });
  });
});

describe('adjustments', () => {
  test('equal requests at once book once, and the same key with another amount is told so', async () => {
    await openWallets(ledger, ['ann']);
    const other = await ledger.openTeller();
    const facts = { key: 'a', walletId: 'ann', amountMinor: 10n };
    const booked = await Promise.all(range(40).map((index) => adjust(index % 2 === 0 ? ledger : other, facts)));
    expect(booked.filter((one) => one.type === 'created')).toHaveLength(1);
    expect(booked.filter((one) => one.type === 'replayed')).toHaveLength(39);
    expect(await adjust(other, { ...facts, amountMinor: 11n })).toMatchObject({ type: 'key_reused' });
    expect(await postedOf(ledger, 'ann')).toBe(10n);
    expect(await postedOf(ledger, '@equity:USD')).toBe(-10n);
  });

  test('one that would overdraw is refused and leaves no trace, so that its key is free', async () => {
    await openWallets(ledger, ['ann']);
    const refused = await adjust(ledger, { key: 'a', walletId: 'ann', amountMinor: -1n });
    expect(refused).toEqual({ type: 'refused', code: 'insufficient_funds' });
    expect(await countOf(ledger, 'adjustment')).toBe(0);
    expect(await adjust(ledger, { key: 'a', walletId: 'ann', amountMinor: 1n })).toMatchObject({ type: 'created' });
  });

  test('a balance that would not fit the column is refused, not wrapped', async () => {
    await openWallets(ledger, ['ann']);
    const most = 2n ** 63n - 1n;
    expect(await adjust(ledger, { key: 'a', walletId: 'ann', amountMinor: most })).toMatchObject({ type: 'created' });
    const more = await adjust(ledger, { key: 'b', walletId: 'ann', amountMinor: 1n });
    expect(more).toEqual({ type: 'refused', code: 'limit_exceeded' });
    expect(await postedOf(ledger, 'ann')).toBe(most);
  });
});

describe('two processes', () => {
  test('that send money back and forth by the hundred never deadlock, and lose nothing', async () => {
    const walletIds = range(6).map((index) => `w${index}`);
    await openWallets(ledger, walletIds);
    for (const walletId of walletIds) await fund(walletId, 10_000n);
    const other = await ledger.openTeller();
    const send = (teller: Teller, name: string, turn: (pair: readonly [string, string]) => readonly [string, string]) =>
      Promise.all(
        range(400).map((index) => {
          const [from, to] = turn([`w${index % 6}`, `w${(index + 1 + (index % 5)) % 6}`]);
          return transfer(teller, { key: `${name}${index}`, from, to, amountMinor: 1n });
        }),
      );
    const ends = await Promise.all([
      send(ledger, 'forth', ([from, to]) => [from, to]),
      send(other, 'back', ([from, to]) => [to, from]),
    ]);
    expect(ends.flat().filter((end) => end?.status !== 'succeeded')).toEqual([]);
    expect(deadlocks(ledger, other)).toEqual([]);
  });

  test('that need the same new platform wallet create it once', async () => {
    await openWallets(ledger, ['ann', 'bob']);
    const other = await ledger.openTeller();
    const booked = await Promise.all([
      adjust(ledger, { key: 'a', walletId: 'ann', amountMinor: 5n }),
      adjust(other, { key: 'b', walletId: 'bob', amountMinor: 6n }),
    ]);
    expect(booked.map((one) => one.type)).toEqual(['created', 'created']);
    expect(await postedOf(ledger, `@equity:${USD}`)).toBe(-11n);
  });
});

/** A deadlock is retried and therefore said; PostgreSQL's own count reaches its view only later. */
function deadlocks(...tellers: Teller[]): string[] {
  return tellers.flatMap((teller) => teller.warnings.filter((line) => line.includes('40P01')));
}
