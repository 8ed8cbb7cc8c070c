// Signatures of webhooks, judged as the published vectors say.

import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { PaymentError } from '../../src/domain/errors.ts';
import { createDemobank } from '../../src/providers/demobank.ts';
import { createStripe } from '../../src/providers/stripe.ts';

const vectorFile = z.object({
  stripe: z.object({
    vectors: z.array(
      z.object({
        name: z.string(),
        payload: z.string(),
        header: z.string(),
        secret: z.string(),
        received_at: z.number(),
        valid: z.boolean(),
      }),
    ),
  }),
});
const text = readFileSync(new URL('./webhook-vectors.json', import.meta.url), 'utf8');
const { vectors } = vectorFile.parse(JSON.parse(text)).stripe;

const log = { warn: () => undefined, error: () => undefined };
const stripeWith = (...webhookSecrets: string[]) =>
  createStripe({ secretKey: 'sk_test_x', webhookSecrets, baseUrl: null, live: false, log });
const demobankWith = (...webhookSecrets: string[]) =>
  createDemobank({ secretKey: 'key', webhookSecrets, baseUrl: 'http://127.0.0.1:9', log });

/** Stricter than the SDK in one row: it accepts any future time, we accept five minutes. */
const WE_SAY: Readonly<Record<string, string>> = {
  'age 301 s': 'stale-timestamp',
  'future timestamp +600 s': 'stale-timestamp',
};

describe('every Stripe signature vector is judged as documented', () => {
  test.each(vectors)('$name', async ({ name, payload, header, secret, received_at: receivedAt, valid }) => {
    const expected = WE_SAY[name] ?? (valid ? 'accepted' : 'invalid-signature');
    const headers = { 'Stripe-Signature': header };
    expect(await verdictOf(() => stripeWith(secret).parseWebhook(Buffer.from(payload), headers, at(receivedAt)))).toBe(
      expected,
    );
  });

  test('the table covers all of them', () => {
    expect(vectors).toHaveLength(17);
  });
});

const NOW = 1_795_374_000;
const body = JSON.stringify({ id: 'evt_1', type: 'balance.available', created: NOW, data: { object: {} } });

describe('a webhook signature', () => {
  test('is accepted from any of several secrets, so that a secret can be rotated', async () => {
    const signed = { 'stripe-signature': `t=${NOW},v1=${hmac('new', NOW, body)}` };
    const event = await stripeWith('old', 'new').parseWebhook(Buffer.from(body), signed, at(NOW));
    expect(event.eventId).toBe('evt_1');
    expect(await verdictOf(() => stripeWith('old').parseWebhook(Buffer.from(body), signed, at(NOW)))).toBe(
      'invalid-signature',
    );
  });

  test.each([
    ['300 s old', -300, 'accepted'],
    ['301 s old', -301, 'stale-timestamp'],
    ['300 s ahead', 300, 'accepted'],
    ['301 s ahead', 301, 'stale-timestamp'],
  ])('that is %s is judged the same for past and future', async (_name, offset, expected) => {
    const signed = { 'stripe-signature': `t=${NOW + offset},v1=${hmac('s', NOW + offset, body)}` };
    expect(await verdictOf(() => stripeWith('s').parseWebhook(Buffer.from(body), signed, at(NOW)))).toBe(expected);
  });

  const good = hmac('s', NOW, body);
  test.each([
    ['no header', undefined],
    ['one letter', 'x'],
    ['only separators', ',,,==,=,'],
    ['two times', `t=${NOW},t=${NOW},v1=${good}`],
    ['a time with a fraction', `t=${NOW}.0,v1=${good}`],
    ['a negative time', `t=-1,v1=${good}`],
    ['a time beyond numbers', `t=${'9'.repeat(400)},v1=${good}`],
    ['one more digit', `t=${NOW},v1=${good}0`],
    ['letters of several bytes', `t=${NOW},v1=${'ü'.repeat(32)}`],
    ['a header of 5,000 characters', `t=${NOW},v1=${good},${'x'.repeat(5000)}`],
  ])('made of %s is refused without any other exception', async (_name, header) => {
    const headers = header === undefined ? {} : { 'stripe-signature': header };
    expect(await verdictOf(() => stripeWith('s').parseWebhook(Buffer.from(body), headers, at(NOW)))).toBe(
      'invalid-signature',
    );
  });

  test('never holds without a secret, and an empty secret is none', async () => {
    const signed = { 'stripe-signature': `t=${NOW},v1=${hmac('', NOW, body)}` };
    expect(await verdictOf(() => stripeWith().parseWebhook(Buffer.from(body), signed, at(NOW)))).toBe(
      'invalid-signature',
    );
    expect(await verdictOf(() => stripeWith('').parseWebhook(Buffer.from(body), signed, at(NOW)))).toBe(
      'invalid-signature',
    );
  });

  test('that holds over something else than an event is refused as such', async () => {
    const signed = (raw: string) => ({ 'stripe-signature': `t=${NOW},v1=${hmac('s', NOW, raw)}` });
    const parse = (raw: string) => stripeWith('s').parseWebhook(Buffer.from(raw), signed(raw), at(NOW));
    expect(await verdictOf(() => parse('{'))).toBe('malformed-json');
    expect(await verdictOf(() => parse('null'))).toBe('validation-failed');
    expect(await verdictOf(() => parse('{"id":"evt_1"}'))).toBe('validation-failed');
  });

  test('is read the same way for Demobank', async () => {
    const payment = { id: 'dbp_1', reference: PKID, amount: '5', currency: 'USD', destination: 'a', status: 'paid' };
    const data = { ...payment, decline_code: null, returned: '0' };
    const raw = JSON.stringify({ id: 'dbe_1', type: 'payment.paid', created: NOW, data });
    const signed = { 'demobank-signature': `t=${NOW},v1=${hmac('s', NOW, raw)}` };
    expect(await demobankWith('s').parseWebhook(Buffer.from(raw), signed, at(NOW))).toEqual({
      eventId: 'dbe_1',
      type: 'payment.paid',
      subject: 'payout',
      externId: 'dbp_1',
      pkid: PKID,
      occurredAt: at(NOW),
    });
    const forged = { 'demobank-signature': `t=${NOW},v1=${hmac('other', NOW, raw)}` };
    expect(await verdictOf(() => demobankWith('s').parseWebhook(Buffer.from(raw), forged, at(NOW)))).toBe(
      'invalid-signature',
    );
  });
});

const PKID = '3f1f1f6e-0d5d-5c0a-9c57-4c2f5a9a7d10';

describe('a Stripe event names our payout', () => {
  const parse = (type: string, object: object) => {
    const raw = JSON.stringify({ id: 'evt_2', type, created: NOW - 5, data: { object } });
    const signed = { 'stripe-signature': `t=${NOW},v1=${hmac('s', NOW, raw)}` };
    return stripeWith('s').parseWebhook(Buffer.from(raw), signed, at(NOW));
  };

  test.each([
    ['by its metadata', { id: 'tr_1', metadata: { pkid: PKID } }, PKID],
    ['by its transfer group', { id: 'tr_1', metadata: {}, transfer_group: PKID }, PKID],
    [
      'by its transfer group when the metadata was edited',
      { id: 'tr_1', metadata: { pkid: 'x' }, transfer_group: PKID },
      PKID,
    ],
    ["not at all when it is somebody else's", { id: 'tr_1', metadata: {}, transfer_group: 'order-7' }, null],
  ])('%s', async (_name, object, pkid) => {
    expect(await parse('transfer.created', object)).toMatchObject({
      eventId: 'evt_2',
      type: 'transfer.created',
      subject: 'payout',
      externId: 'tr_1',
      pkid,
      occurredAt: at(NOW - 5),
    });
  });

  test('and its id is a payment only for transfers', async () => {
    const event = await parse('payout.paid', { id: 'po_1', metadata: {} });
    expect([event.subject, event.externId]).toEqual([null, null]);
  });
});

function at(seconds: number): Date {
  return new Date(seconds * 1000);
}

function hmac(secret: string, time: number, raw: string): string {
  return createHmac('sha256', secret).update(`${time}.${raw}`).digest('hex');
}

async function verdictOf(parse: () => unknown): Promise<string> {
  try {
    await parse();
    return 'accepted';
  } catch (error) {
    if (error instanceof PaymentError) return error.code;
    throw error;
  }
}
