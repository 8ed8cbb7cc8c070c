// Amounts on PayPal's wire, exact in both directions.

import { describe, expect, test } from 'vitest';
import { fromWire, refusalOf, toWire } from '../../src/providers/paypal/amount.ts';
import { money } from './paypal-rig.ts';

const SPLIT = 'Send that or less: split the amount.';

describe('an amount', () => {
  test.each<[bigint, string, string]>([
    [1500n, 'USD', '15.00'],
    [1n, 'USD', '0.01'],
    [99_999_999_999_999_999n, 'EUR', '999999999999999.99'],
    [1500n, 'JPY', '1500'],
    [150_000n, 'HUF', '1500'],
    [100n, 'TWD', '1'],
  ])('of %s minor units of %s is "%s", there and back', (minor, currency, value) => {
    expect(toWire(money(minor, currency))).toEqual({ value, refusal: null });
    expect(fromWire({ value, currency })).toEqual(money(minor, currency));
  });

  test.each<[bigint, string, string]>([
    [1500n, 'KWD', 'PayPal does not take KWD. Choose another provider, or another currency.'],
    [150_050n, 'HUF', 'PayPal takes HUF without decimals. Send "150000" (1500.00 HUF).'],
    [50n, 'TWD', 'PayPal takes TWD without decimals. Send "100" (1.00 TWD).'],
    [
      100_000_000_000_000_000n,
      'USD',
      `PayPal takes at most "99999999999999999" (999999999999999.99 USD) at once. ${SPLIT}`,
    ],
    [
      100_000_000_000_000_001n,
      'HUF',
      `PayPal takes at most "99999999999999900" (999999999999999.00 HUF) at once. ${SPLIT}`,
    ],
  ])('of %s minor units of %s is refused in advance', (minor, currency, refusal) => {
    expect(toWire(money(minor, currency))).toEqual({ value: null, refusal });
    expect(refusalOf('payin', money(minor, currency))).toBe(refusal);
  });

  test('above 20,000 USD is refused for payouts alone', () => {
    expect(refusalOf('payout', money(2_000_000n))).toBeNull();
    expect(refusalOf('payout', money(2_000_001n))).toBe(
      `PayPal pays out at most "2000000" (20000.00 USD) at once. ${SPLIT}`,
    );
    expect(refusalOf('payin', money(2_000_001n))).toBeNull();
    expect(refusalOf('refund', money(2_000_001n))).toBeNull();
  });

  test.each([
    ['15', 'USD', 1500n],
    ['15.5', 'USD', 1550n],
    ['15.000', 'USD', 1500n],
    ['1500.00', 'JPY', 1500n],
    ['-3.20', 'USD', -320n],
  ])('written as "%s" %s is read as %s', (value, currency, minor) => {
    expect(fromWire({ value, currency })).toEqual(money(minor, currency));
  });

  test.each([
    ['0.001', 'USD'],
    ['1.5', 'JPY'],
    ['1e3', 'USD'],
    ['', 'USD'],
    ['1,000.00', 'USD'],
    [' 1', 'USD'],
    ['1.', 'USD'],
    ['1', 'ZZZ'],
  ])('written as "%s" %s is none', (value, currency) => {
    expect(fromWire({ value, currency })).toBeNull();
  });
});
