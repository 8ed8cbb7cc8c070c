// The failure model's table of bad input, as changes laid over good bodies.

import { GOOD_SHOP, openBadShop, SHOP_PATHS, shopRows } from './bad-shop-bodies.ts';
import type { Rig } from './rig.ts';

/** A request of each route that is accepted as it stands. */
export const GOOD = {
  '/v1/wallets': { wallet_id: 'new', owner_id: 'new-owner', kind: 'seller', currency: 'USD' },
  '/v1/transfers': { semantic_key: 'bad', from_wallet: 'bad-a', to_wallet: 'bad-b', amount: '100', currency: 'USD' },
  '/v1/payees': { payee_id: 'new', owner_id: 'bad-a-owner', provider: 'stripe', account: 'acct_ok' },
  '/v1/payouts': {
    semantic_key: 'bad',
    wallet_id: 'bad-a',
    amount: '100',
    currency: 'USD',
    provider: 'stripe',
    payee_id: 'bad-payee',
  },
  '/v1/adjustments': { semantic_key: 'bad', wallet_id: 'bad-a', amount: '100', currency: 'USD', reason: 'test' },
  '/v1/treasury': {
    semantic_key: 'bad',
    from: '@provider:stripe:USD',
    to: '@bank:USD',
    amount: '100',
    currency: 'USD',
    reference: 'test',
  },
  ...GOOD_SHOP,
} as const satisfies Record<string, Record<string, unknown>>;

export type Path = keyof typeof GOOD;
export const PATHS: readonly Path[] = [
  '/v1/wallets',
  '/v1/transfers',
  '/v1/payees',
  '/v1/payouts',
  '/v1/adjustments',
  '/v1/treasury',
  ...SHOP_PATHS,
];
const MONEY: readonly Path[] = ['/v1/transfers', '/v1/payouts', '/v1/adjustments', '/v1/treasury', '/v1/payins'];
const NAMED: readonly Path[] = [...MONEY, '/v1/refunds', '/v1/checkouts/bad-checkout/pay'];
/** Every route whose body has metadata. */
const WITH_METADATA: readonly Path[] = [
  '/v1/wallets',
  '/v1/transfers',
  '/v1/payees',
  '/v1/payouts',
  '/v1/checkouts',
  '/v1/payins',
  '/v1/refunds',
  '/v1/checkouts/bad-checkout/pay',
];

export interface Row {
  readonly paths: readonly Path[];
  /** Laid over the good body; undefined takes a field away. */
  readonly change: Readonly<Record<string, unknown>>;
  readonly status: number;
  readonly code: string;
  readonly name: string;
}

export const rows: readonly Row[] = [
  ...[undefined, null].map((semantic_key) => ({
    paths: NAMED,
    change: { semantic_key },
    status: 400,
    code: 'semantic-key-missing',
    name: `semantic_key ${semantic_key}`,
  })),
  ...['', ' ', 'a b', 'ä', 'a\u0000', 'a\n', '.a', '@a', 'a'.repeat(129), 5, {}, true].map((semantic_key) => ({
    paths: NAMED,
    change: { semantic_key },
    status: 422,
    code: 'validation-failed',
    name: `semantic_key ${JSON.stringify(semantic_key).slice(0, 20)}`,
  })),
  ...[100, 1.5, 0, null, true, [], '', '0', '-0', '1.5', '1e3', '01', '+1', ' 1', '1 ', '1'.repeat(19), '٣', '0x1'].map(
    (amount) => ({
      paths: [...MONEY, '/v1/refunds'] as const,
      change: { amount },
      status: 422,
      code: 'invalid-amount',
      name: `amount ${amount}`,
    }),
  ),
  {
    paths: ['/v1/transfers', '/v1/payouts', '/v1/treasury', '/v1/payins', '/v1/refunds'],
    change: { amount: '-100' },
    status: 422,
    code: 'invalid-amount',
    name: 'amount -100',
  },
  ...['usd', 'ZZZ', 'US', '', 'USDT', 5, null].map((currency) => ({
    paths: [...MONEY, '/v1/wallets', '/v1/checkouts'] as const,
    change: { currency },
    status: 422,
    code: 'invalid-currency',
    name: `currency ${currency}`,
  })),
  { paths: MONEY, change: { currency: 'EUR' }, status: 422, code: 'invalid-currency', name: 'a mismatched currency' },
  { paths: PATHS, change: { surprise: 1 }, status: 422, code: 'validation-failed', name: 'an unknown field' },
  ...['constructor', 'prototype'].map((field) => ({
    paths: PATHS,
    change: { [field]: {} },
    status: 422,
    code: 'validation-failed',
    name: `a field named ${field}`,
  })),
  { paths: PATHS, change: { cvv: '123' }, status: 422, code: 'card-data-not-accepted', name: 'a security code' },
  {
    paths: PATHS,
    change: { '4242424242424242': 'x' },
    status: 422,
    code: 'card-data-not-accepted',
    name: 'a field named by a card number',
  },
  {
    paths: WITH_METADATA,
    change: { metadata: { '4242-4242-4242-4242': 'x' } },
    status: 422,
    code: 'card-data-not-accepted',
    name: 'a card number as a name inside metadata',
  },
  ...['cvc', 'CVV2', 'security-code', 'card_security_code', 'cardCvc'].map((name) => ({
    paths: ['/v1/transfers'] as const,
    change: { metadata: { deep: [{ [name]: 'x' }] } },
    status: 422,
    code: 'card-data-not-accepted',
    name: `a field named ${name} inside metadata`,
  })),
  ...['4242424242424242', '4242 4242-4242 4242', 'pay 3782-822463-10005 now', 5555555555554444].map((text) => ({
    paths: WITH_METADATA,
    change: { metadata: { a: { b: [text] } } },
    status: 422,
    code: 'card-data-not-accepted',
    name: `metadata with ${text}`,
  })),
  {
    paths: ['/v1/payees'],
    change: { account: '4242424242424242' },
    status: 422,
    code: 'card-data-not-accepted',
    name: 'a card as account',
  },
  {
    paths: ['/v1/payouts'],
    change: { payee_id: undefined, destination: '4242424242424242' },
    status: 422,
    code: 'card-data-not-accepted',
    name: 'a card as destination',
  },
  {
    paths: ['/v1/adjustments'],
    change: { reason: 'card 4242424242424242' },
    status: 422,
    code: 'card-data-not-accepted',
    name: 'a card as reason',
  },
  ...['a\u0000b', '\ud800', '\udc00x', 'x'.repeat(501)].map((reason) => ({
    paths: ['/v1/adjustments'] as const,
    change: { reason },
    status: 422,
    code: 'validation-failed',
    name: `reason ${JSON.stringify(reason).slice(0, 16)}`,
  })),
  ...['a\u0000b', '\ud800'].map((text) => ({
    paths: WITH_METADATA,
    change: { metadata: { [text]: 1, a: text } },
    status: 422,
    code: 'validation-failed',
    name: `metadata with ${JSON.stringify(text)}`,
  })),
  {
    paths: ['/v1/transfers'],
    change: { metadata: { id: 2 ** 53 } },
    status: 422,
    code: 'validation-failed',
    name: 'a number in metadata that would not come back as it came',
  },
  { paths: ['/v1/transfers'], change: { metadata: [] }, status: 422, code: 'validation-failed', name: 'metadata []' },
  { paths: ['/v1/transfers'], change: { to_wallet: 'bad-a' }, status: 422, code: 'same-wallet', name: 'one wallet' },
  {
    paths: ['/v1/treasury'],
    change: { to: '@provider:stripe:USD' },
    status: 422,
    code: 'same-wallet',
    name: 'one wallet',
  },
  ...(
    [
      ['/v1/wallets', 'wallet_id'],
      ['/v1/wallets', 'owner_id'],
      ['/v1/payees', 'payee_id'],
      ['/v1/payees', 'owner_id'],
      ['/v1/transfers', 'from_wallet'],
      ['/v1/transfers', 'to_wallet'],
      ['/v1/payouts', 'wallet_id'],
      ['/v1/payouts', 'payee_id'],
      ['/v1/adjustments', 'wallet_id'],
    ] as const
  ).map(([path, field]) => ({
    paths: [path],
    change: { [field]: '@bank:USD' },
    status: 422,
    code: 'wallet-not-allowed',
    name: `${field} @bank:USD`,
  })),
  ...['bad-a', 'Xbank:USD', '@bank:EUR:x', '@equity:USD', '@fees:USD', '@nothing:USD', '@unapplied:USD'].map(
    (from) => ({
      paths: ['/v1/treasury'] as const,
      change: { from },
      status: 422,
      code: 'wallet-not-allowed',
      name: `from ${from}`,
    }),
  ),
  {
    paths: ['/v1/treasury'],
    change: { from: '@provider:nobody:USD' },
    status: 404,
    code: 'not-found',
    name: 'no provider',
  },
  { paths: ['/v1/transfers'], change: { to_wallet: 'nobody' }, status: 404, code: 'not-found', name: 'no such wallet' },
  { paths: ['/v1/payouts'], change: { wallet_id: 'nobody' }, status: 404, code: 'not-found', name: 'no such wallet' },
  { paths: ['/v1/payouts'], change: { payee_id: 'nobody' }, status: 404, code: 'not-found', name: 'no such payee' },
  { paths: ['/v1/payouts'], change: { provider: 'nobody' }, status: 404, code: 'not-found', name: 'no such provider' },
  { paths: ['/v1/payees'], change: { provider: 'nobody' }, status: 404, code: 'not-found', name: 'no such provider' },
  {
    paths: ['/v1/adjustments'],
    change: { wallet_id: 'nobody' },
    status: 404,
    code: 'not-found',
    name: 'no such wallet',
  },
  {
    paths: ['/v1/adjustments'],
    change: { amount: '-100' },
    status: 422,
    code: 'insufficient-funds',
    name: 'an adjustment that overdraws',
  },
  { paths: ['/v1/payouts'], change: { provider: 5 }, status: 422, code: 'validation-failed', name: 'provider 5' },
  {
    paths: ['/v1/payouts'],
    change: { payee_id: undefined },
    status: 422,
    code: 'validation-failed',
    name: 'nobody to pay',
  },
  { paths: ['/v1/payouts'], change: { destination: 'x' }, status: 422, code: 'validation-failed', name: 'two to pay' },
  { paths: ['/v1/payouts'], change: { confirm: 'yes' }, status: 422, code: 'validation-failed', name: 'confirm "yes"' },
  ...['yesterday', '2020-01-01T00:00:00Z', '2026-02-30T00:00:00Z', 5].map((expires_at) => ({
    paths: ['/v1/payouts'] as const,
    change: { expires_at },
    status: 422,
    code: 'validation-failed',
    name: `expires_at ${expires_at}`,
  })),
  {
    paths: ['/v1/wallets'],
    change: { kind: 'provider' },
    status: 422,
    code: 'validation-failed',
    name: 'kind provider',
  },
  ...shopRows,
];

export async function openBooks(rig: Rig): Promise<void> {
  for (const [wallet_id, currency] of [
    ['bad-a', 'USD'],
    ['bad-b', 'USD'],
    ['bad-eur', 'EUR'],
  ]) {
    await rig.post('/v1/wallets', { wallet_id, owner_id: `${wallet_id}-owner`, kind: 'seller', currency });
  }
  const payee = { payee_id: 'bad-payee', owner_id: 'bad-a-owner', provider: 'stripe', account: 'acct_ok' };
  await rig.post('/v1/payees', payee);
  await openBadShop(rig);
}
