// Who may call what: keys, scopes, revocation, rates, and the pages for people.

import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endpoints } from '../../src/api/routes/all.ts';
import { createBoard } from '../../src/console/board.ts';
import { createApiKey, ensureBootstrapKey, revokeApiKey, SCOPES } from '../../src/jobs/api-key.ts';
import { isErrorOf, type Rig, startRig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const addressOf = (path: string) => path.replaceAll(/\{\w+\}/g, 'nobody');

describe.each(endpoints.map(({ method, path, scope }) => ({ method: method.toUpperCase(), path, scope })))(
  '$method $path',
  ({ method, path, scope }) => {
    it.each([null, 'unknown', 'no key at all', 'ä', ''])('refuses the key %s', async (key) => {
      const headers = key === null ? {} : { Authorization: `Bearer ${encodeURIComponent(key)}` };
      const answer = await rig.call(method, addressOf(path), { key: null, headers });
      expect(isErrorOf(answer)).toEqual({ status: 401, code: 'unauthorized' });
      expect(answer.headers.get('WWW-Authenticate')).toContain('Bearer');
    });

    it(`names the scope ${scope} to a key that has all the others`, async () => {
      const key = await rig.key(SCOPES.filter((other) => other !== scope));
      const answer = await rig.call(method, addressOf(path), { key });
      expect(isErrorOf(answer)).toEqual({ status: 403, code: 'forbidden' });
      expect(answer.json.detail).toContain(`"${scope}"`);
    });

    it(`lets a key with nothing but ${scope} through`, async () => {
      const answer = await rig.call(method, addressOf(path), { key: await rig.key([scope]) });
      expect([401, 403]).not.toContain(answer.status);
    });
  },
);

describe('a key', () => {
  it('is refused soon after its revocation, everywhere', async () => {
    const { key, keyId } = await createApiKey(rig.remit.app.db, { name: 'test', scopes: ['read'] });
    expect((await rig.call('GET', '/v1/wallets', { key })).status).toBe(200);
    expect(await revokeApiKey(rig.remit.app.db, keyId)).toBe(true);
    expect(await revokeApiKey(rig.remit.app.db, keyId)).toBe(false);
    await expect
      .poll(async () => isErrorOf(await rig.call('GET', '/v1/wallets', { key })), { timeout: 5000 })
      .toEqual({ status: 401, code: 'unauthorized' });
  });

  it('is kept as a digest only', async () => {
    const { key } = await createApiKey(rig.remit.app.db, { name: 'test', scopes: ['read'] });
    const rows = await rig.remit.app.db.em().getConnection().execute('SELECT * FROM api_key');
    expect(JSON.stringify(rows)).not.toContain(key);
    expect(Buffer.from(key, 'base64url')).toHaveLength(32);
  });

  it('given at start has all scopes, and is made once', async () => {
    const key = 'bootstrap-key-of-the-test-0123456789';
    const known = await ensureBootstrapKey(rig.remit.app.db, key);
    expect(await ensureBootstrapKey(rig.remit.app.db, key)).toEqual(known);
    expect((await rig.call('GET', '/v1/attention', { key })).status).toBe(200);
  });

  it('that sends faster than its rate is told when to come back, and others are not', async () => {
    const api = rig.with({ config: { ...rig.remit.app.config, rateLimitRps: 2 } });
    const [key, other] = [await rig.key(['read']), await rig.key(['read'])];
    const answers = [];
    for (let sent = 0; sent < 10; sent += 1) answers.push(await rig.call('GET', '/v1/wallets', { key, api }));
    const refused = answers.find(({ status }) => status === 429);
    expect(refused && isErrorOf(refused)).toEqual({ status: 429, code: 'rate-limited' });
    expect(Number(refused?.headers.get('Retry-After'))).toBeGreaterThanOrEqual(1);
    expect((await rig.call('GET', '/v1/wallets', { key: other, api })).status).toBe(200);
  });
});

describe('a free destination', () => {
  const body = (semantic_key: string) => ({
    semantic_key,
    wallet_id: 'key-w',
    amount: '1',
    currency: 'USD',
    provider: 'stripe',
    destination: 'acct_ok',
  });

  it('takes any key in the sandbox, and an operator where the provider is live', async () => {
    await rig.post('/v1/wallets', { wallet_id: 'key-w', owner_id: 'key-o', kind: 'seller', currency: 'USD' });
    const key = await rig.key(['write']);
    expect((await rig.call('POST', '/v1/payouts', { key, body: body('key-free') })).status).toBe(201);
    const stripe = rig.remit.app.providers.get('stripe');
    if (stripe === undefined) throw new Error('The sandbox offers stripe.');
    const api = rig.with({ providers: new Map([['stripe', { ...stripe, live: true }]]) });
    const answer = await rig.call('POST', '/v1/payouts', { key, body: body('key-live'), api });
    expect(isErrorOf(answer)).toEqual({ status: 403, code: 'forbidden' });
    expect((await rig.call('POST', '/v1/payouts', { body: body('key-live'), api })).status).toBe(201);
  });
});

describe('the pages for people', () => {
  const board = new Hono().get('/admin/queues', (c) => c.text('board')).get('/admin/queues/api', (c) => c.text('api'));
  const pages = new Hono()
    .get('/', (c) => c.text('console'))
    .get('/console/payouts', (c) => c.json({ caller: Reflect.get(c.var, 'caller') }));
  const basic = (key: string) => `Basic ${Buffer.from(`anyone:${key}`).toString('base64')}`;

  it('ask for a key, and make a session from it that scripts and other sites cannot use', async () => {
    const api = rig.with({ board, console: pages });
    for (const path of ['/', '/console/payouts', '/admin/queues', '/admin/queues/api']) {
      const refused = await rig.call('GET', path, { key: null, api });
      expect(isErrorOf(refused)).toEqual({ status: 401, code: 'unauthorized' });
      expect(refused.headers.get('WWW-Authenticate')).toContain('Basic');
      const Authorization = basic(await rig.key(['read', 'operate']));
      const shown = await rig.call('GET', path, { key: null, headers: { Authorization }, api });
      expect(shown.status).toBe(200);
      const cookie = shown.headers.get('Set-Cookie') ?? '';
      expect(cookie.match(/remit_session=/g)).toHaveLength(1);
      expect(cookie).toMatch(/HttpOnly/);
      expect(cookie).toMatch(/SameSite=Strict/);
      const Cookie = cookie.split(';')[0] ?? '';
      expect((await rig.call('GET', path, { key: null, headers: { Cookie }, api })).status).toBe(200);
      expect(isErrorOf(await rig.call('GET', '/v1/wallets', { key: null, headers: { Cookie }, api })).status).toBe(401);
    }
  });

  it('need the scope: read for the console, operate for the board', async () => {
    const api = rig.with({ board, console: pages });
    const headers = { Authorization: basic(await rig.key(['read'])) };
    expect((await rig.call('GET', '/', { key: null, headers, api })).status).toBe(200);
    const answer = await rig.call('GET', '/admin/queues', { key: null, headers, api });
    expect(isErrorOf(answer)).toEqual({ status: 403, code: 'forbidden' });
  });

  it('show the real board to an operator, and take no form from another site', async () => {
    const real = createBoard({ queues: rig.remit.app.queues, basePath: '/admin/queues' });
    const api = rig.with({ board: real });
    const Authorization = basic(await rig.key(['operate']));
    const shown = await rig.call('GET', '/admin/queues', { key: null, headers: { Authorization }, api });
    expect(shown.status).toBe(200);
    const Cookie = shown.headers.get('Set-Cookie')?.split(';')[0] ?? '';
    const listed = await rig.call('GET', '/admin/queues/api/queues', { key: null, headers: { Cookie }, api });
    expect(listed.text).toContain('payout');
    const headers = { Cookie, Origin: 'https://elsewhere.example', 'Content-Type': 'text/plain' };
    const forged = await rig.call('PUT', '/admin/queues/api/queues/payout/pause', {
      key: null,
      headers,
      body: 'x',
      api,
    });
    expect(isErrorOf(forged)).toEqual({ status: 403, code: 'forbidden' });
  });

  it('are told whose key it is, so that they show what it may do', async () => {
    const api = rig.with({ console: pages });
    const headers = { Authorization: basic(await rig.key(['read', 'write'])) };
    const { json } = await rig.call('GET', '/console/payouts', { key: null, headers, api });
    expect(json.caller).toEqual({ keyId: expect.any(String), scopes: ['read', 'write'] });
  });

  it('leave an unknown address unknown', async () => {
    const api = rig.with({ board, console: pages });
    const answer = await rig.call('GET', '/nothing', { key: null, api });
    expect(isErrorOf(answer)).toEqual({ status: 404, code: 'not-found' });
  });
});

it.each(['/healthz', '/readyz', '/docs', '/openapi.json', '/problems/not-found', '/docs/swagger-ui-bundle.js'])(
  '%s needs no key',
  async (path) => {
    expect((await rig.call('GET', path, { key: null })).status).toBe(200);
  },
);

it('/metrics needs the scope read', async () => {
  expect((await rig.call('GET', '/metrics', { key: null })).status).toBe(401);
  expect((await rig.call('GET', '/metrics', { key: await rig.key(['write']) })).status).toBe(403);
  expect((await rig.call('GET', '/metrics', { key: await rig.key(['read']) })).status).toBe(200);
});
