// The same for checkouts, pay-ins and refunds.

import { expect } from 'vitest';
import type { Rig } from './rig.ts';

const order = { order_id: 'new-1', seller_id: 'bad-a-owner', amount: '1000', fee: '10' };
const payment_info = { provider: 'stripe', token: 'pm_card_ok' };

export const GOOD_SHOP = {
  '/v1/checkouts': { checkout_id: 'new', buyer_id: 'bad-buyer', currency: 'USD', payment_info, orders: [order] },
  '/v1/checkouts/bad-checkout/pay': { semantic_key: 'bad', payment_info },
  '/v1/payins': { semantic_key: 'bad', wallet_id: 'bad-a', amount: '1000', currency: 'USD', payment_info },
  '/v1/refunds': { semantic_key: 'bad', order_id: 'bad-paid-1', amount: '100' },
} as const;

type ShopPath = keyof typeof GOOD_SHOP;
export const SHOP_PATHS: readonly ShopPath[] = [
  '/v1/checkouts',
  '/v1/checkouts/bad-checkout/pay',
  '/v1/payins',
  '/v1/refunds',
];
const PAYING: readonly ShopPath[] = ['/v1/checkouts/bad-checkout/pay', '/v1/payins'];
const WITH_INFO: readonly ShopPath[] = ['/v1/checkouts', ...PAYING];

interface ShopRow {
  readonly paths: readonly ShopPath[];
  readonly change: Readonly<Record<string, unknown>>;
  readonly status: number;
  readonly code: string;
  readonly name: string;
}

const invalid = { status: 422, code: 'validation-failed' };
const card = { status: 422, code: 'card-data-not-accepted' };
const notFound = { status: 404, code: 'not-found' };
const ofOrder = (change: Readonly<Record<string, unknown>>) => ({ orders: [{ ...order, ...change }] });

const checkoutRows: readonly ShopRow[] = [
  ...(
    [
      [{ orders: [] }, 'no orders'],
      [{ orders: undefined }, 'orders left out'],
      [{ orders: { 0: order } }, 'orders that are no list'],
      [{ orders: Array.from({ length: 101 }, (_, at) => ({ ...order, order_id: `new-${at}` })) }, '101 orders'],
      [{ orders: [order, { ...order, amount: '2000' }] }, 'one order twice'],
      [ofOrder({ surprise: 1 }), 'an order with an unknown field'],
      [ofOrder({ fee: '1001' }), 'a fee above the amount'],
      [ofOrder({ order_id: 'a b' }), 'an order id outside the grammar'],
      [ofOrder({ order_id: undefined }), 'an order without an id'],
      [ofOrder({ seller_id: 5 }), 'a seller that is a number'],
      [{ checkout_id: '' }, 'an empty id'],
      [{ checkout_id: 'a'.repeat(129) }, 'an id of 129 characters'],
      [{ checkout_id: undefined }, 'no id'],
      [{ buyer_id: ' ' }, 'a blank buyer'],
      [{ payment_info: undefined }, 'no payment_info'],
      [{ payment_info: { token: 'pm_ok' } }, 'payment_info without a provider'],
      [{ metadata: 'text' }, 'metadata that is a text'],
    ] as const
  ).map(([change, name]) => ({ paths: ['/v1/checkouts'] as const, change, ...invalid, name })),
  ...['0', '-1', 100, '1.5', '1e3', '01', '1'.repeat(19), null].map((amount) => ({
    paths: ['/v1/checkouts'] as const,
    change: ofOrder({ amount }),
    status: 422,
    code: 'invalid-amount',
    name: `an order of ${amount}`,
  })),
  ...['-1', '01', 5, '1.0', ''].map((fee) => ({
    paths: ['/v1/checkouts'] as const,
    change: ofOrder({ fee }),
    status: 422,
    code: 'invalid-amount',
    name: `a fee of ${JSON.stringify(fee)}`,
  })),
  {
    paths: ['/v1/checkouts'],
    change: { orders: ['1', '2'].map((id) => ({ ...order, order_id: id, amount: '9'.repeat(18) })) },
    status: 422,
    code: 'invalid-amount',
    name: 'a total of more than 18 digits',
  },
  ...(['order_id', 'seller_id'] as const).map((field) => ({
    paths: ['/v1/checkouts'] as const,
    change: ofOrder({ [field]: '@bank:USD' }),
    status: 422,
    code: 'wallet-not-allowed',
    name: `${field} @bank:USD`,
  })),
  { paths: ['/v1/checkouts'], change: ofOrder({ seller_id: 'nobody' }), ...notFound, name: 'no such seller' },
  { paths: ['/v1/checkouts'], change: { currency: 'EUR' }, ...notFound, name: 'a seller without a wallet in EUR' },
];

const payingRows: readonly ShopRow[] = [
  ...(
    [
      [{ return_url: 'http://shop.example/back' }, 'a return_url in the clear'],
      [{ return_url: 'javascript:alert(1)' }, 'a return_url that is a script'],
      [{ return_url: '/back' }, 'a return_url without a host'],
      [{ return_url: 'https:shop.example' }, 'a return_url without slashes'],
      [{ return_url: 'https://shop.example/a b' }, 'a return_url with a blank'],
      [{ return_url: 'https://shop.example/\r\nX: y' }, 'a return_url of two lines'],
      [{ return_url: 'https://user:secret@shop.example/' }, 'a return_url with credentials'],
      [{ cancel_url: `https://shop.example/${'x'.repeat(2048)}` }, 'a cancel_url of more than 2,048 characters'],
      [{ cancel_url: 'http://127.0.0.1.shop.example/' }, 'a cancel_url that looks like this machine'],
      [{ cancel_url: 5 }, 'a cancel_url that is a number'],
      [{ statement_descriptor: 'X'.repeat(23) }, 'a statement of 23 characters'],
      [{ statement_descriptor: '' }, 'an empty statement'],
      [{ statement_descriptor: '1234567' }, 'a statement without a letter'],
      [{ statement_descriptor: 'SHOP*77' }, 'a statement with an asterisk'],
      [{ statement_descriptor: 'SHÖP' }, 'a statement with an umlaut'],
      [{ statement_descriptor: 'SHOP\n77' }, 'a statement of two lines'],
      [{ buyer: { email: 'nobody' } }, 'an e-mail address without a host'],
      [{ buyer: { ip: '300.1.1.1' } }, 'an address that is none'],
      [{ buyer: { name: 'X' } }, 'an unknown field of the buyer'],
      [{ buyer: 'me' }, 'a buyer that is a text'],
      [{ confirm: 'yes' }, 'confirm "yes"'],
      [{ expires_at: '2020-01-01T00:00:00Z' }, 'a time that has passed'],
      [{ expires_at: '2100-01-01T00:00:00Z' }, 'a time too far away'],
      [{ expires_at: 'tomorrow' }, 'a time that is none'],
    ] as const
  ).map(([change, name]) => ({ paths: PAYING, change, ...invalid, name })),
  ...['4242 4242 4242 4242', 'A 4242424242424242'].map((statement_descriptor) => ({
    paths: PAYING,
    change: { statement_descriptor },
    ...card,
    name: `statement ${statement_descriptor}`,
  })),
  { paths: PAYING, change: { buyer: { email: '4242424242424242@example.com' } }, ...card, name: 'a card as e-mail' },
  ...['4242424242424242', 'pan 3782-822463-10005'].map((token) => ({
    paths: WITH_INFO,
    change: { payment_info: { provider: 'stripe', token } },
    ...card,
    name: `token ${token}`,
  })),
  ...['', 'a\u0000b', 'a\nb', '\ud800', 'x'.repeat(256), 5].map((token) => ({
    paths: WITH_INFO,
    change: { payment_info: { provider: 'stripe', token } },
    ...invalid,
    name: `token ${JSON.stringify(token).slice(0, 12)}`,
  })),
  { paths: WITH_INFO, change: { payment_info: { ...payment_info, cvc: '123' } }, ...card, name: 'a code with a token' },
  { paths: WITH_INFO, change: { payment_info: { ...payment_info, x: 1 } }, ...invalid, name: 'more payment_info' },
  { paths: WITH_INFO, change: { payment_info: { provider: 'nobody' } }, ...notFound, name: 'no such provider' },
  { paths: WITH_INFO, change: { payment_info: { provider: 5 } }, ...invalid, name: 'provider 5' },
  { paths: ['/v1/payins'], change: { payment_info: undefined }, ...invalid, name: 'no payment_info' },
  { paths: ['/v1/payins'], change: { wallet_id: 'nobody' }, ...notFound, name: 'no such wallet' },
  { paths: ['/v1/payins'], change: { checkout_id: 'bad-checkout' }, ...invalid, name: 'a checkout in the body' },
  {
    paths: ['/v1/payins'],
    change: { wallet_id: '@bank:USD' },
    status: 422,
    code: 'wallet-not-allowed',
    name: 'wallet_id @bank:USD',
  },
  ...(['/v1/checkouts', '/v1/payins'] as const).map((path) => ({
    paths: [path],
    change: { payment_info: { provider: 'tipalti' } },
    status: 422,
    code: 'provider-not-able',
    name: 'a provider that takes no payments',
  })),
];

const refundRows: readonly ShopRow[] = [
  { paths: ['/v1/refunds'], change: { order_id: 'nobody' }, ...notFound, name: 'no such order' },
  { paths: ['/v1/refunds'], change: { to: 'wallet' }, ...notFound, name: 'a buyer without a wallet' },
  { paths: ['/v1/refunds'], change: { to: 'seller' }, ...invalid, name: 'to "seller"' },
  { paths: ['/v1/refunds'], change: { currency: 'USD' }, ...invalid, name: 'a currency, which the order has' },
  { paths: ['/v1/refunds'], change: { reason: '' }, ...invalid, name: 'an empty reason' },
  { paths: ['/v1/refunds'], change: { reason: 'x'.repeat(501) }, ...invalid, name: 'a reason of 501 characters' },
  { paths: ['/v1/refunds'], change: { reason: 'card 4242424242424242' }, ...card, name: 'a card as reason' },
  {
    paths: ['/v1/refunds'],
    change: { order_id: '@bank:USD' },
    status: 422,
    code: 'wallet-not-allowed',
    name: 'order_id @bank:USD',
  },
  {
    paths: ['/v1/refunds'],
    change: { amount: '1001' },
    status: 422,
    code: 'refund-exceeds-payment',
    name: 'more than the order',
  },
  {
    paths: ['/v1/refunds'],
    change: { order_id: 'bad-checkout-1' },
    status: 409,
    code: 'invalid-state',
    name: 'an order that is not paid',
  },
];

export const shopRows: readonly ShopRow[] = [...checkoutRows, ...payingRows, ...refundRows];

/** An open checkout and a paid one, of a seller who has a wallet. */
export async function openBadShop(rig: Rig): Promise<void> {
  const good = GOOD_SHOP['/v1/checkouts'];
  for (const checkout_id of ['bad-checkout', 'bad-paid']) {
    const orders = [{ ...order, order_id: `${checkout_id}-1` }];
    expect((await rig.post('/v1/checkouts', { ...good, checkout_id, orders })).status).toBe(201);
  }
  const paid = await rig.post('/v1/checkouts/bad-paid/pay?wait=20', { semantic_key: 'bad-paid-pay' });
  expect(paid.json.status).toBe('succeeded');
}
