import { randomUUID, verify, X509Certificate } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Sandbox } from '../../src/sandbox/server.ts';
import { captured, captureOrder, createOrder, payOut, refund } from './paypal-rig.ts';
import { control, freshFile, type Received, receiver, SECRETS, start, until } from './rig.ts';

const WEBHOOK_ID = '8PT597110X687430LKGECATA';

const file = freshFile();
let inbox: Awaited<ReturnType<typeof receiver>>;
let answers: () => number;
let sandbox: Sandbox;

const open = () => start(file.path, { webhookUrl: inbox.url, webhookSecrets: { ...SECRETS, paypal: WEBHOOK_ID } });

beforeEach(async () => {
  answers = () => 200;
  inbox = await receiver(() => answers());
  sandbox = await open();
});
afterEach(async () => {
  await sandbox.close();
  await inbox.close();
  file.remove();
});

async function isGenuine({ headers, body }: Received, webhookId: string): Promise<boolean> {
  const header = (name: string) => String(headers[`paypal-${name}`]);
  const response = await fetch(header('cert-url'));
  const certificate = new X509Certificate(await response.text());
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(Date.parse(certificate.validTo)).toBeGreaterThan(Date.now());
  expect(Date.parse(certificate.validFrom)).toBeLessThan(Date.now());
  const text = `${header('transmission-id')}|${header('transmission-time')}|${webhookId}|${crc32(body)}`;
  return verify('sha256', Buffer.from(text), certificate.publicKey, Buffer.from(header('transmission-sig'), 'base64'));
}

function types(): string[] {
  return inbox.received.map(({ body }) => JSON.parse(body).event_type);
}

test('an event is signed over its own time and our webhook id with a certificate that anyone can read', async () => {
  const key = randomUUID();
  const { id } = (await createOrder(sandbox, { key, payer: 'tok_ok_1' })).json;
  const [received] = await until(
    () => inbox.received,
    (seen) => seen.length === 1,
  );
  if (!received) throw new Error('nothing was received');
  expect(received.path).toBe('/webhooks/paypal');
  expect(received.headers['paypal-auth-algo']).toBe('SHA256withRSA');
  expect(String(received.headers['paypal-cert-url']).startsWith(`${sandbox.url}/paypal/`)).toBe(true);
  expect(await isGenuine(received, WEBHOOK_ID)).toBe(true);
  expect(await isGenuine(received, 'another')).toBe(false);
  expect(await isGenuine({ ...received, body: received.body.replace('15.00', '95.00') }, WEBHOOK_ID)).toBe(false);
  expect(JSON.parse(received.body)).toMatchObject({
    id: expect.stringMatching(/^WH-/),
    event_type: 'CHECKOUT.ORDER.APPROVED',
    resource_type: 'checkout-order',
    resource: { id, purchase_units: [{ custom_id: key }] },
  });
});

test('a later try has the id and the time of the first, and outlives a restart with its certificate', async () => {
  answers = () => 503;
  await createOrder(sandbox, { key: randomUUID(), payer: 'tok_ok_1' });
  const before = await until(
    () => inbox.received,
    (seen) => seen.length >= 1,
  );
  await sandbox.close();
  answers = () => 200;
  const count = before.length;
  sandbox = await open();
  const all = await until(
    () => inbox.received,
    (seen) => seen.length > count,
  );
  const [first] = all;
  const last = all.at(-1);
  if (!first || !last) throw new Error('nothing was received');
  for (const name of ['paypal-transmission-id', 'paypal-transmission-time']) {
    expect(last.headers[name]).toBe(first.headers[name]);
  }
  expect(await isGenuine(last, WEBHOOK_ID)).toBe(true);
});

test('a pay-in, its refund and a payout are told in PayPal’s words', async () => {
  const { captureId } = await captured(sandbox, { key: randomUUID(), payer: 'tok_ok_1' });
  const key = randomUUID();
  await refund(sandbox, captureId, { key, value: '1.00' });
  await payOut(sandbox, { key, receiver: 'P_bounce_1' });
  await until(types, (seen) => seen.length === 6);
  expect(types().toSorted()).toEqual([
    'CHECKOUT.ORDER.APPROVED',
    'PAYMENT.CAPTURE.COMPLETED',
    'PAYMENT.CAPTURE.REFUNDED',
    'PAYMENT.PAYOUTS-ITEM.RETURNED',
    'PAYMENT.PAYOUTS-ITEM.SUCCEEDED',
    'PAYMENT.PAYOUTSBATCH.SUCCESS',
  ]);
  const about = (type: string) =>
    inbox.received.map(({ body }) => JSON.parse(body)).find((one) => one.event_type === type);
  expect(about('PAYMENT.CAPTURE.COMPLETED').resource).toMatchObject({ id: captureId, status: 'COMPLETED' });
  expect(about('PAYMENT.PAYOUTS-ITEM.SUCCEEDED').resource).toMatchObject({
    transaction_status: 'SUCCESS',
    sender_batch_id: key,
  });
});

test('a buyer who approves and a dispute that is won are told, with the capture they are about', async () => {
  const made = await createOrder(sandbox, { key: randomUUID(), payer: 'tok_action' });
  await control(sandbox, 'POST', `/approve/${made.json.id}`);
  const { captureId } = await captured(sandbox, { key: randomUUID(), payer: 'tok_dispute_won' });
  await until(types, (seen) => seen.includes('CUSTOMER.DISPUTE.RESOLVED'));
  expect(types().filter((type) => type === 'CHECKOUT.ORDER.APPROVED')).toHaveLength(2);
  const told = inbox.received.map(({ body }) => JSON.parse(body)).filter((one) => one.resource_type === 'dispute');
  expect(told.map((one) => [one.event_type, one.resource.status, one.resource.dispute_outcome?.outcome_code])).toEqual([
    ['CUSTOMER.DISPUTE.CREATED', 'OPEN', undefined],
    ['CUSTOMER.DISPUTE.RESOLVED', 'RESOLVED', 'RESOLVED_SELLER_FAVOUR'],
  ]);
  expect(told[0].resource.disputed_transactions[0].seller_transaction_id).toBe(captureId);
});

test('a capture that is refused in the end is told as denied', async () => {
  const { id } = (await createOrder(sandbox, { key: randomUUID(), payer: 'tok_pending_then_fail' })).json;
  await captureOrder(sandbox, id, { key: randomUUID() });
  await until(types, (seen) => seen.includes('PAYMENT.CAPTURE.DENIED'));
  expect(types()).toEqual(['CHECKOUT.ORDER.APPROVED', 'PAYMENT.CAPTURE.PENDING', 'PAYMENT.CAPTURE.DENIED']);
});
