// Stripe as the sandbox plays it: behaviour words and idempotency keys.

import { randomUUID } from 'node:crypto';
import type Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Sandbox } from '../../src/sandbox/server.ts';
import { control, freshFile, hangUp, rows, start, stripeGet, stripePost, transfer, until, type Wire } from './rig.ts';

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

type Expected = {
  word: string;
  first: Wire['status'];
  code?: string;
  /** The answer to the same call right after the first. */
  second: Wire['status'];
  /** The answer the key settles on. */
  last: number;
  book: string[];
  found: boolean;
};

const words: Expected[] = [
  { word: 'ok', first: 200, second: 200, last: 200, book: ['out'], found: true },
  {
    word: 'decline',
    first: 400,
    code: 'insufficient_capabilities_for_transfer',
    second: 400,
    last: 400,
    book: [],
    found: false,
  },
  { word: 'insufficient', first: 400, code: 'balance_insufficient', second: 400, last: 400, book: [], found: false },
  { word: 'error_before', first: 503, second: 200, last: 200, book: ['out'], found: true },
  { word: 'error_stored', first: 500, second: 500, last: 500, book: [], found: false },
  { word: 'paid_then_500', first: 500, second: 500, last: 500, book: ['out'], found: true },
  { word: 'timeout_before', first: 'none', second: 200, last: 200, book: ['out'], found: true },
  { word: 'paid_then_timeout', first: 'none', second: 200, last: 200, book: ['out'], found: true },
  { word: 'paid_then_reset', first: 'reset', second: 200, last: 200, book: ['out'], found: true },
  { word: 'hidden', first: 'none', second: 409, last: 200, book: ['out'], found: true },
  { word: 'html', first: 502, second: 200, last: 200, book: ['out'], found: true },
  { word: 'rate_limit', first: 429, code: 'rate_limit', second: 200, last: 200, book: ['out'], found: true },
  { word: 'slow', first: 'none', second: 200, last: 200, book: ['out'], found: true },
  { word: 'pending', first: 409, code: 'idempotency_key_in_use', second: 409, last: 200, book: ['out'], found: true },
  {
    word: 'pending_then_fail',
    first: 409,
    code: 'idempotency_key_in_use',
    second: 409,
    last: 400,
    book: [],
    found: false,
  },
  { word: 'never', first: 409, code: 'idempotency_key_in_use', second: 409, last: 409, book: [], found: false },
  { word: 'bounce', first: 200, second: 200, last: 200, book: ['out', 'return'], found: true },
  { word: 'abandon', first: 200, second: 200, last: 200, book: ['out'], found: true },
];

describe('each behaviour word does on a transfer what the table says', () => {
  test.concurrent.each(words)('$word', async ({ word, first, code, second, last, book, found }) => {
    const key = randomUUID();
    const call = { key, destination: `acct_${word}_7` };
    const one = await hangUp(sandbox, key, (giveUp) => transfer(sandbox, { ...call, giveUp }));
    expect(one.status).toBe(first);
    if (code) expect(one.json.error.code).toBe(code);
    const two = await transfer(sandbox, call);
    expect(two.status).toBe(second);
    const three = await until(
      () => transfer(sandbox, call),
      (answer) => answer.status === last,
    );
    const booked = await until(
      () => rows(sandbox, key),
      (made) => made.length >= book.length,
    );
    expect(booked.map((row) => row.direction)).toEqual(book);
    const list = await stripeGet(sandbox, `/v1/transfers?transfer_group=${key}`);
    expect(list.json.data).toHaveLength(found ? 1 : 0);
    if (last === 200) {
      expect(list.json.data[0].id).toBe(three.json.id);
      expect(three.headers.get('idempotent-replayed')).toBe('true');
    }
  });

  test.concurrent('slow moves the money at once and answers late', async () => {
    const key = randomUUID();
    const late = transfer(sandbox, { key, destination: 'acct_slow' });
    await until(
      () => rows(sandbox, key),
      (made) => made.length === 1,
    );
    const repeated = await transfer(sandbox, { key, destination: 'acct_slow' });
    expect(repeated.json.id).toBe((await late).json.id);
  });

  test.concurrent('hidden money is in the book while look-ups say that there is none', async () => {
    const key = randomUUID();
    await hangUp(sandbox, key, (giveUp) => transfer(sandbox, { key, destination: 'acct_hidden', giveUp }));
    expect(rows(sandbox, key)).toHaveLength(1);
    const early = await stripeGet(sandbox, `/v1/transfers?transfer_group=${key}`);
    expect(early.json.data).toEqual([]);
    const [row] = rows(sandbox, key);
    expect((await stripeGet(sandbox, `/v1/transfers/${row?.extern_id}`)).status).toBe(404);
    await until(
      () => stripeGet(sandbox, `/v1/transfers/${row?.extern_id}`),
      (answer) => answer.status === 200,
    );
  });

  test.concurrent('a bounced transfer shows that it was reversed', async () => {
    const key = randomUUID();
    const made = await transfer(sandbox, { key, destination: 'acct_bounce' });
    const seen = await until(
      () => stripeGet(sandbox, `/v1/transfers/${made.json.id}`),
      (answer) => answer.json.reversed,
    );
    expect(seen.json).toMatchObject({ amount: 1500, amount_reversed: 1500 });
    expect(seen.json.reversals.data).toHaveLength(1);
    const events = await stripeGet(sandbox, '/v1/events?type=transfer.reversed&limit=100');
    expect(events.json.data.map((event: Stripe.Event) => event.data.object)).toContainEqual(seen.json);
  });

  test('a 429 says how long to wait', async () => {
    const answer = await transfer(sandbox, { key: randomUUID(), destination: 'acct_rate_limit' });
    expect(answer.headers.get('retry-after')).toBe('1');
  });
});

describe('idempotency', () => {
  test('a repeat gives the first answer byte for byte and moves nothing', async () => {
    const key = randomUUID();
    const one = await transfer(sandbox, { key, destination: 'acct_ok_1' });
    const two = await transfer(sandbox, { key, destination: 'acct_ok_1' });
    expect(two.text).toBe(one.text);
    expect(one.headers.get('idempotent-replayed')).toBeNull();
    expect(rows(sandbox, key)).toHaveLength(1);
  });

  test('parameters in another order are the same request', async () => {
    const key = randomUUID();
    const one = await stripePost(sandbox, '/v1/transfers', { key, body: 'amount=5&currency=usd&destination=acct_1' });
    const two = await stripePost(sandbox, '/v1/transfers', { key, body: 'destination=acct_1&amount=5&currency=usd' });
    expect([one.status, two.text]).toEqual([200, one.text]);
  });

  test('the same key with another body or on another endpoint is an idempotency error', async () => {
    const key = randomUUID();
    const made = await transfer(sandbox, { key, destination: 'acct_ok_1' });
    const other = await transfer(sandbox, { key, destination: 'acct_ok_1', amount: '1501' });
    const elsewhere = await stripePost(sandbox, `/v1/transfers/${made.json.id}/reversals`, { key, body: '' });
    for (const answer of [other, elsewhere]) {
      expect(answer.status).toBe(400);
      expect(answer.json.error.type).toBe('idempotency_error');
    }
    expect(rows(sandbox, key)).toHaveLength(1);
  });

  test('a request the specification refuses is not kept under its key', async () => {
    const key = randomUUID();
    const wrong = await stripePost(sandbox, '/v1/transfers', { key, body: 'amount=x&currency=usd&destination=acct_1' });
    expect(wrong.status).toBe(400);
    expect((await transfer(sandbox, { key, destination: 'acct_1' })).status).toBe(200);
  });

  test('of many equal calls at once one moves money and the others learn that it is in flight or done', async () => {
    const own = freshFile();
    const slow = await start(own.path);
    await control(slow, 'POST', '/faults', { latency_ms: 200 });
    const key = randomUUID();
    const calls = Array.from({ length: 20 }, () => transfer(slow, { key, destination: 'acct_ok_1' }));
    const answers = await Promise.all(calls);
    const inUse = answers.filter((answer) => answer.status === 409);
    expect(inUse.length).toBeGreaterThan(0);
    expect(inUse[0]?.json.error.code).toBe('idempotency_key_in_use');
    expect(answers.filter((answer) => answer.status === 200).length + inUse.length).toBe(20);
    expect(rows(slow, key)).toHaveLength(1);
    await slow.close();
    own.remove();
  });

  test('a key past its retention is forgotten, and the money moves again', async () => {
    const own = freshFile();
    const forgetful = await start(own.path);
    await control(forgetful, 'POST', '/retention', { ms: 0 });
    const key = randomUUID();
    const one = await transfer(forgetful, { key, destination: 'acct_ok_1' });
    const two = await transfer(forgetful, { key, destination: 'acct_ok_1' });
    expect(two.json.id).not.toBe(one.json.id);
    expect(rows(forgetful, key)).toHaveLength(2);
    const found = await stripeGet(forgetful, `/v1/transfers?transfer_group=${key}`);
    expect(found.json.data).toHaveLength(2);
    await forgetful.close();
    own.remove();
  });
});
