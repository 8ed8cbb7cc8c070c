// Random lives of checkouts, held against what the orders' history says in closed form: where every unit must be
// follows from what went back, is open and was taken, whatever the way that led there.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
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

/** For each of the promises below. */
const RUNS = 400;
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
const checkouts = fc.record({ currency: currencies, orders: fc.array(order, { minLength: 1, maxLength: 3 }) });

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
const operations = fc.array(
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
interface Story {
  readonly till: Till;
  readonly refunds: Refunded[];
  readonly disputes: Disputed[];
  readonly paidOut: Map<string, bigint>;
  readonly funded: Map<string, bigint>;
  readonly holdsLetDespiteDebt: string[];
}

function begin(facts: { currency: ReturnType<typeof parseCurrency>; orders: readonly OrderFacts[] }): Story {
  const till = openTill(facts);
  till.pay();
  return { till, refunds: [], disputes: [], paidOut: new Map(), funded: new Map(), holdsLetDespiteDebt: [] };
}

function act(story: Story, { what, at, part, to }: Operation): void {
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
      till.deliver(index);
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

function settle(till: Till, refund: Refunded): void {
  till.settleRefund(refund);
  refund.state = 'succeeded';
}

function drop(till: Till, refund: Refunded): void {
  till.dropRefund(refund);
  refund.state = 'failed';
}

function win(till: Till, dispute: Disputed): void {
  till.win(dispute);
  dispute.state = 'won';
}

function pick<One>(some: readonly One[], at: number): One | undefined {
  return some[at % Math.max(some.length, 1)];
}

function add(sums: Map<string, bigint>, key: string, minor: bigint): void {
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

function expectAsTheHistorySays(story: Story): void {
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

/** Runs random lives; `promise` sees each story after each operation. */
function checkRandom(promise: (story: Story) => void, ending: (story: Story) => void = () => undefined): void {
  fc.assert(
    fc.property(checkouts, operations, (facts, some) => {
      const story = begin(facts);
      promise(story);
      for (const operation of some) {
        act(story, operation);
        promise(story);
      }
      ending(story);
    }),
    { numRuns: RUNS },
  );
}

/** Everything that is open ends, one way or the other, and every order is delivered. */
function endAll(story: Story): void {
  const { till, refunds, disputes } = story;
  for (const [index] of till.orders().entries()) till.deliver(index);
  for (const [index, refund] of refunds.entries()) {
    if (refund.state === 'open') (index % 2 === 0 ? settle : drop)(till, refund);
  }
  for (const [index, dispute] of disputes.entries()) {
    if (dispute.state === 'open' && index % 2 === 0) win(till, dispute);
  }
}

describe('whatever happens to an order, and in whatever order', () => {
  test('its counters and every wallet are what its history says', () => {
    checkRandom(expectAsTheHistorySays);
  });

  test('every posting is balanced, no wallet of a person is overdrawn, and nobody owes less than nothing', () => {
    checkRandom(
      () => undefined,
      ({ till }) => {
        const sums = new Map<string, bigint>();
        for (const entry of till.journal()) {
          add(sums, entry.postingId, entry.amountMinor);
          expect(entry.amountMinor).not.toBe(0n);
          if (entry.walletId.startsWith('@debt:')) expect(entry.balanceAfterMinor <= 0n).toBe(true);
        }
        expect([...sums.values()].filter((sum) => sum !== 0n)).toEqual([]);
        const negative = Object.entries(till.balances()).filter(([, minor]) => minor < 0n);
        expect(
          negative.map(([name]) => name.replace(/:.*/, '')).filter((name) => !/^(provider|costs|debt)$/.test(name)),
        ).toEqual([]);
      },
    );
  });

  test('in the end the seller, our fees and what went back are the whole amount, and nothing is pending', () => {
    checkRandom(
      () => undefined,
      (story) => {
        endAll(story);
        expectAsTheHistorySays(story);
        for (const one of story.till.orders()) {
          const backMinor = one.refundedMinor + one.takenBeforeMinor + one.takenAfterMinor;
          const keptMinor = one.releasedMinor - one.takenAfterMinor + (one.feeMinor - one.feeGivenMinor);
          expect(keptMinor + backMinor).toBe(one.amountMinor);
        }
        const pending = Object.keys(story.till.balances()).filter((name) => name.startsWith('pending:'));
        expect(pending).toEqual([]);
      },
    );
  });

  test('nobody is paid out who still owes, and a debt that is paid back is never more than what was owed', () => {
    checkRandom(({ holdsLetDespiteDebt }) => expect(holdsLetDespiteDebt).toEqual([]));
  });
});

describe('what does not depend on another comes to the same in any order', () => {
  const refundsOf = fc.array(
    fc.record({ at: fc.nat({ max: 9 }), part: fc.integer({ min: 1, max: 400 }), isBefore: fc.boolean() }),
    { minLength: 1, maxLength: 6 },
  );

  test('refunds that succeed or fail, and disputes that are won', () => {
    const ways = fc.record({ one: fc.infiniteStream(fc.nat()), other: fc.infiniteStream(fc.nat()) });
    fc.assert(
      fc.property(checkouts, refundsOf, fc.nat({ max: 3 }), ways, (facts, asked, disputed, { one, other }) => {
        const end = (dice: Iterator<number>) => {
          const story = begin(facts);
          prepare(story, { asked, disputed });
          for (const finish of shuffled(endings(story), dice)) finish();
          return { orders: story.till.orders(), balances: story.till.balances() };
        };
        expect(end(one)).toEqual(end(other));
      }),
      { numRuns: RUNS },
    );
  });

  test('deliveries of different orders', () => {
    fc.assert(
      fc.property(checkouts, refundsOf, (facts, asked) => {
        const end = (isReversed: boolean) => {
          const story = begin(facts);
          prepare(story, { asked: asked.filter(({ isBefore }) => isBefore), disputed: 1, isDelivering: false });
          const indexes = [...story.till.orders().keys()];
          for (const index of isReversed ? indexes.reverse() : indexes) story.till.deliver(index);
          return { orders: story.till.orders(), balances: story.till.balances() };
        };
        expect(end(false)).toEqual(end(true));
      }),
      { numRuns: RUNS },
    );
  });

  function prepare(
    { till, refunds, disputes }: Story,
    {
      asked,
      disputed,
      isDelivering = true,
    }: { asked: readonly { at: number; part: number; isBefore: boolean }[]; disputed: number; isDelivering?: boolean },
  ): void {
    const open = (isBefore: boolean) => {
      for (const { at, part, isBefore: wanted } of asked) {
        const index = at % till.orders().length;
        const minor = (refundableMinor(till.order(index)) * BigInt(part)) / 1_000n;
        if (wanted === isBefore && minor > 0n) refunds.push({ ...till.openRefund(index, minor), state: 'open' });
      }
    };
    open(true);
    if (disputed > 0) disputes.push({ ...till.dispute(BigInt(disputed)).dispute, state: 'open' });
    if (!isDelivering) return;
    for (const [index] of till.orders().entries()) till.deliver(index);
    // A seller who took everything out owes what goes back from here on.
    const [seller, ...others] = new Set(till.orders().map(({ walletId }) => walletId));
    const minor = till.balances()[seller ?? ''] ?? 0n;
    if (seller !== undefined && others.length === 0 && minor > 0n) till.payOut(seller, minor);
    open(false);
  }

  function endings({ till, refunds, disputes }: Story): (() => void)[] {
    return [
      ...refunds.map((refund, index) => () => (index % 2 === 0 ? settle : drop)(till, refund)),
      ...disputes.map((dispute) => () => win(till, dispute)),
    ];
  }

  function shuffled<One>(some: readonly One[], dice: Iterator<number>): One[] {
    const keyed = some.map((one) => ({ one, key: dice.next().value }));
    return keyed.sort((left, right) => left.key - right.key).map(({ one }) => one);
  }
});
