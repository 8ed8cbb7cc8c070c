// How a transfer ends follows from what the ledger said of its movement.

import { expect, test } from 'vitest';
import { pkidOf, timedPostingIdOf } from '../../src/domain/id.ts';
import { parseCurrency } from '../../src/domain/money.ts';
import { apply } from '../../src/domain/movements.ts';
import { endTransfer, postingIdsOfTransfer } from '../../src/domain/transfer.ts';

const NOW = new Date('2026-03-01T12:00:00Z');
const FINAL = { dueAt: null, finalAt: NOW, updatedAt: NOW };

test('a movement that was done is a success', () => {
  expect(endTransfer({ type: 'done' }, NOW)).toEqual({
    ...FINAL,
    status: 'succeeded',
    failureCode: null,
    failureDetail: null,
  });
});

test.each([
  ['insufficient_funds', 'insufficient_funds', /Fund it and make a new transfer/],
  ['limit_exceeded', 'limit_exceeded', /Nothing was moved/],
  ['currency_mismatch', 'limit_exceeded', /Nothing was moved/],
] as const)('a movement refused for %s fails as %s', (code, failureCode, words) => {
  const end = endTransfer({ type: 'refused', code }, NOW);
  expect(end).toMatchObject({ ...FINAL, status: 'failed', failureCode });
  expect(end.failureDetail).toMatch(words);
});

test('every posting that a transfer writes has one of the ids by which its postings are found', () => {
  const pkid = pkidOf('transfer', 'order:42');
  const posting = { event: 'transfer', kind: 'transfer', pkid, semanticKey: 'order:42', reverses: null } as const;
  const [currency, amountMinor] = [parseCurrency('USD'), 10n];
  const wallet = (walletId: string, postedMinor: bigint) =>
    [walletId, { walletId, currency, postedMinor, heldMinor: 0n, seq: 1n, allowNegative: postedMinor < 0n }] as const;
  const wallets = new Map([wallet('ann', 30n), wallet('bob', 0n), wallet('@debt:ann:USD', -20n)]);
  const { postings } = apply({ wallets, holds: new Map(), debts: new Map([['ann', '@debt:ann:USD']]) }, [
    {
      type: 'transfer',
      posting: { ...posting, postingId: timedPostingIdOf(pkid, NOW) },
      from: 'ann',
      to: 'bob',
      money: { amountMinor, currency },
    },
  ]);
  expect(postings.map(({ event }) => event)).toEqual(['debt.netted', 'transfer']);
  const ids = postingIdsOfTransfer({ pkid, createdAt: NOW });
  expect(postings.filter(({ postingId }) => !ids.includes(postingId))).toEqual([]);
});

// Computed once and never to be changed: these ids are in databases.
const KNOWN_IDS = [
  '0540fb0d-43b9-519c-a2af-e2ec56db72f1',
  '01a21c3b-a2fb-807c-9e95-a3be19185d27',
  '01a21c3b-a2fb-86db-ae16-cd550adf0576',
  '6acbdb2f-6358-56db-ae16-cd550adf0576',
];

test('the postings of a transfer are found by the ids that any release has given them', () => {
  const createdAt = new Date('2026-11-27T09:00:00.123Z');
  expect(postingIdsOfTransfer({ pkid: pkidOf('transfer', 'order:42'), createdAt })).toEqual(KNOWN_IDS);
});
