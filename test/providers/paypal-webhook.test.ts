// PayPal's webhooks: who may have signed them, when they are too old, and what each speaks of.

import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { ProviderEvent } from '../../src/domain/provider.ts';
import { parsePaypalEvent } from '../../src/providers/paypal/webhook.ts';
import {
  captured,
  type Delivery,
  LIMITS,
  openRig,
  type Paypal,
  payinOf,
  payoutOf,
  paypalAt,
  type Rig,
  refundOf,
  until,
  verdictOf,
  WEBHOOK_ID,
} from './paypal-rig.ts';

const file = (name: string): unknown => JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8'));
const { public_key_pem: publicKey, vectors } = z
  .object({
    public_key_pem: z.string(),
    vectors: z.array(
      z.object({
        name: z.string(),
        payload: z.string(),
        headers: z.record(z.string(), z.string()),
        webhook_id: z.string(),
        valid: z.boolean(),
      }),
    ),
  })
  .parse(file('./paypal-vectors.json'));

const NOW = new Date('2026-11-22T19:00:00Z');
const DAY_MS = 24 * 60 * 60 * 1000;
const PKID = payinOf('some').pkid;
describe('every signature vector is judged as documented', () => {
  test.each(vectors)('$name', async ({ payload, headers, webhook_id: webhookId, valid }) => {
    // The key of the vectors stands where a certificate would be read.
    const certificates = { keyAt: async () => createPublicKey(publicKey) };
    const parse = parsePaypalEvent({ raw: Buffer.from(payload), headers, webhookId, certificates, receivedAt: NOW });
    // One of the bodies is signed well and is no event, which only a genuine sender can bring about.
    const genuine = 'event_type' in JSON.parse(payload) ? 'accepted' : 'validation-failed';
    expect(await verdictOf(parse)).toBe(valid ? genuine : 'invalid-signature');
  });

  test('the table covers all of them', () => {
    expect(vectors).toHaveLength(5);
  });
});

const { privateKey, publicKey: ownKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

/** An event as PayPal would sign it with our own key. */
function parseSigned(body: unknown, { at = NOW, headers = {} }: { at?: Date; headers?: Record<string, string> } = {}) {
  const raw = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const time = NOW.toISOString().replace('.000', '');
  const signature = sign('sha256', Buffer.from(`t1|${time}|${WEBHOOK_ID}|${crc32(raw)}`), privateKey);
  const signed = {
    'PayPal-Transmission-Id': 't1',
    'PAYPAL-TRANSMISSION-TIME': time,
    'paypal-transmission-sig': signature.toString('base64'),
    'paypal-cert-url': 'https://api.paypal.com/v1/notifications/certs/CERT-1',
    'paypal-auth-algo': 'SHA256withRSA',
    ...headers,
  };
  const certificates = { keyAt: async () => ownKey };
  return parsePaypalEvent({ raw, headers: signed, webhookId: WEBHOOK_ID, certificates, receivedAt: at });
}

describe('a webhook', () => {
  const event = { id: 'WH-1', event_type: 'X', create_time: '2026-11-22T18:59:00Z', resource: {} };
  const later = (ms: number) => new Date(NOW.getTime() + ms);

  test.each<[string, number, string]>([
    ['4 days old, because PayPal keeps its first time', 4 * DAY_MS, 'accepted'],
    ['older', 4 * DAY_MS + 1, 'stale-timestamp'],
    ['5 minutes ahead', -300_000, 'accepted'],
    ['further ahead', -300_001, 'stale-timestamp'],
  ])('that is %s is judged so', async (_name, age, expected) => {
    expect(await verdictOf(parseSigned(event, { at: later(age) }))).toBe(expected);
  });

  test.each<[string, Record<string, string>]>([
    ['no signature', { 'paypal-transmission-sig': '' }],
    ['a signature that is no base64', { 'paypal-transmission-sig': '***' }],
    ['an endless signature', { 'paypal-transmission-sig': 'A'.repeat(3000) }],
    ['a shorter signature', { 'paypal-transmission-sig': 'AAAA' }],
    ['another algorithm', { 'paypal-auth-algo': 'SHA1withRSA' }],
    ['another id', { 'PayPal-Transmission-Id': 't2' }],
    ['no id', { 'PayPal-Transmission-Id': '' }],
    ['another time', { 'PAYPAL-TRANSMISSION-TIME': '2026-11-22T19:00:01Z' }],
    ['a time that is none', { 'PAYPAL-TRANSMISSION-TIME': '2026-13-45T99:00:00Z' }],
    ['no certificate', { 'paypal-cert-url': '' }],
  ])('with %s is refused', async (_name, headers) => {
    expect(await verdictOf(parseSigned(event, { headers }))).toBe('invalid-signature');
  });

  test('that is signed and no event is refused as such', async () => {
    expect(await verdictOf(parseSigned('{'))).toBe('malformed-json');
    expect(await verdictOf(parseSigned([]))).toBe('validation-failed');
    expect(await verdictOf(parseSigned({ id: 'WH-1' }))).toBe('validation-failed');
  });

  test.each<[string, object, Pick<ProviderEvent, 'subject' | 'externId' | 'pkid'>]>([
    [
      'CHECKOUT.ORDER.APPROVED',
      { id: 'O1', purchase_units: [{ custom_id: PKID }] },
      { subject: 'payin', externId: 'O1', pkid: PKID },
    ],
    [
      'PAYMENT.CAPTURE.COMPLETED',
      { id: 'C1', custom_id: PKID, supplementary_data: { related_ids: { order_id: 'O1' } } },
      { subject: 'payin', externId: 'O1', pkid: PKID },
    ],
    ['PAYMENT.CAPTURE.DENIED', { id: 'C1', custom_id: 'x' }, { subject: 'payin', externId: null, pkid: null }],
    [
      'PAYMENT.CAPTURE.REFUNDED',
      { id: 'R1', custom_id: PKID, invoice_id: PKID },
      { subject: 'refund', externId: 'R1', pkid: PKID },
    ],
    ['PAYMENT.REFUND.FAILED', { id: 'R1', custom_id: PKID }, { subject: 'refund', externId: 'R1', pkid: null }],
    [
      'PAYMENT.PAYOUTSBATCH.SUCCESS',
      { batch_header: { payout_batch_id: 'B1', sender_batch_header: { sender_batch_id: PKID } } },
      { subject: 'payout', externId: 'B1', pkid: PKID },
    ],
    [
      'PAYMENT.PAYOUTS-ITEM.UNCLAIMED',
      { payout_item_id: 'I1', payout_batch_id: 'B1', payout_item: { sender_item_id: PKID } },
      { subject: 'payout', externId: 'B1', pkid: PKID },
    ],
    ['CUSTOMER.DISPUTE.CREATED', { dispute_id: 'PP-D-1' }, { subject: 'dispute', externId: 'PP-D-1', pkid: null }],
    ['PAYMENT.PAYOUTS-ITEM.HELD', { payout_item: 7 }, { subject: null, externId: null, pkid: null }],
    ['BILLING.PLAN.CREATED', { id: 'P1' }, { subject: null, externId: null, pkid: null }],
  ])('%s names what it speaks of', async (type, resource, named) => {
    expect(await parseSigned({ ...event, event_type: type, resource })).toEqual({
      eventId: 'WH-1',
      type,
      ...named,
      occurredAt: new Date('2026-11-22T18:59:00Z'),
    });
  });

  test('PAYMENT.CAPTURE.REVERSED speaks of the pay-in, also where it shows the refund', async () => {
    const resource = { id: 'R9', custom_id: PKID };
    const body = { ...event, event_type: 'PAYMENT.CAPTURE.REVERSED', resource_type: 'refund', resource };
    expect(await parseSigned(body)).toMatchObject({ subject: 'payin', externId: null, pkid: PKID });
  });
});

describe('from the sandbox', () => {
  let rig: Rig;
  let paypal: Paypal;
  beforeAll(async () => {
    rig = await openRig();
    paypal = paypalAt(rig.url);
  });
  afterAll(() => rig.close());

  const parse = ({ raw, headers }: Delivery, from: Paypal = paypal) =>
    Promise.resolve(from.parseWebhook(raw, headers, new Date()));

  test('the events of a pay-in, its refund and a payout verify and name our rows', async () => {
    const payin = payinOf('tok_ok_9');
    const orderId = await captured(paypal, payin);
    const refund = refundOf('told', orderId);
    await paypal.refund.send(refund, LIMITS);
    const payout = payoutOf('P_ok_9');
    const paid = await paypal.payout.send(payout, LIMITS);
    const deliveries = await until(
      () => rig.deliveries,
      (seen) => seen.length >= 5,
    );
    const events = await Promise.all(deliveries.map((delivery) => parse(delivery)));
    const batchId = paid.type === 'succeeded' ? paid.externId : null;
    expect(events).toEqual(
      expect.arrayContaining(
        [
          { type: 'CHECKOUT.ORDER.APPROVED', subject: 'payin', externId: orderId, pkid: payin.pkid },
          { type: 'PAYMENT.CAPTURE.COMPLETED', subject: 'payin', externId: orderId, pkid: payin.pkid },
          { type: 'PAYMENT.CAPTURE.REFUNDED', subject: 'refund', pkid: refund.pkid },
          { type: 'PAYMENT.PAYOUTSBATCH.SUCCESS', subject: 'payout', externId: batchId, pkid: payout.pkid },
          { type: 'PAYMENT.PAYOUTS-ITEM.SUCCEEDED', subject: 'payout', externId: batchId, pkid: payout.pkid },
        ].map((event) => expect.objectContaining(event)),
      ),
    );
    const [first] = deliveries;
    if (first === undefined) throw new Error('Nothing arrived.');
    const forged = { ...first, raw: Buffer.from(first.raw.toString().replace('APPROVED', 'VOIDED')) };
    expect(await verdictOf(parse(forged))).toBe('invalid-signature');
    expect(await verdictOf(parse(first, paypalAt(rig.url, { webhookId: 'ANOTHER' })))).toBe('invalid-signature');
    expect(await verdictOf(parse(first, paypalAt(rig.url, { live: true })))).toBe('invalid-signature');
  });
});
