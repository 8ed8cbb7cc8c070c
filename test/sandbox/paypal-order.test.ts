import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Sandbox } from '../../src/sandbox/server.ts';
import { captured, captureOrder, createOrder, paypal, refund } from './paypal-rig.ts';
import { control, freshFile, hangUp, rows, start, until, type Wire } from './rig.ts';

vi.setConfig({ maxConcurrency: 50 });

const file = freshFile();
let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await start(file.path);
});
afterAll(async () => {
  await sandbox.close();
  file.remove();
});

const getOrder = (id: string) => paypal(sandbox, 'GET', `/v2/checkout/orders/${id}`);
const directions = (key: string) => rows(sandbox, key).map((row) => row.direction);

function captureIn({ json }: Wire) {
  return json?.purchase_units?.[0].payments?.captures[0];
}

type Expected = {
  word: string;
  first: Wire['status'];
  /** The same capture right after the first, and in the end. */
  second: Wire['status'];
  last: number;
  /** What the order ends as; null: it is gone. And its capture; null: it has none. */
  order: string | null;
  capture: string | null;
  book: string[];
};

const completed = { second: 200, last: 200, order: 'COMPLETED', capture: 'COMPLETED', book: ['in'] };
const refused = { second: 422, last: 422, order: 'APPROVED', capture: null, book: [] };
const words: Expected[] = [
  { word: 'ok', first: 201, ...completed },
  { word: 'decline', first: 422, ...refused },
  { word: 'insufficient', first: 422, ...refused },
  { word: 'error_before', first: 503, ...completed, second: 201 },
  { word: 'error_stored', first: 500, ...completed, second: 201 },
  { word: 'paid_then_500', first: 500, ...completed },
  { word: 'timeout_before', first: 'none', ...completed, second: 201 },
  { word: 'paid_then_timeout', first: 'none', ...completed },
  { word: 'paid_then_reset', first: 'reset', ...completed },
  { word: 'hidden', first: 'none', ...completed, second: 409 },
  { word: 'html', first: 502, ...completed, second: 201 },
  { word: 'rate_limit', first: 429, ...completed, second: 201 },
  { word: 'slow', first: 'none', ...completed },
  { word: 'pending', first: 201, ...completed },
  { word: 'pending_then_fail', first: 201, ...completed, capture: 'DECLINED', book: [] },
  { word: 'never', first: 201, ...completed, capture: 'PENDING', book: [] },
  { word: 'bounce', first: 201, ...completed, capture: 'REFUNDED', book: ['in', 'return'] },
  { word: 'action', first: 422, ...refused, order: 'PAYER_ACTION_REQUIRED' },
  { word: 'abandon', first: 422, ...refused, order: null, last: 404 },
  { word: 'dispute_won', first: 201, ...completed, book: ['in', 'dispute', 'dispute_won'] },
  { word: 'dispute_lost', first: 201, ...completed, book: ['in', 'dispute'] },
];

describe('each behaviour word does on a capture what the table says', () => {
  test.concurrent.each(words)('$word', async ({ word, first, second, last, order, capture, book }) => {
    const key = randomUUID();
    const step = randomUUID();
    const created = await createOrder(sandbox, { key, payer: `tok_${word}_7` });
    expect(created.status).toBe(201);
    const { id } = created.json;
    expect(directions(key)).toEqual([]);
    const one = await hangUp(sandbox, step, (giveUp) => captureOrder(sandbox, id, { key: step, giveUp }));
    expect(one.status).toBe(first);
    expect((await captureOrder(sandbox, id, { key: step })).status).toBe(second);
    const ended = await until(
      () => getOrder(id),
      (seen) =>
        order === null
          ? seen.status === 404
          : seen.json.status === order && (captureIn(seen)?.status ?? null) === capture,
    );
    await until(
      () => directions(key),
      (made) => made.length >= book.length,
    );
    expect(directions(key)).toEqual(book);
    expect((await captureOrder(sandbox, id, { key: step })).status).toBe(last);
    for (const row of rows(sandbox, key)) {
      expect(row).toMatchObject({ provider: 'paypal', call_key: step, extern_id: id, amount: '1500', currency: 'USD' });
    }
    if (capture === null) return;
    const read = await paypal(sandbox, 'GET', `/v2/payments/captures/${captureIn(ended).id}`);
    expect(read.json).toEqual(captureIn(ended));
  });

  test.concurrent('hidden money is in the book while the order shows no capture', async () => {
    const key = randomUUID();
    const { id } = (await createOrder(sandbox, { key, payer: 'tok_hidden' })).json;
    await hangUp(sandbox, `${key}-c`, (giveUp) => captureOrder(sandbox, id, { key: `${key}-c`, giveUp }));
    expect(directions(key)).toEqual(['in']);
    expect((await getOrder(id)).json.status).toBe('APPROVED');
  });

  test.concurrent('a decline names its issue', async () => {
    const { id } = (await createOrder(sandbox, { key: randomUUID(), payer: 'tok_decline' })).json;
    const { json } = await captureOrder(sandbox, id, { key: randomUUID() });
    expect(json).toMatchObject({ name: 'UNPROCESSABLE_ENTITY', details: [{ issue: 'INSTRUMENT_DECLINED' }] });
    expect(json.debug_id).toMatch(/^[0-9a-f]{13}$/);
  });
});

describe('a buyer', () => {
  test.concurrent('approves once, twice, late or never, and only the capture moves money', async () => {
    const key = randomUUID();
    const created = await createOrder(sandbox, { key, payer: 'tok_action' });
    const { id, links } = created.json;
    const link = links.find((one: { rel: string }) => one.rel === 'payer-action');
    expect(link.href).toBe(`${sandbox.url}/_sandbox/approve/${id}`);
    const early = await captureOrder(sandbox, id, { key: `${key}-c` });
    expect(early.json.details[0].issue).toBe('ORDER_NOT_APPROVED');
    for (let click = 0; click < 2; click += 1) {
      expect((await control(sandbox, 'POST', `/approve/${id}`)).json).toEqual({ extern_id: id, status: 'approved' });
    }
    expect((await getOrder(id)).json.status).toBe('APPROVED');
    expect(directions(key)).toEqual([]);
    expect((await captureOrder(sandbox, id, { key: `${key}-c` })).status).toBe(201);
    expect(directions(key)).toEqual(['in']);
    const again = await captureOrder(sandbox, id, { key: randomUUID() });
    expect(again.json.details[0].issue).toBe('ORDER_ALREADY_CAPTURED');
  });

  test.concurrent('without a payment source gets an order to approve', async () => {
    const body = {
      intent: 'CAPTURE',
      payer: { email_address: 'buyer_action_1@example.com' },
      purchase_units: [{ amount: { currency_code: 'JPY', value: '700' } }],
    };
    const { json } = await paypal(sandbox, 'POST', '/v2/checkout/orders', { body });
    expect(json.status).toBe('CREATED');
    expect(json.links.map((one: { rel: string }) => one.rel)).toEqual(['self', 'approve']);
  });
});

describe('idempotency', () => {
  test.concurrent('a repeated order answers 200 with how it stands, another body under its id is refused', async () => {
    const key = randomUUID();
    const order = { key, payer: 'tok_ok_1' };
    const { json } = await createOrder(sandbox, order);
    await captureOrder(sandbox, json.id, { key });
    const again = await createOrder(sandbox, order);
    expect([again.status, again.json.id, again.json.status]).toEqual([200, json.id, 'COMPLETED']);
    const other = await createOrder(sandbox, { ...order, value: '15.01' });
    expect(other.json.details[0].issue).toBe('PAYPAL_REQUEST_ID_PREVIOUSLY_USED');
    expect(directions(key)).toEqual(['in']);
  });

  test('a forgotten id makes another order, and never another capture', async () => {
    const own = freshFile();
    const forgetful = await start(own.path);
    const order = { key: randomUUID(), payer: 'tok_ok_1' };
    const { json } = await createOrder(forgetful, order);
    const first = await captureOrder(forgetful, json.id, { key: 'c' });
    expect(first.status).toBe(201);
    await control(forgetful, 'POST', '/retention', { ms: 0 });
    expect((await captureOrder(forgetful, json.id, { key: 'c' })).json.details[0].issue).toBe('ORDER_ALREADY_CAPTURED');
    expect((await createOrder(forgetful, order)).json.id).not.toBe(json.id);
    expect(forgetful.book()).toHaveLength(1);
    await forgetful.close();
    own.remove();
  });
});

describe('requests are held to the specification and to PayPal’s currencies', () => {
  test.each([
    { value: '15.00', currency: 'KWD', issue: 'CURRENCY_NOT_SUPPORTED' },
    { value: '15.50', currency: 'HUF', issue: 'DECIMALS_NOT_SUPPORTED' },
    { value: '15.0', currency: 'JPY', issue: 'DECIMALS_NOT_SUPPORTED' },
    { value: '1.005', currency: 'USD', issue: 'DECIMAL_PRECISION' },
    { value: '0.00', currency: 'USD', issue: 'CANNOT_BE_ZERO_OR_NEGATIVE' },
  ])('$value $currency is refused as $issue', async ({ value, currency, issue }) => {
    const refusal = await createOrder(sandbox, { key: randomUUID(), payer: 'tok_ok', value, currency });
    expect([refusal.status, refusal.json.details[0].issue]).toEqual([422, issue]);
  });

  test.each([
    { value: '1500', currency: 'JPY', minor: '1500' },
    { value: '1500', currency: 'HUF', minor: '150000' },
    { value: '1500', currency: 'TWD', minor: '150000' },
    { value: '15.5', currency: 'EUR', minor: '1550' },
  ])('$value $currency is $minor minor units in the book', async ({ value, currency, minor }) => {
    const key = randomUUID();
    await captured(sandbox, { key, payer: 'tok_ok', value, currency });
    expect(rows(sandbox, key)).toMatchObject([{ amount: minor, currency }]);
  });

  test.each([
    { name: 'no purchase units', body: { intent: 'CAPTURE' }, field: '/purchase_units' },
    { name: 'an unknown intent', body: { intent: 'GIFT', purchase_units: [] }, field: '/intent' },
    { name: 'a text for a list', body: { intent: 'CAPTURE', purchase_units: 'x' }, field: '/purchase_units' },
  ])('$name is refused', async ({ body, field }) => {
    const answer = await paypal(sandbox, 'POST', '/v2/checkout/orders', { key: randomUUID(), body });
    expect(answer.status).toBe(400);
    expect(answer.json).toMatchObject({ name: 'INVALID_REQUEST', details: [{ field, location: 'body' }] });
  });
});

type RefundCase = { word: string; first: Wire['status']; second: Wire['status']; last: string | null; book: string[] };
const refundWords: RefundCase[] = [
  { word: 'ok', first: 201, second: 200, last: 'COMPLETED', book: ['refund'] },
  { word: 'decline', first: 422, second: 422, last: null, book: [] },
  { word: 'insufficient', first: 422, second: 422, last: null, book: [] },
  { word: 'error_stored', first: 500, second: 201, last: 'COMPLETED', book: ['refund'] },
  { word: 'paid_then_500', first: 500, second: 200, last: 'COMPLETED', book: ['refund'] },
  { word: 'timeout_before', first: 'none', second: 201, last: 'COMPLETED', book: ['refund'] },
  { word: 'paid_then_reset', first: 'reset', second: 200, last: 'COMPLETED', book: ['refund'] },
  { word: 'hidden', first: 'none', second: 409, last: 'COMPLETED', book: ['refund'] },
  { word: 'pending', first: 201, second: 200, last: 'COMPLETED', book: ['refund'] },
  { word: 'pending_then_fail', first: 201, second: 200, last: 'FAILED', book: [] },
  { word: 'never', first: 201, second: 200, last: 'PENDING', book: [] },
  { word: 'bounce', first: 201, second: 200, last: 'FAILED', book: ['refund', 'return'] },
];

describe('refunds', () => {
  test.concurrent.each(refundWords)('of a payer with refund_$word', async ({ word, first, second, last, book }) => {
    const { captureId } = await captured(sandbox, { key: randomUUID(), payer: `tok_refund_${word}` });
    const key = randomUUID();
    const call = { key, value: '5.00' };
    const one = await hangUp(sandbox, key, (giveUp) => refund(sandbox, captureId, { ...call, giveUp }));
    expect(one.status).toBe(first);
    expect((await refund(sandbox, captureId, call)).status).toBe(second);
    if (last !== null) {
      const id = await until(
        () => refund(sandbox, captureId, call),
        (answer) => answer.status === 200,
      );
      await until(
        () => paypal(sandbox, 'GET', `/v2/payments/refunds/${id.json.id}`),
        (answer) => answer.json.status === last && directions(key).length === book.length,
      );
    }
    expect(directions(key)).toEqual(book);
  });

  test.concurrent('take parts up to the whole, and then the capture says so', async () => {
    const key = randomUUID();
    const { captureId } = await captured(sandbox, { key, payer: 'tok_ok_1' });
    expect((await refund(sandbox, captureId, { key: randomUUID(), value: '10.00' })).status).toBe(201);
    const status = async () => (await paypal(sandbox, 'GET', `/v2/payments/captures/${captureId}`)).json.status;
    expect(await status()).toBe('PARTIALLY_REFUNDED');
    const much = await refund(sandbox, captureId, { key: randomUUID(), value: '5.01' });
    expect(much.json.details[0].issue).toBe('REFUND_AMOUNT_EXCEEDED');
    const rest = await refund(sandbox, captureId, { key: randomUUID() });
    expect(rest.json.amount).toEqual({ currency_code: 'USD', value: '5.00' });
    expect(await status()).toBe('REFUNDED');
    const more = await refund(sandbox, captureId, { key: randomUUID() });
    expect(more.json.details[0].issue).toBe('CAPTURE_FULLY_REFUNDED');
  });

  test.concurrent('fifty at once go exactly as far as the money does', async () => {
    const { captureId } = await captured(sandbox, { key: randomUUID(), payer: 'tok_ok_1', value: '100.00' });
    const calls = Array.from({ length: 50 }, () => refund(sandbox, captureId, { key: randomUUID(), value: '10.00' }));
    const answers = await Promise.all(calls);
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(10);
  });
});
