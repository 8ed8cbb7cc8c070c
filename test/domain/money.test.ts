// Amounts: what is read, what is refused, and how many decimals a currency has by ISO 4217.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PaymentError } from '../../src/domain/errors.ts';
import {
  decimalsOf,
  formatAdvice,
  formatMajor,
  formatMoney,
  isCurrency,
  parseAmount,
  parseCurrency,
  parseSignedAmount,
  sameMoney,
} from '../../src/domain/money.ts';

const money = (amountMinor: bigint, code: string) => ({ amountMinor, currency: parseCurrency(code) });

test('an amount in advice is the text to send, with its worth beside it', () => {
  expect(formatAdvice(money(330n, 'KWD'))).toBe('"330" (0.330 KWD)');
  expect(formatAdvice(money(50n, 'JPY'))).toBe('"50" (50 JPY)');
});

describe('decimals by ISO 4217, also where other tables disagree', () => {
  test.each([
    ['JPY', 0],
    ['KRW', 0],
    ['CLP', 0],
    ['ISK', 0],
    ['UGX', 0],
    ['VND', 0],
    ['XOF', 0],
    ['PYG', 0],
    ['UYI', 0],
    ['USD', 2],
    ['EUR', 2],
    ['HUF', 2],
    ['TWD', 2],
    ['IDR', 2],
    ['COP', 2],
    ['AFN', 2],
    ['MGA', 2],
    ['MRU', 2],
    ['BHD', 3],
    ['IQD', 3],
    ['JOD', 3],
    ['KWD', 3],
    ['LYD', 3],
    ['OMR', 3],
    ['TND', 3],
    ['CLF', 4],
    ['UYW', 4],
  ])('%s has %i', (code, decimals) => {
    expect(decimalsOf(parseCurrency(code))).toBe(decimals);
  });

  test.each([
    [1500n, 'USD', '15.00 USD'],
    [5n, 'USD', '0.05 USD'],
    [-5n, 'USD', '-0.05 USD'],
    [1500n, 'JPY', '1500 JPY'],
    [0n, 'JPY', '0 JPY'],
    [1500n, 'KWD', '1.500 KWD'],
    [1500n, 'HUF', '15.00 HUF'],
    [15n, 'CLF', '0.0015 CLF'],
    [10n ** 18n - 1n, 'USD', '9999999999999999.99 USD'],
  ])('%s minor units of %s read %s', (amountMinor, code, text) => {
    expect(formatMoney(money(amountMinor, code))).toBe(text);
  });
});

test('an amount written in major units says exactly the minor units it was made from', () => {
  const codes = fc.constantFrom('USD', 'JPY', 'KWD', 'CLF', 'HUF');
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n }), codes, (amountMinor, code) => {
      const text = formatMajor(money(amountMinor, code));
      expect(BigInt(text.replace('.', ''))).toBe(amountMinor);
      expect(text.split('.')[1]?.length ?? 0).toBe(decimalsOf(parseCurrency(code)));
    }),
  );
});

test('every amount of 1 to 18 digits is read as it was written, with its sign where one may stand', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 1n, max: 10n ** 18n - 1n }), (amountMinor) => {
      expect(parseAmount(amountMinor.toString())).toBe(amountMinor);
      expect(parseSignedAmount(amountMinor.toString())).toBe(amountMinor);
      expect(parseSignedAmount(`-${amountMinor}`)).toBe(-amountMinor);
    }),
  );
});

describe('what is no amount is refused with advice', () => {
  const never = ['0', '-0', '', ' 1', '1 ', '1\n', '+1', '01', '-01', '1.0', '1e3', '0x1', '1_000', '١', 'NaN'];
  test.each([...never, '-1', '1000000000000000000', 1, null, undefined, {}, ['1']])('%j', (text) => {
    expect(codeOf(() => parseAmount(text))).toBe('invalid-amount');
  });
  test.each([...never, '--1', '-1000000000000000000', -1])('signed %j', (text) => {
    expect(codeOf(() => parseSignedAmount(text))).toBe('invalid-amount');
  });
  test('a bigint, because amounts arrive as text', () => {
    expect(codeOf(() => parseAmount(1n))).toBe('invalid-amount');
  });
  test('advice', () => {
    expect(() => parseAmount('1.5')).toThrow(/Send "1500" for 15\.00 USD\./);
  });
});

test.each(['usd', 'USDT', '', 'US', 'HRK', 'constructor', '__proto__'])('%j is no currency', (code) => {
  expect(isCurrency(code)).toBe(false);
  expect(codeOf(() => parseCurrency(code))).toBe('invalid-currency');
});

test('money is the same only in amount and currency', () => {
  expect(sameMoney(money(1n, 'USD'), money(1n, 'USD'))).toBe(true);
  expect(sameMoney(money(1n, 'USD'), money(2n, 'USD'))).toBe(false);
  expect(sameMoney(money(1n, 'USD'), money(1n, 'EUR'))).toBe(false);
});

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof PaymentError) return error.code;
  }
  return 'nothing was refused';
}
