import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Sandbox } from '../../src/sandbox/server.ts';
import { freshFile, receiver, rows, send, start, until } from './rig.ts';
import { CLIENT, getToken, plain, type Tipalti, tipaltiCalls } from './tipalti-rig.ts';

const file = freshFile();
let inbox: Awaited<ReturnType<typeof receiver>>;
let sandbox: Sandbox;
let tipalti: Tipalti;

beforeAll(async () => {
  inbox = await receiver();
  sandbox = await start(file.path, { webhookUrl: inbox.url });
  tipalti = await tipaltiCalls(sandbox);
});
afterAll(async () => {
  await sandbox.close();
  await inbox.close();
  file.remove();
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
    await tipalti.pay({ key, payeeId: 'p_1', amount, currency });
    const text = (await tipalti.get(`/payments?refCode=${plain(key)}`)).text;
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
    ['5', 'QQQ'],
  ])('%s %s is refused', async (amount, currency) => {
    const key = randomUUID();
    expect((await tipalti.pay({ key, payeeId: 'p_1', amount, currency })).status).toBe(400);
    expect(await tipalti.lookUp(key)).toEqual([]);
  });

  test('the balance falls by what was paid, to the last digit', async () => {
    const own = freshFile();
    const fresh = await start(own.path);
    const calls = await tipaltiCalls(fresh);
    await calls.pay({ key: randomUUID(), payeeId: 'p_1', amount: '0.01' });
    const text = (await calls.get('/balances')).text;
    expect(text).toContain('{"currency":"USD","availableBalance":{"amount":9999999999999.99,"currency":"USD"}}');
    expect(text).toContain('{"currency":"JPY","availableBalance":{"amount":1000000000000000,"currency":"JPY"}}');
    await fresh.close();
    own.remove();
  });
});

describe('reads', () => {
  test('a batch, its instruction and the payment tell the same', async () => {
    const key = randomUUID();
    const made = (await tipalti.pay({ key, payeeId: 'p_1' })).json;
    const { items } = (await tipalti.get(`/payment-batches/${made.id}/instructions`)).json;
    expect(items).toEqual(made.paymentInstructions);
    expect((await tipalti.get(`/payment-batches/${made.id}`)).json).toEqual(made);
    const payment = (await tipalti.get(`/payments/${items[0].paymentId}`)).json;
    expect(payment).toMatchObject({ batchId: made.id, refCode: plain(key), payeeId: 'p_1', status: 'Paid' });
    expect(
      (await tipalti.get(`/payments?filter=${encodeURIComponent(`refCode=="${plain(key)}"`)}`)).json.items,
    ).toEqual([payment]);
    for (const path of ['/payment-batches/tpb_no', '/payment-batches/tpb_no/instructions', '/payments/tpp_no']) {
      expect((await tipalti.get(path)).status).toBe(404);
    }
  });

  test('all payments come once, page by page', async () => {
    const own = freshFile();
    const fresh = await start(own.path);
    const calls = await tipaltiCalls(fresh);
    for (let number = 0; number < 5; number += 1) await calls.pay({ key: randomUUID(), payeeId: 'p_1' });
    const walked: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const path: string = `/payments?pageSize=2${cursor === '' ? '' : `&pageCursor=${cursor}`}`;
      const { items, nextPageCursor } = (await calls.get(path)).json;
      walked.push(...items.map((item: { id: string }) => item.id));
      cursor = nextPageCursor;
    }
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
    expect((await tipalti.get(`/payees/${payeeId}`)).json).toMatchObject({ id: payeeId, status, isPayable });
    expect((await tipalti.get(`/payees?refCode=${payeeId}`)).json.items).toMatchObject([{ status, isPayable }]);
    const key = randomUUID();
    await tipalti.pay({ key, payeeId });
    await tipalti.pay({ key, payeeId });
    const [payment] = await tipalti.lookUp(key);
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
    expect((await tipalti.get(path)).status).toBe(status);
  });

  test.each([
    'no json',
    '{}',
    '{"paymentInstructions":[]}',
    '{"paymentInstructions":[{"payeeId":"p 1","amountSubmitted":{"amount":5,"currency":"USD"},"refCode":"a"}]}',
    '{"paymentInstructions":[{"payeeId":"p","amountSubmitted":{"amount":5,"currency":"USD"},"refCode":"a-b"}]}',
    '{"paymentInstructions":[{"payeeId":"p","amountSubmitted":{"amount":5,"currency":"USD"}}]}',
  ])('the batch %s is refused', async (body) => {
    const refused = await tipalti.post('/payment-batches', body);
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
  await tipalti.pay({ key, payeeId: 'p_1' });
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
