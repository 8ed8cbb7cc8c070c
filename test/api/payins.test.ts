// A pay-in over HTTP: loading a wallet, waiting for its buyer, and what an operator does about it.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isErrorOf, type Rig, rowsOf, startRig } from './rig.ts';
import { openShop, SELLER, type Shop } from './shop.ts';

let rig: Rig;
let shop: Shop;
beforeAll(async () => {
  // A lease this long gives a busy machine two seconds to send, so that one claim is enough.
  rig = await startRig({ LEASE_MS: '20000' });
  shop = await openShop(rig);
});
afterAll(() => rig.stop());

const HOUR_MS = 3_600_000;
const payin = (semantic_key: string, { token = 'pm_card_ok', ...more }: Record<string, unknown> = {}) => ({
  semantic_key,
  wallet_id: `${SELLER}-usd`,
  amount: '500',
  currency: 'USD',
  payment_info: { provider: 'stripe', token },
  ...more,
});

describe('a pay-in', () => {
  it('loads a wallet, and is read as everything that is carried out at a provider', async () => {
    const paid = await rig.post('/v1/payins?wait=20', payin('in:1.a', { metadata: { a: [1] } }));
    expect(paid.status).toBe(202);
    expect(paid.headers.get('Location')).toBe('/v1/payins/in:1.a');
    expect(paid.json).toMatchObject({
      semantic_key: 'in:1.a',
      kind: 'payin',
      status: 'succeeded',
      origin: 'api',
      checkout_id: null,
      wallet_id: `${SELLER}-usd`,
      amount: '500',
      provider: 'stripe',
      next_action: null,
      failure: null,
      review: null,
      waiting: null,
      reversals: [],
      attempts: 1,
      metadata: { a: [1] },
    });
    expect((await rig.get('/v1/payins/in%3A1.a')).json).toEqual(paid.json);
    const expires = Date.parse(String(paid.json.expires_at)) - Date.parse(String(paid.json.created_at));
    expect(expires).toBe(HOUR_MS);
  });

  it('shows its token and its buyer to nobody', async () => {
    const secret = { token: 'pm_ok_canary', buyer: { email: 'canary@example.com', ip: '192.0.2.77' } };
    const answer = await rig.post('/v1/payins?wait=20', payin('in-secret', secret));
    const timeline = await rig.get('/v1/payins/in-secret/timeline');
    const texts = [answer.text, timeline.text, (await rig.get('/v1/payins')).text].join();
    expect(texts).not.toMatch(/canary|192\.0\.2\.77/);
  });

  it('rests until it is confirmed, and is cancelled while it rests', async () => {
    const rests = await rig.post('/v1/payins?wait=1', payin('in-rest', { confirm: false }));
    expect(rests).toMatchObject({ status: 201, json: { status: 'initialized', confirmed_at: null } });
    const confirmed = await rig.post('/v1/payins/in-rest/confirm?wait=20');
    expect(confirmed).toMatchObject({ status: 202, json: { status: 'succeeded', attempts: 1 } });
    await rig.post('/v1/payins', payin('in-cancel', { confirm: false }));
    const canceled = await rig.post('/v1/payins/in-cancel/cancel');
    expect(canceled).toMatchObject({ status: 200, json: { status: 'failed', failure: { code: 'canceled' } } });
    expect(isErrorOf(await rig.post('/v1/payins/in-cancel/confirm'))).toEqual({ status: 409, code: 'invalid-state' });
    expect(isErrorOf(await rig.post('/v1/payins/in-rest/cancel'))).toEqual({ status: 409, code: 'invalid-state' });
  });

  it('ends a wait as soon as its buyer has to act, and goes on when they did', async () => {
    const startedAt = performance.now();
    const waiting = await rig.post('/v1/payins?wait=30', payin('in-act', { token: 'pm_action_1' }));
    expect(waiting).toMatchObject({ status: 202, json: { status: 'in_process' } });
    expect(waiting.json.next_action).toMatchObject({ type: expect.stringMatching(/^(redirect|client_secret)$/) });
    expect(performance.now() - startedAt).toBeLessThan(25_000);
    expect((await rig.get('/v1/payins/in-act?wait=30')).json.next_action).toEqual(waiting.json.next_action);
    await shop.approve(waiting.json.extern_payment_id);
    const done = await shop.eventually('/v1/payins/in-act', { status: 'succeeded' }, () =>
      rig.post('/v1/payins/in-act/query'),
    );
    expect(done.next_action).toBeNull();
  });

  it('whose buyer has not acted is cancelled at the provider', async () => {
    await rig.post('/v1/payins?wait=30', payin('in-walk', { token: 'pm_action_2' }));
    const canceled = await rig.post('/v1/payins/in-walk/cancel');
    expect(canceled.status).toBe(202);
    expect(canceled.headers.get('Location')).toBe('/v1/payins/in-walk');
    const ended = await shop.eventually('/v1/payins/in-walk', { status: 'failed', failure: { code: 'canceled' } });
    expect(ended.next_action).toBeNull();
  });

  it('sends the buyer to the page of a provider that has one', async () => {
    const info = { provider: 'paypal', token: 'tok_action_3' };
    const urls = { return_url: 'https://shop.example/back', cancel_url: 'http://localhost:8080/cart' };
    const answer = await rig.post('/v1/payins?wait=30', payin('in-page', { payment_info: info, ...urls }));
    expect(answer.json.next_action).toMatchObject({ type: 'redirect', url: expect.stringMatching(/^http/) });
  });

  it('may expire within 30 days, and can be replayed after that', async () => {
    const at = (ms: number) => new Date(Date.now() + ms).toISOString();
    for (const expires_at of [at(-1000), at(31 * 24 * HOUR_MS)]) {
      const answer = await rig.post('/v1/payins', payin('in-expiry', { expires_at }));
      expect(isErrorOf(answer)).toEqual({ status: 422, code: 'validation-failed' });
      expect(answer.json.errors).toMatchObject([{ pointer: '/expires_at' }]);
    }
    const body = payin('in-expiry', { expires_at: at(400), confirm: false });
    expect((await rig.post('/v1/payins', body)).status).toBe(201);
    await shop.eventually('/v1/payins/in-expiry', { status: 'failed', failure: { code: 'expired' } });
    expect((await rig.post('/v1/payins', body)).status).toBe(200);
  });

  it('of another currency than the wallet is refused, and through a provider that takes none', async () => {
    const euro = await rig.post('/v1/payins', payin('in-x', { currency: 'EUR' }));
    expect(isErrorOf(euro)).toEqual({ status: 422, code: 'invalid-currency' });
    const tipalti = await rig.post('/v1/payins', payin('in-x', { payment_info: { provider: 'tipalti' } }));
    expect(isErrorOf(tipalti)).toEqual({ status: 422, code: 'provider-not-able' });
  });
});

describe('an operator', () => {
  it('asks about a pay-in, decides it, and finds both in its timeline', async () => {
    await rig.post('/v1/payins', payin('in-op', { token: 'pm_never' }));
    await shop.eventually('/v1/payins/in-op', { status: 'in_process' });
    expect((await rig.post('/v1/payins/in-op/query')).status).toBe(202);
    const resolve = () => rig.post('/v1/payins/in-op/resolve', { verdict: 'failed', reason: 'Never left the bank' });
    await expect.poll(async () => (await resolve()).status, { timeout: 20_000 }).toBe(200);
    expect((await rig.get('/v1/payins/in-op')).json).toMatchObject({ failure: { code: 'resolved_by_operator' } });
    const items = rowsOf(await rig.get('/v1/payins/in-op/timeline'));
    expect(items.map(({ type }) => type)).toContain('provider_call');
    const actions = items.filter(({ type }) => type === 'review_action');
    expect(actions.map(({ action }) => action)).toEqual(['query', 'resolve']);
  });

  it('sees the posting of a pay-in in its timeline, before its last status', async () => {
    await rig.post('/v1/payins?wait=20', payin('in-time'));
    const items = rowsOf(await rig.get('/v1/payins/in-time/timeline'));
    expect(items.map(({ type, to }) => (type === 'status_change' ? to : type))).toEqual([
      'initialized',
      'in_process',
      'provider_call',
      'posting',
      'succeeded',
    ]);
    expect(items[3]).toMatchObject({
      posting: {
        event: 'payin.succeeded',
        entries: [
          { wallet_id: '@provider:stripe:USD', amount: '-500' },
          { wallet_id: `${SELLER}-usd`, amount: '500' },
        ],
      },
    });
  });
});
