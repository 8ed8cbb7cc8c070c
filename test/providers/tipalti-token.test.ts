// Tipalti's token: one request for many calls, a new one before the old one ends, and one repeat after a refusal.

import { afterEach, expect, test } from 'vitest';
import { outcomeOf } from './outcome.ts';
import {
  inBatch,
  LIMITS,
  type Logged,
  NONE,
  orderTo,
  paymentOf,
  payoutsOf,
  referenceOf,
  type Scripted,
  SECRET,
  serveScript,
  TOKEN,
  tipaltiAt,
} from './tipalti-rig.ts';

const order = orderTo('seller_1');
const SECOND = { ...TOKEN, access_token: 'token_2' };
const REFUSED = { code: 'Unauthorized', message: 'No valid token.' };
const open: Scripted[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

async function serve(script: Parameters<typeof serveScript>[0]): Promise<Scripted> {
  const server = await serveScript(script);
  open.push(server);
  return server;
}

const find = (provider: ReturnType<typeof tipaltiAt>, limits = LIMITS) =>
  outcomeOf(payoutsOf(provider).find(referenceOf(order), limits));

test('many calls at once sign in once', async () => {
  const server = await serve({});
  const provider = tipaltiAt(server.url);
  expect(new Set(await Promise.all(Array.from({ length: 10 }, () => find(provider))))).toEqual(new Set(['not_found']));
  expect(await find(provider)).toBe('not_found');
  expect(server.timesAsked('token')).toBe(1);
});

test('a token is renewed before its end, with the refresh token that came with it', async () => {
  const brief = { ...TOKEN, expires_in: 0.000_001, refresh_token: 'refresh_2' };
  const server = await serve({
    token: [
      [200, brief],
      [200, SECOND],
    ],
  });
  const provider = tipaltiAt(server.url);
  for (let call = 0; call < 3; call += 1) expect(await find(provider)).toBe('not_found');
  const signedIn = server.asked.filter(({ what }) => what === 'token');
  expect(signedIn.map(({ body }) => new URLSearchParams(body).get('refresh_token'))).toEqual([
    'canary_refresh',
    'refresh_2',
  ]);
  expect(server.asked.filter(({ what }) => what === 'list').map(({ token }) => token)).toEqual([
    'Bearer token_1',
    'Bearer token_2',
    'Bearer token_2',
  ]);
});

test('a payment whose token was refused was not taken, and is sent once more with a new one', async () => {
  const server = await serve({
    token: [
      [200, TOKEN],
      [200, SECOND],
    ],
    batch: [
      [401, REFUSED],
      [200, inBatch(paymentOf(order))],
    ],
  });
  const logged: Logged[] = [];
  expect(await outcomeOf(payoutsOf(tipaltiAt(server.url, { logged })).send(order, LIMITS))).toBe('succeeded');
  expect(server.asked.filter(({ what }) => what === 'batch').map(({ token }) => token)).toEqual([
    'Bearer token_1',
    'Bearer token_2',
  ]);
  expect(logged).toEqual([]);
});

test('a second refusal in a row ends the call as not taken, and is told once', async () => {
  const server = await serve({
    token: [
      [200, TOKEN],
      [200, SECOND],
    ],
    list: [[200, NONE]],
    batch: [[401, REFUSED]],
  });
  const logged: Logged[] = [];
  const provider = tipaltiAt(server.url, { logged });
  expect(await outcomeOf(payoutsOf(provider).send(order, LIMITS))).toBe('not_taken:http_401');
  expect(server.timesAsked('batch')).toBe(2);
  expect(logged).toEqual([{ level: 'error', fields: { provider: 'tipalti', reason: 'http_401' } }]);
});

test('calls that are refused together with the same token renew it once', async () => {
  const server = await serve({
    token: [
      [200, TOKEN],
      [200, SECOND],
    ],
    list: [
      (request, response) => {
        const isNew = request.headers.authorization === 'Bearer token_2';
        response.statusCode = isNew ? 200 : 401;
        response.end(JSON.stringify(isNew ? NONE : REFUSED));
      },
    ],
  });
  const provider = tipaltiAt(server.url);
  expect(await Promise.all([1, 2, 3].map(() => find(provider)))).toEqual(['not_found', 'not_found', 'not_found']);
  expect(server.timesAsked('token')).toBe(2);
});

test.each<[string, number, string | object, string]>([
  ['a refusal', 400, { error: 'invalid_grant', error_description: 'Withdrawn.' }, 'not_taken:sign_in_invalid_grant'],
  ['wrong credentials', 401, { error: 'invalid_client' }, 'not_taken:sign_in_http_401'],
  ['an outage', 503, 'away', 'not_taken:sign_in_http_503'],
  ['a rate limit', 429, { error: 'slow_down' }, 'not_taken:http_429'],
  ['another shape', 200, { token: 'x' }, 'not_taken:sign_in_unexpected_body'],
  ['a token that no header can hold', 200, { ...TOKEN, access_token: 'a\nb' }, 'not_taken:sign_in_unexpected_body'],
  ['a life of nothing', 200, { ...TOKEN, expires_in: 0 }, 'not_taken:sign_in_unexpected_body'],
  ['another kind of token', 200, { ...TOKEN, token_type: 'mac' }, 'not_taken:sign_in_unexpected_body'],
])(
  '%s instead of a token: nothing else is sent, and the next call asks again',
  async (_name, status, body, expected) => {
    const server = await serve({
      token: [
        [status, body],
        [200, TOKEN],
      ],
    });
    const logged: Logged[] = [];
    const provider = tipaltiAt(server.url, { logged });
    expect(await find(provider)).toBe(expected);
    expect(server.timesAsked('list')).toBe(0);
    expect(JSON.stringify(logged)).not.toContain(SECRET);
    expect(await find(provider)).toBe('not_found');
  },
);

test('a sign-in that hangs keeps no call longer than its own time, and serves those that still wait', async () => {
  const answered = Promise.withResolvers<void>();
  const server = await serve({
    token: [
      (_request, response) => void answered.promise.then(() => response.end(JSON.stringify(TOKEN))),
      [200, SECOND],
    ],
  });
  const provider = tipaltiAt(server.url);
  const patient = find(provider);
  expect(await find(provider, { timeoutMs: 50 })).toBe('not_taken:sign_in_timeout');
  answered.resolve();
  expect(await patient).toBe('not_found');
  expect(server.timesAsked('token')).toBe(1);
});
