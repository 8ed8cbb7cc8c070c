// What only shows on a real connection: chunked bodies, ids and headers on every answer, and a database that is away.

import { request } from 'node:http';
import { type ServerType, serve } from '@hono/node-server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listen } from '../../src/api/listen.ts';
import { PaymentError } from '../../src/domain/errors.ts';
import { openDb } from '../../src/runtime/db.ts';
import { createLogger, silentLogger } from '../../src/runtime/logger.ts';
import { isErrorOf, type Rig, startRig } from './rig.ts';

let rig: Rig;
let server: ServerType;
let port = 0;
let key = '';
beforeAll(async () => {
  rig = await startRig();
  key = await rig.key(['read', 'write']);
  port = await new Promise((resolve) => {
    server = serve({ fetch: rig.api.fetch, port: 0, hostname: '127.0.0.1' }, (info) => resolve(info.port));
  });
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  await rig.stop();
});

/** Sends chunks without announcing a length, until the server has answered. */
function sendChunks(
  path: string,
  options: { chunk: string; count: number },
): Promise<{ status: number; sent: number }> {
  return new Promise((resolve, reject) => {
    let sent = 0;
    let isAnswered = false;
    const headers = { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' };
    const client = request({ port, path, method: 'POST', headers }, (response) => {
      isAnswered = true;
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode ?? 0, sent }));
    });
    client.on('error', (error) => (isAnswered ? undefined : reject(error)));
    const next = () => {
      if (isAnswered) return;
      if (sent >= options.count) {
        client.end();
        return;
      }
      sent += 1;
      client.write(options.chunk, () => setImmediate(next));
    };
    next();
  });
}

describe('a chunked body', () => {
  it('is cut off at its limit, long before it ends', async () => {
    const { status, sent } = await sendChunks('/v1/transfers', { chunk: 'x'.repeat(16 * 1024), count: 10_000 });
    expect(status).toBe(413);
    expect(sent).toBeLessThan(10_000);
  });

  it('within the limit is read like any other', async () => {
    expect((await sendChunks('/v1/transfers', { chunk: ' ', count: 10 })).status).toBe(400);
  });

  it('of a webhook may have 1 MiB and no more', async () => {
    const chunk = 'x'.repeat(64 * 1024);
    expect((await sendChunks('/webhooks/stripe', { chunk, count: 16 })).status).toBe(401);
    expect((await sendChunks('/webhooks/stripe', { chunk, count: 17 })).status).toBe(413);
  });
});

it('an announced length above the limit is refused', async () => {
  const response = await fetch(`http://127.0.0.1:${port}/v1/transfers`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    body: 'x'.repeat(70_000),
  });
  expect(response.status).toBe(413);
});

describe('every answer', () => {
  const PATHS = [
    '/healthz',
    '/v1/wallets',
    '/v1/nothing',
    '/problems/internal',
    '/docs',
    '/webhooks/nobody',
    '/v1/audit',
  ];

  it.each(PATHS)('%s carries a request id and the security headers', async (path) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    expect(response.headers.get('X-Request-Id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(response.headers.get('X-Content-Type-Options')).toBe('nosniff');
    expect(response.headers.get('X-Frame-Options')).toBe('DENY');
    expect(response.headers.get('Referrer-Policy')).toBe('no-referrer');
    expect(response.headers.get('Content-Security-Policy')).toContain("default-src 'none'");
  });

  it('takes over a sane request id, and no other', async () => {
    const given = async (id: string) =>
      (await rig.call('GET', '/healthz', { headers: { 'X-Request-Id': id } })).headers;
    expect((await given('order-77:retry.1')).get('X-Request-Id')).toBe('order-77:retry.1');
    for (const bad of ['a b', '<script>', 'x'.repeat(129), '']) {
      expect((await given(bad)).get('X-Request-Id')).toMatch(/^[0-9a-f-]{36}$/);
    }
  });
});

it('a process that is still starting says when to come back, and one that asked for a taken port says so', async () => {
  const listener = await listen({ host: '127.0.0.1', port: 0, portAsked: true });
  const response = await fetch(`http://127.0.0.1:${listener.port}/v1/wallets`);
  expect([response.status, response.headers.get('Retry-After')]).toEqual([503, '1']);
  const problem: unknown = await response.json();
  expect(problem).toMatchObject({ code: 'unavailable', request_id: response.headers.get('X-Request-Id') });
  listener.serve(() => new Response('served'));
  expect(await (await fetch(`http://127.0.0.1:${listener.port}/`)).text()).toBe('served');
  const taken = { host: '127.0.0.1', port: listener.port };
  await expect(listen({ ...taken, portAsked: true })).rejects.toThrow(`Port ${listener.port} is taken`);
  const next = await listen({ ...taken, portAsked: false });
  expect(next.port).toBeGreaterThan(listener.port);
  await Promise.all([next.close(), listener.close()]);
});

it('HEAD answers like GET, without a body', async () => {
  const answer = await rig.call('HEAD', '/v1/wallets');
  expect(answer).toMatchObject({ status: 200, text: '' });
});

describe('an error that nobody foresaw', () => {
  it('is 500, and tells nothing of its cause', async () => {
    const audit = () => Promise.reject(new Error('relation "wallet" does not exist at secret.sql'));
    const answer = await rig.call('POST', '/v1/audit', { api: rig.with({ audit }) });
    expect(isErrorOf(answer)).toEqual({ status: 500, code: 'internal' });
    expect(answer.text).not.toContain('secret');
    const internal = () => Promise.reject(new PaymentError('internal', { detail: 'wallet x is broken: secret' }));
    const known = await rig.call('POST', '/v1/audit', { api: rig.with({ audit: internal }) });
    expect(known.text).not.toContain('secret');
  });

  it('is logged with its request id', async () => {
    const lines: unknown[] = [];
    const keep = (line: unknown) => void lines.push(line);
    const log = { info: keep, warn: keep, error: keep };
    const audit = () => Promise.reject(new Error('defect'));
    const answer = await rig.call('POST', '/v1/audit', { api: rig.with({ audit, log }) });
    const request_id = answer.headers.get('X-Request-Id');
    expect(lines).toContainEqual(expect.objectContaining({ request_id, err: expect.any(Error) }));
    expect(lines).toContainEqual(expect.objectContaining({ request_id, route: '/v1/audit', status: 500 }));
  });
});

it('the log says nothing of keys and bodies', async () => {
  const canary = 'canary0123456789';
  const lines: unknown[] = [];
  const log = createLogger({ level: 'trace', format: 'json', destination: { write: (line) => void lines.push(line) } });
  const api = rig.with({ log });
  const body = { semantic_key: canary, from_wallet: canary, to_wallet: 'x', amount: canary, currency: canary };
  await rig.call('POST', `/v1/transfers?wait=${canary}`, { body, key: canary, api });
  await rig.call('POST', '/v1/transfers', { body, api });
  await rig.call('POST', '/v1/transfers', { body: `{"${canary}`, api });
  await rig.call('POST', '/webhooks/stripe', { body: canary, headers: { 'Stripe-Signature': canary }, api });
  await rig.call('GET', `/v1/wallets/${canary}`, { headers: { Cookie: `remit_session=${canary}` }, api });
  expect(lines).toHaveLength(5);
  expect(lines.join('')).not.toContain(canary);
});

it('a database that does not answer is 503 on every route that needs it', async () => {
  const db = await openDb('postgres://nobody@127.0.0.1:1/nothing', { log: silentLogger() });
  const api = rig.with({ db });
  for (const path of ['/v1/wallets', '/v1/payees/x', '/v1/trial-balance', '/metrics']) {
    const answer = await rig.call('GET', path, { api });
    expect(isErrorOf(answer)).toEqual({ status: 503, code: 'unavailable' });
    expect(answer.text).not.toContain('127.0.0.1');
  }
  expect((await rig.call('GET', '/healthz', { api })).status).toBe(200);
  await db.close();
});

it('an error that says that the database is away is 503, with the time to come back', async () => {
  const gone = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' });
  const answer = await rig.call('POST', '/v1/audit', { api: rig.with({ audit: () => Promise.reject(gone) }) });
  expect(isErrorOf(answer)).toEqual({ status: 503, code: 'unavailable' });
  expect(answer.headers.get('Retry-After')).toBe('1');
});

describe('a webhook', () => {
  it('that is not signed is refused, and of an unknown provider has no address', async () => {
    expect(isErrorOf(await rig.post('/webhooks/stripe', { id: 'evt_1' }))).toEqual({
      status: 401,
      code: 'invalid-signature',
    });
    expect(isErrorOf(await rig.post('/webhooks/nobody', {}))).toEqual({ status: 404, code: 'not-found' });
  });

  it('is answered only after it is stored, and a repeat is told apart', async () => {
    const results = ['stored', 'duplicate'] as const;
    const seen: unknown[] = [];
    const events = {
      async receive(event: unknown) {
        seen.push(event);
        return results[seen.length - 1] ?? 'duplicate';
      },
    };
    const api = rig.with({ events });
    for (const result of results) {
      const answer = await rig.call('POST', '/webhooks/stripe', {
        body: '{"id":1 }',
        headers: { 'X-Sign': 'ab' },
        api,
      });
      expect(answer).toMatchObject({ status: 200, json: { result } });
    }
    const headers = expect.objectContaining({ 'x-sign': 'ab' });
    expect(seen[0]).toEqual({ provider: 'stripe', raw: Buffer.from('{"id":1 }'), headers });
  });
});
