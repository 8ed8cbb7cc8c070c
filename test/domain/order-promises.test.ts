// What holds of the money of a checkout's orders whatever happens to them, over random lives.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { refundableMinor } from '../../src/domain/order.ts';
import {
  act,
  add,
  begin,
  checkouts,
  deliver,
  drop,
  expectAsTheHistorySays,
  operations,
  type Story,
  settle,
  win,
} from './order-story.ts';

/** For each of the promises below. */
const RUNS = 400;

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

/** Everything that is open ends, one way or the other, and every order of which something is left is delivered. */
function endAll(story: Story): void {
  const { till, refunds, disputes } = story;
  deliverAll(story);
  for (const [index, refund] of refunds.entries()) {
    if (refund.state === 'open') (index % 2 === 0 ? settle : drop)(till, refund);
  }
  for (const [index, dispute] of disputes.entries()) {
    if (dispute.state === 'open' && index % 2 === 0) win(till, dispute);
  }
  // What had been taken as a whole may be there again.
  deliverAll(story);
}

function deliverAll(story: Story): void {
  for (const [index] of story.till.orders().entries()) deliver(story, index);
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
          const feesMinor = one.deliveredAt === null ? 0n : one.feeMinor - one.feeGivenMinor;
          const keptMinor = one.releasedMinor - one.takenAfterMinor + feesMinor;
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
          for (const index of isReversed ? indexes.reverse() : indexes) deliver(story, index);
          return { orders: story.till.orders(), balances: story.till.balances() };
        };
        expect(end(false)).toEqual(end(true));
      }),
      { numRuns: RUNS },
    );
  });

  function prepare(
    story: Story,
    {
      asked,
      disputed,
      isDelivering = true,
    }: { asked: readonly { at: number; part: number; isBefore: boolean }[]; disputed: number; isDelivering?: boolean },
  ): void {
    const { till, refunds, disputes } = story;
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
    deliverAll(story);
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
