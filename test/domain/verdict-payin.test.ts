// What a provider's answer proves of money that comes in: it is here already, and a form in a browser may still be
// open.

import { describe, expect, test } from 'vitest';
import { parseCurrency } from '../../src/domain/money.ts';
import { type Evidence, judge, PROVIDER_FUNDS } from '../../src/domain/verdict.ts';
import {
  ACTION,
  declined,
  FIRST_NO,
  LATE,
  NOT_FOUND,
  PAID,
  PAYIN,
  PENDING,
  SENT,
  stillOpen,
  surprise,
  UNSENT,
  USD,
} from './evidence.ts';

type Row = readonly [what: string, evidence: Evidence, verdict: object];

const failed = (code: string, detail?: string) => ({
  type: 'failed',
  code,
  ...(detail === undefined ? {} : { detail }),
});
const cancel = { type: 'act', step: 'cancel' };
const unknown = { type: 'unknown', notBefore: null };
const CANCELING = { ...PAYIN, cancelRequested: true };
const EXPIRING = { ...CANCELING, isExpiring: true };

describe('success of a pay-in', () => {
  const differs = { type: 'review', reason: 'success_differs' };
  test.each<Row>([
    ['of the whole amount', { ...PAYIN, answer: PAID }, { type: 'succeeded', success: PAID }],
    ['needs no beneficiary', { ...PAYIN, answer: PAID, beneficiary: 'checkout-7' }, { type: 'succeeded' }],
    [
      'of more than was asked for is kept apart',
      { ...PAYIN, answer: { ...PAID, money: { amountMinor: 1501n, currency: USD } } },
      { ...differs, success: { money: { amountMinor: 1501n } } },
    ],
    [
      'of less than was asked for',
      { ...PAYIN, answer: { ...PAID, money: { amountMinor: 1n, currency: USD } } },
      differs,
    ],
    [
      'in another currency',
      { ...PAYIN, answer: { ...PAID, money: { ...PAID.money, currency: parseCurrency('JPY') } } },
      differs,
    ],
    ['under another reference than on file', { ...PAYIN, answer: { ...PAID, externId: 'p_2' } }, differs],
    [
      'twice under our key',
      { ...PAYIN, answer: { ...PAID, otherExternIds: ['p_2'] } },
      { type: 'review', reason: 'second_reference' },
    ],
    [
      'after an open decline: the buyer tried again',
      { ...PAYIN, answer: PAID, decline: FIRST_NO },
      { type: 'succeeded' },
    ],
    ['met by our cancel', { ...CANCELING, step: 'cancel', answer: PAID }, { type: 'succeeded' }],
    [
      'met by our cancel after an open decline',
      { ...CANCELING, step: 'cancel', answer: PAID, decline: FIRST_NO },
      { type: 'succeeded' },
    ],
    ['after its time was over', { ...EXPIRING, answer: PAID }, { type: 'succeeded' }],
    ['of a row in review', { ...PAYIN, answer: PAID, inReview: true }, { type: 'succeeded' }],
  ])('%s', (_, evidence, verdict) => {
    expect(judge(evidence)).toMatchObject(verdict);
  });
});

describe('a pay-in that was declined', () => {
  test.each<Row>([
    ['for good fails', { ...PAYIN, answer: declined('declined') }, failed('declined', 'No.')],
    ['and can be tried again is cancelled first', { ...PAYIN, answer: stillOpen('declined') }, cancel],
    ['at the very send too', { ...PAYIN, step: 'send', answer: stillOpen('declined') }, cancel],
    [
      'and is cancelled now failed for the first reason',
      { ...PAYIN, step: 'cancel', answer: declined('canceled'), decline: FIRST_NO },
      failed(FIRST_NO.code, FIRST_NO.detail),
    ],
    [
      'and is found cancelled later failed for the first reason',
      { ...PAYIN, answer: declined('canceled'), decline: FIRST_NO },
      failed(FIRST_NO.code, FIRST_NO.detail),
    ],
    [
      'for the first reason, though a cancel was asked for as well',
      { ...CANCELING, answer: declined('canceled'), decline: FIRST_NO },
      failed(FIRST_NO.code),
    ],
    [
      'is not cancelled twice in a claim when it is still open',
      { ...PAYIN, step: 'cancel', answer: stillOpen('declined') },
      unknown,
    ],
    [
      'after a success is for a person, open or not',
      { ...PAYIN, answer: stillOpen('declined'), sawSuccess: true },
      { type: 'review', reason: 'success_and_decline' },
    ],
  ])('%s', (_, evidence, verdict) => {
    expect(judge(evidence)).toMatchObject(verdict);
  });
});

describe('a pay-in that waits for its buyer', () => {
  test.each<Row>([
    ['is asked about again', { ...PAYIN, answer: ACTION }, { type: 'pending' }],
    ['in review too', { ...PAYIN, answer: ACTION, inReview: true }, { type: 'pending' }],
    ['is cancelled at the provider when that was asked for', { ...CANCELING, answer: ACTION }, cancel],
    ['is cancelled at the provider when its time is over', { ...EXPIRING, answer: ACTION }, cancel],
    [
      'and was not cancelled by our cancel is looked at again',
      { ...CANCELING, step: 'cancel', answer: ACTION },
      unknown,
    ],
    [
      'and was cancelled on request failed as cancelled',
      { ...CANCELING, step: 'cancel', answer: declined('canceled') },
      failed('canceled'),
    ],
    [
      'and was cancelled because its time was over failed as expired',
      { ...EXPIRING, step: 'cancel', answer: declined('canceled') },
      failed('expired'),
    ],
    [
      'and is found cancelled after its time failed as expired',
      { ...EXPIRING, answer: declined('canceled') },
      failed('expired'),
    ],
    ['and is gone at the provider failed as expired', { ...PAYIN, answer: declined('expired') }, failed('expired')],
    [
      'and was never sent failed as expired',
      { ...UNSENT, direction: 'in', cancelRequested: true, isExpiring: true },
      failed('expired'),
    ],
    [
      'and was never sent failed as cancelled',
      { ...UNSENT, direction: 'in', cancelRequested: true },
      failed('canceled'),
    ],
  ])('%s', (_, evidence, verdict) => {
    expect(judge(evidence)).toMatchObject(verdict);
  });
});

test('a cancel that got no answer proves nothing', () => {
  for (const answer of [surprise('uncertain'), PENDING]) {
    expect(['unknown', 'pending']).toContain(judge({ ...EXPIRING, step: 'cancel', answer }).type);
  }
});

describe('a payout for which our balance at the provider is too small', () => {
  test('waits for our funds, as if it had never been sent', () => {
    const answer = surprise('not_taken', 60_000, PROVIDER_FUNDS);
    const verdict = { type: 'not_taken', retryAfterMs: 60_000, waiting: 'provider_funds' };
    expect(judge({ ...SENT, step: 'send', answer })).toEqual(verdict);
  });

  test('waits for nothing of ours when it was not taken for another reason', () => {
    const answer = surprise('not_taken', 1_000);
    expect(judge({ ...SENT, step: 'send', answer })).toEqual({ type: 'not_taken', retryAfterMs: 1_000, waiting: null });
  });

  test('fails when the provider refuses it for that', () => {
    const answer = declined('provider_insufficient_funds');
    expect(judge({ ...SENT, step: 'send', answer })).toMatchObject(failed('provider_insufficient_funds'));
  });
});

describe('a pay-in of which nothing is found after its cancel was asked for', () => {
  test('has failed where the look-up proves that nothing moved, and is never sent again', () => {
    const evidence = { ...CANCELING, answer: NOT_FOUND, canFindByKey: true };
    expect(judge(evidence)).toMatchObject(failed('canceled'));
    expect(judge({ ...evidence, isExpiring: true })).toMatchObject(failed('expired'));
  });

  test('is cancelled by its key where a look-up proves nothing', () => {
    expect(judge({ ...CANCELING, answer: NOT_FOUND, canFindByKey: false })).toMatchObject(cancel);
  });

  test('whose first step may have moved the money is no failure, and is for a person when its key is too old', () => {
    const saved = { ...CANCELING, stages: 2, externId: null, answer: NOT_FOUND, canFindByKey: false } as const;
    expect(judge(saved)).toMatchObject(cancel);
    expect(judge({ ...saved, step: 'cancel' })).toMatchObject(unknown);
    expect(judge({ ...saved, ...LATE })).toMatchObject({ type: 'review', reason: 'key_expired' });
    expect(judge({ ...saved, moneyIntendedAt: null })).toMatchObject(failed('canceled'));
  });
});

test('a pay-in of which nothing was found is sent again under its key', () => {
  expect(judge({ ...PAYIN, externId: null, answer: NOT_FOUND })).toEqual({ type: 'act', step: 'send' });
});
