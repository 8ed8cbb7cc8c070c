// The line between "not taken" and "uncertain", against servers that break in every way.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, test } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import { createDemobank } from '../../src/providers/demobank.ts';
import { createHttp } from '../../src/providers/http.ts';
import { closedUrl, type LocalServer, serveHttp, serveRaw, serveText } from './local-server.ts';
import { errorFrom } from './outcome.ts';

const PKID = pkidOf('payout', 'http-1');
const logged: string[] = [];
const log = { warn: () => undefined, error: (_fields: object, message: string) => void logged.push(message) };
const open: LocalServer[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

function keep(server: LocalServer): LocalServer {
  open.push(server);
  return server;
}

/** One POST, in words: "200", "not_taken:refused", "uncertain:http_500 stored 500:api_error:no". */
async function post(baseUrl: string, { timeoutMs = 10_000, headers = {} } = {}): Promise<string> {
  const http = createHttp({ provider: 'stripe', baseUrl, log });
  const signal = AbortSignal.timeout(timeoutMs);
  const call = http.send({ method: 'POST', path: '/v1/transfers', headers, body: 'amount=1', signal });
  const answer = await call.catch(() => null);
  if (answer !== null) return String(answer.status);
  const { surprise } = await errorFrom(call);
  if (surprise === undefined) throw new Error('A provider call threw without saying whether it was taken.');
  const stored = surprise.storedError === null ? '' : ` stored ${surprise.storedError}`;
  return `${surprise.type}:${surprise.reason}${stored}`;
}

const ANSWER_HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"id"';

describe('what never reached the provider is not taken', () => {
  test('nobody listens', async () => {
    expect(await post(await closedUrl())).toBe('not_taken:refused');
  });

  test('the host does not exist', async () => {
    expect(await post('http://no-such-host.invalid')).toBe('not_taken:dns');
  });

  test('the deadline had passed', async () => {
    const server = keep(await serveText(200, '{}'));
    const http = createHttp({ provider: 'stripe', baseUrl: server.url, log });
    const call = http.send({ method: 'GET', path: '/', headers: {}, signal: AbortSignal.abort() });
    expect((await errorFrom(call)).surprise?.type).toBe('not_taken');
    expect(server.seen).toEqual([]);
  });

  test('the request cannot be written', async () => {
    expect(await post('http://127.0.0.1:99999')).toBe('not_taken:unsendable');
    expect(await post('http://127.0.0.1:9', { headers: { authorization: 'Bearer a\nb' } })).toBe(
      'not_taken:unsendable',
    );
  });
});

describe('what may have reached the provider is uncertain', () => {
  test.each<[string, Parameters<typeof serveRaw>[0], string]>([
    ['reset after it was read', (socket) => socket.once('data', () => socket.resetAndDestroy()), 'uncertain:reset'],
    ['closed after it was read', (socket) => socket.once('data', () => socket.end()), 'uncertain:reset'],
    ['closed before it was read', (socket) => socket.end(), 'uncertain:reset'],
    ['reset in the middle of the answer', halfAnswer((socket) => socket.resetAndDestroy()), 'uncertain:reset'],
    ['closed in the middle of the answer', halfAnswer((socket) => socket.end()), 'uncertain:reset'],
    ['answered with something that is not HTTP', (socket) => socket.end('SSH-2.0-x\r\n'), 'uncertain:broken_answer'],
  ])('%s', async (_name, handle, expected) => {
    expect(await post(keep(await serveRaw(handle)).url)).toBe(expected);
  });

  test('a connection reset at once is never a success', async () => {
    // The kernel decides whether the connection ever stood, so both surprises are right.
    const outcome = await post(keep(await serveRaw((socket) => socket.resetAndDestroy())).url);
    expect(['uncertain:reset', 'not_taken:unreachable']).toContain(outcome);
  });

  test('no answer until the deadline', async () => {
    expect(await post(keep(await serveRaw((socket) => socket.resume())).url, { timeoutMs: 100 })).toBe(
      'uncertain:timeout',
    );
  });

  test('half an answer until the deadline', async () => {
    const server = keep(await serveRaw(halfAnswer(() => undefined)));
    expect(await post(server.url, { timeoutMs: 200 })).toBe('uncertain:timeout');
  });

  test.each<[string, number, string, string]>([
    ['a 502 page', 502, '<html>Bad Gateway</html>', 'uncertain:http_502'],
    ['a 200 page', 200, '<html>Welcome</html>', 'uncertain:unreadable_body'],
    ['an empty 200', 200, '', 'uncertain:unreadable_body'],
    ['a 200 that is only text', 200, '"ok"', 'uncertain:unreadable_body'],
    ['a 200 that is null', 200, 'null', 'uncertain:unreadable_body'],
    ['a 404 page of something on the way', 404, '<html>Not Found</html>', 'uncertain:unreadable_body'],
    ['a 400 without an error', 400, '{}', 'uncertain:unreadable_body'],
    ['a body above 1 MiB', 200, `{"a":"${'x'.repeat(1024 * 1024)}"}`, 'uncertain:unreadable_body'],
    ['a time-out of the provider', 408, '{"error":{"type":"api_error"}}', 'uncertain:http_408'],
    ['a conflict', 409, '{"error":{"type":"invalid_request_error","code":"lock"}}', 'uncertain:http_409'],
    ['a key in use', 409, '{"error":{"type":"x","code":"idempotency_key_in_use"}}', 'uncertain:key_in_use'],
    ['a failed dependency', 424, '{"error":{"type":"api_error"}}', 'uncertain:http_424'],
    ['a lock time-out', 429, '{"error":{"type":"x","code":"lock_timeout"}}', 'uncertain:lock_timeout'],
    ['a redirect', 302, '{}', 'uncertain:redirect'],
  ])('%s', async (_name, status, text, expected) => {
    const server = keep(await serveText(status, text, { location: '/elsewhere', 'content-type': 'text/html' }));
    expect(await post(server.url)).toBe(expected);
    expect(server.seen).toEqual(['POST /v1/transfers']);
  });

  test('a body that is not UTF-8', async () => {
    const server = keep(await serveHttp((_request, response) => response.end(Buffer.from([0x7b, 0xff, 0x7d]))));
    expect(await post(server.url)).toBe('uncertain:unreadable_body');
  });

  test("the provider's own 500 leaves a signature that is the same for each replay", async () => {
    let requests = 0;
    const listener: Parameters<typeof serveHttp>[0] = (_request, response) => {
      requests += 1;
      response.statusCode = 500;
      response.end(JSON.stringify({ error: { type: 'api_error', message: `Sorry. See req_${requests}abc` } }));
    };
    const server = keep(await serveHttp(listener));
    const first = await post(server.url);
    expect(first).toBe('uncertain:http_500 stored 500:api_error:Sorry. See req_');
    expect(await post(server.url)).toBe(first);
  });

  test('a key used with another body is named as such', async () => {
    const server = keep(await serveText(400, '{"error":{"type":"idempotency_error","message":"no"}}'));
    expect(await post(server.url)).toBe('key_conflict:key_conflict');
  });
});

describe('what the provider turned away at its door is not taken', () => {
  test.each([401, 403])('wrong credentials (%i), which a person must look at', async (status) => {
    logged.length = 0;
    const server = keep(await serveText(status, '{"error":{"type":"invalid_request_error","message":"No such key"}}'));
    expect(await post(server.url)).toBe(`not_taken:http_${status}`);
    expect(logged).toHaveLength(1);
  });

  test.each([
    ['2', 2000],
    ['999999999', 3_600_000],
    ['Wed, 21 Oct 2026 07:28:00 GMT', undefined],
    ['-1', undefined],
  ])('too many requests, to be repeated when Retry-After (%s) says', async (retryAfter, retryAfterMs) => {
    const server = keep(await serveText(429, '{"error":{"type":"x"}}', { 'retry-after': retryAfter }));
    const http = createHttp({ provider: 'stripe', baseUrl: server.url, log });
    const call = http.send({ method: 'GET', path: '/', headers: {}, signal: AbortSignal.timeout(10_000) });
    const error = await errorFrom(call);
    expect([error.code, error.surprise?.type, error.retryAfterMs]).toEqual(['rate-limited', 'not_taken', retryAfterMs]);
  });
});

test('a base URL may carry a path, with or without a slash at its end', async () => {
  const server = keep(await serveText(200, '{}'));
  expect(await post(`${server.url}/stripe`)).toBe('200');
  expect(await post(`${server.url}/stripe/`)).toBe('200');
  expect(server.seen).toEqual(['POST /stripe/v1/transfers', 'POST /stripe/v1/transfers']);
});

test('calls that follow each other share a connection', async () => {
  const ports = new Set<number | undefined>();
  const server = keep(
    await serveHttp((request, response) => {
      ports.add(request.socket.remotePort);
      request.resume();
      response.end('{}');
    }),
  );
  for (let call = 0; call < 3; call += 1) expect(await post(server.url)).toBe('200');
  expect(ports.size).toBe(1);
});

test('a deadline survives garbage collection', async () => {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect !== 'function') throw new Error('This Node offers no gc().');
  const server = keep(await serveRaw((socket) => socket.resume()));
  const calls = Array.from({ length: 20 }, () => post(server.url, { timeoutMs: 300 }));
  const timer = setInterval(() => collect(), 10);
  const outcomes = await Promise.all(calls).finally(() => clearInterval(timer));
  expect(new Set(outcomes)).toEqual(new Set(['uncertain:timeout']));
});

test('all requests of one look-up share its deadline', async () => {
  const server = keep(
    await serveHttp((request, response) => {
      if (request.url?.includes('reference=')) return;
      response.statusCode = 404;
      response.end('{"error":{"code":"not_found","message":"no"}}');
    }),
  );
  const { payout } = createDemobank({ secretKey: 'key', webhookSecrets: [], baseUrl: server.url, log });
  if (payout === null) throw new Error('Demobank pays out.');
  const look = payout.find({ pkid: PKID, externId: 'dbp_1', key: PKID, payinExternId: null }, { timeoutMs: 300 });
  expect((await errorFrom(look)).surprise?.reason).toBe('timeout');
  expect(server.seen).toHaveLength(2);
});

function halfAnswer(then: Parameters<typeof serveRaw>[0]): Parameters<typeof serveRaw>[0] {
  return (socket) => void socket.once('data', () => socket.write(ANSWER_HEAD, () => then(socket)));
}
