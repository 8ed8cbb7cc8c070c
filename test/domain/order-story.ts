// Random lives of checkouts, and what the orders' history says of them in closed form: where every unit must be follows
// from what went back, is open and was taken, whatever the way that led there.

import fc from 'fast-check';
import { expect } from 'vitest';
import { parseCurrency } from '../../src/domain/money.ts';
import { type Order, refundableMinor } from '../../src/domain/order.ts';
import {
  BUYER,
  type OpenedDispute,
  type OpenedRefund,
  type OrderFacts,
  openTill,
  pendingName,
  type Till,
} from './till.ts';

const SELLERS = ['ann', 'bob'];
const AMOUNT_MAX = 999_999_999_999_999_999n;

const currencies = fc.constantFrom(...['USD', 'JPY', 'KWD'].map(parseCurrency));
const amounts = fc.oneof(
  fc.bigInt({ min: 1n, max: 30n }),
  fc.bigInt({ min: 1n, max: 1_000_000n }),
  fc.constant(AMOUNT_MAX),
);
const order: fc.Arbitrary<OrderFacts> = fc
  .record({ seller: fc.constantFrom(...SELLERS), amountMinor: amounts, share: fc.integer({ min: 0, max: 100 }) })
  .map(({ seller, amountMinor, share }) => ({ seller, amountMinor, feeMinor: (amountMinor * BigInt(share)) / 100n }));
export const checkouts = fc.record({ currency: currencies, orders: fc.array(order, { minLength: 1, maxLength: 3 }) });

const OPERATIONS = [
  'open',
  'open',
  'open',
  'settle',
  'settle',
  'drop',
  'deliver',
  'take',
  'win',
  'lose',
  'pay out',
  'fund',
] as const;
/** `at` chooses among what there is, `part` how much of what there is, in thousandths. */
export const operations = fc.array(
  fc.record({
    what: fc.constantFrom(...OPERATIONS),
    at: fc.nat({ max: 1_000 }),
    part: fc.integer({ min: 1, max: 1_000 }),
    to: fc.constantFrom('payer' as const, 'wallet' as const),
  }),
  { maxLength: 40 },
);
type Operation = typeof operations extends fc.Arbitrary<(infer One)[]> ? One : never;

interface Refunded extends OpenedRefund {
  state: 'open' | 'succeeded' | 'failed';
}
interface Disputed extends OpenedDispute {
  state: 'open' | 'won' | 'lost';
}

/** A till with everything that happened, kept apart from the orders' own counters. */
export interface Story {
  readonly till: Till;
  readonly refunds: Refunded[];
  readonly disputes: Disputed[];
  readonly paidOut: Map<string, bigint>;
  readonly funded: Map<string, bigint>;
  readonly holdsLetDespiteDebt: string[];
}

export function begin(facts: { currency: ReturnType<typeof parseCurrency>; orders: readonly OrderFacts[] }): Story {
  const till = openTill(facts);
  till.pay();
  return { till, refunds: [], disputes: [], paidOut: new Map(), funded: new Map(), holdsLetDespiteDebt: [] };
}

export function act(story: Story, { what, at, part, to }: Operation): void {
  const { till, refunds, disputes } = story;
  const index = at % till.orders().length;
  const some = (minor: bigint) => (minor * BigInt(part) + 999n) / 1_000n;
  const refund = pick(
    refunds.filter(({ state }) => state === 'open'),
    at,
  );
  const dispute = pick(
    disputes.filter(({ state }) => state === 'open'),
    at,
  );
  switch (what) {
    case 'open': {
      const leftMinor = refundableMinor(till.order(index));
      if (leftMinor > 0n) refunds.push({ ...till.openRefund(index, some(leftMinor), to), state: 'open' });
      return;
    }
    case 'settle':
      if (refund !== undefined) settle(till, refund);
      return;
    case 'drop':
      if (refund !== undefined) drop(till, refund);
      return;
    case 'deliver':
      deliver(story, index);
      return;
    case 'take': {
      const totalMinor = till.orders().reduce((sum, one) => sum + one.amountMinor, 0n);
      disputes.push({ ...till.dispute(some(totalMinor)).dispute, state: 'open' });
      return;
    }
    case 'win':
      if (dispute !== undefined) win(till, dispute);
      return;
    case 'lose':
      if (dispute !== undefined) dispute.state = 'lost';
      return;
    case 'pay out':
      payOut(story, till.order(index), part);
      return;
    case 'fund':
      till.fund(till.order(index).walletId, BigInt(part));
      add(story.funded, till.order(index).walletId, BigInt(part));
  }
}

function payOut(story: Story, { walletId }: Order, part: number): void {
  const { till } = story;
  const minor = ((till.balances()[walletId] ?? 0n) * BigInt(part) + 999n) / 1_000n;
  if (minor === 0n || !till.payOut(walletId, minor)) return;
  add(story.paidOut, walletId, minor);
  if (till.debtOf(walletId) !== 0n) story.holdsLetDespiteDebt.push(walletId);
}

/** By the history, not by the counters: what was refunded as a whole must be refused, and everything else delivered. */
export function deliver(story: Story, index: number): void {
  const { till } = story;
  const { amountMinor, deliveredAt } = till.order(index);
  const { refundedMinor } = expectedOf(story, index);
  if (deliveredAt !== null || refundedMinor < amountMinor) {
    till.deliver(index);
    return;
  }
  expect(() => till.deliver(index)).toThrow(expect.objectContaining({ code: 'invalid-state' }));
}

export function settle(till: Till, refund: Refunded): void {
  till.settleRefund(refund);
  refund.state = 'succeeded';
}

export function drop(till: Till, refund: Refunded): void {
  till.dropRefund(refund);
  refund.state = 'failed';
}

export function win(till: Till, dispute: Disputed): void {
  till.win(dispute);
  dispute.state = 'won';
}

function pick<One>(some: readonly One[], at: number): One | undefined {
  return some[at % Math.max(some.length, 1)];
}

export function add(sums: Map<string, bigint>, key: string, minor: bigint): void {
  sums.set(key, (sums.get(key) ?? 0n) + minor);
}

const sumOf = (amountsMinor: readonly bigint[]) => amountsMinor.reduce((sum, minor) => sum + minor, 0n);

/** What the history alone says of an order: the design's formulas over sums, without one intermediate state. */
function expectedOf({ refunds, disputes, till }: Story, index: number) {
  const { amountMinor, feeMinor, deliveredAt } = till.order(index);
  const refundSum = (state: Refunded['state'], beforeDelivery: boolean) =>
    sumOf(
      refunds
        .filter((one) => one.orderIndex === index && one.state === state && one.beforeDelivery === beforeDelivery)
        .map((one) => one.amountMinor),
    );
  const takenSum = (beforeDelivery: boolean) =>
    sumOf(
      disputes
        .filter(({ state }) => state !== 'won')
        .flatMap(({ parts }) => parts)
        .filter((part) => part.orderIndex === index && part.beforeDelivery === beforeDelivery)
        .map((part) => part.amountMinor),
    );
  const isDelivered = deliveredAt !== null;
  const openBeforeMinor = refundSum('open', true);
  const takenBeforeMinor = takenSum(true);
  const refundedMinor = refundSum('succeeded', true) + refundSum('succeeded', false);
  const backMinor = refundedMinor + takenBeforeMinor + openBeforeMinor;
  const feeGivenMinor = isDelivered ? (feeMinor * backMinor) / amountMinor : 0n;
  return {
    refundedMinor,
    openBeforeMinor,
    openAfterMinor: refundSum('open', false),
    takenBeforeMinor,
    takenAfterMinor: takenSum(false),
    feeGivenMinor,
    releasedMinor: isDelivered ? amountMinor - backMinor - (feeMinor - feeGivenMinor) : 0n,
    feesMinor: isDelivered ? feeMinor - feeGivenMinor : 0n,
    pendingMinor: isDelivered ? openBeforeMinor : amountMinor - refundSum('succeeded', true) - takenBeforeMinor,
  };
}

export function expectAsTheHistorySays(story: Story): void {
  const { till } = story;
  const orders = till.orders().map((one, index) => ({ one, expected: expectedOf(story, index) }));
  for (const { one, expected } of orders) {
    const { feesMinor: _fees, pendingMinor: _pending, ...counters } = expected;
    expect(one).toMatchObject(counters);
    expect([one.feeGivenMinor >= 0n, one.feeGivenMinor <= one.feeMinor, refundableMinor(one) >= 0n]).toEqual([
      true,
      true,
      true,
    ]);
    expect([one.releasedMinor >= 0n, expected.pendingMinor >= 0n]).toEqual([true, true]);
  }
  const balances = till.balances();
  for (const seller of SELLERS) {
    const own = orders.filter(({ one }) => one.sellerId === seller);
    const currency = own[0]?.one.currency;
    if (currency === undefined) continue;
    expect(balances[pendingName(seller, currency)] ?? 0n).toBe(sumOf(own.map(({ expected }) => expected.pendingMinor)));
    const earned = sumOf(own.map(({ expected }) => expected.releasedMinor - expected.takenAfterMinor));
    const elsewhere = (story.funded.get(seller) ?? 0n) - (story.paidOut.get(seller) ?? 0n);
    expect((balances[seller] ?? 0n) + till.debtOf(seller)).toBe(earned + elsewhere);
  }
  expect(balances.fees ?? 0n).toBe(sumOf(orders.map(({ expected }) => expected.feesMinor)));
  const toWallet = story.refunds.filter(({ state, to }) => state === 'succeeded' && to === 'wallet');
  expect(balances[BUYER] ?? 0n).toBe(sumOf(toWallet.map(({ amountMinor }) => amountMinor)));
}
