import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Sandbox } from '../../src/sandbox/server.ts';
import { control, freshFile, hangUp, rows, start, until, type Wire } from './rig.ts';
import { complete, outcome, pay, type Square, squareCalls } from './square-rig.ts';

vi.setConfig({ maxConcurrency: 80 });

const file = freshFile();
let sandbox: Sandbox;
let square: Square;

beforeAll(async () => {
  sandbox = await start(file.path);
  square = squareCalls(sandbox);
});
afterAll(async () => {
  await sandbox.close();
  file.remove();
});

type Expected = {
  word: string;
  /** The answer, or the status of the payment in a 200. */
  first: Wire['status'] | string;
  code?: string;
  /** The answer to the same call right after the first. */
  second: Wire['status'] | string;
  last: string;
  book: string[];
};

const paid = { last: 'COMPLETED', book: ['in'] };
const lost = { second: 'COMPLETED', ...paid };

/** What a call that takes the money does; a repeat of the first of one step gives the first answer again. */
const words: Expected[] = [
  { word: 'ok', first: 'COMPLETED', ...lost },
  { word: 'decline', first: 400, code: 'GENERIC_DECLINE', second: 400, last: 'FAILED', book: [] },
  { word: 'insufficient', first: 400, code: 'INSUFFICIENT_FUNDS', second: 400, last: 'FAILED', book: [] },
  { word: 'error_before', first: 503, code: 'SERVICE_UNAVAILABLE', ...lost },
  { word: 'paid_then_500', first: 500, code: 'INTERNAL_SERVER_ERROR', ...lost },
  { word: 'timeout_before', first: 'none', ...lost },
  { word: 'paid_then_timeout', first: 'none', ...lost },
  { word: 'paid_then_reset', first: 'reset', ...lost },
  { word: 'hidden', first: 'none', ...paid, second: 409 },
  { word: 'html', first: 502, ...lost },
  { word: 'rate_limit', first: 429, code: 'RATE_LIMITED', ...lost },
  { word: 'slow', first: 'none', ...lost },
  { word: 'pending', first: 'PENDING', second: 'PENDING', ...paid },
  { word: 'pending_then_fail', first: 'PENDING', second: 'PENDING', last: 'FAILED', book: [] },
  { word: 'never', first: 'PENDING', second: 'PENDING', last: 'PENDING', book: [] },
  { word: 'bounce', first: 'COMPLETED', second: 'COMPLETED', last: 'FAILED', book: ['in', 'return'] },
  { word: 'dispute_won', first: 'COMPLETED', ...lost, book: ['in', 'dispute', 'dispute_won'] },
  { word: 'dispute_lost', first: 'COMPLETED', ...lost, book: ['in', 'dispute'] },
];

async function settles(key: string, id: string, { last, book }: Expected): Promise<void> {
  const booked = await until(
    () => rows(sandbox, key),
    (made) => made.length >= book.length,
  );
  expect(booked.map((row) => row.direction)).toEqual(book);
  for (const row of booked) {
    expect(row).toMatchObject({
      provider: 'square',
      key,
      call_key: key,
      extern_id: id,
      amount: '1500',
      currency: 'USD',
    });
  }
  const found = await until(
    () => square.get(`/payments/${id}`),
    (answer) => answer.json.payment?.status === last,
  );
  expect(found.json.payment).toMatchObject({ id, reference_id: key, amount_money: { amount: 1500, currency: 'USD' } });
}

describe.concurrent('each behaviour word does on a payment in one step what the table says', () => {
  test.each(words)('$word', async (expected) => {
    const { word, first, code, second } = expected;
    const key = randomUUID();
    const order = { key, source: `tok_${word}_7` };
    const one = await hangUp(sandbox, key, (giveUp) => pay(square, { ...order, giveUp }));
    expect(outcome(one)).toBe(first);
    if (code) expect(one.json.errors[0].code).toBe(code);
    const two = await pay(square, order);
    expect(outcome(two)).toBe(second);
    const three = await until(
      () => pay(square, order),
      (answer) => answer.status !== 409,
    );
    await settles(key, three.json.payment.id, expected);
  });

  test('error_stored keeps its 500 under the key and takes nothing', async () => {
    const key = randomUUID();
    const order = { key, source: 'tok_error_stored' };
    for (const answer of [await pay(square, order), await pay(square, order)]) {
      expect([answer.status, answer.json.errors[0].category]).toEqual([500, 'API_ERROR']);
    }
    const voided = await square.post('/payments/cancel', { idempotency_key: key });
    expect([voided.status, voided.json]).toEqual([200, {}]);
    expect(rows(sandbox, key)).toEqual([]);
  });
});

describe.concurrent('each behaviour word does on completing a payment what the table says', () => {
  test.each(words)('$word', async (expected) => {
    const { word, first, code, second } = expected;
    const key = randomUUID();
    const reserved = await pay(square, { key, source: `tok_${word}_7`, autocomplete: false });
    expect(outcome(reserved)).toBe('APPROVED');
    expect(rows(sandbox, key)).toEqual([]);
    const { id } = reserved.json.payment;
    const one = await hangUp(sandbox, key, (giveUp) => complete(square, id, giveUp));
    expect(outcome(one)).toBe(first);
    if (code) expect(one.json.errors[0].code).toBe(code);
    expect(outcome(await complete(square, id))).toBe(second);
    await settles(key, id, expected);
  });

  test('error_stored goes on failing until the reserved payment is cancelled', async () => {
    const key = randomUUID();
    const { id } = (await pay(square, { key, source: 'tok_error_stored', autocomplete: false })).json.payment;
    expect([(await complete(square, id)).status, (await complete(square, id)).status]).toEqual([500, 500]);
    expect((await square.get(`/payments/${id}`)).json.payment.status).toBe('APPROVED');
    expect(outcome(await square.post(`/payments/${id}/cancel`, {}))).toBe('CANCELED');
    expect((await complete(square, id)).status).toBe(400);
    expect(rows(sandbox, key)).toEqual([]);
  });

  test('hidden money is in the book while reads still show the payment reserved', async () => {
    const key = randomUUID();
    const { id } = (await pay(square, { key, source: 'tok_hidden', autocomplete: false })).json.payment;
    await hangUp(sandbox, key, (giveUp) => complete(square, id, giveUp));
    expect(rows(sandbox, key)).toHaveLength(1);
    expect((await square.get(`/payments/${id}`)).json.payment.status).toBe('APPROVED');
    expect((await square.post(`/payments/${id}/cancel`, {})).status).toBe(409);
    await until(
      () => square.get(`/payments/${id}`),
      (answer) => answer.json.payment.status === 'COMPLETED',
    );
  });
});

describe.concurrent('a word after reserve_ acts on the first of two steps', () => {
  type Reserved = { word: string; first: Wire['status'] | string; second: Wire['status'] | string };
  const reserved: Reserved[] = [
    { word: 'error_before', first: 503, second: 'APPROVED' },
    { word: 'timeout_before', first: 'none', second: 'APPROVED' },
    { word: 'html', first: 502, second: 'APPROVED' },
    { word: 'rate_limit', first: 429, second: 'APPROVED' },
    { word: 'paid_then_500', first: 500, second: 'APPROVED' },
    { word: 'paid_then_timeout', first: 'none', second: 'APPROVED' },
    { word: 'paid_then_reset', first: 'reset', second: 'APPROVED' },
  ];

  test.each(reserved)('reserve_$word', async ({ word, first, second }) => {
    const key = randomUUID();
    const order = { key, source: `tok_reserve_${word}`, autocomplete: false };
    const one = await hangUp(sandbox, key, (giveUp) => pay(square, { ...order, giveUp }));
    expect(outcome(one)).toBe(first);
    const two = await pay(square, order);
    expect(outcome(two)).toBe(second);
    expect(rows(sandbox, key)).toEqual([]);
    expect(outcome(await complete(square, two.json.payment.id))).toBe('COMPLETED');
    expect(rows(sandbox, key)).toHaveLength(1);
  });

  test('a reservation whose answer is lost is voided by its key', async () => {
    const key = randomUUID();
    const order = { key, source: 'tok_reserve_paid_then_timeout', autocomplete: false };
    await hangUp(sandbox, key, (giveUp) => pay(square, { ...order, giveUp }));
    expect((await square.post('/payments/cancel', { idempotency_key: key })).json).toEqual({});
    const { id } = (await pay(square, order)).json.payment;
    expect((await square.get(`/payments/${id}`)).json.payment.status).toBe('CANCELED');
    expect((await complete(square, id)).status).toBe(400);
    expect(rows(sandbox, key)).toEqual([]);
  });

  test.each([
    { word: 'error_stored', status: 500, code: 'INTERNAL_SERVER_ERROR' },
    { word: 'decline', status: 400, code: 'GENERIC_DECLINE' },
    { word: 'insufficient', status: 400, code: 'INSUFFICIENT_FUNDS' },
  ])('reserve_$word is final for its key', async ({ word, status, code }) => {
    const key = randomUUID();
    for (let number = 0; number < 2; number += 1) {
      const refused = await pay(square, { key, source: `tok_reserve_${word}`, autocomplete: false });
      expect([refused.status, refused.json.errors[0].code]).toEqual([status, code]);
    }
    expect((await square.post('/payments/cancel', { idempotency_key: key })).status).toBe(200);
    expect(rows(sandbox, key)).toEqual([]);
  });
});

describe.concurrent('a buyer who must act', () => {
  test.each([true, false])('is waited for, with autocomplete %s', async (autocomplete) => {
    const key = randomUUID();
    const made = await pay(square, { key, source: 'tok_action_1', autocomplete });
    const { id } = made.json.payment;
    expect(outcome(made)).toBe('PENDING');
    if (!autocomplete) expect((await complete(square, id)).status).toBe(400);
    expect(rows(sandbox, key)).toEqual([]);
    await control(sandbox, 'POST', `/approve/${id}`);
    expect((await square.get(`/payments/${id}`)).json.payment.status).toBe(autocomplete ? 'COMPLETED' : 'APPROVED');
    if (!autocomplete) expect(outcome(await complete(square, id))).toBe('COMPLETED');
    expect(rows(sandbox, key)).toHaveLength(1);
  });

  test('and never comes back is given up', async () => {
    const own = freshFile();
    const box = await start(own.path);
    await control(box, 'POST', '/abandon', { ms: 0 });
    const calls = squareCalls(box);
    const { id } = (await pay(calls, { key: randomUUID(), source: 'tok_abandon', autocomplete: false })).json.payment;
    await until(
      () => calls.get(`/payments/${id}`),
      (answer) => answer.json.payment.status === 'CANCELED',
    );
    expect((await complete(calls, id)).status).toBe(400);
    expect(box.book()).toEqual([]);
    await box.close();
    own.remove();
  });
});
