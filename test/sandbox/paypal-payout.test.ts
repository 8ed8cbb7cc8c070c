import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Sandbox } from '../../src/sandbox/server.ts';
import { captured, payOut, paypal, refund, signIn } from './paypal-rig.ts';
import { control, freshFile, hangUp, rows, send, start, until, type Wire } from './rig.ts';

vi.setConfig({ maxConcurrency: 40 });

const file = freshFile();
let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await start(file.path);
});
afterAll(async () => {
  await sandbox.close();
  file.remove();
});

const directions = (key: string) => rows(sandbox, key).map((row) => row.direction);
const getBatch = (id: string) => paypal(sandbox, 'GET', `/v1/payments/payouts/${id}`);

/** The batch that a duplicate is refused for, by the link in the refusal. */
function firstBatch({ json }: Wire): string {
  expect(json).toMatchObject({ name: 'USER_BUSINESS_ERROR', details: [{ field: 'SENDER_BATCH_ID' }] });
  return json.links[0].href.split('/').at(-1);
}

type Expected = {
  word: string;
  first: Wire['status'];
  second: Wire['status'];
  /** The item's status in the end; null: there is no batch. */
  item: string | null;
  book: string[];
};

const paid = { second: 400, item: 'SUCCESS', book: ['out'] };
const words: Expected[] = [
  { word: 'ok', first: 201, ...paid },
  { word: 'decline', first: 201, ...paid, item: 'FAILED', book: [] },
  { word: 'insufficient', first: 422, second: 422, item: null, book: [] },
  { word: 'error_before', first: 503, ...paid, second: 201 },
  { word: 'error_stored', first: 500, ...paid, second: 201 },
  { word: 'paid_then_500', first: 500, ...paid },
  { word: 'timeout_before', first: 'none', ...paid, second: 201 },
  { word: 'paid_then_timeout', first: 'none', ...paid },
  { word: 'paid_then_reset', first: 'reset', ...paid },
  { word: 'hidden', first: 'none', ...paid, second: 409 },
  { word: 'html', first: 502, ...paid, second: 201 },
  { word: 'rate_limit', first: 429, ...paid, second: 201 },
  { word: 'slow', first: 'none', ...paid },
  { word: 'pending', first: 201, ...paid },
  { word: 'pending_then_fail', first: 201, ...paid, item: 'FAILED', book: [] },
  { word: 'never', first: 201, ...paid, item: 'UNCLAIMED', book: [] },
  { word: 'bounce', first: 201, ...paid, item: 'RETURNED', book: ['out', 'return'] },
  { word: 'action', first: 201, ...paid },
];

describe('each behaviour word does on a payout what the table says', () => {
  test.concurrent.each(words)('$word', async ({ word, first, second, item, book }) => {
    const key = randomUUID();
    const call = { key, receiver: `seller_${word}_1@example.com` };
    const one = await hangUp(sandbox, key, (giveUp) => payOut(sandbox, { ...call, giveUp }));
    expect(one.status).toBe(first);
    expect((await payOut(sandbox, call)).status).toBe(second);
    if (item !== null) {
      const repeated = await until(
        () => payOut(sandbox, call),
        (answer) => answer.status === 400,
      );
      const id = firstBatch(repeated);
      const ended = await until(
        () => getBatch(id),
        (answer) => answer.json.items[0].transaction_status === item && directions(key).length === book.length,
      );
      expect(ended.json.batch_header).toMatchObject({
        batch_status: 'SUCCESS',
        sender_batch_header: { sender_batch_id: key },
      });
      const [own] = ended.json.items;
      expect(own).toMatchObject({
        sender_batch_id: key,
        payout_item: { sender_item_id: key, receiver: call.receiver },
      });
      expect((await paypal(sandbox, 'GET', `/v1/payments/payouts-item/${own.payout_item_id}`)).json).toEqual(own);
      for (const row of rows(sandbox, key)) expect(row).toMatchObject({ key, call_key: key, extern_id: id });
    }
    expect(directions(key)).toEqual(book);
  });

  test.concurrent('a hidden payout is not found until it appears', async () => {
    const key = randomUUID();
    await hangUp(sandbox, key, (giveUp) => payOut(sandbox, { key, receiver: 'P_hidden_1', giveUp }));
    const [row] = rows(sandbox, key);
    expect((await getBatch(row?.extern_id ?? '')).status).toBe(404);
    await until(
      () => getBatch(row?.extern_id ?? ''),
      (answer) => answer.status === 200,
    );
  });
});

test('an unclaimed item can be cancelled, a paid one cannot', async () => {
  const item = async (receiver: string) => {
    const { json } = await payOut(sandbox, { key: randomUUID(), receiver });
    return (await getBatch(json.batch_header.payout_batch_id)).json.items[0].payout_item_id;
  };
  const cancel = async (id: string) => paypal(sandbox, 'POST', `/v1/payments/payouts-item/${id}/cancel`);
  const waiting = await item('+15551234567');
  expect((await cancel(waiting)).status).toBe(400);
  const unclaimed = await item('seller_never_1@example.com');
  const canceled = await cancel(unclaimed);
  expect([canceled.status, canceled.json.transaction_status]).toEqual([200, 'RETURNED']);
});

test('another payout under the same batch id is refused with a link to the first', async () => {
  const key = randomUUID();
  const made = await payOut(sandbox, { key, receiver: 'P_ok_1' });
  const other = await payOut(sandbox, { key, receiver: 'P_ok_2', value: '9.00' });
  expect(firstBatch(other)).toBe(made.json.batch_header.payout_batch_id);
  expect(rows(sandbox, key)).toMatchObject([{ amount: '1500', destination: 'P_ok_1' }]);
});

test.each([
  { receiver: 'bob', type: 'EMAIL', says: 'receiver' },
  { receiver: '+1555', type: 'PIGEON', says: 'recipient_type' },
  { receiver: 'bob@example.com', type: 'EMAIL', value: '1.5', currency: 'HUF', says: 'no decimals' },
  { receiver: 'bob@example.com', type: 'EMAIL', value: '1', currency: 'KWD', says: 'KWD' },
])(
  'a payout to $receiver as $type is refused: $says',
  async ({ receiver, type, value = '1', currency = 'USD', says }) => {
    const items = [{ recipient_type: type, receiver, amount: { value, currency } }];
    const body = { sender_batch_header: { sender_batch_id: randomUUID() }, items };
    const answer = await paypal(sandbox, 'POST', '/v1/payments/payouts', { body });
    expect(answer.status).toBe(400);
    expect(answer.json.name).toBe('VALIDATION_ERROR');
    expect(answer.json.details[0].description).toContain(says);
  },
);

describe('sign-in', () => {
  test('needs credentials, and every call needs its token', async () => {
    const refused = await send(sandbox, 'POST', '/paypal/v1/oauth2/token', { body: 'grant_type=client_credentials' });
    expect([refused.status, refused.json.error]).toEqual([401, 'invalid_client']);
    const bare = await send(sandbox, 'GET', '/paypal/v1/reporting/balances');
    expect([bare.status, bare.json.name]).toEqual([401, 'AUTHENTICATION_FAILURE']);
    const forged = await paypal(sandbox, 'GET', '/v1/reporting/balances', { token: 'A21AA-0-zzzzzzzz-0' });
    expect([forged.status, forged.json.error]).toEqual([401, 'invalid_token']);
  });

  test('gives tokens that outlive a restart, expire, and can be voided', async () => {
    const own = freshFile();
    const first = await start(own.path);
    const token = await signIn(first);
    await first.close();
    const second = await start(own.path);
    const ask = async (one: string) => (await paypal(second, 'GET', '/v1/reporting/balances', { token: one })).status;
    expect(await ask(token)).toBe(200);
    await control(second, 'POST', '/tokens', { revoke: true });
    expect(await ask(token)).toBe(401);
    expect(await ask(await signIn(second))).toBe(200);
    await control(second, 'POST', '/tokens', { ms: 1 });
    const brief = await signIn(second);
    await until(
      () => ask(brief),
      (status) => status === 401,
    );
    await second.close();
    own.remove();
  });
});

test('the balance follows the book, fees and all', async () => {
  const own = freshFile();
  const charging = await start(own.path);
  await control(charging, 'POST', '/fees', { paypal: { percent: '3.49', fixed: '49' } });
  const { captureId } = await captured(charging, { key: randomUUID(), payer: 'tok_ok', value: '100.00' });
  const capture = await paypal(charging, 'GET', `/v2/payments/captures/${captureId}`);
  expect(capture.json.seller_receivable_breakdown).toEqual({
    gross_amount: { currency_code: 'USD', value: '100.00' },
    paypal_fee: { currency_code: 'USD', value: '3.98' },
    net_amount: { currency_code: 'USD', value: '96.02' },
  });
  await refund(charging, captureId, { key: randomUUID(), value: '30.00' });
  await payOut(charging, { key: randomUUID(), receiver: 'P_ok_1', value: '6.00' });
  const { json } = await paypal(charging, 'GET', '/v1/reporting/balances?currency_code=USD');
  expect(json.balances.map((one: { available_balance: object }) => one.available_balance)).toEqual([
    { currency_code: 'USD', value: '10000000000060.02' },
  ]);
  expect(charging.book().map((row) => [row.direction, row.amount])).toEqual([
    ['in', '10000'],
    ['fee', '398'],
    ['refund', '3000'],
    ['out', '600'],
  ]);
  await charging.close();
  own.remove();
});
