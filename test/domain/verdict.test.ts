// What a provider's answer, or its silence, proves: each row of the table of evidence, and what must never follow.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCurrency } from '../../src/domain/money.ts';
import type { Answer, DeclineCode, Succeeded } from '../../src/domain/provider.ts';
import { type Evidence, judge, type Step } from '../../src/domain/verdict.ts';

const USD = parseCurrency('USD');
const NOW = new Date('2026-03-01T12:00:00Z');
const ago = (seconds: number) => new Date(NOW.getTime() - seconds * 1000);
const GRACE_S = 60;
const WINDOW_S = 12 * 3600;

const SUCCESS: Succeeded = {
  type: 'succeeded',
  externId: 'tr_1',
  money: { amountMinor: 1500n, currency: USD },
  beneficiary: 'acct_1',
  reversedMinor: 0n,
  arrival: null,
  otherExternIds: [],
};
const NOT_FOUND = { type: 'not_found' } as const;
const PENDING = { type: 'pending', externId: 'p_1', awaitsConfirm: false } as const;
const WAITING = { type: 'pending', externId: 'p_1', awaitsConfirm: true } as const;
const declined = (code: DeclineCode): Answer => ({ type: 'declined', code, detail: 'No.', externId: null });
const surprise = (type: 'not_taken' | 'uncertain' | 'key_conflict', retryAfterMs: number | null = null) =>
  ({
    type: 'surprise',
    surprise: { type, reason: 'test', httpStatus: null, storedError: null },
    retryAfterMs,
  }) as const;

/** A one-stage payout that was sent ten minutes ago: past grace, inside the resend window. */
const SENT: Evidence = {
  step: 'find',
  answer: NOT_FOUND,
  money: SUCCESS.money,
  beneficiary: SUCCESS.beneficiary,
  externId: null,
  stages: 1,
  canFindByKey: true,
  moneyIntendedAt: ago(600),
  lastSentBy: ago(595),
  firstSentAt: ago(600),
  errorReplays: 0,
  sawSuccess: false,
  sawDecline: false,
  cancelRequested: false,
  inReview: false,
  now: NOW,
  graceMs: GRACE_S * 1000,
  resendWindowMs: WINDOW_S * 1000,
};
/** A two-stage payout whose first step stands and whose second was never intended. */
const CREATED: Evidence = { ...SENT, stages: 2, moneyIntendedAt: null, externId: 'p_1' };
const CONFIRMED: Evidence = { ...CREATED, moneyIntendedAt: ago(600) };
const UNSENT: Evidence = { ...SENT, moneyIntendedAt: null, lastSentBy: null, firstSentAt: null };
const EARLY = { lastSentBy: ago(GRACE_S - 1), firstSentAt: ago(GRACE_S), moneyIntendedAt: ago(GRACE_S) };
const LATE = { lastSentBy: ago(WINDOW_S), firstSentAt: ago(WINDOW_S + 1), moneyIntendedAt: ago(WINDOW_S + 1) };

type Row = readonly [what: string, evidence: Evidence, verdict: object];

describe('success', () => {
  const differs = { type: 'review', reason: 'success_differs' };
  test.each<Row>([
    ['that agrees in all', { ...SENT, answer: SUCCESS }, { type: 'succeeded', success: SUCCESS }],
    ['that agrees, of a row in review', { ...SENT, answer: SUCCESS, inReview: true }, { type: 'succeeded' }],
    ['of the payment on file', { ...SENT, answer: SUCCESS, externId: 'tr_1' }, { type: 'succeeded' }],
    [
      'after a cancel was asked for',
      { ...CONFIRMED, answer: { ...SUCCESS, externId: 'p_1' }, cancelRequested: true },
      { type: 'succeeded' },
    ],
    ['of another amount', { ...SENT, answer: { ...SUCCESS, money: { amountMinor: 1501n, currency: USD } } }, differs],
    [
      'in another currency',
      { ...SENT, answer: { ...SUCCESS, money: { amountMinor: 1500n, currency: parseCurrency('EUR') } } },
      differs,
    ],
    ['to another beneficiary', { ...SENT, answer: { ...SUCCESS, beneficiary: 'acct_2' } }, differs],
    ['under another reference than on file', { ...SENT, answer: SUCCESS, externId: 'tr_0' }, differs],
    [
      'twice under our key',
      { ...SENT, answer: { ...SUCCESS, otherExternIds: ['tr_2'] } },
      { type: 'review', reason: 'second_reference' },
    ],
    [
      'after a decline',
      { ...SENT, answer: SUCCESS, sawDecline: true },
      { type: 'review', reason: 'success_and_decline' },
    ],
  ])('%s', (_, evidence, verdict) => {
    expect(judge(evidence)).toMatchObject(verdict);
  });
});

describe('a final decline', () => {
  const failed = (code: string) => ({ type: 'failed', code });
  test.each<Row>([
    ['fails with its code', { ...SENT, answer: declined('declined') }, failed('declined')],
    [
      'for want of our funds',
      { ...SENT, answer: declined('provider_insufficient_funds') },
      failed('provider_insufficient_funds'),
    ],
    ['by expiry of the first step', { ...CREATED, answer: declined('expired') }, failed('expired')],
    ['in review', { ...SENT, answer: declined('declined'), inReview: true }, failed('declined')],
    [
      'after a success',
      { ...SENT, answer: declined('declined'), sawSuccess: true },
      { type: 'review', reason: 'success_and_decline' },
    ],
    [
      'by a cancel that was asked for',
      { ...CREATED, answer: declined('canceled'), cancelRequested: true },
      failed('canceled'),
    ],
    ['by a cancel that nobody asked for', { ...CREATED, answer: declined('canceled') }, failed('expired')],
    [
      'by our cancel after a stored error',
      { ...CONFIRMED, step: 'cancel', answer: declined('canceled'), errorReplays: 2 },
      failed('provider_error'),
    ],
    [
      'seen later of our cancel after a stored error',
      { ...CONFIRMED, answer: declined('canceled'), errorReplays: 2 },
      failed('provider_error'),
    ],
  ])('%s', (_, evidence, verdict) => {
    expect(judge(evidence)).toMatchObject(verdict);
  });
});

describe('no usable answer', () => {
  // A look-up can prove something from a grace period after the last possible send.
  const unknown = { type: 'unknown', notBefore: ago(595 - GRACE_S) };
  test.each<Row>([
    ['pending waits', { ...SENT, answer: PENDING }, { type: 'pending' }],
    ['a surprise waits', { ...SENT, answer: surprise('uncertain') }, unknown],
    ['a surprise after a success waits', { ...SENT, answer: surprise('uncertain'), sawSuccess: true }, unknown],
    [
      'a surprise long after the window waits',
      { ...SENT, ...LATE, answer: surprise('uncertain') },
      { type: 'unknown' },
    ],
    [
      'not taken is as if never sent',
      { ...SENT, step: 'send', answer: surprise('not_taken', 1000) },
      { type: 'not_taken', retryAfterMs: 1000 },
    ],
    [
      'our key with another body is for a person',
      { ...SENT, answer: surprise('key_conflict') },
      { type: 'review', reason: 'key_conflict' },
    ],
  ])('%s', (_, evidence, verdict) => {
    expect(judge(evidence)).toMatchObject(verdict);
  });
});

describe('nothing found', () => {
  const early = { type: 'unknown', notBefore: new Date(NOW.getTime() + 1000) };
  const send = { type: 'act', step: 'send' };
  test.each<Row>([
    ['nothing was sent yet: send', UNSENT, send],
    ['younger than grace: wait until it proves something', { ...SENT, ...EARLY }, early],
    ['a stored error younger than grace: wait', { ...SENT, ...EARLY, errorReplays: 2 }, early],
    ['past grace, inside the window: the same key again', SENT, send],
    ['past grace, no look-up by our key: the resend is the look-up', { ...SENT, canFindByKey: false }, send],
    ['at the end of the window', { ...SENT, firstSentAt: ago(WINDOW_S) }, send],
    ['outside the window: a person must look', { ...SENT, ...LATE }, { type: 'review', reason: 'key_expired' }],
    [
      'outside the window, in review already',
      { ...SENT, ...LATE, inReview: true },
      { type: 'review', reason: 'key_expired' },
    ],
    ['the key replayed one error: again', { ...SENT, errorReplays: 1 }, send],
    ['the key replays its error for ever', { ...SENT, errorReplays: 2 }, { type: 'failed', code: 'provider_error' }],
    [
      'a stored error, outside the window too',
      { ...SENT, ...LATE, errorReplays: 2 },
      { type: 'failed', code: 'provider_error' },
    ],
    [
      'a stored error where no look-up exists: resend while it may',
      { ...SENT, errorReplays: 2, canFindByKey: false },
      send,
    ],
    [
      'and then a person',
      { ...SENT, ...LATE, errorReplays: 2, canFindByKey: false },
      { type: 'review', reason: 'key_expired' },
    ],
    ['in review nothing is sent', { ...SENT, inReview: true }, { type: 'unknown' }],
    ['in review nothing is sent first either', { ...UNSENT, inReview: true }, { type: 'unknown' }],
    ['cancelled before anything was sent', { ...UNSENT, cancelRequested: true }, { type: 'failed', code: 'canceled' }],
    [
      'cancelled, the first step younger than grace',
      { ...CREATED, ...EARLY, moneyIntendedAt: null, cancelRequested: true },
      early,
    ],
    ['cancelled after the money was intended: the same key again', { ...SENT, cancelRequested: true }, send],
  ])('%s', (_, evidence, verdict) => {
    expect(judge(evidence)).toMatchObject(verdict);
  });
});

describe('two stages', () => {
  const failed = (code: string) => ({ type: 'failed', code });
  test.each<Row>([
    ['the first step stands: confirm it', { ...CREATED, answer: WAITING }, { type: 'act', step: 'confirm' }],
    [
      'a cancel before the second step wins',
      { ...CREATED, answer: WAITING, cancelRequested: true },
      { type: 'act', step: 'cancel' },
    ],
    [
      'in review it is not confirmed',
      { ...CREATED, answer: WAITING, inReview: true },
      { type: 'unknown', notBefore: null },
    ],
    ['the second step left no trace yet', { ...CONFIRMED, ...EARLY, answer: WAITING }, { type: 'unknown' }],
    [
      'the second step left no trace past grace: again',
      { ...CONFIRMED, answer: WAITING },
      { type: 'act', step: 'confirm' },
    ],
    [
      'the second step replays its error: take the first back',
      { ...CONFIRMED, answer: WAITING, errorReplays: 2 },
      { type: 'act', step: 'cancel' },
    ],
    [
      'the second step outside the window',
      { ...CONFIRMED, ...LATE, answer: WAITING },
      { type: 'review', reason: 'key_expired' },
    ],
    [
      'in review the second step is not sent again',
      { ...CONFIRMED, answer: WAITING, inReview: true },
      { type: 'unknown' },
    ],
    ['the first step is gone, the second was never intended', CREATED, failed('expired')],
    ['also when the key is long forgotten', { ...CREATED, ...LATE, moneyIntendedAt: null }, failed('expired')],
    ['a first step whose id was lost is made again', { ...CREATED, externId: null }, { type: 'act', step: 'send' }],
    [
      'the payment is gone after the second step was intended',
      { ...CONFIRMED, ...LATE },
      { type: 'review', reason: 'key_expired' },
    ],
  ])('%s', (_, evidence, verdict) => {
    expect(judge(evidence)).toMatchObject(verdict);
  });
});

const anyEvidence = (answer: fc.Arbitrary<Evidence['answer']>): fc.Arbitrary<Evidence> => {
  const time = fc.option(fc.integer({ min: 0, max: 2 * WINDOW_S }).map(ago), { nil: null });
  return fc.record({
    step: fc.constantFrom<Step>('send', 'confirm', 'find', 'cancel'),
    answer,
    money: fc.constant(SUCCESS.money),
    beneficiary: fc.constant(SUCCESS.beneficiary),
    externId: fc.constantFrom(null, 'tr_1', 'p_1'),
    stages: fc.constantFrom(1 as const, 2 as const),
    canFindByKey: fc.boolean(),
    moneyIntendedAt: time,
    lastSentBy: time,
    firstSentAt: time,
    errorReplays: fc.integer({ min: 0, max: 3 }),
    sawSuccess: fc.boolean(),
    sawDecline: fc.boolean(),
    cancelRequested: fc.boolean(),
    inReview: fc.boolean(),
    now: fc.constant(NOW),
    graceMs: fc.constant(SENT.graceMs),
    resendWindowMs: fc.constant(SENT.resendWindowMs),
  });
};
const noAnswer = fc.constantFrom<Evidence['answer']>(
  surprise('not_taken'),
  surprise('uncertain'),
  surprise('key_conflict'),
  PENDING,
);
const noSuccess = fc.oneof(
  noAnswer,
  fc.constantFrom<Evidence['answer']>(WAITING, NOT_FOUND, declined('declined'), declined('canceled')),
);

test('without a success answer nothing succeeds', () => {
  fc.assert(
    fc.property(anyEvidence(noSuccess), (evidence) => {
      expect(judge(evidence).type).not.toBe('succeeded');
    }),
    { numRuns: 2_000 },
  );
});

test('silence, errors and "pending" never fail a payment and never send it again', () => {
  fc.assert(
    fc.property(anyEvidence(noAnswer), (evidence) => {
      expect(['pending', 'unknown', 'not_taken', 'review']).toContain(judge(evidence).type);
    }),
    { numRuns: 2_000 },
  );
});

test('nothing that may move money is done in review, outside the window, or before grace has passed', () => {
  fc.assert(
    fc.property(anyEvidence(noSuccess), (evidence) => {
      const verdict = judge(evidence);
      const { inReview, firstSentAt, lastSentBy, moneyIntendedAt } = evidence;
      if (verdict.type !== 'act' || verdict.step === 'cancel') return;
      expect(inReview).toBe(false);
      if (verdict.step === 'confirm' && moneyIntendedAt === null) return;
      if (firstSentAt !== null) expect(firstSentAt >= ago(WINDOW_S)).toBe(true);
      if (lastSentBy !== null) expect(lastSentBy <= ago(GRACE_S)).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});
