// Card numbers are found however they are written, and what only looks like one is let through.

import { describe, expect, it } from 'vitest';
import { hasCardNumber, isSecurityCodeName } from '../../src/api/card-data.ts';

describe('a card number', () => {
  it.each([
    '4242424242424242',
    '4222222222222',
    '5555555555554444',
    '2223003122003222',
    '378282246310005',
    '6011111111111117',
    '3056930009020004',
    '36227206271667',
    '3566002020360505',
    '6200000000000005',
    '6304000000000000',
    '2200000000000004',
    '4242 4242 4242 4242',
    '4242-4242-4242-4242',
    '4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2',
    '4242\u00a04242\u20134242  4242',
    'card:4242424242424242 exp 12/29',
    '12 4242424242424242 34',
    'x4242424242424242y',
  ])('%s is found', (text) => {
    expect(hasCardNumber(text)).toBe(true);
  });

  it.each([
    '4242424242424241',
    '424242424242',
    '42424242424242424242',
    '1234567890123452',
    '0000000000000000',
    '1700000000000',
    'order 77 of 2026-01-31',
    'acct_1NXwHTLkdIwHu7ix',
    '+49 151 23456789',
    'DE89 3704 0044 0532 0130 00',
    '',
    '9'.repeat(400),
  ])('"%s" is let through', (text) => {
    expect(hasCardNumber(text)).toBe(false);
  });
});

describe('the name of a security code', () => {
  it.each(['cvc', 'CVC', 'cvv2', 'card_cvc', 'security-code', 'cardSecurityCode', 'cvv_code', 'csc'])(
    '%s is found',
    (name) => {
      expect(isSecurityCodeName(name)).toBe(true);
    },
  );

  it.each(['code', 'cid', 'customer_id', 'security', 'recv', 'currency'])('%s is let through', (name) => {
    expect(isSecurityCodeName(name)).toBe(false);
  });
});
