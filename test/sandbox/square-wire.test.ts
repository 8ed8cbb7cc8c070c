import { createHmac, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Sandbox } from '../../src/sandbox/server.ts';
import { control, freshFile, receiver, rows, send, start, until } from './rig.ts';
import { complete, pay, type Square, squareCalls } from './square-rig.ts';

const SECRET = 'square signature key';
const file = freshFile();
let inbox: Awaited<ReturnType<typeof receiver>>;
let sandbox: Sandbox;
let square: Square;

beforeAll(async () => {
  inbox = await receiver();
  sandbox = await start(file.path, { webhookUrl: inbox.url, webhookSecrets: { square: SECRET } });
  square = squareCalls(sandbox);
});
afterAll(async () => {
  await sandbox.close();
  await inbox.close();
  file.remove();
});

function good() {
  const key = randomUUID();
  return { source_id: 'tok_1', idempotency_key: key, amount_money: { amount: 5, currency: 'USD' }, reference_id: key };
}

describe('requests are held to the specification', () => {
  test.each([
    { name: 'an unknown field', wrong: { colour: 'red' }, code: 'BAD_REQUEST', field: 'colour' },
    { name: 'no source', wrong: { source_id: undefined }, code: 'MISSING_REQUIRED_PARAMETER', field: 'source_id' },
    {
      name: 'no amount',
      wrong: { amount_money: undefined },
      code: 'MISSING_REQUIRED_PARAMETER',
      field: 'amount_money',
    },
    { name: 'an empty key', wrong: { idempotency_key: '' }, code: 'VALUE_TOO_SHORT', field: 'idempotency_key' },
    {
      name: 'a long key',
      wrong: { idempotency_key: 'k'.repeat(46) },
      code: 'VALUE_TOO_LONG',
      field: 'idempotency_key',
    },
    {
      name: 'a long reference',
      wrong: { reference_id: 'r'.repeat(41) },
      code: 'VALUE_TOO_LONG',
      field: 'reference_id',
    },
    {
      name: 'text for a flag',
      wrong: { autocomplete: 'false' },
      code: 'EXPECTED_BOOLEAN',
      field: 'autocomplete',
    },
    {
      name: 'text for an amount',
      wrong: { amount_money: { amount: '5', currency: 'USD' } },
      code: 'EXPECTED_INTEGER',
      field: 'amount_money.amount',
    },
    {
      name: 'part of a cent',
      wrong: { amount_money: { amount: 0.5, currency: 'USD' } },
      code: 'EXPECTED_INTEGER',
      field: 'amount_money.amount',
    },
    {
      name: 'no money',
      wrong: { amount_money: { amount: 0, currency: 'USD' } },
      code: 'VALUE_TOO_LOW',
      field: 'amount_money.amount',
    },
    {
      name: 'a strange currency',
      wrong: { amount_money: { amount: 5, currency: 'usd' } },
      code: 'INVALID_ENUM_VALUE',
      field: 'amount_money.currency',
    },
  ])('$name is refused', async ({ wrong, code, field }) => {
    const before = sandbox.book().length;
    const answer = await square.post('/payments', { ...good(), ...wrong });
    expect(answer.status).toBe(400);
    expect(answer.json.errors).toMatchObject([{ category: 'INVALID_REQUEST_ERROR', code, field }]);
    expect(sandbox.book()).toHaveLength(before);
  });

  test('a refund with a long key, an unknown field, or no amount is refused', async () => {
    const refund = { idempotency_key: 'k', payment_id: 'sqp_1', amount_money: { amount: 5, currency: 'USD' } };
    const wrongs = [{ idempotency_key: 'k'.repeat(46) }, { colour: 'red' }, { amount_money: undefined }];
    for (const wrong of wrongs) expect((await square.post('/refunds', { ...refund, ...wrong })).status).toBe(400);
  });

  test('what is no JSON, an unknown query parameter, path or id are refused', async () => {
    const headers = { authorization: 'Bearer EAAA' };
    const text = await send(sandbox, 'POST', '/square/v2/payments', { headers, body: 'no json' });
    expect(text.json.errors[0].code).toBe('EXPECTED_JSON_BODY');
    expect((await square.get('/payments?colour=red')).json.errors[0]).toMatchObject({ code: 'BAD_REQUEST' });
    for (const path of ['/nothing', '/payments/sqp_no', '/payments/sqr_no', '/refunds/sqp_no', '/locations/no']) {
      expect((await square.get(path)).json.errors[0].code).toBe('NOT_FOUND');
    }
    for (const path of ['/payments/sqp_no/complete', '/payments/sqp_no/cancel']) {
      expect((await square.post(path, {})).status).toBe(404);
    }
  });

  test.each(['', 'Basic RUFBQTo='])('the credentials "%s" are refused', async (authorization) => {
    const refused = await send(sandbox, 'GET', '/square/v2/payments', { headers: { authorization } });
    expect([refused.status, refused.json.errors[0].category]).toEqual([401, 'AUTHENTICATION_ERROR']);
  });
});

test('every answer is of the shape that the specification gives it', async () => {
  const specFile = new URL('../../src/sandbox/specs/square-reduced-2025-08-20.json', import.meta.url);
  const { components } = JSON.parse(readFileSync(specFile, 'utf8'));
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false, logger: false });
  await control(sandbox, 'POST', '/fees', { square: { percent: '2.9', fixed: '30' } });
  const paid = (await pay(square, { key: randomUUID(), source: 'tok_1' })).json;
  const reserved = await pay(square, { key: randomUUID(), source: 'tok_1', autocomplete: false });
  await control(sandbox, 'POST', '/fees', {});
  const { id } = paid.payment;
  const amount = { amount: 5, currency: 'USD' };
  const refund = await square.post('/refunds', { idempotency_key: randomUUID(), payment_id: id, amount_money: amount });
  const answers = {
    CreatePaymentResponse: [paid, reserved.json, (await pay(square, { key: randomUUID(), source: 'decline' })).json],
    CompletePaymentResponse: [(await complete(square, reserved.json.payment.id)).json],
    GetPaymentResponse: [(await square.get(`/payments/${id}`)).json, (await square.get('/payments/no')).json],
    ListPaymentsResponse: [(await square.get('/payments?limit=2')).json],
    RefundPaymentResponse: [refund.json],
    GetPaymentRefundResponse: [(await square.get(`/refunds/${refund.json.refund.id}`)).json],
    ListPaymentRefundsResponse: [(await square.get('/refunds')).json],
    ListLocationsResponse: [(await square.get('/locations')).json],
    Event: inbox.received.map(({ body }) => JSON.parse(body)),
  };
  for (const [name, bodies] of Object.entries(answers)) {
    // Closed at the top, so that a misspelt name is found.
    const validate = ajv.compile({ ...components.schemas[name], additionalProperties: false, components });
    expect(bodies.length, name).toBeGreaterThan(0);
    for (const body of bodies) {
      validate(body);
      expect(validate.errors ?? [], name).toEqual([]);
    }
  }
  const { properties } = components.schemas.Payment;
  expect(Object.keys(paid.payment).filter((name) => !(name in properties))).toEqual([]);
});

test.each([
  { word: 'bounce', captured: [expect.any(String)] },
  { word: 'pending_then_fail', captured: [] },
])('a failed payment shows whether it had been captured: $word', async ({ word, captured }) => {
  const { id } = (await pay(square, { key: randomUUID(), source: `tok_${word}` })).json.payment;
  const { json } = await until(
    () => square.get(`/payments/${id}`),
    (answer) => answer.json.payment.status === 'FAILED',
  );
  expect(Object.values(json.payment.card_details.card_payment_timeline)).toEqual([...captured, ...captured]);
});

test('the pkid is found in the reference where the key of the call is another one', async () => {
  const pkid = randomUUID();
  const callKey = randomUUID();
  await square.post('/payments', { ...good(), idempotency_key: callKey, reference_id: pkid });
  expect(rows(sandbox, pkid)).toMatchObject([{ key: pkid, call_key: callKey }]);
  const dashed = randomUUID();
  const plain = dashed.replaceAll('-', '');
  await square.post('/payments', { ...good(), idempotency_key: 'another', reference_id: plain });
  expect(rows(sandbox, dashed)).toMatchObject([{ key: dashed, call_key: 'another' }]);
});

test('an event is signed over the address it goes to and its raw body', async () => {
  const { payment } = (await pay(square, { key: randomUUID(), source: 'tok_1' })).json;
  const [received] = await until(
    () => inbox.received.filter(({ body }) => body.includes(payment.id)),
    (seen) => seen.length === 2,
  );
  if (!received) throw new Error('nothing was received');
  const signature = createHmac('sha256', SECRET).update(`${inbox.url}/square${received.body}`).digest('base64');
  expect(received.headers['x-square-hmacsha256-signature']).toBe(signature);
  const event = JSON.parse(received.body);
  expect(event).toMatchObject({ merchant_id: expect.any(String), data: { type: 'payment', id: payment.id } });
  expect(event.event_id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  expect(event.data.object.payment).toEqual(payment);
});

test('of many equal calls at once one takes the money, and the others learn that it is in flight or done', async () => {
  const own = freshFile();
  const slow = await start(own.path);
  await control(slow, 'POST', '/faults', { latency_ms: 200 });
  const key = randomUUID();
  const calls = Array.from({ length: 10 }, () => pay(squareCalls(slow), { key, source: 'tok_1' }));
  const answers = await Promise.all(calls);
  const inUse = answers.filter(({ status }) => status === 409);
  expect(inUse.length).toBeGreaterThan(0);
  expect(inUse[0]?.json.errors[0].code).toBe('CONFLICT');
  expect(answers.filter(({ status }) => status === 200).length + inUse.length).toBe(10);
  expect(rows(slow, key)).toHaveLength(1);
  await slow.close();
  own.remove();
});

test('all payments come once, page by page, in either order, and payments and refunds stay apart', async () => {
  const own = freshFile();
  const box = await start(own.path);
  const calls = squareCalls(box);
  const made: string[] = [];
  for (let number = 0; number < 5; number += 1) {
    const { payment } = (await pay(calls, { key: randomUUID(), source: 'tok_1' })).json;
    made.push(payment.id);
    const amount = { amount: 1, currency: 'USD' };
    await calls.post('/refunds', { idempotency_key: randomUUID(), payment_id: payment.id, amount_money: amount });
  }
  for (const order of ['ASC', 'DESC']) {
    const walked: string[] = [];
    for (let cursor: string | undefined = ''; cursor !== undefined; ) {
      const path: string = `/payments?limit=2&sort_order=${order}${cursor === '' ? '' : `&cursor=${cursor}`}`;
      const { json } = await calls.get(path);
      walked.push(...json.payments.map(({ id }: { id: string }) => id));
      cursor = json.cursor;
    }
    expect(walked).toEqual(order === 'ASC' ? made : made.toReversed());
  }
  expect((await calls.get('/refunds')).json.refunds).toHaveLength(5);
  expect((await calls.get('/payments?total=7')).json.payments).toEqual([]);
  expect((await calls.get(`/payments?end_time=${new Date(0).toISOString()}`)).json.payments).toEqual([]);
  await box.close();
  own.remove();
});

test('payments and keys are there again after a restart', async () => {
  const own = freshFile();
  const first = await start(own.path);
  const key = randomUUID();
  const before = await pay(squareCalls(first), { key, source: 'tok_1', autocomplete: false });
  await first.close();
  const second = await start(own.path);
  const calls = squareCalls(second);
  expect((await pay(calls, { key, source: 'tok_1', autocomplete: false })).json).toEqual(before.json);
  expect((await complete(calls, before.json.payment.id)).json.payment.status).toBe('COMPLETED');
  expect(rows(second, key)).toHaveLength(1);
  await second.close();
  own.remove();
});
