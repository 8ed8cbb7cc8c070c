import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Sandbox } from '../../src/sandbox/server.ts';
import { control, freshFile, hangUp, receiver, rows, start, until, type Wire } from './rig.ts';
import { plain, type Tipalti, tipaltiCalls } from './tipalti-rig.ts';

vi.setConfig({ maxConcurrency: 30 });

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

/** A payment that the test has watched for long enough is cleared. */
function statusOf({ status }: { status: string }): string {
  return status === 'Cleared' ? 'Paid' : status;
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
    const one = await hangUp(sandbox, plain(key), (giveUp) => tipalti.pay({ ...order, giveUp }));
    expect(one.status).toBe(first);
    expect((await tipalti.pay(order)).status).toBe(second);
    const found = await until(
      () => tipalti.lookUp(key),
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
    await hangUp(sandbox, plain(key), (giveUp) => tipalti.pay({ key, payeeId: 'p_hidden', giveUp }));
    const [row] = rows(sandbox, key);
    expect(await tipalti.lookUp(key)).toEqual([]);
    expect((await tipalti.get(`/payments/${row?.extern_id}`)).status).toBe(404);
    await until(
      () => tipalti.lookUp(key),
      (items) => items.length === 1,
    );
  });

  test.concurrent('a payment that does not come back is paid first, and cleared later', async () => {
    const key = randomUUID();
    const { json } = await tipalti.pay({ key, payeeId: 'p_1' });
    expect(json.paymentInstructions[0].status).toBe('Paid');
    await until(
      () => tipalti.lookUp(key),
      ([payment]) => payment.status === 'Cleared',
    );
    expect(rows(sandbox, key)).toHaveLength(1);
  });

  test.concurrent('a 429 says how long to wait', async () => {
    const refused = await tipalti.pay({ key: randomUUID(), payeeId: 'p_rate_limit' });
    expect([refused.headers.get('retry-after'), refused.json.code]).toEqual(['1', 'TooManyRequests']);
  });
});

function about(key: string): URLSearchParams[] {
  return inbox.received.filter(({ body }) => body.includes(plain(key))).map(({ body }) => new URLSearchParams(body));
}

describe('the reference code', () => {
  test('a repeat answers with the first instruction and moves nothing', async () => {
    const key = randomUUID();
    const one = await tipalti.pay({ key, payeeId: 'p_1' });
    const two = await tipalti.pay({ key, payeeId: 'p_1', amount: '15' });
    expect(two.json).toEqual(one.json);
    expect(rows(sandbox, key)).toHaveLength(1);
  });

  test('the same code for another payee or amount is refused and moves nothing', async () => {
    const key = randomUUID();
    await tipalti.pay({ key, payeeId: 'p_1' });
    for (const other of [
      { payeeId: 'p_2' },
      { payeeId: 'p_1', amount: '15.01' },
      { payeeId: 'p_1', currency: 'EUR' },
    ]) {
      const refused = await tipalti.pay({ key, ...other });
      expect([refused.status, refused.json.code]).toEqual([400, 'RefCodeReused']);
    }
    expect(rows(sandbox, key)).toHaveLength(1);
  });

  test('a forgotten code pays again, and the look-up shows both payments', async () => {
    const own = freshFile();
    const forgetful = await start(own.path);
    await control(forgetful, 'POST', '/retention', { ms: 0 });
    const key = randomUUID();
    const calls = await tipaltiCalls(forgetful);
    await calls.pay({ key, payeeId: 'p_1' });
    await calls.pay({ key, payeeId: 'p_1' });
    const found = await calls.lookUp(key);
    expect(rows(forgetful, key)).toHaveLength(2);
    expect(found).toHaveLength(2);
    await forgetful.close();
    own.remove();
  });
});
