// What a provider's answer, or its silence, proves: each row of the table of evidence.

import { describe, expect, test } from 'vitest';
import { parseCurrency } from '../../src/domain/money.ts';
import { type Evidence, judge } from '../../src/domain/verdict.ts';
import {
  ago,
  CONFIRMED,
  CREATED,
  declined,
  EARLY,
  FIRST_NO,
  GRACE_S,
  LATE,
  NOW,
  PENDING,
  SENT,
  SUCCESS,
  surprise,
  UNSENT,
  USD,
  WAITING,
  WINDOW_S,
} from './evidence.ts';

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
      { ...SENT, answer: SUCCESS, decline: FIRST_NO },
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
    [
      'keeps the reason that was heard before a look-up without one',
      { ...SENT, answer: declined('declined'), decline: { code: 'provider_insufficient_funds', detail: 'No funds.' } },
      failed('provider_insufficient_funds'),
    ],
    [
      'takes the reason of a look-up that has one',
      { ...SENT, answer: declined('provider_insufficient_funds'), decline: FIRST_NO },
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
