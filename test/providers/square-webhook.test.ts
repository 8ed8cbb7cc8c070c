// Square's webhooks: signatures judged as the published scheme says, and what an event is taken to speak of.

import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { PaymentError } from '../../src/domain/errors.ts';
import { createSquare } from '../../src/providers/square.ts';
import { HOOK_URL } from './square-rig.ts';

const KEY = 'asdf1234SquareSignatureKey_test';
const PKID = '3f1f1f6e-0d5d-5c0a-9c57-4c2f5a9a7d10';
const RECEIVED_AT = new Date('2026-11-22T19:00:05.000Z');
const PAYMENT =
  '{"merchant_id":"ML1","type":"payment.updated","event_id":"6a8f5f28-54a1-4eb0-a98a-3111513fd4fc","cre' +
  'ated_at":"2026-11-22T19:00:00.000Z","data":{"type":"payment","id":"P1","object":{"payment":{"id":"P1' +
  '","status":"COMPLETED","version":4,"reference_id":"k-1","amount_money":{"amount":1000,"currency":"US' +
  'D"}}}}}';
const REFUND = '{"event_id":"e2","type":"refund.updated","data":{"object":{"refund":{"reason":"Größe ✓"}}}}';

function squareWith({ keys = [KEY], url = HOOK_URL } = {}) {
  return createSquare({
    accessToken: 'EAAA',
    signatureKeys: keys,
    notificationUrl: url,
    locationId: 'L1',
    baseUrl: null,
    live: false,
    log: { warn: () => undefined, error: () => undefined },
  });
}

function parse(raw: string, signature: string | undefined, setup: { keys?: string[]; url?: string } = {}) {
  const headers = signature === undefined ? {} : { 'X-Square-HmacSha256-Signature': signature };
  return squareWith(setup).parseWebhook(Buffer.from(raw), headers, RECEIVED_AT);
}

function signed(raw: string, key = KEY): string {
  return createHmac('sha256', key)
    .update(HOOK_URL + raw)
    .digest('base64');
}

function verdictOf(call: () => unknown): string {
  try {
    call();
    return 'accepted';
  } catch (error) {
    if (error instanceof PaymentError) return error.code;
    throw error;
  }
}

// Computed apart from this code, and judged the same by the helper of Square's SDK.
describe('every signature vector is judged as documented', () => {
  test.each<[string, string, string, string, string]>([
    ['valid', PAYMENT, HOOK_URL, 'M6ErbOzzuzFhCrYlW64KUjzEHFw0v9v2ilch4+D6pXI=', 'accepted'],
    ['valid utf-8', REFUND, HOOK_URL, 'BGtvN/CToT0q9X7chC04RQhlkLavSptv/wRZU0GcjfA=', 'accepted'],
    [
      'valid url with query',
      PAYMENT,
      `${HOOK_URL}?tenant=7`,
      'FV1ZxW/SL8NeoDMFqAo3kJ0ESRVKV9ypetuyYAN9kdE=',
      'accepted',
    ],
    [
      'url differs (trailing slash)',
      PAYMENT,
      `${HOOK_URL}/`,
      'M6ErbOzzuzFhCrYlW64KUjzEHFw0v9v2ilch4+D6pXI=',
      'invalid-signature',
    ],
    [
      'url differs (http behind proxy)',
      PAYMENT,
      HOOK_URL.replace('https', 'http'),
      'M6ErbOzzuzFhCrYlW64KUjzEHFw0v9v2ilch4+D6pXI=',
      'invalid-signature',
    ],
    [
      'tampered body',
      PAYMENT.replace('1000', '9000'),
      HOOK_URL,
      'M6ErbOzzuzFhCrYlW64KUjzEHFw0v9v2ilch4+D6pXI=',
      'invalid-signature',
    ],
    ['wrong key', PAYMENT, HOOK_URL, 'T5HUH7fUs1OgvLmnQsp8qDY7Dvbq5wSaseFcLhH8IDE=', 'invalid-signature'],
    [
      'body only signed (no url)',
      PAYMENT,
      HOOK_URL,
      '5ukuJRLmlqHpRQs1UmgNlxcGY286X4TPQvr4UbhJCnk=',
      'invalid-signature',
    ],
    [
      'hex instead of base64',
      PAYMENT,
      HOOK_URL,
      '33a12b6cecf3bb31610ab6255bae0a523cc41c5c34bfdbf68a5721e3e0faa572',
      'invalid-signature',
    ],
    ['sha1 legacy', PAYMENT, HOOK_URL, 'QKsceXoqgTZaOYobw5LVYhAk4YM=', 'invalid-signature'],
    ['empty signature', PAYMENT, HOOK_URL, '', 'invalid-signature'],
    ['empty body valid', '', HOOK_URL, 'Jd/7D21Mb4mncT7Y4xfYvuW8C2vfuGM7fBKi71C/TzE=', 'malformed-json'],
  ])('%s', (_name, raw, url, signature, expected) => {
    expect(verdictOf(() => parse(raw, signature, { url }))).toBe(expected);
  });
});

describe('a signature', () => {
  const good = signed(PAYMENT);

  test('is accepted from any of several keys, so that a key can be rotated', () => {
    expect(verdictOf(() => parse(PAYMENT, good, { keys: ['old', KEY] }))).toBe('accepted');
    expect(verdictOf(() => parse(PAYMENT, good, { keys: [KEY, 'new'] }))).toBe('accepted');
    expect(verdictOf(() => parse(PAYMENT, good, { keys: ['old', 'new'] }))).toBe('invalid-signature');
  });

  test('never holds without a key, and an empty key is none', () => {
    expect(verdictOf(() => parse(PAYMENT, signed(PAYMENT, ''), { keys: [''] }))).toBe('invalid-signature');
    expect(verdictOf(() => parse(PAYMENT, signed(PAYMENT, ''), { keys: [] }))).toBe('invalid-signature');
  });

  test.each([
    ['nothing at all', undefined],
    ['a blank', ' '],
    ['one character more', `${good}=`],
    ['one character less', good.slice(0, -1)],
    ['two values', `${good}, ${good}`],
    ['letters of several bytes', '\u00fc'.repeat(22)],
    ['a header of 100,000 characters', 'A'.repeat(100_000)],
  ])('made of %s is refused without any other exception', (_name, signature) => {
    expect(verdictOf(() => parse(PAYMENT, signature))).toBe('invalid-signature');
  });

  test('holds however late it comes, because it signs no time', () => {
    const late = new Date('2027-11-22T19:00:05.000Z');
    const headers = { 'x-square-hmacsha256-signature': good };
    expect(verdictOf(() => squareWith().parseWebhook(Buffer.from(PAYMENT), headers, late))).toBe('accepted');
  });

  test.each([
    ['no JSON', '{', 'malformed-json'],
    ['null', 'null', 'validation-failed'],
    ['no event id', '{"type":"payment.updated","data":{}}', 'validation-failed'],
    ['no data', '{"type":"payment.updated","event_id":"e"}', 'validation-failed'],
    ['a time that is none', '{"type":"a","event_id":"e","created_at":"soon","data":{}}', 'validation-failed'],
  ])('that holds over %s is refused as such', (_name, raw, code) => {
    expect(verdictOf(() => parse(raw, signed(raw)))).toBe(code);
  });
});

describe('an event speaks of', () => {
  const about = (type: string, id: string | undefined, object?: object) => {
    const createdAt = '2026-11-22T19:00:00.000Z';
    const raw = JSON.stringify({ event_id: 'e-1', type, created_at: createdAt, data: { id, object } });
    expect(parse(raw, signed(raw))).toMatchObject({ eventId: 'e-1', type, occurredAt: new Date(createdAt) });
    return parse(raw, signed(raw));
  };

  test.each<[string, string, string | undefined, object | undefined, object]>([
    [
      'our pay-in, by its reference',
      'payment.updated',
      'P_1',
      { payment: { id: 'P_1', reference_id: PKID } },
      { subject: 'payin', externId: 'P_1', pkid: PKID },
    ],
    [
      'a payment of somebody else',
      'payment.created',
      'P_2',
      { payment: { id: 'P_2', reference_id: 'order-7' } },
      { subject: 'payin', externId: 'P_2', pkid: null },
    ],
    ['a payment that it only names', 'payment.updated', 'P_3', undefined, { subject: 'payin', externId: 'P_3' }],
    [
      'our refund, by its reason',
      'refund.updated',
      'R_1',
      { refund: { id: 'R_1', reason: `Refund ${PKID}` } },
      { subject: 'refund', externId: 'R_1', pkid: PKID },
    ],
    [
      'a refund made by hand',
      'refund.created',
      'R_2',
      { refund: { id: 'R_2', reason: `Not ${PKID}` } },
      { subject: 'refund', externId: 'R_2', pkid: null },
    ],
    [
      'a dispute',
      'dispute.state.updated',
      'D_1',
      { dispute: { id: 'D_1', dispute_id: 'D_1' } },
      { subject: 'dispute', externId: 'D_1', pkid: null },
    ],
    [
      'a dispute by its older name',
      'dispute.created',
      undefined,
      { dispute: { dispute_id: 'D_2' } },
      { subject: 'dispute', externId: 'D_2' },
    ],
    ["Square's own settlement, which is nothing here", 'payout.paid', 'po_1', {}, { subject: null, externId: null }],
    ['something new, which is nothing here', 'loyalty.updated', 'x', {}, { subject: null, externId: null, pkid: null }],
  ])('%s', (_name, type, id, object, expected) => {
    expect(about(type, id, object)).toMatchObject(expected);
  });

  test('the moment at which it came, when it tells none', async () => {
    expect((await parse(REFUND, signed(REFUND))).occurredAt).toEqual(RECEIVED_AT);
  });
});
