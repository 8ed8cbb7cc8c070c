// The judge of the fault test must be able to fail: each violation is planted into a run in which everything held, and
// must be the one that is reported.

import { expect, test } from 'vitest';
import type { ClientLine } from '../../chaos/client-log.ts';
import type { Check, Evidence, Operation } from '../../chaos/evidence.ts';
import { judge } from '../../chaos/judge.ts';
import { CURRENCY, POOR, SELLERS } from '../../chaos/market.ts';
import { heard, operations, row, soundRun } from './sound-run.ts';

interface Planted {
  readonly name: string;
  readonly evidence: Partial<Evidence>;
  readonly found: Check;
  readonly key: string;
}

const AT = 1_000_000;

const PLANTED: readonly Planted[] = [
  {
    name: 'an acknowledged operation that is lost',
    evidence: { operations: without('t-1') },
    found: 'lost',
    key: 't-1',
  },
  {
    name: 'an operation acknowledged under another identity',
    evidence: {
      client: said((line) => (line.what === 'answered' && line.key === 't-1' ? { ...line, pkid: 'X' } : line)),
    },
    found: 'lost',
    key: 't-1',
  },
  {
    name: 'a success without a payment',
    evidence: { book: soundRun.book.filter(({ key }) => key !== 'P') },
    found: 'lost',
    key: 'p-2',
  },
  {
    name: 'money that came back and is not booked',
    evidence: {
      book: [...soundRun.book, row({ direction: 'return', key: 'P', amount: '1000', destination: 'acct_ok_1' })],
    },
    found: 'lost',
    key: 'p-2',
  },
  {
    name: 'a payment made twice',
    evidence: {
      book: [...soundRun.book, row({ direction: 'out', key: 'P', amount: '1000', destination: 'acct_ok_1' })],
    },
    found: 'doubled',
    key: 'p-2',
  },
  {
    name: 'two rows of one key',
    evidence: { operations: [...operations, ...operations.slice(0, 1)] },
    found: 'doubled',
    key: 't-1',
  },
  {
    name: 'paid, and yet failed',
    evidence: {
      book: [...soundRun.book, row({ direction: 'out', key: 'D', amount: '1000', destination: 'acct_ok_1' })],
    },
    found: 'paid_but_failed',
    key: 'p-3',
  },
  {
    name: 'a payment without an operation',
    evidence: { book: [...soundRun.book, row({ direction: 'out', key: 'Z', amount: '1', destination: 'acct_x' })] },
    found: 'orphan',
    key: 'Z',
  },
  {
    name: 'an operation that nobody asked for',
    evidence: { operations: [...operations, changed('t-1', { semanticKey: 't-9', pkid: 'U' })] },
    found: 'orphan',
    key: 't-9',
  },
  {
    name: 'an operation that was found at the provider only',
    evidence: { operations: replaced('pay-c-4', { origin: 'external' }) },
    found: 'orphan',
    key: 'pay-c-4',
  },
  {
    name: 'another amount at the provider',
    evidence: { book: soundRun.book.map((one) => (one.key === 'P' ? { ...one, amount: '1001' } : one)) },
    found: 'amount',
    key: 'p-2',
  },
  {
    name: 'another beneficiary at the provider',
    evidence: { book: soundRun.book.map((one) => (one.key === 'P' ? { ...one, destination: 'acct_thief' } : one)) },
    found: 'amount',
    key: 'p-2',
  },
  {
    name: 'another amount in the row than was asked for',
    evidence: { operations: replaced('t-1', { fields: { from_wallet: 'w-0', to_wallet: 'w-1', amount: '900' } }) },
    found: 'amount',
    key: 't-1',
  },
  {
    name: 'an acknowledged order that is lost',
    evidence: { orders: [] },
    found: 'lost',
    key: 'o-4-0',
  },
  {
    name: 'an order of another amount than was asked for',
    evidence: { orders: soundRun.orders.map((one) => ({ ...one, amountMinor: 4_999n })) },
    found: 'amount',
    key: 'o-4-0',
  },
  {
    name: 'a pay-in of another amount than its orders',
    evidence: { operations: replaced('pay-c-4', { amount: '5001' }) },
    found: 'amount',
    key: 'pay-c-4',
  },
  {
    name: 'a payment before its intent',
    evidence: { firstIntentAt: new Map([...soundRun.firstIntentAt, ['P', AT + 1_000]]) },
    found: 'early',
    key: 'p-2',
  },
  {
    name: 'a status that was shown and changed',
    evidence: { client: [...soundRun.client, { what: 'shown', key: 'p-2', status: 'failed', at: AT + 2 }] },
    found: 'changed',
    key: 'p-2',
  },
  {
    name: 'a status that was shown and is another in the ledger',
    evidence: { client: said((line) => (isEnd(line, 'p-3') ? { ...line, status: 'succeeded' } : line)) },
    found: 'changed',
    key: 'p-3',
  },
  {
    name: 'another body under a known key that is taken',
    evidence: { client: [...soundRun.client, { what: 'clash', key: 't-1', status: 200, code: null }] },
    found: 'replaced',
    key: 't-1',
  },
  {
    name: 'copies of one request that become two operations',
    evidence: {
      client: [
        ...soundRun.client,
        { what: 'copies', key: 't-1', isFirst: true, statuses: [202, 200], pkids: ['T', 'V'] },
      ],
    },
    found: 'copies',
    key: 't-1',
  },
  {
    name: 'copies of which two were the first',
    evidence: {
      client: [...soundRun.client, { what: 'copies', key: 't-1', isFirst: true, statuses: [202, 202], pkids: ['T'] }],
    },
    found: 'copies',
    key: 't-1',
  },
  {
    name: 'a refusal that was carried out',
    evidence: {
      client: said((line) => (line.what === 'answered' && line.key === 't-1' ? { ...line, status: 422 } : line)),
    },
    found: 'refused',
    key: 't-1',
  },
  {
    name: 'an operation that never ends',
    evidence: { operations: replaced('p-3', { status: 'in_process' }) },
    found: 'unfinished',
    key: 'p-3',
  },
  {
    name: 'a checkout that is not compensated in time',
    evidence: { leftovers: ['c-4 is not compensated'] },
    found: 'unfinished',
    key: 'c-4',
  },
  {
    name: 'a review that nothing explains',
    evidence: { operations: replaced('p-3', { status: 'in_process', reviewReason: 'crashes' }) },
    found: 'review',
    key: 'p-3',
  },
  {
    name: 'a final state that the merchant never heard of',
    evidence: { heard: soundRun.heard.filter((line) => line.what !== 'heard' || line.subject !== 'p-3') },
    found: 'untold',
    key: 'p-3',
  },
  {
    name: 'a message that the merchant could not believe',
    evidence: { heard: [...soundRun.heard, { what: 'refused', reason: 'timestamp', at: AT }] },
    found: 'untold',
    key: 'signature',
  },
  {
    name: 'events out of order',
    evidence: { heard: [heard('payout.returned', 'p-2', 2), ...soundRun.heard] },
    found: 'disorder',
    key: 'p-2',
  },
  {
    name: 'both verdicts told',
    evidence: { heard: [...soundRun.heard, heard('payout.failed', 'p-2', 2)] },
    found: 'disorder',
    key: 'p-2',
  },
  {
    name: 'a wallet that is wrong by one',
    evidence: { wallets: new Map([...soundRun.wallets, ['w-1', (soundRun.wallets.get('w-1') ?? 0n) + 1n]]) },
    found: 'balance',
    key: 'w-1',
  },
  {
    name: 'a seller who got the fee',
    evidence: { wallets: new Map([...soundRun.wallets, [SELLERS[0] ?? '', 3_000n]]) },
    found: 'balance',
    key: 'shop-0',
  },
  {
    name: 'a provider wallet that is not what the provider says',
    evidence: { wallets: new Map([...soundRun.wallets, [`@provider:stripe:${CURRENCY}`, 0n]]) },
    found: 'balance',
    key: `@provider:stripe:${CURRENCY}`,
  },
  {
    name: 'fewer served than there was money for',
    evidence: { operations: [...operations, changed('t-1', { status: 'failed', fields: { from_wallet: POOR } })] },
    found: 'balance',
    key: POOR,
  },
  { name: 'a finding of the audit', evidence: { audit: ['A3: {"wallet_id":"w-1"}'] }, found: 'audit', key: 'A3' },
];

test('a run in which everything held has no violation', () => {
  expect(judge(soundRun)).toEqual([]);
});

test.each(PLANTED)('$name is reported', ({ evidence, found, key }) => {
  const violations = judge({ ...soundRun, ...evidence }).map((one) => `${one.check} ${one.key}`);
  expect(violations).toContain(`${found} ${key}`);
});

test('what came back of a failed payout, and what is kept apart, is no payment that failed', () => {
  const paid = row({ direction: 'out', key: 'D', amount: '1000', destination: 'acct_ok_1' });
  const checksOf = (evidence: Partial<Evidence>) => judge({ ...soundRun, ...evidence }).map(({ check }) => check);
  const back = row({ direction: 'return', key: 'D', amount: '1000', destination: 'acct_ok_1' });
  expect(checksOf({ book: [...soundRun.book, paid, back] })).not.toContain('paid_but_failed');
  const unapplied = [{ pkid: 'D', amountMinor: 1_000n }];
  expect(checksOf({ book: [...soundRun.book, paid], unapplied })).not.toContain('paid_but_failed');
});

test('a refusal may be carried out when the answer of an earlier try was lost', () => {
  const refused = said((line) => (line.what === 'answered' && line.key === 't-1' ? { ...line, status: 422 } : line));
  const lost: ClientLine = { what: 'tried', key: 't-1', api: 0, method: 'POST', from: AT, to: AT, status: null };
  expect(judge({ ...soundRun, client: [lost, ...refused] }).map(({ check }) => check)).not.toContain('refused');
});

function said(change: (line: ClientLine) => ClientLine): ClientLine[] {
  return soundRun.client.map(change);
}

function isEnd(line: ClientLine, key: string): line is Extract<ClientLine, { what: 'shown' }> {
  return line.what === 'shown' && line.key === key && line.status !== 'initialized';
}

function without(key: string): Operation[] {
  return operations.filter(({ semanticKey }) => semanticKey !== key);
}

function replaced(key: string, change: Partial<Operation>): Operation[] {
  return operations.map((one) => (one.semanticKey === key ? { ...one, ...change } : one));
}

function changed(key: string, change: Partial<Operation>): Operation {
  const [one] = operations.filter(({ semanticKey }) => semanticKey === key);
  if (one === undefined) throw new Error(`There is no ${key} in the sound run.`);
  return { ...one, ...change };
}
