// Every row of the failure model's table of bad input, on every route that can meet it.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GOOD, openBooks, PATHS, rows } from './bad-bodies.ts';
import { isErrorOf, type Json, type Rig, startRig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
  await openBooks(rig);
});
afterAll(() => rig.stop());

/** Where it would be read had it been taken; the rest under its key "bad". */
const KEPT_AT: Readonly<Record<string, string>> = {
  '/v1/wallets': '/v1/wallets/new',
  '/v1/payees': '/v1/payees/new',
  '/v1/checkouts': '/v1/checkouts/new',
  '/v1/checkouts/bad-checkout/pay': '/v1/payins/bad',
};

describe.each(PATHS)('%s', (path) => {
  const mine = rows.filter((row) => row.paths.includes(path));
  it.each(mine.map((row) => [row.name, row] as const))('refuses %s and keeps nothing', async (_name, row) => {
    const answer = await rig.post(path, { ...GOOD[path], ...row.change });
    expect(isErrorOf(answer)).toEqual({ status: row.status, code: row.code });
    expect((await rig.get(KEPT_AT[path] ?? `${path}/bad`)).status).toBe(404);
  });

  it.each([
    ['no JSON', '{'],
    ['nothing', ''],
    ['wrong encoding', Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x7d])],
    ['nine levels', '{"metadata":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{}}}}}}}}}'],
    ['thirty thousand levels', '['.repeat(30_000) + ']'.repeat(30_000)],
  ])('refuses a body of %s as malformed', async (_name, body) => {
    expect(isErrorOf(await rig.post(path, body))).toEqual({ status: 400, code: 'malformed-json' });
  });

  it.each(['[]', '"text"', '5', 'null'])('refuses the JSON %s', async (body) => {
    expect(isErrorOf(await rig.post(path, body))).toEqual({ status: 422, code: 'validation-failed' });
  });

  it('refuses __proto__ at any depth', async () => {
    const body = JSON.stringify({ ...GOOD[path], metadata: { deep: [{ PROTO: { polluted: true } }] } });
    const answer = await rig.post(path, body.replace('PROTO', '__proto__'));
    expect(isErrorOf(answer)).toEqual({ status: 422, code: 'validation-failed' });
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=latin1', ''])(
    'refuses the content type "%s"',
    async (type) => {
      const answer = await rig.post(path, GOOD[path], { 'Content-Type': type });
      expect(isErrorOf(answer)).toEqual({ status: 415, code: 'unsupported-media-type' });
    },
  );

  it('refuses a compressed body, whatever its bytes say', async () => {
    const answer = await rig.post(path, GOOD[path], { 'Content-Encoding': 'gzip' });
    expect(isErrorOf(answer)).toEqual({ status: 415, code: 'unsupported-media-type' });
  });

  it('never echoes a card number that stands as a name', async () => {
    const body = { ...GOOD[path], '4242424242424242': 'x' };
    expect(JSON.stringify((await rig.post(path, body)).json)).not.toContain('4242');
    const asked = await rig.get(`${path}?4242424242424242=1`);
    expect(asked.status).toBeGreaterThanOrEqual(400);
    expect(JSON.stringify(asked.json)).not.toContain('4242');
  });

  it('refuses a body of more than 64 KiB before it is parsed', async () => {
    const answer = await rig.post(path, `{"a":"${'x'.repeat(64 * 1024)}`);
    expect(isErrorOf(answer)).toEqual({ status: 413, code: 'body-too-large' });
  });

  it('names every method that it has', async () => {
    const answer = await rig.call('DELETE', path);
    expect(isErrorOf(answer)).toEqual({ status: 405, code: 'method-not-allowed' });
    expect(answer.headers.get('Allow')).toContain('POST');
  });
});

it('every problem says its type, code, status and request, and echoes nothing of the body', async () => {
  const secret = 'sk_live_canary';
  const answer = await rig.post('/v1/transfers', { ...GOOD['/v1/transfers'], amount: secret, [secret]: secret });
  expect(answer.headers.get('Content-Type')).toBe('application/problem+json');
  const problem: Json = answer.json;
  expect(problem.type).toBe(`/problems/${problem.code}`);
  expect(problem.request_id).toBe(answer.headers.get('X-Request-Id'));
  expect(JSON.stringify({ ...problem, errors: [] })).not.toContain(secret);
});

it('SQL and script in a text are stored as they came', async () => {
  const text = `'); DROP TABLE wallet; -- <script>alert(1)</script>`;
  const body = { ...GOOD['/v1/transfers'], semantic_key: 'text', metadata: { text } };
  expect((await rig.post('/v1/transfers', body)).status).toBe(202);
  expect((await rig.get('/v1/transfers/text')).json.metadata).toEqual({ text });
});
