// The switches of the sandbox, and the book and the calls that it shows.

import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Sandbox } from '../../src/sandbox/server.ts';
import {
  bank,
  control,
  createPayment,
  freshFile,
  start,
  stripeGet,
  stripePost,
  transfer,
  until,
  type Wire,
} from './rig.ts';

const file = freshFile();
let sandbox: Sandbox;

beforeEach(async () => {
  sandbox = await start(file.path);
});
afterEach(async () => {
  await sandbox.close();
  file.remove();
});

test('the book shows each movement with exactly the fields of the contract', async () => {
  const key = randomUUID();
  const made = await transfer(sandbox, { key: key.replaceAll('-', ''), destination: 'acct_ok_1' });
  const book = await control(sandbox, 'GET', '/book');
  expect(book.json).toEqual({
    data: [
      {
        seq: 1,
        at: expect.stringMatching(/Z$/),
        provider: 'stripe',
        direction: 'out',
        key,
        call_key: key.replaceAll('-', ''),
        extern_id: made.json.id,
        amount: '1500',
        currency: 'USD',
        destination: 'acct_ok_1',
      },
    ],
  });
  expect(sandbox.book()).toEqual(book.json.data);
});

test('a long book arrives whole', async () => {
  await control(sandbox, 'POST', '/retention', { ms: 0 });
  const calls = Array.from({ length: 1_100 }, () => transfer(sandbox, { key: 'k', destination: 'acct_ok' }));
  const paid = (await Promise.all(calls)).filter((answer) => answer.status === 200).length;
  const { data } = (await control(sandbox, 'GET', '/book')).json;
  expect(data).toHaveLength(paid);
  expect(data.map((row: { seq: number }) => row.seq)).toEqual(Array.from({ length: paid }, (_, index) => index + 1));
});

test('the calls show every request with its keys and what it got', async () => {
  const key = randomUUID();
  const step = randomUUID();
  const id = await createPayment(sandbox, { key, destination: 'acct_paid_then_reset' });
  await bank(sandbox, 'POST', `/payments/${id}/confirm`, { key: step, body: {} });
  await bank(sandbox, 'GET', `/payments/${id}`);
  const { data, dropped } = (await control(sandbox, 'GET', `/calls?key=${key}`)).json;
  expect(dropped).toBe(0);
  const shown = data.map((one: Record<string, unknown>) => [
    one.method,
    one.call_key,
    one.answer,
    one.status,
    one.fault,
  ]);
  expect(shown).toEqual([
    ['POST', key, 'sent', 201, null],
    ['POST', step, 'reset', null, 'paid_then_reset'],
    ['GET', null, 'sent', 200, null],
  ]);
});

describe('random faults', () => {
  const rates = { paid_then_500: 0.2, error_before: 0.2, decline: 0.2, rate_limit: 0.2 };
  const keys = Array.from({ length: 40 }, (_, index) => `operation-${index}`);
  const play = async (on: Sandbox, seed: number, destination: string): Promise<Wire['status'][]> => {
    const set = await control(on, 'POST', '/faults', { seed, rates });
    expect(set.json).toEqual({ seed, rates, latency_ms: 0 });
    const answers: Wire['status'][] = [];
    for (const key of keys) answers.push((await transfer(on, { key, destination })).status);
    return answers;
  };

  test('are the same for the same seed, others for another', async () => {
    const one = await play(sandbox, 1, 'acct_ok_1');
    const others: Wire['status'][][] = [];
    for (const seed of [1, 2]) {
      const own = freshFile();
      const fresh = await start(own.path);
      others.push(await play(fresh, seed, 'acct_ok_1'));
      await fresh.close();
      own.remove();
    }
    expect(others[0]).toEqual(one);
    expect(others[1]).not.toEqual(one);
    expect(new Set(one)).toEqual(new Set([200, 400, 429, 500, 503]));
  });

  test('leave operations alone that have a word of their own, and end when turned off', async () => {
    const declined = await play(sandbox, 1, 'acct_decline');
    expect(new Set(declined)).toEqual(new Set([400]));
    await control(sandbox, 'POST', '/faults', { rates: {} });
    for (const key of keys) {
      expect((await transfer(sandbox, { key: `${key}-later`, destination: 'acct_ok' })).status).toBe(200);
    }
  });

  test('are drawn anew for each call, so that a repeated operation gets through', async () => {
    await control(sandbox, 'POST', '/faults', { seed: 3, rates: { error_before: 0.5 } });
    for (const key of keys) {
      let status: Wire['status'] = 503;
      for (let call = 0; call < 30 && status === 503; call += 1) {
        ({ status } = await transfer(sandbox, { key, destination: 'acct_ok' }));
      }
      expect(status).toBe(200);
    }
    expect(sandbox.book()).toHaveLength(keys.length);
  });
});

test.each([
  { path: '/faults', body: { rates: { nonsense: 0.5 } }, says: 'no behaviour word' },
  { path: '/faults', body: { rates: { decline: 0.6, slow: 0.6 } }, says: 'more than 1' },
  { path: '/faults', body: { rates: { decline: 2 } }, says: 'rates[decline]' },
  { path: '/faults', body: { latency_ms: -1 }, says: 'latency_ms' },
  { path: '/webhooks', body: { drop: 'often' }, says: 'drop' },
  { path: '/webhooks', body: { lose: 1 }, says: 'lose' },
  { path: '/fees', body: { stripe: { percent: 'much', fixed: '0' } }, says: 'percent' },
  { path: '/fees', body: { stripe: { percent: '1' } }, says: 'fixed' },
  { path: '/abandon', body: {}, says: 'ms' },
  { path: '/tokens', body: { ms: 0 }, says: 'ms' },
  { path: '/retention', body: {}, says: 'ms' },
  { path: '/retention', body: 'soon', says: 'The body' },
])('$path refuses $body and says why', async ({ path, body, says }) => {
  const refused = await control(sandbox, 'POST', path, body);
  expect(refused.status).toBe(400);
  expect(refused.json.error.message).toContain(says);
});

test('the index names what is here, and nothing else answers', async () => {
  const index = await control(sandbox, 'GET', '');
  expect(index.json.behaviour_words).toContain('paid_then_timeout');
  expect((await control(sandbox, 'GET', '/health')).json).toEqual({ ok: true });
  expect((await control(sandbox, 'GET', '/nothing')).status).toBe(404);
});

test('a body that is too long is refused', async () => {
  const refused = await control(sandbox, 'POST', '/faults', { rates: 'x'.repeat(1 << 20) });
  expect(refused.status).toBe(413);
});

test('only pay-ins that wait for their buyer can be approved', async () => {
  expect((await control(sandbox, 'POST', '/approve/pi_none')).status).toBe(404);
  expect((await control(sandbox, 'GET', '/approve/pi_none')).status).toBe(404);
  const paid = await transfer(sandbox, { key: randomUUID(), destination: 'acct_action' });
  expect((await control(sandbox, 'POST', `/approve/${paid.json.id}`)).status).toBe(404);
});

test('how long a buyer who walks away is waited for can be set', async () => {
  await control(sandbox, 'POST', '/abandon', { ms: 60_000 });
  const body = 'amount=5&currency=usd&confirm=true&payment_method=pm_abandon';
  const { json } = await stripePost(sandbox, '/v1/payment_intents', { key: 'patient', body });
  await control(sandbox, 'POST', '/abandon', { ms: 0 });
  const other = await stripePost(sandbox, '/v1/payment_intents', { key: 'impatient', body });
  const read = (id: string) => stripeGet(sandbox, `/v1/payment_intents/${id}`);
  await until(
    () => read(other.json.id),
    (answer) => answer.json.status === 'canceled',
  );
  expect((await read(json.id)).json.status).toBe('requires_action');
});

test('fees are taken from all that comes in, never more than it, and no longer when turned off', async () => {
  const fees = { stripe: { percent: '0', fixed: '30' } };
  expect((await control(sandbox, 'POST', '/fees', fees)).json).toEqual(fees);
  const pay = (key: string, amount: number) => {
    const body = `amount=${amount}&currency=usd&confirm=true&payment_method=pm_ok`;
    return stripePost(sandbox, '/v1/payment_intents', { key, body });
  };
  await pay('much', 100);
  await pay('little', 20);
  await transfer(sandbox, { key: 'out', destination: 'acct_ok' });
  await control(sandbox, 'POST', '/fees', {});
  await pay('free', 100);
  expect(sandbox.book().map((row) => [row.key, row.direction, row.amount])).toEqual([
    ['much', 'in', '100'],
    ['much', 'fee', '30'],
    ['little', 'in', '20'],
    ['little', 'fee', '20'],
    ['out', 'out', '1500'],
    ['free', 'in', '100'],
  ]);
});
