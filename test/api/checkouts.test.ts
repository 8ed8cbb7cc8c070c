// A checkout over HTTP: made with its orders, paid once, delivered or given back order by order.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isErrorOf, type Rig, rowsOf, startRig } from './rig.ts';
import { BUYER, openShop, SELLER, type Shop } from './shop.ts';

let rig: Rig;
let shop: Shop;
beforeAll(async () => {
  rig = await startRig();
  shop = await openShop(rig);
});
afterAll(() => rig.stop());

describe('a checkout', () => {
  it('is made with its orders, and shows everything but the token', async () => {
    const body = {
      checkout_id: 'co:1.a',
      buyer_id: BUYER,
      currency: 'USD',
      payment_info: { provider: 'stripe', token: 'pm_secret_canary' },
      orders: [
        { order_id: 'co-1-a', seller_id: SELLER, amount: '1000', fee: '1000' },
        { order_id: 'co-1-b', seller_id: SELLER, amount: '500' },
      ],
      metadata: { cart: '9' },
    };
    const made = await rig.post('/v1/checkouts', body);
    expect(made.status).toBe(201);
    expect(made.headers.get('Location')).toBe('/v1/checkouts/co:1.a');
    expect(made.json).toMatchObject({
      checkout_id: 'co:1.a',
      buyer_id: BUYER,
      total: '1500',
      status: 'open',
      payment_info: { provider: 'stripe' },
      payins: [],
      canceled_at: null,
      metadata: { cart: '9' },
      orders: [
        { order_id: 'co-1-a', checkout_id: 'co:1.a', seller_id: SELLER, fee: '1000', status: 'unpaid', released: '0' },
        { order_id: 'co-1-b', fee: '0', amount: '500', currency: 'USD', refunded: '0' },
      ],
    });
    expect((await rig.get('/v1/checkouts/co%3A1.a')).json).toEqual(made.json);
    const again = await rig.post('/v1/checkouts', body);
    expect([again.status, again.headers.get('Idempotency-Replayed')]).toEqual([200, 'true']);
    expect([made.text, again.text, (await rig.get('/v1/checkouts')).text].join()).not.toContain('canary');
  });

  it('with other fields under its id is a reuse of the key', async () => {
    const body = { checkout_id: 'co-reuse', buyer_id: BUYER, currency: 'USD', payment_info: { provider: 'stripe' } };
    const orders = [{ order_id: 'co-reuse-1', seller_id: SELLER, amount: '100' }];
    expect((await rig.post('/v1/checkouts', { ...body, orders })).status).toBe(201);
    for (const change of [
      { buyer_id: 'other' },
      { payment_info: { provider: 'stripe', token: 'pm_other' } },
      { orders: [{ ...orders[0], amount: '200' }] },
      { metadata: { a: 1 } },
    ]) {
      const answer = await rig.post('/v1/checkouts', { ...body, orders, ...change });
      expect(isErrorOf(answer)).toEqual({ status: 422, code: 'key-reused' });
    }
    expect((await rig.post('/v1/checkouts', { ...body, orders: [{ ...orders[0], fee: '0' }] })).status).toBe(200);
  });

  it('cannot take an order that another checkout has', async () => {
    await shop.checkout('co-taken');
    const orders = [{ order_id: 'co-taken-1', seller_id: SELLER, amount: '100' }];
    const body = { checkout_id: 'co-thief', buyer_id: BUYER, currency: 'USD', payment_info: { provider: 'stripe' } };
    const answer = await rig.post('/v1/checkouts', { ...body, orders });
    expect(isErrorOf(answer)).toEqual({ status: 409, code: 'invalid-state' });
    expect(answer.json.detail).toContain('"co-taken"');
    expect((await rig.get('/v1/checkouts/co-thief')).status).toBe(404);
  });

  it('goes from open through paid to closed, as its orders do', async () => {
    await shop.checkout('co-life', { amounts: ['700', '300'] });
    const paid = await shop.pay('co-life');
    expect(paid).toMatchObject({ status: 202, json: { kind: 'payin', status: 'succeeded', amount: '1000' } });
    expect(paid.headers.get('Location')).toBe('/v1/payins/co-life-pay');
    const { json } = await rig.get('/v1/checkouts/co-life');
    expect(json).toMatchObject({ status: 'paid', orders: [{ status: 'paid' }, { status: 'paid' }] });
    expect(json.payins).toEqual([paid.json]);
    expect((await rig.get(`/v1/wallets/${SELLER}-usd`)).json.pending).not.toBe('0');
    const delivered = await rig.post('/v1/orders/co-life-1/deliver');
    expect(delivered).toMatchObject({ status: 200, json: { status: 'delivered', released: '690', fee: '10' } });
    expect((await rig.post('/v1/orders/co-life-1/deliver')).json).toEqual(delivered.json);
    expect((await shop.refund('co-life-2', '300')).json).toMatchObject({ status: 'succeeded' });
    expect((await rig.get('/v1/orders/co-life-2')).json).toMatchObject({
      status: 'refunded',
      refunded: '300',
      refundable: '0',
    });
    expect((await rig.get('/v1/checkouts/co-life')).json.status).toBe('closed');
  });

  it('has at most one pay-in that did not fail: a second one is told where the first is', async () => {
    await shop.checkout('co-once', { token: 'pm_never' });
    const first = await rig.post('/v1/checkouts/co-once/pay', { semantic_key: 'co-once-1' });
    expect(first.status).toBe(202);
    expect((await rig.get('/v1/checkouts/co-once')).json.status).toBe('paying');
    const second = await rig.post('/v1/checkouts/co-once/pay', { semantic_key: 'co-once-2' });
    expect(isErrorOf(second)).toEqual({ status: 409, code: 'invalid-state' });
    expect(second.headers.get('Location')).toBe('/v1/payins/co-once-1');
    expect(second.json.detail).toMatch(/"co-once-1", which is (initialized|in_process)/);
    expect((await rig.get('/v1/payins/co-once-2')).status).toBe(404);
    const again = await rig.post('/v1/checkouts/co-once/pay', {}, { 'Idempotency-Key': 'co-once-1' });
    expect([again.status, again.headers.get('Idempotency-Replayed')]).toEqual([200, 'true']);
  });

  it('is not paid under the key of another checkout, nor by other means under the same key', async () => {
    await shop.checkout('co-mixed');
    const other = await rig.post('/v1/checkouts/co-mixed/pay', { semantic_key: 'co-once-1' });
    expect(isErrorOf(other)).toEqual({ status: 422, code: 'key-reused' });
    const body = { semantic_key: 'co-mixed-pay', confirm: false, return_url: 'https://shop.example/back' };
    expect((await rig.post('/v1/checkouts/co-mixed/pay', body)).status).toBe(201);
    for (const change of [{ return_url: 'https://shop.example/other' }, { buyer: { ip: '192.0.2.1' } }]) {
      const answer = await rig.post('/v1/checkouts/co-mixed/pay', { ...body, ...change });
      expect(isErrorOf(answer)).toEqual({ status: 422, code: 'key-reused' });
    }
    const confirmed = await rig.post('/v1/checkouts/co-mixed/pay?wait=20', { ...body, confirm: true });
    expect(confirmed).toMatchObject({ status: 200, json: { status: 'succeeded' } });
    const paid = await rig.post('/v1/checkouts/co-mixed/pay', { ...body, semantic_key: 'co-mixed-more' });
    expect(isErrorOf(paid)).toEqual({ status: 409, code: 'invalid-state' });
    expect(paid.json.detail).toMatch(/succeeded\. It is paid; open another checkout/);
  });

  it('is open again when its pay-in failed, and may be paid by other means', async () => {
    await shop.checkout('co-again', { token: 'pm_decline_1' });
    expect((await shop.pay('co-again')).json).toMatchObject({ status: 'failed', failure: { code: 'declined' } });
    expect((await rig.get('/v1/checkouts/co-again')).json.status).toBe('open');
    const info = { provider: 'square', token: 'tok_ok_2' };
    const other = await shop.pay('co-again', { semantic_key: 'co-again-2', payment_info: info });
    expect(other.json).toMatchObject({ status: 'succeeded', provider: 'square', checkout_id: 'co-again' });
    const { json } = await rig.get('/v1/checkouts/co-again');
    expect(json).toMatchObject({ status: 'paid', payins: [{ status: 'succeeded' }, { status: 'failed' }] });
  });

  it('that is cancelled gives back what is not delivered, and takes no pay-in any more', async () => {
    await shop.paid('co-cancel', { amounts: ['400', '600'] });
    await rig.post('/v1/orders/co-cancel-1/deliver');
    const canceled = await rig.post('/v1/checkouts/co-cancel/cancel');
    expect(canceled).toMatchObject({ status: 202, json: { status: 'canceled' } });
    const orders = [{ status: 'delivered' }, { status: 'refunded', refunded: '600' }];
    await shop.eventually('/v1/checkouts/co-cancel', { status: 'canceled', orders });
    const [refund, ...others] = rowsOf(await rig.get('/v1/refunds?checkout_id=co-cancel'));
    expect(others).toEqual([]);
    expect((await rig.get(`/v1/refunds/${refund?.semantic_key}`)).json).toEqual(refund);
    await shop.checkout('co-dead');
    expect(await rig.post('/v1/checkouts/co-dead/cancel')).toMatchObject({ status: 200, json: { status: 'canceled' } });
    expect(isErrorOf(await shop.pay('co-dead'))).toEqual({ status: 409, code: 'invalid-state' });
  });

  it('that is cancelled with a wait answers when nothing is left to give back', async () => {
    await shop.paid('co-wait', { amounts: ['400', '600'] });
    const canceled = await rig.post('/v1/checkouts/co-wait/cancel?wait=20');
    const refunded = { status: 'refunded', refunding: '0' };
    expect(canceled).toMatchObject({ status: 202, json: { status: 'canceled', orders: [refunded, refunded] } });
    expect(await rig.post('/v1/checkouts/co-wait/cancel?wait=20')).toMatchObject({ status: 200 });
  });

  it('that is cancelled while its pay-in is open waits for its end, or until the time is up', async () => {
    await shop.checkout('co-slow', { token: 'pm_never' });
    await rig.post('/v1/checkouts/co-slow/pay', { semantic_key: 'co-slow-pay' });
    await shop.eventually('/v1/payins/co-slow-pay', { status: 'in_process' });
    const startedAt = performance.now();
    const early = await rig.post('/v1/checkouts/co-slow/cancel?wait=0.3');
    expect(performance.now() - startedAt).toBeGreaterThan(250);
    expect(early).toMatchObject({ status: 202, json: { status: 'canceled' } });
    expect(isErrorOf(await rig.post('/v1/checkouts/co-slow/cancel?wait=31'))).toEqual({
      status: 422,
      code: 'validation-failed',
    });
  });

  it('whose orders are all delivered cannot be cancelled', async () => {
    await shop.paid('co-done');
    await rig.post('/v1/orders/co-done-1/deliver');
    expect(isErrorOf(await rig.post('/v1/checkouts/co-done/cancel'))).toEqual({ status: 409, code: 'invalid-state' });
  });

  it('through a provider that takes no payments is refused', async () => {
    const body = { checkout_id: 'co-tipalti', buyer_id: BUYER, currency: 'USD', payment_info: { provider: 'tipalti' } };
    const orders = [{ order_id: 'co-tipalti-1', seller_id: SELLER, amount: '100' }];
    const answer = await rig.post('/v1/checkouts', { ...body, orders });
    expect(isErrorOf(answer)).toEqual({ status: 422, code: 'provider-not-able' });
  });

  it('of a hundred orders is taken whole', async () => {
    const amounts = Array.from({ length: 100 }, (_, at) => String(100 + at));
    const made = await shop.checkout('co-many', { amounts });
    expect(made.json.total).toBe('14950');
    expect((await shop.pay('co-many')).json.status).toBe('succeeded');
  });
});

describe('an order', () => {
  it('that is not paid cannot be delivered or refunded', async () => {
    await shop.checkout('co-unpaid');
    const answers = [await rig.post('/v1/orders/co-unpaid-1/deliver'), await shop.refund('co-unpaid-1', '1')];
    for (const answer of answers) expect(isErrorOf(answer)).toEqual({ status: 409, code: 'invalid-state' });
  });

  it('of which nothing is left cannot be delivered, and says why', async () => {
    await shop.paid('co-gone');
    await shop.refund('co-gone-1', '1000');
    const answer = await rig.post('/v1/orders/co-gone-1/deliver');
    expect(isErrorOf(answer)).toEqual({ status: 409, code: 'invalid-state' });
    expect(answer.json.detail).toMatch(/^The whole order was refunded/);
    expect((await rig.get('/v1/orders/co-gone-1')).json).toMatchObject({ status: 'refunded', delivered_at: null });
  });

  it('that was delivered answers 200 again, even after all of it went back', async () => {
    await shop.paid('co-back');
    await rig.post('/v1/orders/co-back-1/deliver');
    await shop.refund('co-back-1', '1000');
    const again = await rig.post('/v1/orders/co-back-1/deliver');
    expect(again).toMatchObject({ status: 200, json: { status: 'refunded', delivered_at: expect.any(String) } });
  });
});

describe('a list of them', () => {
  it.each([
    ['/v1/checkouts?status=open&order_id=co-unpaid-1', 'checkout_id', ['co-unpaid']],
    ['/v1/checkouts?status=paid&order_id=co-unpaid-1', 'checkout_id', []],
    ['/v1/checkouts?buyer_id=nobody', 'checkout_id', []],
    ['/v1/checkouts?provider=paypal', 'checkout_id', []],
    [
      '/v1/checkouts?status=canceled&seller_id=shop-seller',
      'checkout_id',
      ['co-slow', 'co-wait', 'co-dead', 'co-cancel'],
    ],
    ['/v1/checkouts?status=closed', 'checkout_id', ['co-back', 'co-gone', 'co-done', 'co-life']],
    ['/v1/orders?checkout_id=co-cancel&status=refunded', 'order_id', ['co-cancel-2']],
    ['/v1/orders?order_id=co-life-1&seller_id=shop-seller&wallet_id=shop-seller-usd', 'order_id', ['co-life-1']],
    ['/v1/orders?status=unpaid&checkout_id=co-life', 'order_id', []],
    ['/v1/payins?order_id=co-life-2', 'semantic_key', ['co-life-pay']],
    ['/v1/payins?checkout_id=co-again&status=failed', 'semantic_key', ['co-again-pay']],
    ['/v1/payins?seller_id=shop-seller&provider=square', 'semantic_key', ['co-again-2']],
    ['/v1/payins?seller_id=nobody', 'semantic_key', []],
    ['/v1/refunds?order_id=co-life-2&status=succeeded', 'semantic_key', ['co-life-2-refund-300']],
    ['/v1/refunds?checkout_id=co-life&seller_id=shop-seller', 'semantic_key', ['co-life-2-refund-300']],
  ])('%s finds exactly what it says', async (path, id, ids) => {
    expect(rowsOf(await rig.get(path)).map((row) => row[id])).toEqual(ids);
  });

  it('is read by the provider of a pay-in too', async () => {
    const { json } = await rig.get('/v1/payins/co-life-pay');
    const found = rowsOf(await rig.get(`/v1/payins?extern_payment_id=${json.extern_payment_id}`));
    expect(found).toEqual([json]);
  });
});

it('the books of the shop are whole', async () => {
  const { json } = await rig.post('/v1/audit');
  const checks: unknown = json.checks;
  const violated = Array.isArray(checks) ? checks.filter(({ violations }) => violations.length > 0) : [checks];
  expect(violated).toEqual([]);
});
