// Demobank as the sandbox plays it: two calls, behaviour words and idempotency keys.

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Sandbox } from '../../src/sandbox/server.ts';
import { bank, control, createPayment, freshFile, hangUp, rows, send, start, until, type Wire } from './rig.ts';

vi.setConfig({ maxConcurrency: 30 });

const file = freshFile();
let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await start(file.path);
});
afterAll(async () => {
  await sandbox.close();
  file.remove();
});

function confirm(id: string, key: string): Promise<Wire> {
  return hangUp(sandbox, key, (giveUp) => bank(sandbox, 'POST', `/payments/${id}/confirm`, { key, body: {}, giveUp }));
}

type Expected = {
  word: string;
  first: Wire['status'];
  /** The answer to the same confirmation right after the first. */
  second: Wire['status'];
  /** What the payment ends as, and what its key then answers. */
  status: string;
  last: number;
  book: string[];
};

const words: Expected[] = [
  { word: 'ok', first: 200, second: 200, status: 'paid', last: 200, book: ['out'] },
  { word: 'decline', first: 402, second: 402, status: 'declined', last: 402, book: [] },
  { word: 'insufficient', first: 402, second: 402, status: 'declined', last: 402, book: [] },
  { word: 'error_before', first: 503, second: 200, status: 'paid', last: 200, book: ['out'] },
  { word: 'error_stored', first: 500, second: 500, status: 'created', last: 500, book: [] },
  { word: 'paid_then_500', first: 500, second: 200, status: 'paid', last: 200, book: ['out'] },
  { word: 'timeout_before', first: 'none', second: 200, status: 'paid', last: 200, book: ['out'] },
  { word: 'paid_then_timeout', first: 'none', second: 200, status: 'paid', last: 200, book: ['out'] },
  { word: 'paid_then_reset', first: 'reset', second: 200, status: 'paid', last: 200, book: ['out'] },
  { word: 'hidden', first: 'none', second: 409, status: 'paid', last: 200, book: ['out'] },
  { word: 'html', first: 502, second: 200, status: 'paid', last: 200, book: ['out'] },
  { word: 'rate_limit', first: 429, second: 200, status: 'paid', last: 200, book: ['out'] },
  { word: 'slow', first: 'none', second: 200, status: 'paid', last: 200, book: ['out'] },
  { word: 'pending', first: 200, second: 200, status: 'paid', last: 200, book: ['out'] },
  { word: 'pending_then_fail', first: 200, second: 200, status: 'declined', last: 402, book: [] },
  { word: 'never', first: 200, second: 200, status: 'pending', last: 200, book: [] },
  { word: 'bounce', first: 200, second: 200, status: 'returned', last: 200, book: ['out', 'return'] },
  { word: 'dispute_won', first: 200, second: 200, status: 'paid', last: 200, book: ['out'] },
];

describe('each behaviour word does on a confirmation what the table says', () => {
  test.concurrent.each(words)('$word', async ({ word, first, second, status, last, book }) => {
    const key = randomUUID();
    const id = await createPayment(sandbox, { key, destination: `acct_${word}_7` });
    expect(rows(sandbox, key)).toEqual([]);
    const step = randomUUID();
    expect((await confirm(id, step)).status).toBe(first);
    expect((await confirm(id, step)).status).toBe(second);
    const ended = await until(
      () => bank(sandbox, 'GET', `/payments/${id}`),
      (answer) => answer.json.status === status,
    );
    expect((await confirm(id, step)).status).toBe(last);
    const booked = rows(sandbox, key);
    expect(booked.map((row) => row.direction)).toEqual(book);
    for (const row of booked) {
      expect(row).toMatchObject({ provider: 'demobank', key, call_key: step, extern_id: id, amount: '1500' });
    }
    expect(ended.json.returned).toBe(word === 'bounce' ? '1500' : '0');
    const found = await bank(sandbox, 'GET', `/payments?reference=${key}`);
    expect(found.json.data).toEqual([ended.json]);
  });

  test.concurrent('a refusal says why, in the answer and on the payment', async () => {
    const reasons = [
      { word: 'decline', code: 'declined' },
      { word: 'insufficient', code: 'insufficient_funds' },
    ];
    for (const { word, code } of reasons) {
      const id = await createPayment(sandbox, { key: randomUUID(), destination: `acct_${word}` });
      const refused = await confirm(id, randomUUID());
      expect(refused.json).toMatchObject({ error: { code }, payment: { id, status: 'declined', decline_code: code } });
    }
  });

  test.concurrent('hidden money is in the book while look-ups say that there is none', async () => {
    const key = randomUUID();
    const id = await createPayment(sandbox, { key, destination: 'acct_hidden' });
    await confirm(id, randomUUID());
    expect(rows(sandbox, key)).toHaveLength(1);
    expect((await bank(sandbox, 'GET', `/payments/${id}`)).json.error.code).toBe('not_found');
    expect((await bank(sandbox, 'GET', `/payments?reference=${key}`)).json.data).toEqual([]);
    expect((await confirm(id, randomUUID())).json.error.code).toBe('key_in_use');
  });
});

describe('the two calls', () => {
  test('a created payment reads as the contract says and moves nothing', async () => {
    const key = randomUUID();
    const body = { reference: key, amount: '1500', currency: 'USD', destination: 'acct_ok_1' };
    const created = await bank(sandbox, 'POST', '/payments', { key, body });
    expect(created.status).toBe(201);
    expect(created.json).toEqual({
      id: expect.stringMatching(/^dbp_/),
      ...body,
      status: 'created',
      decline_code: null,
      returned: '0',
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    });
    const again = await bank(sandbox, 'POST', '/payments', { key, body });
    expect([again.status, again.text]).toEqual([201, created.text]);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(rows(sandbox, key)).toEqual([]);
  });

  test('a reference without dashes stands dashed in the book', async () => {
    const key = randomUUID();
    const id = await createPayment(sandbox, { key: key.replaceAll('-', ''), destination: 'acct_ok' });
    await confirm(id, randomUUID());
    expect(rows(sandbox, key)).toHaveLength(1);
  });

  test('a key on another body or another call is refused without effect', async () => {
    const key = randomUUID();
    const id = await createPayment(sandbox, { key, destination: 'acct_ok' });
    const body = { reference: key, amount: '1501', currency: 'USD', destination: 'acct_ok' };
    const other = await bank(sandbox, 'POST', '/payments', { key, body });
    const elsewhere = await confirm(id, key);
    for (const answer of [other, elsewhere])
      expect([answer.status, answer.json.error.code]).toEqual([422, 'key_reused']);
    expect(rows(sandbox, key)).toEqual([]);
  });

  test('confirming once more under a new key moves nothing', async () => {
    const key = randomUUID();
    const id = await createPayment(sandbox, { key, destination: 'acct_ok' });
    const keys = [randomUUID(), randomUUID(), randomUUID()];
    const answers = await Promise.all(keys.map((step) => confirm(id, step)));
    expect(answers.map((answer) => answer.json.status)).toEqual(['paid', 'paid', 'paid']);
    expect(rows(sandbox, key)).toHaveLength(1);
  });

  test('a cancelled payment stays cancelled and cannot be confirmed', async () => {
    const key = randomUUID();
    const id = await createPayment(sandbox, { key, destination: 'acct_ok' });
    for (const _ of ['first', 'second']) {
      const canceled = await bank(sandbox, 'POST', `/payments/${id}/cancel`);
      expect([canceled.status, canceled.json.status]).toEqual([200, 'canceled']);
    }
    const refused = await confirm(id, randomUUID());
    expect([refused.status, refused.json.error.code]).toEqual([409, 'already_canceled']);
    expect(rows(sandbox, key)).toEqual([]);
  });

  test.each(['ok', 'never', 'decline'])('a payment to "%s" cannot be cancelled once confirmed', async (word) => {
    const id = await createPayment(sandbox, { key: randomUUID(), destination: `acct_${word}` });
    await confirm(id, randomUUID());
    const refused = await bank(sandbox, 'POST', `/payments/${id}/cancel`);
    expect([refused.status, refused.json.error.code]).toEqual([409, 'already_paid']);
  });

  test('a payment whose confirmation failed for good can still be cancelled', async () => {
    const id = await createPayment(sandbox, { key: randomUUID(), destination: 'acct_error_stored' });
    await confirm(id, randomUUID());
    expect((await bank(sandbox, 'POST', `/payments/${id}/cancel`)).json.status).toBe('canceled');
  });

  test('a confirmation in flight is reported as such', async () => {
    const own = freshFile();
    const slow = await start(own.path);
    const id = await createPayment(slow, { key: randomUUID(), destination: 'acct_ok' });
    await control(slow, 'POST', '/faults', { latency_ms: 200 });
    const call = { key: randomUUID(), body: {} };
    const answers = await Promise.all([1, 2].map(() => bank(slow, 'POST', `/payments/${id}/confirm`, call)));
    expect(answers.map((answer) => answer.status).toSorted()).toEqual([200, 409]);
    expect(answers.find((answer) => answer.status === 409)?.json.error.code).toBe('key_in_use');
    expect(slow.book()).toHaveLength(1);
    await slow.close();
    own.remove();
  });

  test('a create key past its retention makes a second payment', async () => {
    const own = freshFile();
    const forgetful = await start(own.path);
    await control(forgetful, 'POST', '/retention', { ms: 0 });
    const key = randomUUID();
    const one = await createPayment(forgetful, { key, destination: 'acct_ok' });
    const two = await createPayment(forgetful, { key, destination: 'acct_ok' });
    expect(one).not.toBe(two);
    const found = await bank(forgetful, 'GET', `/payments?reference=${key}`);
    expect(found.json.data).toHaveLength(2);
    await forgetful.close();
    own.remove();
  });
});

describe('what it refuses', () => {
  const good = { reference: randomUUID(), amount: '1500', currency: 'USD', destination: 'acct_ok_1' };
  test.each([
    { name: 'an unknown field', body: { ...good, colour: 'red' } },
    { name: 'a missing field', body: { reference: good.reference, amount: '1', currency: 'USD' } },
    { name: 'a number as amount', body: { ...good, amount: 1500 } },
    { name: 'an amount of nothing', body: { ...good, amount: '0' } },
    { name: 'a fraction', body: { ...good, amount: '1.5' } },
    { name: 'a lower-case currency', body: { ...good, currency: 'usd' } },
    { name: 'a list', body: [good] },
  ])('$name', async ({ body }) => {
    const refused = await bank(sandbox, 'POST', '/payments', { key: randomUUID(), body });
    expect([refused.status, refused.json.error.code]).toEqual([400, 'invalid_request']);
  });

  test('a call without a key, without a token, or for nothing that exists', async () => {
    expect((await bank(sandbox, 'POST', '/payments', { body: good })).json.error.code).toBe('key_missing');
    expect((await send(sandbox, 'GET', '/demobank/v1/balance')).status).toBe(401);
    expect((await confirm('dbp_none', randomUUID())).json.error.code).toBe('not_found');
    expect((await bank(sandbox, 'GET', '/payments/tr_none')).status).toBe(404);
    expect((await bank(sandbox, 'GET', '/payments')).status).toBe(400);
  });
});

test('the balance is what the book leaves of the opening balance', async () => {
  const own = freshFile();
  const fresh = await start(own.path);
  const id = await createPayment(fresh, { key: randomUUID(), destination: 'acct_ok' });
  await bank(fresh, 'POST', `/payments/${id}/confirm`, { key: randomUUID(), body: {} });
  const { data } = (await bank(fresh, 'GET', '/balance')).json;
  expect(data).toContainEqual({ currency: 'USD', available: String(10n ** 15n - 1500n) });
  expect(data).toContainEqual({ currency: 'JPY', available: String(10n ** 15n) });
  await fresh.close();
  own.remove();
});
