import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Sandbox } from '../../src/sandbox/server.ts';
import { captured, captureOrder, createOrder, payOut, paypal, refund } from './paypal-rig.ts';
import { control, freshFile, start } from './rig.ts';

const file = freshFile();
let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await start(file.path);
  await control(sandbox, 'POST', '/fees', { paypal: { percent: '3.49', fixed: '49' } });
});
afterAll(async () => {
  await sandbox.close();
  file.remove();
});

const ORDERS = 'paypal-checkout_orders_v2.json';
const PAYMENTS = 'paypal-payments_payment_v2.json';
const PAYOUTS = 'paypal-payments_payouts_batch_v1.json';

/** What the specification finds wrong with an object. */
function defects(specName: string, schemaName: string, object: unknown): unknown[] {
  const specFile = new URL(`../../src/sandbox/specs/${specName}`, import.meta.url);
  const { components } = JSON.parse(readFileSync(specFile, 'utf8'));
  const options = {
    strict: false,
    allErrors: true,
    validateFormats: false,
    logger: false,
    unicodeRegExp: false,
  } as const;
  const validate = new Ajv(options).compile({ ...components.schemas[schemaName], components });
  validate(object);
  return validate.errors ?? [];
}

const get = async (path: string) => (await paypal(sandbox, 'GET', path)).json;

test('orders in each of their states, and refused ones', async () => {
  const order = async (payer: string) => (await createOrder(sandbox, { key: randomUUID(), payer })).json;
  const waiting = await order('tok_action');
  const approved = await order('tok_ok');
  const done = (await captureOrder(sandbox, (await order('tok_pending')).id, { key: randomUUID() })).json;
  const refused = (await captureOrder(sandbox, (await order('tok_decline')).id, { key: randomUUID() })).json;
  for (const one of [waiting, approved, done]) expect(defects(ORDERS, 'order', one)).toEqual([]);
  expect(defects(ORDERS, 'error_422', refused)).toEqual([]);
  expect(defects(ORDERS, 'error_404', await get('/v2/checkout/orders/NONE'))).toEqual([]);
});

test('captures and refunds', async () => {
  const { captureId } = await captured(sandbox, { key: randomUUID(), payer: 'tok_ok' });
  const part = (await refund(sandbox, captureId, { key: randomUUID(), value: '5.00' })).json;
  expect(defects(PAYMENTS, 'capture', await get(`/v2/payments/captures/${captureId}`))).toEqual([]);
  expect(defects(PAYMENTS, 'refund', part)).toEqual([]);
  expect(defects(PAYMENTS, 'refund', await get(`/v2/payments/refunds/${part.id}`))).toEqual([]);
});

test('batches of payouts and their items', async () => {
  for (const word of ['ok', 'decline', 'pending', 'never']) {
    const made = (await payOut(sandbox, { key: randomUUID(), receiver: `seller_${word}@example.com` })).json;
    expect(defects(PAYOUTS, 'payout', made), word).toEqual([]);
    const batch = await get(`/v1/payments/payouts/${made.batch_header.payout_batch_id}`);
    expect(defects(PAYOUTS, 'payout_batch', batch), word).toEqual([]);
    const item = await get(`/v1/payments/payouts-item/${batch.items[0].payout_item_id}`);
    expect(defects(PAYOUTS, 'payout_item-2', item), word).toEqual([]);
  }
});
