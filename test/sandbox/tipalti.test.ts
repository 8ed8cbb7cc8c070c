import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Sandbox } from '../../src/sandbox/server.ts';
import { control, freshFile, hangUp, receiver, rows, send, start, until, type Wire } from './rig.ts';

vi.setConfig({ maxConcurrency: 30 });

const file = freshFile();
let inbox: Awaited<ReturnType<typeof receiver>>;
let sandbox: Sandbox;
let token: string;

beforeAll(async () => {
  inbox = await receiver();
  sandbox = await start(file.path, { webhookUrl: inbox.url });
  token = await signIn(sandbox);
});
afterAll(async () => {
  await sandbox.close();
  await inbox.close();
  file.remove();
});

const CLIENT = 'client_id=id&client_secret=secret';

function getToken(box: Sandbox, body: string): Promise<Wire> {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return send(box, 'POST', '/tipalti/connect/token', { headers, body });
}

async function signIn(box: Sandbox): Promise<string> {
  return (await getToken(box, `grant_type=client_credentials&${CLIENT}`)).json.access_token;
}

function call(path: string, body?: string, giveUp?: AbortSignal): Promise<Wire> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const more = { ...(body === undefined ? {} : { body }), ...(giveUp ? { giveUp } : {}) };
  return send(sandbox, body === undefined ? 'GET' : 'POST', `/tipalti/api/v1${path}`, { headers, ...more });
}

type Order = { key: string; payeeId: string; amount?: string; currency?: string; giveUp?: AbortSignal };

/** The amount goes onto the wire as it is written. */
function pay({ key, payeeId, amount = '15.00', currency = 'USD', giveUp }: Order): Promise<Wire> {
  const money = `{"amount":${amount},"currency":"${currency}"}`;
  const one = `{"payeeId":"${payeeId}","amountSubmitted":${money},"refCode":"${plain(key)}"}`;
  return call('/payment-batches', `{"paymentInstructions":[${one}]}`, giveUp);
}

function plain(key: string): string {
  return key.replaceAll('-', '');
}

/** A payment that the test has watched for long enough is cleared. */
function statusOf({ status }: { status: string }): string {
  return status === 'Cleared' ? 'Paid' : status;
}

async function lookUp(key: string) {
  return (await call(`/payments?refCode=${plain(key)}`)).json.items;
}

type Expected = {
  word: string;
  first: Wire['status'];
  /** The answer to the same call right after the first. */
  second: Wire['status'];
  /** How the payment stands in the end; null when there never is one. */
  last: string | null;
  book?: string[];
  notified?: string[];
};

const paid = { last: 'Paid', book: ['out'], notified: ['completed'] };
const words: Expected[] = [
  { word: 'ok', first: 200, second: 200, ...paid },
  { word: 'decline', first: 200, second: 200, last: 'Rejected', notified: ['error'] },
  { word: 'insufficient', first: 200, second: 200, last: 'Deferred', notified: ['deferred'] },
  { word: 'error_before', first: 503, second: 200, ...paid },
  { word: 'error_stored', first: 500, second: 500, last: null },
  { word: 'paid_then_500', first: 500, second: 200, ...paid },
  { word: 'timeout_before', first: 'none', second: 200, ...paid },
  { word: 'paid_then_timeout', first: 'none', second: 200, ...paid },
  { word: 'paid_then_reset', first: 'reset', second: 200, ...paid },
  { word: 'hidden', first: 'none', second: 409, ...paid },
  { word: 'html', first: 502, second: 200, ...paid },
  { word: 'rate_limit', first: 429, second: 200, ...paid },
  { word: 'slow', first: 'none', second: 200, ...paid },
  { word: 'pending', first: 200, second: 200, ...paid, notified: ['payment_submitted', 'completed'] },
  {
    word: 'pending_then_fail',
    first: 200,
    second: 200,
    last: 'Rejected',
    notified: ['payment_submitted', 'error'],
  },
  { word: 'never', first: 200, second: 200, last: 'Submitted', notified: ['payment_submitted'] },
  {
    word: 'bounce',
    first: 200,
    second: 200,
    last: 'Rejected',
    book: ['out', 'return'],
    notified: ['completed', 'error'],
  },
  { word: 'action', first: 200, second: 200, ...paid },
];

describe('each behaviour word does on a payout what the table says', () => {
  test.concurrent.each(words)('$word', async ({ word, first, second, last, book = [], notified = [] }) => {
    const key = randomUUID();
    const order = { key, payeeId: `payee_${word}_7` };
    const one = await hangUp(sandbox, plain(key), (giveUp) => pay({ ...order, giveUp }));
    expect(one.status).toBe(first);
    expect((await pay(order)).status).toBe(second);
    const found = await until(
      () => lookUp(key),
      (items) => items.map(statusOf).join() === (last ?? ''),
    );
    const booked = await until(
      () => rows(sandbox, key),
      (made) => made.length >= book.length,
    );
    expect(booked.map((row) => row.direction)).toEqual(book);
    for (const row of booked) {
      expect(row).toMatchObject({ provider: 'tipalti', key, call_key: plain(key), amount: '1500', currency: 'USD' });
      expect(row).toMatchObject({ extern_id: found[0].id, destination: order.payeeId });
    }
    const types = () => about(key).map((form) => form.get('type'));
    expect(await until(types, (seen) => seen.length >= notified.length)).toEqual(notified);
  });

  test.concurrent('hidden money is in the book while look-ups say that there is none', async () => {
    const key = randomUUID();
    await hangUp(sandbox, plain(key), (giveUp) => pay({ key, payeeId: 'p_hidden', giveUp }));
    const [row] = rows(sandbox, key);
    expect(await lookUp(key)).toEqual([]);
    expect((await call(`/payments/${row?.extern_id}`)).status).toBe(404);
    await until(
      () => lookUp(key),
      (items) => items.length === 1,
    );
  });

  test.concurrent('a 429 says how long to wait', async () => {
    const refused = await pay({ key: randomUUID(), payeeId: 'p_rate_limit' });
    expect([refused.headers.get('retry-after'), refused.json.code]).toEqual(['1', 'TooManyRequests']);
  });
});

function about(key: string): URLSearchParams[] {
  return inbox.received.filter(({ body }) => body.includes(plain(key))).map(({ body }) => new URLSearchParams(body));
}

describe('the reference code', () => {
  test('a repeat answers with the first instruction and moves nothing', async () => {
    const key = randomUUID();
    const one = await pay({ key, payeeId: 'p_1' });
    const two = await pay({ key, payeeId: 'p_1', amount: '15' });
    expect(two.json).toEqual(one.json);
    expect(rows(sandbox, key)).toHaveLength(1);
  });

  test('the same code for another payee or amount is refused and moves nothing', async () => {
    const key = randomUUID();
    await pay({ key, payeeId: 'p_1' });
    for (const other of [
      { payeeId: 'p_2' },
      { payeeId: 'p_1', amount: '15.01' },
      { payeeId: 'p_1', currency: 'EUR' },
    ]) {
      const refused = await pay({ key, ...other });
      expect([refused.status, refused.json.code]).toEqual([400, 'RefCodeReused']);
    }
    expect(rows(sandbox, key)).toHaveLength(1);
  });

  test('a forgotten code pays again, and the look-up shows both payments', async () => {
    const own = freshFile();
    const forgetful = await start(own.path);
    await control(forgetful, 'POST', '/retention', { ms: 0 });
    const key = randomUUID();
    const before = sandbox;
    sandbox = forgetful;
    await pay({ key, payeeId: 'p_1' });
    await pay({ key, payeeId: 'p_1' });
    const found = await lookUp(key);
    sandbox = before;
    expect(rows(forgetful, key)).toHaveLength(2);
    expect(found).toHaveLength(2);
    await forgetful.close();
    own.remove();
  });
});

describe('amounts are exact', () => {
  test.each([
    { amount: '0.01', currency: 'USD', minor: '1', shown: '0.01' },
    { amount: '15', currency: 'USD', minor: '1500', shown: '15.00' },
    { amount: '1500', currency: 'JPY', minor: '1500', shown: '1500' },
    { amount: '1.234', currency: 'KWD', minor: '1234', shown: '1.234' },
    { amount: '70.10', currency: 'HUF', minor: '7010', shown: '70.10' },
    { amount: '9007199254740.993', currency: 'BHD', minor: '9007199254740993', shown: '9007199254740.993' },
  ])('$amount $currency', async ({ amount, currency, minor, shown }) => {
    const key = randomUUID();
    // Above the opening balance nothing moves, but the amount is kept all the same.
    await pay({ key, payeeId: 'p_1', amount, currency });
    const text = (await call(`/payments?refCode=${plain(key)}`)).text;
    expect(text).toContain(`"amount":${shown},"currency":"${currency}"`);
    const moved = rows(sandbox, key).map((row) => row.amount);
    expect(moved).toEqual(BigInt(minor) <= 10n ** 15n ? [minor] : []);
  });

  test.each([
    ['0', 'USD'],
    ['-5', 'USD'],
    ['0.001', 'USD'],
    ['1.5', 'JPY'],
    ['1e3', 'USD'],
    ['"5.00"', 'USD'],
    ['1234567890123456789', 'USD'],
    ['5', 'usd'],
    ['5', 'XXX'],
  ])('%s %s is refused', async (amount, currency) => {
    const key = randomUUID();
    expect((await pay({ key, payeeId: 'p_1', amount, currency })).status).toBe(400);
    expect(await lookUp(key)).toEqual([]);
  });

  test('the balance falls by what was paid, to the last digit', async () => {
    const own = freshFile();
    const fresh = await start(own.path);
    const before = sandbox;
    sandbox = fresh;
    await pay({ key: randomUUID(), payeeId: 'p_1', amount: '0.01' });
    const text = (await call('/balances')).text;
    sandbox = before;
    expect(text).toContain('{"currency":"USD","availableBalance":{"amount":9999999999999.99,"currency":"USD"}}');
    expect(text).toContain('{"currency":"JPY","availableBalance":{"amount":1000000000000000,"currency":"JPY"}}');
    await fresh.close();
    own.remove();
  });
});

describe('reads', () => {
  test('a batch, its instruction and the payment tell the same', async () => {
    const key = randomUUID();
    const made = (await pay({ key, payeeId: 'p_1' })).json;
    const { items } = (await call(`/payment-batches/${made.id}/instructions`)).json;
    expect(items).toEqual(made.paymentInstructions);
    expect((await call(`/payment-batches/${made.id}`)).json).toEqual(made);
    const payment = (await call(`/payments/${items[0].paymentId}`)).json;
    expect(payment).toMatchObject({ batchId: made.id, refCode: plain(key), payeeId: 'p_1', status: 'Paid' });
    expect((await call(`/payments?filter=${encodeURIComponent(`refCode=="${plain(key)}"`)}`)).json.items).toEqual([
      payment,
    ]);
    for (const path of ['/payment-batches/tpb_no', '/payment-batches/tpb_no/instructions', '/payments/tpp_no']) {
      expect((await call(path)).status).toBe(404);
    }
  });

  test('all payments come once, page by page', async () => {
    const own = freshFile();
    const fresh = await start(own.path);
    const before = sandbox;
    sandbox = fresh;
    for (let number = 0; number < 5; number += 1) await pay({ key: randomUUID(), payeeId: 'p_1' });
    const walked: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const path: string = `/payments?pageSize=2${cursor === '' ? '' : `&pageCursor=${cursor}`}`;
      const { items, nextPageCursor } = (await call(path)).json;
      walked.push(...items.map((item: { id: string }) => item.id));
      cursor = nextPageCursor;
    }
    sandbox = before;
    expect(walked).toEqual(
      fresh
        .book()
        .map((row) => row.extern_id)
        .toReversed(),
    );
    await fresh.close();
    own.remove();
  });

  test.each([
    { payeeId: 'p_ok_1', status: 'ACTIVE', isPayable: true },
    { payeeId: 'p_blocked_1', status: 'BLOCKED', isPayable: false },
    { payeeId: 'p_onboarding', status: 'PENDING', isPayable: false },
  ])('$payeeId is $status, and is paid only when payable', async ({ payeeId, status, isPayable }) => {
    expect((await call(`/payees/${payeeId}`)).json).toMatchObject({ id: payeeId, status, isPayable });
    expect((await call(`/payees?refCode=${payeeId}`)).json.items).toMatchObject([{ status, isPayable }]);
    const key = randomUUID();
    await pay({ key, payeeId });
    await pay({ key, payeeId });
    const [payment] = await lookUp(key);
    expect(payment.status).toBe(isPayable ? 'Paid' : 'Deferred');
    expect(payment.reason?.code).toBe(isPayable ? undefined : 'PayeeNotPayable');
    expect(rows(sandbox, key)).toHaveLength(isPayable ? 1 : 0);
  });

  test.each([
    ['/payments?colour=red', 400],
    ['/payments?filter=status', 400],
    ['/payments?pageSize=201', 400],
    ['/payees', 400],
    ['/nothing', 404],
  ])('%s is refused', async (path, status) => {
    expect((await call(path)).status).toBe(status);
  });

  test.each([
    'no json',
    '{}',
    '{"paymentInstructions":[]}',
    '{"paymentInstructions":[{"payeeId":"p 1","amountSubmitted":{"amount":5,"currency":"USD"},"refCode":"a"}]}',
    '{"paymentInstructions":[{"payeeId":"p","amountSubmitted":{"amount":5,"currency":"USD"},"refCode":"a-b"}]}',
    '{"paymentInstructions":[{"payeeId":"p","amountSubmitted":{"amount":5,"currency":"USD"}}]}',
  ])('the batch %s is refused', async (body) => {
    const refused = await call('/payment-batches', body);
    expect([refused.status, refused.json.code]).toEqual([400, 'ParameterError']);
  });
});

describe('sign-in', () => {
  test('a refresh token gives a token that works, and a new refresh token', async () => {
    const given = (await getToken(sandbox, `grant_type=refresh_token&refresh_token=any&${CLIENT}`)).json;
    expect(given).toMatchObject({ token_type: 'Bearer', expires_in: 3600, refresh_token: expect.any(String) });
    const headers = { authorization: `Bearer ${given.access_token}` };
    expect((await send(sandbox, 'GET', '/tipalti/api/v1/payments', { headers })).status).toBe(200);
  });

  test.each([
    ['grant_type=client_credentials', 'invalid_client'],
    [`grant_type=password&${CLIENT}`, 'unsupported_grant_type'],
    [`grant_type=refresh_token&${CLIENT}`, 'invalid_grant'],
    [`grant_type=refresh_token&refresh_token=revoked_1&${CLIENT}`, 'invalid_grant'],
  ])('%s is refused', async (body, error) => {
    const refused = await getToken(sandbox, body);
    expect([refused.status, refused.json.error]).toEqual([400, error]);
  });

  test.each(['', 'Bearer any', 'Bearer A21AA-1-zzzzzzzz-0'])('"%s" opens nothing', async (authorization) => {
    const refused = await send(sandbox, 'GET', '/tipalti/api/v1/payments', { headers: { authorization } });
    expect(refused.status).toBe(401);
  });
});

test('a notification is verified for exactly the bytes that were sent', async () => {
  const key = randomUUID();
  await pay({ key, payeeId: 'p_1' });
  const mine = () => inbox.received.filter(({ body }) => body.includes(plain(key)));
  const [received] = await until(mine, (seen) => seen.length === 1);
  if (!received) throw new Error('nothing was received');
  expect(received.path).toBe('/webhooks/tipalti');
  expect(received.headers['content-type']).toBe('application/x-www-form-urlencoded');
  const ask = async (body: string) => (await send(sandbox, 'POST', '/tipalti/notif/ipn.aspx', { body })).text;
  expect(await ask(received.body)).toBe('VERIFIED');
  for (const forged of [received.body.replace('15.00', '15.01'), `${received.body}&`, '', 'key=ipn_none']) {
    expect(await ask(forged)).toBe('INVALID');
  }
});
