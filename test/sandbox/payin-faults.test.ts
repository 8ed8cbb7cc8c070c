import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Sandbox } from '../../src/sandbox/server.ts';
import { captureOrder, createOrder, payOut, paypal, refund } from './paypal-rig.ts';
import { control, freshFile, rows, start, stripePost, until, type Wire } from './rig.ts';

const RATES = {
  error_before: 0.05,
  paid_then_500: 0.1,
  timeout_before: 0.02,
  paid_then_timeout: 0.02,
  paid_then_reset: 0.1,
  hidden: 0.03,
  html: 0.05,
  rate_limit: 0.05,
  pending: 0.05,
  decline: 0.05,
};
const PATIENCE_MS = 400; // what a call that is never answered costs

const patience = () => AbortSignal.timeout(PATIENCE_MS);
const isFinal = ({ status }: Wire) => [200, 201, 400, 402, 422, 500].includes(Number(status));

async function payByStripe(sandbox: Sandbox): Promise<string> {
  const key = randomUUID();
  const body = 'amount=1000&currency=usd&confirm=true&payment_method=pm_ok_1';
  const call = () => stripePost(sandbox, '/v1/payment_intents', { key, body, giveUp: patience() });
  const { status, json } = await until(call, isFinal);
  if (status !== 200 || json.status !== 'succeeded') return key;
  const back = randomUUID();
  const form = `payment_intent=${json.id}&amount=400`;
  await until(() => stripePost(sandbox, '/v1/refunds', { key: back, body: form, giveUp: patience() }), isFinal);
  return key;
}

async function payByPaypal(sandbox: Sandbox): Promise<string> {
  const key = randomUUID();
  const { id } = (await createOrder(sandbox, { key, payer: 'tok_ok_1' })).json;
  const step = randomUUID();
  const isDone = ({ status }: Wire) => [200, 201, 422].includes(Number(status));
  await until(() => captureOrder(sandbox, id, { key: step, giveUp: patience() }), isDone);
  const capture = (await paypal(sandbox, 'GET', `/v2/checkout/orders/${id}`)).json.purchase_units[0].payments
    ?.captures[0];
  if (capture?.status !== 'COMPLETED') return key;
  const back = randomUUID();
  await until(() => refund(sandbox, capture.id, { key: back, value: '4.00', giveUp: patience() }), isDone);
  return key;
}

async function payOutByPaypal(sandbox: Sandbox): Promise<string> {
  const key = randomUUID();
  const isTaken = ({ status }: Wire) => status === 201 || status === 400;
  await until(() => payOut(sandbox, { key, receiver: 'P_ok_1', giveUp: patience() }), isTaken);
  return key;
}

test('under all faults at once a repeated pay-in, refund or payout moves its money at most once', async () => {
  const file = freshFile();
  const sandbox = await start(file.path);
  await control(sandbox, 'POST', '/faults', { seed: 5, rates: RATES });
  const plays = [payByStripe, payByPaypal, payOutByPaypal];
  const keys = await Promise.all(
    Array.from({ length: 90 }, (_, index) => plays[index % plays.length]?.(sandbox) ?? Promise.reject(index)),
  );
  const moved = new Map<string, number>();
  for (const row of sandbox.book()) {
    const name = `${row.direction} ${row.key}`;
    moved.set(name, (moved.get(name) ?? 0) + 1);
  }
  expect([...moved].filter(([, count]) => count > 1)).toEqual([]);
  const paid = keys.filter((key) => rows(sandbox, key).length === 1);
  expect(paid.length).toBeGreaterThan(keys.length / 2);
  expect(sandbox.book().filter((row) => row.direction === 'refund').length).toBeGreaterThan(0);
  await sandbox.close();
  file.remove();
});
