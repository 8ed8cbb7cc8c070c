// Each row of the chart of an order's money, to the minor unit, in currencies with two, no and three decimals.

import { describe, expect, test } from 'vitest';
import { parseCurrency } from '../../src/domain/money.ts';
import {
  deliverOrder,
  type Order,
  openRefund,
  payOrder,
  refundableMinor,
  statusOfOrder,
} from '../../src/domain/order.ts';
import { NOW } from './payment-rows.ts';
import { type Moved, openTill, orderOf, paidTill, type Till } from './till.ts';

const USD = parseCurrency('USD');
const JPY = parseCurrency('JPY');
const KWD = parseCurrency('KWD');

describe('a pay-in that succeeded', () => {
  test.each([USD, JPY, KWD])('is owed by the provider and pending for each seller, in %s', (currency) => {
    const orders = [
      { seller: 'ann', amountMinor: 10_000n, feeMinor: 2_000n },
      { seller: 'bob', amountMinor: 1n, feeMinor: 1n },
      { seller: 'ann', amountMinor: 500n, feeMinor: 0n },
    ];
    const till = openTill({ currency, orders });
    expect(till.pay()).toEqual({ provider: -10_501n, 'pending:ann': 10_500n, 'pending:bob': 1n });
    expect(till.orders().map(statusOfOrder)).toEqual(['paid', 'paid', 'paid']);
  });
});

interface Delivery {
  readonly what: string;
  readonly order: readonly [typeof USD, bigint, bigint];
  /** What became of it before the delivery, and what is still open. */
  readonly refunded?: bigint;
  readonly disputed?: bigint;
  readonly open?: bigint;
  readonly moved: Moved;
  readonly given: bigint;
}

describe('a delivery', () => {
  const deliveries: Delivery[] = [
    {
      what: 'of a whole order',
      order: [USD, 10_000n, 2_000n],
      moved: { 'pending:ann': -10_000n, ann: 8_000n, fees: 2_000n },
      given: 0n,
    },
    { what: 'without a fee', order: [USD, 10_000n, 0n], moved: { 'pending:ann': -10_000n, ann: 10_000n }, given: 0n },
    {
      what: 'of which all is fee',
      order: [USD, 10_000n, 10_000n],
      moved: { 'pending:ann': -10_000n, fees: 10_000n },
      given: 0n,
    },
    {
      what: 'after a refund of 30',
      order: [USD, 100n, 20n],
      refunded: 30n,
      moved: { 'pending:ann': -70n, ann: 56n, fees: 14n },
      given: 6n,
    },
    {
      what: 'after a refund of 90.00 of 100.00',
      order: [USD, 10_000n, 2_000n],
      refunded: 9_000n,
      moved: { 'pending:ann': -1_000n, ann: 800n, fees: 200n },
      given: 1_800n,
    },
    {
      what: 'while a refund of 30 is open',
      order: [USD, 100n, 20n],
      open: 30n,
      moved: { 'pending:ann': -70n, ann: 56n, fees: 14n },
      given: 6n,
    },
    {
      what: 'after 30 were disputed',
      order: [USD, 100n, 20n],
      disputed: 30n,
      moved: { 'pending:ann': -70n, ann: 56n, fees: 14n },
      given: 6n,
    },
    {
      what: 'after 10 were refunded and 20 disputed, 30 more being open',
      order: [USD, 100n, 20n],
      refunded: 10n,
      disputed: 20n,
      open: 30n,
      moved: { 'pending:ann': -40n, ann: 32n, fees: 8n },
      given: 12n,
    },
    {
      what: 'whose fee does not divide: the odd unit is ours',
      order: [JPY, 3n, 1n],
      refunded: 1n,
      moved: { 'pending:ann': -2n, ann: 1n, fees: 1n },
      given: 0n,
    },
    {
      what: 'of yen',
      order: [JPY, 1_000n, 77n],
      refunded: 333n,
      moved: { 'pending:ann': -667n, ann: 615n, fees: 52n },
      given: 25n,
    },
    {
      what: 'of fils',
      order: [KWD, 12_345n, 1_235n],
      refunded: 1n,
      open: 1n,
      moved: { 'pending:ann': -12_343n, ann: 11_108n, fees: 1_235n },
      given: 0n,
    },
    {
      what: 'of the last unit',
      order: [KWD, 12_345n, 1_235n],
      refunded: 12_344n,
      moved: { 'pending:ann': -1n, fees: 1n },
      given: 1_234n,
    },
    { what: 'of which everything is on its way back', order: [USD, 100n, 20n], open: 100n, moved: {}, given: 20n },
    {
      what: 'of the largest amount there is',
      order: [USD, 999_999_999_999_999_999n, 999_999_999_999_999_998n],
      refunded: 1n,
      moved: { 'pending:ann': -999_999_999_999_999_998n, ann: 0n, fees: 999_999_999_999_999_998n },
      given: 0n,
    },
  ];
  test.each(deliveries)('$what', ({ order, refunded, disputed, open, moved, given }) => {
    const till = paidTill(order);
    if (refunded !== undefined) till.settleRefund(till.openRefund(0, refunded));
    if (disputed !== undefined) till.dispute(disputed);
    if (open !== undefined) till.openRefund(0, open);
    const expected = Object.fromEntries(Object.entries(moved).filter(([, minor]) => minor !== 0n));
    expect(till.deliver(0)).toEqual(expected);
    expect(till.order(0)).toMatchObject({ deliveredAt: NOW, feeGivenMinor: given, releasedMinor: moved.ann ?? 0n });
  });

  test('a second time moves nothing and changes nothing', () => {
    const till = paidTill([USD, 100n, 20n]);
    till.deliver(0);
    const order = till.order(0);
    expect(deliverOrder(order, new Date())).toEqual({ order, lines: [] });
  });

  test('of an order that was refunded as a whole is refused with the way out', () => {
    const till = paidTill([USD, 100n, 20n]);
    till.settleRefund(till.openRefund(0, 60n));
    till.settleRefund(till.openRefund(0, 40n));
    const refusal = { code: 'invalid-state', detail: expect.stringMatching(/^The whole order was refunded/) };
    expect(() => till.deliver(0)).toThrow(expect.objectContaining(refusal));
    expect(till.order(0)).toMatchObject({ deliveredAt: null });
  });

  test('is repeated without a change after all of it went back', () => {
    const till = paidTill([USD, 100n, 20n]);
    till.deliver(0);
    till.settleRefund(till.openRefund(0, 100n));
    const order = till.order(0);
    expect(deliverOrder(order, new Date())).toEqual({ order, lines: [] });
  });

  test('while a dispute holds the whole releases nothing, and everything less the fee when that is won', () => {
    const till = paidTill([USD, 100n, 20n]);
    const { dispute } = till.dispute(100n);
    expect(till.deliver(0)).toEqual({});
    till.win(dispute);
    expect(till.balances()).toMatchObject({ ann: 80n, fees: 20n });
  });

  test('of an order that is not paid is refused with the way out', () => {
    const unpaid = orderOf({ seller: 'ann', amountMinor: 1n, feeMinor: 0n, currency: USD });
    const refusal = expect.objectContaining({
      code: 'invalid-state',
      detail: expect.stringMatching(/once its pay-in/),
    });
    expect(() => deliverOrder(unpaid, NOW)).toThrow(refusal);
  });
});

describe('what may be refunded', () => {
  const refusedAt = (till: Till, minor: bigint) => () => till.openRefund(0, minor);
  const tooMuch = expect.objectContaining({ code: 'refund-exceeds-payment' });

  test('is the amount, less what went back, is going back, or was taken', () => {
    const till = paidTill([USD, 100n, 20n]);
    till.settleRefund(till.openRefund(0, 10n));
    till.openRefund(0, 20n);
    till.dispute(30n);
    expect(refundableMinor(till.order(0))).toBe(40n);
    expect(refusedAt(till, 41n)).toThrow(tooMuch);
    till.deliver(0);
    till.openRefund(0, 15n);
    expect(refusedAt(till, 26n)).toThrow(tooMuch);
    expect(till.openRefund(0, 25n)).toMatchObject({ beforeDelivery: false });
    expect(refundableMinor(till.order(0))).toBe(0n);
  });

  test('is there again when a refund fails or a dispute is won', () => {
    const till = paidTill([USD, 100n, 20n]);
    const { dispute } = till.dispute(60n);
    const refund = till.openRefund(0, 40n);
    till.dropRefund(refund);
    expect(refundableMinor(till.order(0))).toBe(40n);
    till.win(dispute);
    expect(refundableMinor(till.order(0))).toBe(100n);
  });

  test('is nothing before the order is paid', () => {
    const unpaid = orderOf({ seller: 'ann', amountMinor: 100n, feeMinor: 0n, currency: USD });
    expect(() => openRefund(unpaid, 1n, NOW)).toThrow(expect.objectContaining({ code: 'invalid-state' }));
  });

  test('says how much is left', () => {
    const till = paidTill([USD, 100n, 20n]);
    expect(refusedAt(till, 101n)).toThrow(expect.objectContaining({ detail: expect.stringMatching(/at most 100/) }));
  });
});

test.each<[string, Partial<Order>, string]>([
  ['unpaid', { paidAt: null }, 'unpaid'],
  ['paid', {}, 'paid'],
  ['delivered', { deliveredAt: NOW }, 'delivered'],
  ['wholly refunded', { refundedMinor: 100n }, 'refunded'],
  ['delivered and wholly gone in two ways', { deliveredAt: NOW, refundedMinor: 60n, takenAfterMinor: 40n }, 'refunded'],
  ['partly refunded', { refundedMinor: 99n }, 'paid'],
  ['wholly on its way back', { openBeforeMinor: 100n }, 'paid'],
])('an order that is %s', (_, change, status) => {
  const paid = payOrder(
    orderOf({ seller: 'ann', amountMinor: 100n, feeMinor: 0n, currency: USD }),
    orderOf({ seller: 'a', amountMinor: 1n, feeMinor: 0n, currency: USD }).pkid,
    NOW,
  );
  expect(statusOfOrder({ ...paid, ...change })).toBe(status);
});
