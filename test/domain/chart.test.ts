// Platform wallets: how they are named, and which may go below zero.

import { describe, expect, test } from 'vitest';
import {
  bankWalletId,
  debtWalletId,
  equityWalletId,
  isPlatformWalletId,
  parsePlatformWalletId,
  pendingWalletId,
  providerWalletId,
} from '../../src/domain/chart.ts';
import { KEY_PATTERN } from '../../src/domain/id.ts';
import { parseCurrency } from '../../src/domain/money.ts';

const USD = parseCurrency('USD');

describe('a name says whose it is, in which currency, and whether it may owe', () => {
  test.each([
    [providerWalletId('stripe', USD), 'provider', 'stripe', true],
    [pendingWalletId('seller:7', USD), 'pending', 'seller:7', false],
    [debtWalletId('seller', USD), 'debt', 'seller', true],
    [bankWalletId(USD), 'bank', '@platform', true],
    [equityWalletId(USD), 'equity', '@platform', true],
    ['@fees:USD', 'fees', '@platform', true],
    ['@costs:stripe:USD', 'costs', 'stripe', true],
    ['@unapplied:USD', 'unapplied', '@platform', false],
  ])('%s', (walletId, kind, ownerId, allowNegative) => {
    expect(parsePlatformWalletId(walletId)).toEqual({ walletId, ownerId, kind, currency: USD, allowNegative });
    expect(isPlatformWalletId(walletId)).toBe(true);
    expect(KEY_PATTERN.test(walletId)).toBe(false);
  });
});

test.each([
  '@gold:USD',
  '@equity',
  '@equity:usd',
  '@equity:me:USD',
  '@provider:USD',
  '@provider::USD',
  '@constructor:USD',
  'equity:USD',
  '@',
])('%s is no wallet of the chart, and the error shows one', (walletId) => {
  expect(() => parsePlatformWalletId(walletId)).toThrow(/Use a form such as "@provider:stripe:USD"/);
});
