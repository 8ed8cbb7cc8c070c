// Beside a provider that is real, money made up in the sandbox is started by operators only. The real one here is never
// called: everything stops at the doors, or rests.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { ClientRequest } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Scope } from '../../src/jobs/api-key.ts';
import { isErrorOf, type Json, type Rig, startRig } from './rig.ts';

const STRIPE = { STRIPE_SECRET_KEY: 'sk_test_mixed', STRIPE_WEBHOOK_SECRET: 'whsec_mixed' };
const PAYPAL = { PAYPAL_CLIENT_ID: 'mixed', PAYPAL_CLIENT_SECRET: 'mixed', PAYPAL_WEBHOOK_ID: 'mixed' };
const SQUARE = {
  SQUARE_ACCESS_TOKEN: 'mixed',
  SQUARE_LOCATION_ID: 'mixed',
  SQUARE_WEBHOOK_SIGNATURE_KEY: 'mixed',
  SQUARE_NOTIFICATION_URL: 'https://shop.example/webhooks/square',
};
const TIPALTI = {
  TIPALTI_CLIENT_ID: 'mixed',
  TIPALTI_CLIENT_SECRET: 'mixed',
  TIPALTI_REFRESH_TOKEN: 'mixed',
  TIPALTI_PAYER: 'mixed',
};
const HERE = 'http://127.0.0.1:9';

const WRITE: readonly Scope[] = ['read', 'write'];
const OPERATE: readonly Scope[] = ['read', 'write', 'operate'];

const wallet = { wallet_id: 'mixed', owner_id: 'mixed', kind: 'seller', currency: 'USD' };
const money = { wallet_id: 'mixed', amount: '1000', currency: 'USD' };
const infoOf = (provider: string) => ({ provider, token: 'tok_ok_1' });
const payinAt = (provider: string, semantic_key: string): Json => ({
  semantic_key,
  ...money,
  payment_info: infoOf(provider),
  confirm: false,
});
const payoutAt = (provider: string, semantic_key: string): Json => ({
  semantic_key,
  ...money,
  provider,
  destination: 'mixed@example.com',
});

/** An app in which these providers have credentials, with one key of each kind. */
function openMixed(env: Record<string, string>) {
  let rig: Rig;
  const keys = new Map<readonly Scope[], string>();
  beforeAll(async () => {
    rig = await startRig(env);
    for (const scopes of [WRITE, OPERATE]) keys.set(scopes, await rig.key(scopes));
    expect((await rig.post('/v1/wallets', wallet)).status).toBe(201);
  });
  afterAll(() => rig.stop());
  return {
    rig: () => rig,
    post: (scopes: readonly Scope[], path: string, body?: unknown, headers: Record<string, string> = {}) =>
      rig.call('POST', path, { body, headers, key: keys.get(scopes) ?? null }),
  };
}

/** No provider outside was called while this ran; what is asked inside is seen, or nothing would be. */
const hosts: string[] = [];
const note = (message: unknown) => {
  const request = typeof message === 'object' && message !== null && 'request' in message ? message.request : null;
  if (request instanceof ClientRequest) hosts.push(request.host);
};
beforeAll(() => subscribe('http.client.request.start', note));
afterAll(() => unsubscribe('http.client.request.start', note));
afterAll(() => expect(hosts).toContain('127.0.0.1'));
afterEach(() => expect(hosts.filter((host) => host !== '127.0.0.1')).toEqual([]));

const refused = { status: 403, code: 'forbidden' };
const words = (provider: string) =>
  `${provider} has no credentials and talks to the sandbox, while real money moves through stripe: what is made up ` +
  `there could be paid out as real. Give ${provider} its credentials, or use a key that has the scope "operate".`;

describe('beside a real Stripe', () => {
  const mixed = openMixed(STRIPE);
  const checkoutAt = async (checkout_id: string, provider: string) => {
    const orders = [{ order_id: `${checkout_id}-1`, seller_id: 'mixed', amount: '1000' }];
    const body = { checkout_id, buyer_id: 'mixed', currency: 'USD', payment_info: infoOf(provider), orders };
    expect((await mixed.post(WRITE, '/v1/checkouts', body)).status).toBe(201);
  };

  it.each(['paypal', 'square'])('a pay-in through the sandboxed %s takes an operator', async (provider) => {
    const body = payinAt(provider, `in-${provider}`);
    const answer = await mixed.post(WRITE, '/v1/payins', body);
    expect(isErrorOf(answer)).toEqual(refused);
    expect(answer.json.detail).toBe(words(provider));
    expect((await mixed.rig().get(`/v1/payins/in-${provider}`)).status).toBe(404);
    expect((await mixed.post(OPERATE, '/v1/payins', body)).status).toBe(201);
  });

  it('so does paying a checkout, as it says itself or by other means', async () => {
    await checkoutAt('mixed-paypal', 'paypal');
    await checkoutAt('mixed-stripe', 'stripe');
    const pay = { confirm: false };
    const asItSays = { ...pay, semantic_key: 'pay-paypal' };
    const otherwise = { ...pay, semantic_key: 'pay-stripe', payment_info: infoOf('square') };
    const answers = [
      await mixed.post(WRITE, '/v1/checkouts/mixed-paypal/pay', asItSays),
      await mixed.post(WRITE, '/v1/checkouts/mixed-stripe/pay', otherwise),
    ];
    expect(answers.map(isErrorOf)).toEqual([refused, refused]);
    expect(answers.map(({ json }) => json.detail)).toEqual([words('paypal'), words('square')]);
    expect((await mixed.post(OPERATE, '/v1/checkouts/mixed-paypal/pay', asItSays)).status).toBe(201);
    expect(isErrorOf(await mixed.post(WRITE, '/v1/checkouts/nobody/pay', asItSays))).toEqual({
      status: 404,
      code: 'not-found',
    });
  });

  it.each(['paypal', 'tipalti'])('so does a payout through the sandboxed %s, alone or in a batch', async (provider) => {
    const body = payoutAt(provider, `out-${provider}`);
    const answer = await mixed.post(WRITE, '/v1/payouts', body);
    expect(isErrorOf(answer)).toEqual(refused);
    expect(answer.json.detail).toBe(words(provider));
    const many = { payouts: [body, { ...body, semantic_key: `out-${provider}-2` }] };
    const problem = { code: 'forbidden', detail: words(provider) };
    expect((await mixed.post(WRITE, '/v1/payouts/batch', many)).json.results).toMatchObject([{ problem }, { problem }]);
    expect((await mixed.rig().get(`/v1/payouts/out-${provider}`)).status).toBe(404);
    expect((await mixed.post(OPERATE, '/v1/payouts/batch', many)).json.results).toMatchObject([
      { status: 'initialized' },
      { status: 'initialized' },
    ]);
  });

  it('and so does confirming what an operator left at rest', async () => {
    for (const [path, body] of [
      ['/v1/payins', payinAt('paypal', 'rest-in')],
      ['/v1/payouts', payoutAt('paypal', 'rest-out')],
    ] as const) {
      expect((await mixed.post(OPERATE, path, body)).status).toBe(201);
      const at = `${path}/${body.semantic_key}`;
      const answers = [
        await mixed.post(WRITE, `${at}/confirm`),
        await mixed.post(WRITE, path, { ...body, confirm: true }),
      ];
      expect(answers.map(isErrorOf)).toEqual([refused, refused]);
      expect((await mixed.rig().get(at)).json).toMatchObject({ status: 'initialized', confirmed_at: null });
      expect((await mixed.post(OPERATE, `${at}/confirm`)).status).toBe(202);
    }
  });

  it('the real one itself is used with the scope write, as ever', async () => {
    expect((await mixed.post(WRITE, '/v1/payins', payinAt('stripe', 'in-stripe'))).status).toBe(201);
    await checkoutAt('mixed-real', 'stripe');
    const pay = { semantic_key: 'pay-real', confirm: false };
    expect((await mixed.post(WRITE, '/v1/checkouts/mixed-real/pay', pay)).status).toBe(201);
    const free = await mixed.post(WRITE, '/v1/payouts', payoutAt('stripe', 'out-stripe'));
    expect(isErrorOf(free)).toEqual(refused);
    expect(free.json.detail).toMatch(/^This needs the scope "operate"/);
  });

  it('Demobank is not there at all', async () => {
    for (const scopes of [WRITE, OPERATE]) {
      const answer = await mixed.post(scopes, '/v1/payouts', payoutAt('demobank', 'out-demobank'));
      expect(isErrorOf(answer)).toEqual({ status: 404, code: 'not-found' });
    }
  });
});

describe('beside a real Stripe, one with credentials at an address of this machine', () => {
  const mixed = openMixed({ ...STRIPE, ...PAYPAL, PAYPAL_BASE_URL: HERE });
  it('is not real either', async () => {
    const answer = await mixed.post(WRITE, '/v1/payins', payinAt('paypal', 'in-paypal'));
    expect(isErrorOf(answer)).toEqual(refused);
    expect(answer.json.detail).toMatch(/^paypal is reached at an address of this machine, .* Remove PAYPAL_BASE_URL, /);
  });
});

describe.each([
  ['no provider is real', {}],
  ['those with credentials are at addresses of this machine', { ...STRIPE, STRIPE_BASE_URL: HERE }],
  ['all providers are real', { ...STRIPE, ...PAYPAL, ...SQUARE, ...TIPALTI }],
])('while %s', (_case, env) => {
  const mixed = openMixed(env);
  it.each(['stripe', 'paypal', 'square'])('a pay-in through %s needs the scope write only', async (provider) => {
    expect((await mixed.post(WRITE, '/v1/payins', payinAt(provider, `in-${provider}`))).status).toBe(201);
  });
});
