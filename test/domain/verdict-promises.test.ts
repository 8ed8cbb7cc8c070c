// What must never follow from any evidence, however it is put together.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Evidence, judge, type Step } from '../../src/domain/verdict.ts';
import {
  ago,
  declined,
  GRACE_S,
  NOT_FOUND,
  NOW,
  PENDING,
  SENT,
  SUCCESS,
  surprise,
  WAITING,
  WINDOW_S,
} from './evidence.ts';

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
