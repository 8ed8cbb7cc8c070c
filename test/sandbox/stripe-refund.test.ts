import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Sandbox } from '../../src/sandbox/server.ts';
import { freshFile, hangUp, officialClient, rows, start, stripeGet, stripePost, until, type Wire } from './rig.ts';

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

async function paidIntent(token = 'pm_ok_1', amount = 1500): Promise<string> {
  const body = `amount=${amount}&currency=usd&confirm=true&payment_method=${token}`;
  const made = await stripePost(sandbox, '/v1/payment_intents', { key: randomUUID(), body });
  return made.json.id;
}

type Call = { key: string; intent: string; amount?: string; giveUp?: AbortSignal };

function refund({ key, intent, amount = '500', giveUp }: Call): Promise<Wire> {
  const body = `payment_intent=${intent}&amount=${amount}&metadata[pkid]=${key}`;
  return stripePost(sandbox, '/v1/refunds', { key, body, ...(giveUp ? { giveUp } : {}) });
}

const directions = (key: string) => rows(sandbox, key).map((row) => row.direction);

type Expected = { word: string; first: Wire['status']; second: Wire['status']; status: string | null; book: string[] };
const done = { second: 200, status: 'succeeded', book: ['refund'] };
const words: Expected[] = [
  { word: 'ok', first: 200, ...done },
  { word: 'decline', first: 200, ...done, status: 'failed', book: [] },
  { word: 'insufficient', first: 400, second: 400, status: null, book: [] },
  { word: 'error_before', first: 503, ...done },
  { word: 'error_stored', first: 500, second: 500, status: null, book: [] },
  { word: 'paid_then_500', first: 500, ...done, second: 500 },
  { word: 'timeout_before', first: 'none', ...done },
  { word: 'paid_then_timeout', first: 'none', ...done },
  { word: 'paid_then_reset', first: 'reset', ...done },
  { word: 'hidden', first: 'none', ...done, second: 409 },
  { word: 'html', first: 502, ...done },
  { word: 'rate_limit', first: 429, ...done },
  { word: 'slow', first: 'none', ...done },
  { word: 'pending', first: 200, ...done },
  { word: 'pending_then_fail', first: 200, ...done, status: 'failed', book: [] },
  { word: 'never', first: 200, ...done, status: 'pending', book: [] },
  { word: 'bounce', first: 200, ...done, status: 'failed', book: ['refund', 'return'] },
];

describe('a token’s refund_ word decides the refunds of what was paid with it', () => {
  test.concurrent.each(words)('refund_$word', async ({ word, first, second, status, book }) => {
    const intent = await paidIntent(`pm_refund_${word}_1`);
    const key = randomUUID();
    const one = await hangUp(sandbox, key, (giveUp) => refund({ key, intent, giveUp }));
    expect(one.status).toBe(first);
    expect((await refund({ key, intent })).status).toBe(second);
    const listed = await until(
      () => stripeGet(sandbox, `/v1/refunds?payment_intent=${intent}`),
      (answer) => (answer.json.data[0]?.status ?? null) === status && directions(key).length === book.length,
    );
    expect(directions(key)).toEqual(book);
    expect(listed.json.data).toHaveLength(status === null ? 0 : 1);
    if (status === null) return;
    const [made] = listed.json.data;
    expect(made).toMatchObject({ object: 'refund', amount: 500, payment_intent: intent, metadata: { pkid: key } });
    expect((await stripeGet(sandbox, `/v1/refunds/${made.id}`)).json).toEqual(made);
    for (const row of rows(sandbox, key)) expect(row).toMatchObject({ key, extern_id: made.id, amount: '500' });
  });
});

describe('refunds go as far as the payment does', () => {
  test('in parts, then all the rest, then no more', async () => {
    const intent = await paidIntent();
    expect((await refund({ key: randomUUID(), intent, amount: '1000' })).status).toBe(200);
    const much = await refund({ key: randomUUID(), intent, amount: '501' });
    expect([much.status, much.json.error.message]).toEqual([400, expect.stringContaining('500')]);
    const rest = await stripePost(sandbox, '/v1/refunds', { key: randomUUID(), body: `payment_intent=${intent}` });
    expect(rest.json.amount).toBe(500);
    const charge = await stripeGet(sandbox, `/v1/charges/${intent.replace('pi_', 'ch_')}`);
    expect(charge.json).toMatchObject({ amount_refunded: 1500, refunded: true });
    const more = await refund({ key: randomUUID(), intent, amount: '1' });
    expect(more.json.error.code).toBe('charge_already_refunded');
  });

  test('fifty at once: exactly those there is money for', async () => {
    const intent = await paidIntent('pm_ok_50', 10_000);
    const keys = Array.from({ length: 50 }, () => randomUUID());
    const answers = await Promise.all(keys.map((key) => refund({ key, intent, amount: '1000' })));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(10);
    expect(keys.flatMap((key) => directions(key))).toEqual(Array.from({ length: 10 }, () => 'refund'));
  });

  test('a repeat gives the first answer, another body is an idempotency error', async () => {
    const intent = await paidIntent();
    const key = randomUUID();
    const one = await refund({ key, intent, amount: '1500' });
    expect((await refund({ key, intent, amount: '1500' })).text).toBe(one.text);
    expect((await refund({ key, intent, amount: '1' })).json.error.type).toBe('idempotency_error');
    const none = await refund({ key: randomUUID(), intent: 'pi_none' });
    expect([none.status, none.json.error.code]).toEqual([404, 'resource_missing']);
  });
});

test('every object of a pay-in is of the shape that the specification gives it', async () => {
  const specFile = new URL('../../src/sandbox/specs/stripe-reduced-2023-08-16-noexpand.json', import.meta.url);
  const { components } = JSON.parse(readFileSync(specFile, 'utf8'), (_, value) => {
    // OpenAPI 3.0 allows `nullable` without a type, JSON Schema does not know it.
    if (value?.nullable !== true) return value;
    if (value.type !== undefined) return value.enum ? { ...value, enum: [...value.enum, null] } : value;
    const { nullable: _nullable, ...schema } = value;
    return { anyOf: [schema, { type: 'null' }] };
  });
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false, logger: false });
  const intent = await paidIntent();
  const made = await refund({ key: randomUUID(), intent });
  const charge = (await stripeGet(sandbox, `/v1/charges/${intent.replace('pi_', 'ch_')}`)).json;
  const waiting = 'amount=5&currency=usd&confirm=true&payment_method=pm_action';
  const objects = [
    ['payment_intent', (await stripeGet(sandbox, `/v1/payment_intents/${intent}`)).json],
    ['payment_intent', (await stripePost(sandbox, '/v1/payment_intents', { key: randomUUID(), body: waiting })).json],
    ['charge', charge],
    ['refund', made.json],
    ['balance_transaction', (await stripeGet(sandbox, `/v1/balance_transactions/${charge.balance_transaction}`)).json],
  ] as const;
  for (const [name, object] of objects) {
    const validate = ajv.compile({ ...components.schemas[name], components });
    validate(object);
    expect(validate.errors ?? [], name).toEqual([]);
  }
});

test('a call that asks for more than ids is left without an answer all the same', async () => {
  const key = randomUUID();
  const body = 'amount=5&currency=usd&confirm=true&payment_method=pm_timeout_before&expand[]=latest_charge';
  const silent = await hangUp(sandbox, key, (giveUp) =>
    stripePost(sandbox, '/v1/payment_intents', { key, body, ...(giveUp ? { giveUp } : {}) }),
  );
  expect(silent.status).toBe('none');
  expect(rows(sandbox, key)).toEqual([]);
});

test('the charges of a group are listed at once, and an intent that nobody tried has none', async () => {
  const group = randomUUID();
  const body = `amount=5&currency=usd&transfer_group=${group}&automatic_payment_methods[enabled]=true`;
  const untried = await stripePost(sandbox, '/v1/payment_intents', { key: randomUUID(), body });
  const listed = async () => (await stripeGet(sandbox, `/v1/charges?transfer_group=${group}`)).json.data;
  expect(await listed()).toEqual([]);
  const paid = `${body}&confirm=true&payment_method=pm_ok`;
  const { json } = await stripePost(sandbox, '/v1/payment_intents', { key: randomUUID(), body: paid });
  expect(await listed()).toMatchObject([{ object: 'charge', payment_intent: json.id, transfer_group: group }]);
  const refused = `${body}&confirm=true&payment_method=pm_decline`;
  await stripePost(sandbox, '/v1/payment_intents', { key: randomUUID(), body: refused });
  expect((await listed()).map((one: { status: string }) => one.status)).toEqual(['failed', 'succeeded']);
  const other = await stripeGet(sandbox, `/v1/charges?payment_intent=${untried.json.id}`);
  expect(other.json.data).toEqual([]);
});

describe('the official client', () => {
  test('pays, looks up, expands, refunds and cancels', async () => {
    const client = officialClient(sandbox);
    const key = randomUUID();
    const made = await client.paymentIntents.create(
      {
        amount: 2000,
        currency: 'usd',
        confirm: true,
        payment_method: 'pm_ok_1',
        automatic_payment_methods: { enabled: true, allow_redirects: 'always' },
        return_url: 'https://shop.example/back',
        metadata: { pkid: key },
        transfer_group: key,
        expand: ['latest_charge.balance_transaction'],
      },
      { idempotencyKey: key },
    );
    expect(made).toMatchObject({ object: 'payment_intent', status: 'succeeded', metadata: { pkid: key } });
    expect(made.latest_charge).toMatchObject({ object: 'charge', balance_transaction: { net: 2000 } });
    const found = await client.paymentIntents.search({ query: `metadata['pkid']:'${key}' AND status:'succeeded'` });
    expect(found.data.map((one) => one.id)).toEqual([made.id]);
    const listed = await client.paymentIntents.list({ limit: 100, created: { gte: made.created - 5 } });
    expect(listed.data.map((one) => one.id)).toContain(made.id);
    const back = await client.refunds.create(
      { payment_intent: made.id, amount: 700 },
      { idempotencyKey: randomUUID() },
    );
    expect((await client.refunds.list({ payment_intent: made.id })).data).toEqual([back]);
    expect(await client.refunds.retrieve(back.id)).toEqual(back);
    const later = await client.paymentIntents.create({ amount: 5, currency: 'usd' });
    expect((await client.paymentIntents.cancel(later.id)).status).toBe('canceled');
  });

  test('raises its own error classes', async () => {
    const client = officialClient(sandbox);
    const pay = (token: string) =>
      client.paymentIntents.create({ amount: 5, currency: 'usd', confirm: true, payment_method: token });
    await expect(pay('pm_decline')).rejects.toBeInstanceOf(Stripe.errors.StripeCardError);
    await expect(pay('pm_error_stored')).rejects.toBeInstanceOf(Stripe.errors.StripeAPIError);
    await expect(client.paymentIntents.retrieve('pi_none')).rejects.toBeInstanceOf(
      Stripe.errors.StripeInvalidRequestError,
    );
  });

  test.each([
    { name: 'an unknown field', body: 'amount=5&currency=usd&colour=red', param: 'colour' },
    { name: 'a missing currency', body: 'amount=5', param: 'currency' },
    { name: 'no money', body: 'amount=0&currency=usd', param: 'amount' },
    { name: 'no payment method to confirm with', body: 'amount=5&currency=usd&confirm=true', param: 'payment_method' },
    { name: 'a wrong choice', body: 'amount=5&currency=usd&capture_method=never', param: 'capture_method' },
  ])('$name is refused', async ({ body, param }) => {
    const answer = await stripePost(sandbox, '/v1/payment_intents', { key: randomUUID(), body });
    expect([answer.status, answer.json.error.param]).toEqual([400, param]);
  });
});
