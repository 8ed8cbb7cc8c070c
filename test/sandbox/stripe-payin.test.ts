import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Sandbox } from '../../src/sandbox/server.ts';
import { control, freshFile, hangUp, rows, start, stripeGet, stripePost, until, type Wire } from './rig.ts';

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

type Pay = { key: string; token: string; more?: Record<string, string>; giveUp?: AbortSignal };

function pay({ key, token, more = {}, giveUp }: Pay): Promise<Wire> {
  const body = new URLSearchParams({
    amount: '1500',
    currency: 'usd',
    confirm: 'true',
    payment_method: token,
    'automatic_payment_methods[enabled]': 'true',
    'metadata[pkid]': key,
    transfer_group: key,
    return_url: 'https://shop.example/back',
    ...more,
  }).toString();
  return stripePost(sandbox, '/v1/payment_intents', { key, body, ...(giveUp ? { giveUp } : {}) });
}

async function find(key: string): Promise<Wire['json']> {
  const { json } = await stripeGet(sandbox, `/v1/payment_intents/search?query=${encodeURIComponent(clause(key))}`);
  expect(json.data.length).toBeLessThanOrEqual(1);
  return json.data[0];
}

function clause(key: string): string {
  return `metadata['pkid']:'${key}'`;
}

function directions(key: string): string[] {
  return rows(sandbox, key).map((row) => row.direction);
}

async function eventsAbout(id: string): Promise<string[]> {
  const types: string[] = [];
  let after = '';
  for (let more = true; more; ) {
    const { json } = await stripeGet(sandbox, `/v1/events?limit=100${after}`);
    for (const event of json.data) {
      const { object } = event.data;
      if (object.id === id || object.payment_intent === id) types.unshift(event.type);
    }
    after = `&starting_after=${json.data.at(-1)?.id}`;
    more = json.has_more;
  }
  return types;
}

type Expected = {
  word: string;
  first: Wire['status'];
  /** The answer to the same call right after the first, and the one its key settles on. */
  second: Wire['status'];
  last: number;
  /** The status the payment intent ends in; null: there is none. */
  status: string | null;
  book: string[];
};

const paid = { second: 200, last: 200, status: 'succeeded', book: ['in'] };
const declined = { second: 402, last: 402, status: 'requires_payment_method', book: [] };
const words: Expected[] = [
  { word: 'ok', first: 200, ...paid },
  { word: 'decline', first: 402, ...declined },
  { word: 'insufficient', first: 402, ...declined },
  { word: 'error_before', first: 503, ...paid },
  { word: 'error_stored', first: 500, second: 500, last: 500, status: null, book: [] },
  { word: 'paid_then_500', first: 500, second: 500, last: 500, status: 'succeeded', book: ['in'] },
  { word: 'timeout_before', first: 'none', ...paid },
  { word: 'paid_then_timeout', first: 'none', ...paid },
  { word: 'paid_then_reset', first: 'reset', ...paid },
  { word: 'hidden', first: 'none', ...paid, second: 409 },
  { word: 'html', first: 502, ...paid },
  { word: 'rate_limit', first: 429, ...paid },
  { word: 'slow', first: 'none', ...paid },
  { word: 'pending', first: 200, ...paid },
  { word: 'pending_then_fail', first: 200, ...declined, second: 200, last: 200 },
  { word: 'never', first: 200, second: 200, last: 200, status: 'processing', book: [] },
  { word: 'bounce', first: 200, ...paid, book: ['in', 'return'] },
  { word: 'action', first: 200, second: 200, last: 200, status: 'requires_action', book: [] },
  { word: 'abandon', first: 200, second: 200, last: 200, status: 'canceled', book: [] },
  { word: 'dispute_won', first: 200, ...paid, book: ['in', 'dispute', 'dispute_won'] },
  { word: 'dispute_lost', first: 200, ...paid, book: ['in', 'dispute'] },
];

describe('each behaviour word does on a payment intent what the table says', () => {
  test.concurrent.each(words)('$word', async ({ word, first, second, last, status, book }) => {
    const key = randomUUID();
    const token = `pm_${word}_7`;
    const one = await hangUp(sandbox, key, (giveUp) => pay({ key, token, giveUp }));
    expect(one.status).toBe(first);
    expect((await pay({ key, token })).status).toBe(second);
    const ended = await until(
      () => find(key),
      (found) => (found?.status ?? null) === status,
    );
    await until(
      () => directions(key),
      (made) => made.length >= book.length,
    );
    expect(directions(key)).toEqual(book);
    expect((await pay({ key, token })).status).toBe(last);
    if (status === null) return;
    expect(ended).toMatchObject({ object: 'payment_intent', amount: 1500, transfer_group: key });
    expect(ended.amount_received).toBe(book.length > 0 ? 1500 : 0);
    for (const row of rows(sandbox, key)) {
      expect(row).toMatchObject({ call_key: key, extern_id: ended.id, destination: token, amount: '1500' });
    }
  });

  test.concurrent('a decline says why, leaves the intent payable, and cancelling ends it', async () => {
    for (const [word, reason] of [
      ['decline', 'generic_decline'],
      ['insufficient', 'insufficient_funds'],
    ]) {
      const refused = await pay({ key: randomUUID(), token: `pm_${word}` });
      const { error } = refused.json;
      expect(error).toMatchObject({ type: 'card_error', code: 'card_declined', decline_code: reason });
      const { id } = error.payment_intent;
      expect(error.payment_intent).toMatchObject({
        status: 'requires_payment_method',
        last_payment_error: { decline_code: reason },
      });
      const step = randomUUID();
      const ended = await stripePost(sandbox, `/v1/payment_intents/${id}/cancel`, { key: step, body: '' });
      expect(ended.json).toMatchObject({ id, status: 'canceled' });
      const again = await stripePost(sandbox, `/v1/payment_intents/${id}/cancel`, { key: step, body: '' });
      expect([again.status, again.text]).toEqual([200, ended.text]);
      expect((await control(sandbox, 'POST', `/approve/${id}`)).status).toBe(409);
      expect(await eventsAbout(id)).toEqual([
        'payment_intent.payment_failed',
        'charge.failed',
        'payment_intent.canceled',
      ]);
    }
  });

  test.concurrent('a declined intent may be paid with another card, and then not be cancelled', async () => {
    const key = randomUUID();
    const { id } = (await pay({ key, token: 'pm_decline' })).json.error.payment_intent;
    const body = 'payment_method=pm_ok_2';
    const retried = await stripePost(sandbox, `/v1/payment_intents/${id}/confirm`, { key: randomUUID(), body });
    expect(retried.json).toMatchObject({ id, status: 'succeeded', last_payment_error: null });
    const late = await stripePost(sandbox, `/v1/payment_intents/${id}/cancel`, { key: randomUUID(), body: '' });
    expect(late.status).toBe(400);
    expect(late.json.error).toMatchObject({
      code: 'payment_intent_unexpected_state',
      payment_intent: { status: 'succeeded' },
    });
    expect(directions(key)).toEqual(['in']);
  });
});

describe('a buyer', () => {
  test.concurrent('who must act is sent away, approves, and pays once however often', async () => {
    const key = randomUUID();
    const { json } = await pay({ key, token: 'pm_action' });
    expect(json.client_secret).toMatch(/^pi_.*_secret_/);
    expect(json.next_action).toEqual({
      type: 'redirect_to_url',
      redirect_to_url: {
        return_url: 'https://shop.example/back',
        url: `${sandbox.url}/_sandbox/approve/${json.id}`,
      },
    });
    const page = await fetch(json.next_action.redirect_to_url.url);
    expect(await page.text()).toContain('Approve');
    for (let click = 0; click < 2; click += 1) {
      const approved = await control(sandbox, 'POST', `/approve/${json.id}`);
      expect(approved.json).toEqual({ extern_id: json.id, status: 'paid' });
    }
    expect(directions(key)).toEqual(['in']);
    expect(await find(key)).toMatchObject({ status: 'succeeded', next_action: null });
    expect(await eventsAbout(json.id)).toEqual([
      'payment_intent.requires_action',
      'payment_intent.succeeded',
      'charge.succeeded',
    ]);
  });

  test.concurrent('who abandons is given up after the time that was set, and cannot approve', async () => {
    const { json } = await pay({ key: randomUUID(), token: 'pm_abandon' });
    expect(json.status).toBe('requires_action');
    expect((await control(sandbox, 'POST', `/approve/${json.id}`)).status).toBe(409);
    const gone = await until(
      () => stripeGet(sandbox, `/v1/payment_intents/${json.id}`),
      (answer) => answer.json.status === 'canceled',
    );
    expect(gone.json.cancellation_reason).toBe('abandoned');
  });

  test.concurrent('pays an intent made without a token by its client secret', async () => {
    const key = randomUUID();
    const body = `amount=700&currency=jpy&automatic_payment_methods[enabled]=true&metadata[pkid]=${key}`;
    const made = await stripePost(sandbox, '/v1/payment_intents', { key, body });
    expect(made.json).toMatchObject({ status: 'requires_payment_method', latest_charge: null });
    const twice = await stripePost(sandbox, '/v1/payment_intents', { key, body });
    expect(twice.text).toBe(made.text);
    expect(directions(key)).toEqual([]);
    await control(sandbox, 'POST', `/approve/${made.json.id}`);
    expect((await find(key)).status).toBe('succeeded');
    expect(rows(sandbox, key)).toMatchObject([{ direction: 'in', amount: '700', currency: 'JPY' }]);
  });
});

test('money that is captured later moves at the capture, by the word of the token', async () => {
  const key = randomUUID();
  const step = randomUUID();
  const made = await pay({ key, token: 'pm_paid_then_reset', more: { capture_method: 'manual' } });
  expect(made.json).toMatchObject({ status: 'requires_capture', amount_capturable: 1500, amount_received: 0 });
  expect(directions(key)).toEqual([]);
  const path = `/v1/payment_intents/${made.json.id}/capture`;
  expect((await stripePost(sandbox, path, { key: step, body: 'amount_to_capture=1200' })).status).toBe('reset');
  const again = await stripePost(sandbox, path, { key: step, body: 'amount_to_capture=1200' });
  expect(again.json).toMatchObject({ status: 'succeeded', amount: 1500, amount_received: 1200 });
  expect(rows(sandbox, key)).toMatchObject([{ direction: 'in', amount: '1200', key, call_key: step }]);
  expect((await stripePost(sandbox, path, { key: randomUUID(), body: '' })).status).toBe(400);
});

test('a forgotten key never pays an intent a second time', async () => {
  const own = freshFile();
  const forgetful = await start(own.path);
  const make = 'amount=5&currency=usd&payment_method=pm_ok';
  const { json } = await stripePost(forgetful, '/v1/payment_intents', { key: randomUUID(), body: make });
  const confirm = () => stripePost(forgetful, `/v1/payment_intents/${json.id}/confirm`, { key: 'step', body: '' });
  expect((await confirm()).status).toBe(200);
  await control(forgetful, 'POST', '/retention', { ms: 0 });
  expect((await confirm()).status).toBe(400);
  expect(forgetful.book()).toHaveLength(1);
  await forgetful.close();
  own.remove();
});

test('a dispute takes the money, is told, and gives it back when it is won', async () => {
  const outcomes = await Promise.all(
    ['won', 'lost'].map(async (outcome) => {
      const { id, latest_charge: charge } = (await pay({ key: randomUUID(), token: `pm_dispute_${outcome}` })).json;
      const { json } = await until(
        () => stripeGet(sandbox, `/v1/disputes/${charge.replace('ch_', 'dp_')}`),
        (answer) => answer.json.status === outcome,
      );
      expect(json).toMatchObject({ object: 'dispute', amount: 1500, charge, payment_intent: id });
      return eventsAbout(id);
    }),
  );
  for (const types of outcomes) {
    expect(types.slice(2)).toEqual(['charge.dispute.created', 'charge.dispute.closed']);
  }
});

test('fees are taken where they are set, and shown in the balance', async () => {
  const own = freshFile();
  const charging = await start(own.path);
  await control(charging, 'POST', '/fees', { stripe: { percent: '2.9', fixed: '30' } });
  const body = 'amount=10001&currency=usd&confirm=true&payment_method=pm_ok&expand[]=latest_charge.balance_transaction';
  const { json } = await stripePost(charging, '/v1/payment_intents', { key: 'k', body });
  expect(json.latest_charge.balance_transaction).toMatchObject({ amount: 10001, fee: 320, net: 9681, type: 'charge' });
  expect(charging.book().map((row) => [row.direction, row.amount])).toEqual([
    ['in', '10001'],
    ['fee', '320'],
  ]);
  const { available } = (await stripeGet(charging, '/v1/balance')).json;
  const usd = available.find((one: { currency: string }) => one.currency === 'usd');
  expect(usd.amount).toBe(10 ** 15 + 9681);
  const lines = await stripeGet(charging, `/v1/balance_transactions?source=${json.latest_charge.id}`);
  expect(lines.json.data).toEqual([json.latest_charge.balance_transaction]);
  await charging.close();
  own.remove();
});
