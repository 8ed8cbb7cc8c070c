// Where the money of a refund comes from, by when it was asked for and how it ends.

import { describe, expect, test } from 'vitest';
import { parseCurrency } from '../../src/domain/money.ts';
import { paidTill } from './till.ts';

const USD = parseCurrency('USD');
const JPY = parseCurrency('JPY');
const KWD = parseCurrency('KWD');

describe('a refund that was asked for before delivery', () => {
  test.each([
    ['to the payer', 'payer', 'provider'],
    ["into the buyer's wallet", 'wallet', 'buyer'],
  ] as const)('goes %s out of what is pending', (_, to, name) => {
    const till = paidTill([USD, 100n, 20n]);
    expect(till.settleRefund(till.openRefund(0, 30n, to))).toEqual({ 'pending:ann': -30n, [name]: 30n });
  });

  test('comes out of what is pending also when it succeeds after the delivery', () => {
    const till = paidTill([USD, 100n, 20n]);
    const refund = till.openRefund(0, 30n);
    till.deliver(0);
    expect(till.settleRefund(refund)).toEqual({ 'pending:ann': -30n, provider: 30n });
    expect(till.order(0)).toMatchObject({ refundedMinor: 30n, openBeforeMinor: 0n, feeGivenMinor: 6n });
    expect(till.balances()).toEqual({ provider: -70n, ann: 56n, fees: 14n });
  });

  test('and fails before it leaves everything as it was', () => {
    const till = paidTill([USD, 100n, 20n]);
    const before = till.order(0);
    expect(till.dropRefund(till.openRefund(0, 30n))).toEqual({});
    expect(till.order(0)).toEqual(before);
  });

  test('and fails after it is released, less its part of the fee', () => {
    const till = paidTill([USD, 100n, 20n]);
    const refund = till.openRefund(0, 30n);
    till.deliver(0);
    expect(till.dropRefund(refund)).toEqual({ 'pending:ann': -30n, ann: 24n, fees: 6n });
    expect(till.balances()).toEqual({ provider: -100n, ann: 80n, fees: 20n });
  });

  test('and fails after it, with a fee that does not divide, leaves the whole fee in the end', () => {
    const till = paidTill([JPY, 7n, 3n]);
    const refunds = [till.openRefund(0, 2n), till.openRefund(0, 3n)];
    expect(till.deliver(0)).toEqual({ 'pending:ann': -2n, ann: 1n, fees: 1n });
    const dropped = refunds.map((refund) => till.dropRefund(refund));
    expect(dropped).toEqual([
      { 'pending:ann': -2n, ann: 1n, fees: 1n },
      { 'pending:ann': -3n, ann: 2n, fees: 1n },
    ]);
    expect(till.balances()).toEqual({ provider: -7n, ann: 4n, fees: 3n });
  });
});

describe('a refund that was asked for after delivery', () => {
  test('comes from the seller and our commission, and from debt what the seller has no more', () => {
    const till = paidTill([USD, 100n, 20n]);
    expect(till.settleRefund(till.openRefund(0, 30n))).toEqual({ 'pending:ann': -30n, provider: 30n });
    expect(till.deliver(0)).toEqual({ 'pending:ann': -70n, ann: 56n, fees: 14n });
    expect(till.payOut('ann', 46n)).toBe(true);
    const moved = till.settleRefund(till.openRefund(0, 50n));
    expect(moved).toEqual({ ann: -10n, 'debt:ann': -30n, fees: -10n, provider: 50n });
    expect(till.order(0)).toMatchObject({ refundedMinor: 80n, feeGivenMinor: 16n, releasedMinor: 16n });
  });

  test('takes nothing of what a payout holds back', () => {
    const till = paidTill([USD, 100n, 20n]);
    till.deliver(0);
    expect(till.payOut('ann', 80n)).toBe(true);
    expect(till.settleRefund(till.openRefund(0, 100n))).toEqual({ 'debt:ann': -80n, fees: -20n, provider: 100n });
  });

  test.each([
    ['yen', JPY, 1_000n, 77n, 333n, { ann: -308n, fees: -25n, provider: 333n }],
    ['fils', KWD, 12_345n, 1_235n, 1n, { ann: -1n, provider: 1n }],
    ['all of it', USD, 10_000n, 2_000n, 10_000n, { ann: -8_000n, fees: -2_000n, provider: 10_000n }],
    ['an order that was all fee', USD, 50n, 50n, 20n, { fees: -20n, provider: 20n }],
  ] as const)('of %s gives the same part of the fee up', (_, currency, amount, fee, refund, moved) => {
    const till = paidTill([currency, amount, fee]);
    till.deliver(0);
    expect(till.settleRefund(till.openRefund(0, refund))).toEqual(moved);
  });

  test('counts what is still open from before the delivery', () => {
    const till = paidTill([USD, 100n, 20n]);
    const before = till.openRefund(0, 30n);
    till.deliver(0);
    expect(till.settleRefund(till.openRefund(0, 50n))).toEqual({ ann: -40n, fees: -10n, provider: 50n });
    expect(till.settleRefund(before)).toEqual({ 'pending:ann': -30n, provider: 30n });
    expect(till.balances()).toEqual({ provider: -20n, ann: 16n, fees: 4n });
  });

  test("into the buyer's wallet takes nothing from the provider", () => {
    const till = paidTill([USD, 100n, 20n]);
    till.deliver(0);
    expect(till.settleRefund(till.openRefund(0, 50n, 'wallet'))).toEqual({ ann: -40n, fees: -10n, buyer: 50n });
  });

  test('and fails moves nothing', () => {
    const till = paidTill([USD, 100n, 20n]);
    till.deliver(0);
    const before = till.order(0);
    expect(till.dropRefund(till.openRefund(0, 50n))).toEqual({});
    expect(till.order(0)).toEqual(before);
  });
});
