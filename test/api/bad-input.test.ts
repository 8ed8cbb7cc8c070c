// Every row of the failure model's table of bad input, on every route that can meet it.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isErrorOf, type Json, type Rig, startRig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
  for (const [wallet_id, currency] of [
    ['bad-a', 'USD'],
    ['bad-b', 'USD'],
    ['bad-eur', 'EUR'],
  ]) {
    await rig.post('/v1/wallets', { wallet_id, owner_id: `${wallet_id}-owner`, kind: 'seller', currency });
  }
  await rig.post('/v1/payees', {
    payee_id: 'bad-payee',
    owner_id: 'bad-a-owner',
    provider: 'stripe',
    account: 'acct_ok',
  });
});
afterAll(() => rig.stop());

const GOOD = {
  '/v1/wallets': { wallet_id: 'new', owner_id: 'new-owner', kind: 'seller', currency: 'USD' },
  '/v1/transfers': { semantic_key: 'bad', from_wallet: 'bad-a', to_wallet: 'bad-b', amount: '100', currency: 'USD' },
  '/v1/payees': { payee_id: 'new', owner_id: 'bad-a-owner', provider: 'stripe', account: 'acct_ok' },
  '/v1/payouts': {
    semantic_key: 'bad',
    wallet_id: 'bad-a',
    amount: '100',
    currency: 'USD',
    provider: 'stripe',
    payee_id: 'bad-payee',
  },
  '/v1/adjustments': { semantic_key: 'bad', wallet_id: 'bad-a', amount: '100', currency: 'USD', reason: 'test' },
  '/v1/treasury': {
    semantic_key: 'bad',
    from: '@provider:stripe:USD',
    to: '@bank:USD',
    amount: '100',
    currency: 'USD',
    reference: 'test',
  },
} as const satisfies Record<string, Record<string, string>>;

type Path = keyof typeof GOOD;
const PATHS: readonly Path[] = [
  '/v1/wallets',
  '/v1/transfers',
  '/v1/payees',
  '/v1/payouts',
  '/v1/adjustments',
  '/v1/treasury',
];
const NAMED: readonly Path[] = ['/v1/transfers', '/v1/payouts', '/v1/adjustments', '/v1/treasury'];
const MONEY: readonly Path[] = NAMED;

interface Row {
  readonly paths: readonly Path[];
  /** Laid over the good body; undefined takes a field away. */
  readonly change: Readonly<Record<string, unknown>>;
  readonly status: number;
  readonly code: string;
  readonly name: string;
}

const rows: readonly Row[] = [
  ...[undefined, null].map((semantic_key) => ({
    paths: NAMED,
    change: { semantic_key },
    status: 400,
    code: 'semantic-key-missing',
    name: `semantic_key ${semantic_key}`,
  })),
  ...['', ' ', 'a b', 'ä', 'a\u0000', 'a\n', '.a', '@a', 'a'.repeat(129), 5, {}, true].map((semantic_key) => ({
    paths: NAMED,
    change: { semantic_key },
    status: 422,
    code: 'validation-failed',
    name: `semantic_key ${JSON.stringify(semantic_key).slice(0, 20)}`,
  })),
  ...[100, 1.5, 0, null, true, [], '', '0', '-0', '1.5', '1e3', '01', '+1', ' 1', '1 ', '1'.repeat(19), '٣', '0x1'].map(
    (amount) => ({ paths: MONEY, change: { amount }, status: 422, code: 'invalid-amount', name: `amount ${amount}` }),
  ),
  {
    paths: ['/v1/transfers', '/v1/payouts', '/v1/treasury'],
    change: { amount: '-100' },
    status: 422,
    code: 'invalid-amount',
    name: 'amount -100',
  },
  ...['usd', 'XXX', 'US', '', 'USDT', 5, null].map((currency) => ({
    paths: [...MONEY, '/v1/wallets'] as const,
    change: { currency },
    status: 422,
    code: 'invalid-currency',
    name: `currency ${currency}`,
  })),
  { paths: MONEY, change: { currency: 'EUR' }, status: 422, code: 'invalid-currency', name: 'a mismatched currency' },
  { paths: PATHS, change: { surprise: 1 }, status: 422, code: 'validation-failed', name: 'an unknown field' },
  ...['constructor', 'prototype'].map((field) => ({
    paths: PATHS,
    change: { [field]: {} },
    status: 422,
    code: 'validation-failed',
    name: `a field named ${field}`,
  })),
  { paths: PATHS, change: { cvv: '123' }, status: 422, code: 'card-data-not-accepted', name: 'a security code' },
  ...['cvc', 'CVV2', 'security-code', 'card_security_code', 'cardCvc'].map((name) => ({
    paths: ['/v1/transfers'] as const,
    change: { metadata: { deep: [{ [name]: 'x' }] } },
    status: 422,
    code: 'card-data-not-accepted',
    name: `a field named ${name} inside metadata`,
  })),
  ...['4242424242424242', '4242 4242-4242 4242', 'pay 3782-822463-10005 now', 5555555555554444].map((text) => ({
    paths: ['/v1/wallets', '/v1/transfers', '/v1/payees', '/v1/payouts'] as const,
    change: { metadata: { a: { b: [text] } } },
    status: 422,
    code: 'card-data-not-accepted',
    name: `metadata with ${text}`,
  })),
  {
    paths: ['/v1/payees'],
    change: { account: '4242424242424242' },
    status: 422,
    code: 'card-data-not-accepted',
    name: 'a card as account',
  },
  {
    paths: ['/v1/payouts'],
    change: { payee_id: undefined, destination: '4242424242424242' },
    status: 422,
    code: 'card-data-not-accepted',
    name: 'a card as destination',
  },
  {
    paths: ['/v1/adjustments'],
    change: { reason: 'card 4242424242424242' },
    status: 422,
    code: 'card-data-not-accepted',
    name: 'a card as reason',
  },
  ...['a\u0000b', '\ud800', '\udc00x', 'x'.repeat(501)].map((reason) => ({
    paths: ['/v1/adjustments'] as const,
    change: { reason },
    status: 422,
    code: 'validation-failed',
    name: `reason ${JSON.stringify(reason).slice(0, 16)}`,
  })),
  ...['a\u0000b', '\ud800'].map((text) => ({
    paths: ['/v1/wallets', '/v1/transfers', '/v1/payees', '/v1/payouts'] as const,
    change: { metadata: { [text]: 1, a: text } },
    status: 422,
    code: 'validation-failed',
    name: `metadata with ${JSON.stringify(text)}`,
  })),
  { paths: ['/v1/transfers'], change: { metadata: [] }, status: 422, code: 'validation-failed', name: 'metadata []' },
  { paths: ['/v1/transfers'], change: { to_wallet: 'bad-a' }, status: 422, code: 'same-wallet', name: 'one wallet' },
  {
    paths: ['/v1/treasury'],
    change: { to: '@provider:stripe:USD' },
    status: 422,
    code: 'same-wallet',
    name: 'one wallet',
  },
  ...(
    [
      ['/v1/wallets', 'wallet_id'],
      ['/v1/wallets', 'owner_id'],
      ['/v1/payees', 'payee_id'],
      ['/v1/payees', 'owner_id'],
      ['/v1/transfers', 'from_wallet'],
      ['/v1/transfers', 'to_wallet'],
      ['/v1/payouts', 'wallet_id'],
      ['/v1/payouts', 'payee_id'],
      ['/v1/adjustments', 'wallet_id'],
    ] as const
  ).map(([path, field]) => ({
    paths: [path],
    change: { [field]: '@bank:USD' },
    status: 422,
    code: 'wallet-not-allowed',
    name: `${field} @bank:USD`,
  })),
  ...['bad-a', 'Xbank:USD', '@bank:EUR:x', '@equity:USD', '@fees:USD', '@nothing:USD', '@unapplied:USD'].map(
    (from) => ({
      paths: ['/v1/treasury'] as const,
      change: { from },
      status: 422,
      code: 'wallet-not-allowed',
      name: `from ${from}`,
    }),
  ),
  {
    paths: ['/v1/treasury'],
    change: { from: '@provider:nobody:USD' },
    status: 404,
    code: 'not-found',
    name: 'no provider',
  },
  { paths: ['/v1/transfers'], change: { to_wallet: 'nobody' }, status: 404, code: 'not-found', name: 'no such wallet' },
  { paths: ['/v1/payouts'], change: { wallet_id: 'nobody' }, status: 404, code: 'not-found', name: 'no such wallet' },
  { paths: ['/v1/payouts'], change: { payee_id: 'nobody' }, status: 404, code: 'not-found', name: 'no such payee' },
  { paths: ['/v1/payouts'], change: { provider: 'nobody' }, status: 404, code: 'not-found', name: 'no such provider' },
  { paths: ['/v1/payees'], change: { provider: 'nobody' }, status: 404, code: 'not-found', name: 'no such provider' },
  {
    paths: ['/v1/adjustments'],
    change: { wallet_id: 'nobody' },
    status: 404,
    code: 'not-found',
    name: 'no such wallet',
  },
  {
    paths: ['/v1/adjustments'],
    change: { amount: '-100' },
    status: 422,
    code: 'insufficient-funds',
    name: 'an adjustment that overdraws',
  },
  { paths: ['/v1/payouts'], change: { provider: 5 }, status: 422, code: 'validation-failed', name: 'provider 5' },
  {
    paths: ['/v1/payouts'],
    change: { payee_id: undefined },
    status: 422,
    code: 'validation-failed',
    name: 'nobody to pay',
  },
  { paths: ['/v1/payouts'], change: { destination: 'x' }, status: 422, code: 'validation-failed', name: 'two to pay' },
  { paths: ['/v1/payouts'], change: { confirm: 'yes' }, status: 422, code: 'validation-failed', name: 'confirm "yes"' },
  ...['yesterday', '2020-01-01T00:00:00Z', '2026-02-30T00:00:00Z', 5].map((expires_at) => ({
    paths: ['/v1/payouts'] as const,
    change: { expires_at },
    status: 422,
    code: 'validation-failed',
    name: `expires_at ${expires_at}`,
  })),
  {
    paths: ['/v1/wallets'],
    change: { kind: 'provider' },
    status: 422,
    code: 'validation-failed',
    name: 'kind provider',
  },
];

describe.each(PATHS)('%s', (path) => {
  const mine = rows.filter((row) => row.paths.includes(path));
  it.each(mine.map((row) => [row.name, row] as const))('refuses %s and keeps nothing', async (_name, row) => {
    const answer = await rig.post(path, { ...GOOD[path], ...row.change });
    expect(isErrorOf(answer)).toEqual({ status: row.status, code: row.code });
    const id = path === '/v1/wallets' || path === '/v1/payees' ? 'new' : 'bad';
    expect((await rig.get(`${path}/${id}`)).status).toBe(404);
  });

  it.each([
    ['no JSON', '{'],
    ['nothing', ''],
    ['wrong encoding', Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x7d])],
    ['nine levels', '{"metadata":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{}}}}}}}}}'],
    ['a million levels', '['.repeat(30_000) + ']'.repeat(30_000)],
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

describe('an address', () => {
  it.each([
    '/v1/nothing',
    '/v1/transfers/nobody',
    '/v1/transfers/%00',
    '/v1/transfers/a%20b',
    '/v1/wallets/nobody',
    '/v1/wallets/@bank:XYZ',
    '/v1/wallets/nobody/entries',
    '/v1/wallets/nobody/balance',
    '/v1/payouts/nobody',
    '/v1/payouts/nobody/timeline',
    '/v1/transfers/nobody/timeline',
    '/v1/payees/nobody',
    '/v1/adjustments/nobody',
    '/v1/treasury/nobody',
    '/v1/postings/nobody',
    '/v1/postings/00000000-0000-0000-0000-000000000000',
    '/problems/nothing',
  ])('%s that names nothing is 404', async (path) => {
    expect(isErrorOf(await rig.get(path))).toEqual({ status: 404, code: 'not-found' });
  });

  it.each(['confirm', 'cancel', 'query'])('of a payout that does not exist cannot %s', async (action) => {
    const answer = await rig.post(`/v1/payouts/nobody/${action}`);
    expect(isErrorOf(answer)).toEqual({ status: 404, code: 'not-found' });
  });
});

describe('a query', () => {
  const LISTS = [
    '/v1/transfers',
    '/v1/payouts',
    '/v1/wallets',
    '/v1/payees',
    '/v1/postings',
    '/v1/wallets/bad-a/entries',
  ];
  const BAD = [
    'limit=0',
    'limit=501',
    'limit=-1',
    'limit=x',
    'limit=1.5',
    'limit=',
    'limit=1&limit=2',
    'cursor=x',
    'cursor=%00',
    'cursor=WyIyMDI2LTAyLTMwVDAwOjAwOjAwLjAwMFoiXQ',
    'created_gte=yesterday',
    'created_lt=2026-13-01T00:00:00Z',
    'surprise=1',
    '__proto__=1',
  ];
  it.each(LISTS.flatMap((list) => BAD.map((query) => `${list}?${query}`)))('%s is refused', async (path) => {
    expect(isErrorOf(await rig.get(path))).toEqual({ status: 422, code: 'validation-failed' });
  });

  it.each([
    '/v1/transfers?status=done',
    '/v1/transfers?wallet_id=%00',
    '/v1/payouts?provider=nobody',
    '/v1/payouts?extern_payment_id=a%20b',
    '/v1/payees?status=x',
    '/v1/wallets?kind=x',
    '/v1/postings?event=%27',
    '/v1/transfers/bad?wait=31',
    '/v1/transfers/bad?wait=-1',
    '/v1/transfers/bad?wait=x',
    '/v1/payouts/bad?wait=1e3',
    '/v1/wallets/bad-a/balance?at=x',
    '/v1/trial-balance?at=x',
  ])('%s is refused', async (path) => {
    expect(isErrorOf(await rig.get(path))).toEqual({ status: 422, code: 'validation-failed' });
  });

  it.each(['/v1/wallets?currency=usd', '/v1/trial-balance?currency=XXX'])('%s is an invalid currency', async (path) => {
    expect(isErrorOf(await rig.get(path))).toEqual({ status: 422, code: 'invalid-currency' });
  });

  it('with the cursor of another list is refused or finds nothing, and never breaks', async () => {
    const cursor = Buffer.from(JSON.stringify(['2026-01-01T00:00:00.000Z', "x'; DROP TABLE wallet; --"])).toString(
      'base64url',
    );
    for (const list of LISTS) expect([200, 422]).toContain((await rig.get(`${list}?cursor=${cursor}`)).status);
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
