// The events of the sandbox: signed, repeated until taken, in order unless told otherwise.

import { createHmac, randomUUID } from 'node:crypto';
import Stripe from 'stripe';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Sandbox } from '../../src/sandbox/server.ts';
import {
  bank,
  control,
  createPayment,
  freshFile,
  type Received,
  receiver,
  SECRETS,
  start,
  transfer,
  until,
} from './rig.ts';

const file = freshFile();
let inbox: Awaited<ReturnType<typeof receiver>>;
let answers: (received: Received) => number;
let sandbox: Sandbox;

beforeEach(async () => {
  answers = () => 200;
  inbox = await receiver((one) => answers(one));
  sandbox = await start(file.path, { webhookUrl: inbox.url });
});
afterEach(async () => {
  await sandbox.close();
  await inbox.close();
  file.remove();
});

function about(key: string): Received[] {
  return inbox.received.filter((one) => one.body.includes(key));
}

function type({ body }: Received): string {
  return JSON.parse(body).type;
}

test('a Stripe event passes the official signature check and shows the transfer', async () => {
  const key = randomUUID();
  const made = await transfer(sandbox, { key, destination: 'acct_ok_1' });
  const [received] = await until(
    () => about(key),
    (seen) => seen.length === 1,
  );
  if (!received) throw new Error('nothing was received');
  const signature = String(received.headers['stripe-signature']);
  const event = new Stripe('sk_test_1').webhooks.constructEvent(received.body, signature, SECRETS.stripe);
  expect(received.path).toBe('/webhooks/stripe');
  expect(event).toMatchObject({ object: 'event', type: 'transfer.created', livemode: false });
  expect(event.data.object).toEqual(made.json);
  const forged = received.body.replace('1500', '9500');
  expect(() => new Stripe('sk_test_1').webhooks.constructEvent(forged, signature, SECRETS.stripe)).toThrow();
});

test('a demobank event is signed over time and raw body', async () => {
  const key = randomUUID();
  const id = await createPayment(sandbox, { key, destination: 'acct_pending_then_fail' });
  await bank(sandbox, 'POST', `/payments/${id}/confirm`, { key: randomUUID(), body: {} });
  const [received] = await until(
    () => about(key),
    (seen) => seen.length === 1,
  );
  const header = String(received?.headers['demobank-signature']);
  const [, at, digest] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(header) ?? [];
  expect(createHmac('sha256', SECRETS.demobank).update(`${at}.${received?.body}`).digest('hex')).toBe(digest);
  expect(received?.path).toBe('/webhooks/demobank');
  const payment = (await bank(sandbox, 'GET', `/payments/${id}`)).json;
  expect(JSON.parse(received?.body ?? '')).toEqual({
    id: expect.stringMatching(/^dbe_/),
    type: 'payment.declined',
    created: expect.any(Number),
    data: payment,
  });
});

test('money that comes back is told after the money that went', async () => {
  const stripeKey = randomUUID();
  const bankKey = randomUUID();
  await transfer(sandbox, { key: stripeKey, destination: 'acct_bounce' });
  const id = await createPayment(sandbox, { key: bankKey, destination: 'acct_bounce' });
  await bank(sandbox, 'POST', `/payments/${id}/confirm`, { key: randomUUID(), body: {} });
  await until(
    () => [about(stripeKey), about(bankKey)],
    (seen) => seen.every((list) => list.length === 2),
  );
  expect(about(stripeKey).map(type)).toEqual(['transfer.created', 'transfer.reversed']);
  expect(about(bankKey).map(type)).toEqual(['payment.paid', 'payment.returned']);
});

test('an event that was refused is sent again, signed anew, until it is taken', async () => {
  const key = randomUUID();
  let refusals = 1;
  answers = () => (refusals-- > 0 ? 500 : 204);
  await transfer(sandbox, { key, destination: 'acct_ok_1' });
  const tries = await until(
    () => about(key),
    (seen) => seen.length === 2,
  );
  expect(new Set(tries.map((one) => one.body)).size).toBe(1);
  expect(new Set(tries.map((one) => one.headers['stripe-signature'])).size).toBe(2);
});

test('an undelivered event goes out after a restart, a delivered one does not', async () => {
  const taken = randomUUID();
  const refused = randomUUID();
  await transfer(sandbox, { key: taken, destination: 'acct_ok_1' });
  await until(
    () => about(taken),
    (seen) => seen.length === 1,
  );
  answers = () => 503;
  await transfer(sandbox, { key: refused, destination: 'acct_ok_1' });
  await until(
    () => about(refused),
    (seen) => seen.length === 1,
  );
  await sandbox.close();
  answers = () => 200;
  sandbox = await start(file.path, { webhookUrl: inbox.url });
  await until(
    () => about(refused),
    (seen) => seen.length === 2,
  );
  expect(about(taken)).toHaveLength(1);
});

test('duplicates and drops are made on request', async () => {
  await control(sandbox, 'POST', '/webhooks', { duplicate: 1 });
  const twice = randomUUID();
  await transfer(sandbox, { key: twice, destination: 'acct_ok_1' });
  await until(
    () => about(twice),
    (seen) => seen.length === 2,
  );
  await control(sandbox, 'POST', '/webhooks', { drop: 1 });
  const dropped = randomUUID();
  await transfer(sandbox, { key: dropped, destination: 'acct_ok_1' });
  await control(sandbox, 'POST', '/webhooks', {});
  const last = randomUUID();
  await transfer(sandbox, { key: last, destination: 'acct_ok_1' });
  await until(
    () => about(last),
    (seen) => seen.length === 1,
  );
  expect(about(dropped)).toEqual([]);
});

test('shuffled events arrive complete and out of order', async () => {
  await control(sandbox, 'POST', '/webhooks', { shuffle: true });
  const keys = Array.from({ length: 20 }, () => randomUUID());
  for (const key of keys) await transfer(sandbox, { key, destination: 'acct_ok_1' });
  await until(
    () => inbox.received,
    (seen) => seen.length === keys.length,
  );
  const order = inbox.received.map((one) => JSON.parse(one.body).data.object.transfer_group);
  expect(order.toSorted()).toEqual(keys.toSorted());
  expect(order).not.toEqual(keys);
});
