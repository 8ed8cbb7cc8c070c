// Amounts and references as Tipalti writes them.

import { describe, expect, test } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import { fromWire, parseExact, refusalOf, toWire } from '../../src/providers/tipalti/amount.ts';
import { pkidOfRefCode, refCodeOf } from '../../src/providers/tipalti/reference.ts';
import { money } from './tipalti-rig.ts';

test.each<[bigint, string, string]>([
  [1n, 'USD', '0.01'],
  [1500n, 'USD', '15.00'],
  [1500n, 'JPY', '1500'],
  [5n, 'ISK', '5'],
  [1234n, 'KWD', '1.234'],
  [7010n, 'HUF', '70.10'],
  [999_999_999_999_999n, 'BHD', '999999999999.999'],
])('%s %s is written %s and read back the same', (amountMinor, currency, amount) => {
  expect(toWire(money(amountMinor, currency))).toBe(amount);
  expect(fromWire({ amount, currency })).toEqual(money(amountMinor, currency));
});

describe('what is read', () => {
  test.each<[string, string, bigint | null]>([
    ['15', 'USD', 1500n],
    ['15.5', 'USD', 1550n],
    ['15.000', 'USD', 1500n],
    ['-0.50', 'USD', -50n],
    ['15.001', 'USD', null],
    ['1.5', 'JPY', null],
    ['1e3', 'USD', null],
    ['01', 'USD', null],
    ['+1', 'USD', null],
    ['', 'USD', null],
    ['NaN', 'USD', null],
    ['10000000000000000.00', 'USD', null],
    ['15', 'usd', null],
    ['15', 'QQQ', null],
  ])('%s %s', (amount, currency, expected) => {
    expect(fromWire({ amount, currency })?.amountMinor ?? null).toBe(expected);
  });

  test('keeps the digits that a number would lose', () => {
    const text = '{"list":[{"amount":90071992547409.93,"count":2},{"amount":"as text"}]}';
    expect(parseExact(text)).toEqual({ list: [{ amount: '90071992547409.93', count: 2 }, { amount: 'as text' }] });
  });
});

test.each<[bigint, string, string | null]>([
  [1n, 'USD', null],
  [1234n, 'KWD', null],
  [999_999_999_999_999n, 'JPY', null],
  [
    1_000_000_000_000_000n,
    'USD',
    'Tipalti takes at most "999999999999999" (9999999999999.99 USD) at once. Send that or less: split the amount.',
  ],
  [1n, 'CLF', 'Tipalti does not pay in CLF. Choose another provider, or a wallet in another currency.'],
])('%s %s is refused with advice, or not at all', (amountMinor, currency, advice) => {
  expect(refusalOf(money(amountMinor, currency))).toBe(advice);
});

test('a reference is our pkid without dashes, and leads back to it', () => {
  const pkid = pkidOf('payout', 'reference-1');
  expect(refCodeOf(pkid)).toMatch(/^[0-9a-f]{32}$/);
  expect(pkidOfRefCode(refCodeOf(pkid))).toBe(pkid);
  expect(pkidOfRefCode(refCodeOf(pkid).toUpperCase())).toBe(pkid);
  for (const other of ['', 'invoice 17', `${refCodeOf(pkid)}0`]) expect(pkidOfRefCode(other)).toBeNull();
});
