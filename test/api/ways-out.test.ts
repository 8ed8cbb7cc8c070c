// Whoever is refused reads what to do instead.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Answer, isErrorOf, type Rig, startRig } from './rig.ts';

let rig: Rig;
const wallet = { wallet_id: 'out-w', owner_id: 'out', kind: 'seller', currency: 'USD' };
const cart = (id: string) => ({
  checkout_id: id,
  buyer_id: 'out-buyer',
  currency: 'USD',
  payment_info: { provider: 'stripe', token: 'tok_ok_1' },
  orders: [{ order_id: `${id}-order`, seller_id: 'out', amount: '100' }],
});
const payout = {
  semantic_key: 'out-pay',
  wallet_id: 'out-w',
  amount: '10',
  currency: 'USD',
  provider: 'stripe',
  destination: 'acct_1',
};
const funding = { semantic_key: 'out-fund', wallet_id: 'out-w', amount: '1000', currency: 'USD', reason: 'funds' };
const treasury = {
  semantic_key: 'out-bank',
  from: '@provider:stripe:USD',
  to: '@bank:USD',
  amount: '10',
  currency: 'USD',
  reference: 'weekly',
};
const payee = { payee_id: 'out-payee', owner_id: 'out', provider: 'stripe', account: 'acct_ok_1' };

beforeAll(async () => {
  rig = await startRig();
  await rig.post('/v1/wallets', wallet);
  await rig.post('/v1/wallets', { ...wallet, wallet_id: 'out-b', owner_id: 'out-b', kind: 'buyer' });
  await rig.post('/v1/adjustments', funding);
  await rig.post('/v1/checkouts', cart('out-cart'));
  await rig.post('/v1/checkouts/out-cart/pay?wait=20', { semantic_key: 'out-cart-pay' });
  await rig.post('/v1/payouts?wait=20', { ...payout, confirm: true });
  await rig.post('/v1/transfers?wait=20', transfer('out-move', '1'));
  await rig.post('/v1/treasury', treasury);
  await rig.post('/v1/payees', payee);
  await rig.post('/v1/refunds?wait=20', { semantic_key: 'out-back', order_id: 'out-cart-order', amount: '1' });
});
afterAll(() => rig.stop());

function transfer(semantic_key: string, amount: string) {
  return { semantic_key, from_wallet: 'out-w', to_wallet: 'out-b', amount, currency: 'USD' };
}

const wordsOf = (answer: Answer) => ({ ...isErrorOf(answer), detail: answer.json.detail });

it.each([
  ['/v1/wallets', { ...wallet, kind: 'buyer' }, '/v1/wallets/out-w'],
  ['/v1/payees', { ...payee, account: 'acct_ok_2' }, '/v1/payees/out-payee'],
  ['/v1/adjustments', { ...funding, amount: '1' }, '/v1/adjustments/out-fund'],
  ['/v1/treasury', { ...treasury, amount: '11' }, '/v1/treasury/out-bank'],
  ['/v1/transfers', transfer('out-move', '2'), '/v1/transfers/out-move'],
  ['/v1/payouts', { ...payout, amount: '11' }, '/v1/payouts/out-pay'],
  ['/v1/checkouts', { ...cart('out-cart'), buyer_id: 'another' }, '/v1/checkouts/out-cart'],
  [
    '/v1/checkouts/out-cart/pay',
    { semantic_key: 'out-cart-pay', return_url: 'https://a.b/' },
    '/v1/payins/out-cart-pay',
  ],
  ['/v1/refunds', { semantic_key: 'out-back', order_id: 'out-cart-order', amount: '2' }, '/v1/refunds/out-back'],
])('a key used for something else at %s names where that is read', async (path, body, address) => {
  const refused = await rig.post(path, body);
  expect(wordsOf(refused)).toEqual({
    status: 422,
    code: 'key-reused',
    detail:
      'The key was used with other fields before, and nothing was changed. ' +
      `GET ${address} shows what it made. For something new, choose a new key.`,
  });
  expect((await rig.get(address)).status).toBe(200);
});

it.each([
  [
    '/v1/checkouts/out-cart/pay',
    { semantic_key: 'out-again' },
    'It is paid; open another checkout for another purchase.',
  ],
  ['/v1/payouts/out-pay/cancel', undefined, 'have it reversed at the provider.'],
  ['/v1/payouts/out-pay/resolve', { verdict: 'failed', reason: 'x' }, 'POST /v1/adjustments and POST /v1/treasury.'],
  ['/v1/refunds', { semantic_key: 'r', order_id: 'nope', amount: '1' }, 'GET /v1/orders lists them.'],
  [
    '/v1/payouts',
    { ...payout, semantic_key: 'out-square', provider: 'square' },
    'Choose another provider: stripe, paypal, tipalti, demobank.',
  ],
  [
    '/v1/checkouts',
    { ...cart('out-tipalti'), payment_info: { provider: 'tipalti' } },
    'Choose another provider: stripe, paypal, square.',
  ],
  ['/v1/payees', { ...payee, payee_id: 'p2', provider: 'square' }, 'stripe, paypal, tipalti, demobank.'],
  [
    '/v1/payouts',
    { ...payout, semantic_key: 'out-past', expires_at: '2020-01-01T00:00:00Z' },
    'expires_at has passed already.',
  ],
])('what %s refuses ends with what to do instead', async (path, body, words) => {
  const refused = await rig.post(path, body);
  expect(refused.status).toBeGreaterThanOrEqual(404);
  expect(refused.json.detail).toContain(words);
});

it('two keys for one operation are named both', async () => {
  const { json } = await rig.post('/v1/transfers', transfer('one', '1'), { 'Idempotency-Key': 'two' });
  expect(json.detail).toBe('semantic_key differs from the Idempotency-Key header. Send only one of the two.');
});

it('a key that does not fit is looked for where it was sent', async () => {
  const { semantic_key: _key, ...rest } = transfer('one', '1');
  const quoted = await rig.post('/v1/transfers', rest, { 'Idempotency-Key': '"one"' });
  expect(isErrorOf(quoted)).toEqual({ status: 422, code: 'validation-failed' });
  expect(quoted.json.detail).toMatch(/^Idempotency-Key: Send 1 to 128 .*, without quotes around it\.$/);
  expect(quoted.json.errors).toMatchObject([{ pointer: '#/header/Idempotency-Key' }]);
  const spaced = await rig.post('/v1/transfers', transfer('o n e', '1'));
  expect(spaced.json.errors).toMatchObject([{ pointer: '/semantic_key' }]);
});

it('an amount with a sign is explained where a sign may stand, and only there', async () => {
  const adjusted = await rig.post('/v1/adjustments', { ...funding, semantic_key: 'out-plus', amount: '+5' });
  expect(adjusted.json.detail).toContain('perhaps with a minus');
  const moved = await rig.post('/v1/transfers', transfer('out-minus', '-5'));
  expect(moved.json.detail).toContain('without sign');
  expect([adjusted, moved].map(isErrorOf)).toEqual(Array(2).fill({ status: 422, code: 'invalid-amount' }));
});

it('of an order that went back as a whole nothing smaller is asked for', async () => {
  await rig.post('/v1/checkouts', cart('out-whole'));
  await rig.post('/v1/checkouts/out-whole/pay?wait=20', { semantic_key: 'out-whole-pay' });
  const refund = (semantic_key: string, amount: string) =>
    rig.post('/v1/refunds', { semantic_key, order_id: 'out-whole-order', amount });
  expect((await refund('out-more', '101')).json.detail).toContain('at most 100 can still be refunded. Send a smaller');
  expect((await refund('out-all', '100')).status).toBe(202);
  const { json } = await refund('out-again', '1');
  expect(json.code).toBe('refund-exceeds-payment');
  expect(json.detail).toMatch(/nothing is left to refund: .* GET \/v1\/orders\/out-whole-order shows which\.$/);
});
