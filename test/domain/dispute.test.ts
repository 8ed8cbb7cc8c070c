// What a provider takes back of a checkout, from whom, and what comes back when the dispute is won.

import { describe, expect, test } from 'vitest';
import { takenIn } from '../../src/domain/dispute.ts';
import { pkidOf } from '../../src/domain/id.ts';
import { parseCurrency } from '../../src/domain/money.ts';
import { shareOut } from '../../src/domain/share.ts';
import { NOW } from './payment-rows.ts';
import { type OrderFacts, openTill } from './till.ts';

const USD = parseCurrency('USD');
const WHOLE: OrderFacts = { seller: 'ann', amountMinor: 100n, feeMinor: 20n };

function paidTill(...orders: readonly OrderFacts[]) {
  const till = openTill({ currency: USD, orders });
  till.pay();
  return till;
}

describe('a dispute', () => {
  test('before delivery takes what is pending, outside of the fee formula', () => {
    const till = paidTill(WHOLE);
    expect(till.dispute(40n).moved).toEqual({ 'pending:ann': -40n, provider: 40n });
    expect(till.order(0)).toMatchObject({ takenBeforeMinor: 40n, feeGivenMinor: 0n });
  });

  test('after delivery takes the whole from the seller, and leaves us our fee', () => {
    const till = paidTill(WHOLE);
    till.deliver(0);
    expect(till.dispute(40n).moved).toEqual({ ann: -40n, provider: 40n });
    expect(till.order(0)).toMatchObject({ takenAfterMinor: 40n, feeGivenMinor: 0n, releasedMinor: 80n });
  });

  test("after delivery takes from the seller's debt what the seller lacks", () => {
    const till = paidTill(WHOLE);
    till.deliver(0);
    expect(till.dispute(100n).moved).toEqual({ ann: -80n, 'debt:ann': -20n, provider: 100n });
  });

  test('of two delivered orders of one seller takes what is there once, and the rest from debt', () => {
    const till = paidTill(WHOLE, WHOLE);
    till.deliver(0);
    till.deliver(1);
    expect(till.payOut('ann', 150n)).toBe(true);
    expect(till.dispute(200n).moved).toEqual({ ann: -10n, 'debt:ann': -190n, provider: 200n });
  });

  test('takes first from orders that are not delivered, and none more than is left of each', () => {
    const till = paidTill(WHOLE, { ...WHOLE, seller: 'bob' }, { ...WHOLE, seller: 'cid' });
    till.deliver(0);
    till.openRefund(1, 70n);
    expect(till.dispute(150n).moved).toEqual({ 'pending:bob': -30n, 'pending:cid': -100n, ann: -20n, provider: 150n });
  });

  test('of more than all orders have left costs us the rest', () => {
    const till = paidTill(WHOLE);
    till.openRefund(0, 30n);
    const { moved, dispute } = till.dispute(100n);
    expect(moved).toEqual({ 'pending:ann': -70n, costs: -30n, provider: 100n });
    expect(till.win(dispute)).toEqual({ 'pending:ann': 70n, costs: 30n, provider: -100n });
  });
});

describe('a dispute that is won', () => {
  test('before delivery makes the money pending again', () => {
    const till = paidTill(WHOLE);
    const before = till.order(0);
    const { dispute } = till.dispute(40n);
    expect(till.win(dispute)).toEqual({ 'pending:ann': 40n, provider: -40n });
    expect(till.order(0)).toEqual(before);
  });

  test('after a delivery that it was taken before is released, less its part of the fee', () => {
    const till = paidTill(WHOLE);
    const { dispute } = till.dispute(30n);
    till.deliver(0);
    expect(till.win(dispute)).toEqual({ ann: 24n, fees: 6n, provider: -30n });
    expect(till.balances()).toEqual({ provider: -100n, ann: 80n, fees: 20n });
  });

  test('and was taken after delivery gives the seller what was taken, and pays back the debt of it', () => {
    const till = paidTill(WHOLE);
    till.deliver(0);
    const { dispute } = till.dispute(100n);
    expect(till.win(dispute)).toEqual({ ann: 80n, 'debt:ann': 20n, provider: -100n });
    expect(till.balances()).toEqual({ provider: -100n, ann: 80n, fees: 20n });
  });

  test('goes through what is pending: the chart books it back before it is released', () => {
    const till = paidTill(WHOLE);
    const { dispute } = till.dispute(30n);
    till.deliver(0);
    const before = till.journal().length;
    till.win(dispute);
    const lines = till.journal().slice(before);
    const pending = lines.filter(({ walletId }) => walletId.startsWith('@pending')).map((entry) => entry.amountMinor);
    expect(pending).toEqual([30n, -30n]);
  });
});

describe('debt', () => {
  const owing = (minor: bigint) => {
    const till = paidTill(WHOLE, WHOLE);
    till.deliver(0);
    till.payOut('ann', 80n);
    till.dispute(100n + minor);
    return till;
  };

  test('is paid back from what the next delivery releases', () => {
    const till = paidTill(WHOLE, WHOLE);
    till.deliver(0);
    till.payOut('ann', 80n);
    till.settleRefund(till.openRefund(0, 50n));
    expect(till.debtOf('ann')).toBe(-40n);
    expect(till.deliver(1)).toEqual({ 'pending:ann': -100n, ann: 40n, 'debt:ann': 40n, fees: 20n });
  });

  test('takes a release whole that does not cover it', () => {
    const till = paidTill(WHOLE, { ...WHOLE, amountMinor: 10n, feeMinor: 1n });
    till.deliver(0);
    till.payOut('ann', 80n);
    till.settleRefund(till.openRefund(0, 100n));
    expect(till.deliver(1)).toEqual({ 'pending:ann': -10n, 'debt:ann': 9n, fees: 1n });
    expect(till.debtOf('ann')).toBe(-71n);
  });

  test('is paid back from other money before a payout is looked at, also when that is refused then', () => {
    const till = owing(30n);
    expect(till.debtOf('ann')).toBe(-30n);
    till.fund('ann', 50n);
    expect(till.debtOf('ann')).toBe(-30n);
    expect(till.payOut('ann', 21n)).toBe(false);
    expect(till.balances()).toMatchObject({ ann: 20n });
    expect(till.debtOf('ann')).toBe(0n);
    expect(till.payOut('ann', 20n)).toBe(true);
  });

  test('of one seller is never paid by another', () => {
    const till = paidTill(WHOLE, { ...WHOLE, seller: 'bob' });
    till.deliver(0);
    till.payOut('ann', 80n);
    till.settleRefund(till.openRefund(0, 50n));
    till.deliver(1);
    expect(till.balances()).toMatchObject({ bob: 80n, 'debt:ann': -40n });
  });
});

test('shares add up to what is taken, and nothing is taken of an order that has nothing left', () => {
  const till = paidTill(WHOLE, WHOLE);
  till.settleRefund(till.openRefund(0, 100n));
  const { shares, restMinor } = shareOut(till.orders(), 130n);
  expect(shares.map(({ order, amountMinor }) => [order.orderId, amountMinor])).toEqual([['order-1', 100n]]);
  expect(restMinor).toBe(30n);
});

test('what was taken is read back as it was written', () => {
  const pkid = pkidOf('order', 'order-0');
  const dispute = {
    disputeId: 'stripe:dp_1',
    pkid: pkidOf('dispute', 'stripe:dp_1'),
    provider: 'stripe',
    externId: 'dp_1',
    payinPkid: pkidOf('payin', 'payin'),
    orderId: null,
    amountMinor: 9_007_199_254_740_993n,
    currency: USD,
    feeMinor: 0n,
    status: 'open',
    evidenceDue: null,
    parts: [{ orderPkid: pkid, amount: '9007199254740993', beforeDelivery: true }],
    uncoveredMinor: 0n,
    createdAt: NOW,
    updatedAt: NOW,
  } as const;
  expect(takenIn(dispute)).toEqual([{ orderPkid: pkid, amountMinor: 9_007_199_254_740_993n, beforeDelivery: true }]);
});
