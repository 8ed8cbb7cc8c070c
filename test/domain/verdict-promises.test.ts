// What must never follow from any evidence, however it is put together.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Evidence, judge, type Step } from '../../src/domain/verdict.ts';
import {
  ACTION,
  ago,
  declined,
  FIRST_NO,
  GRACE_S,
  NOT_FOUND,
  NOW,
  PENDING,
  SENT,
  SUCCESS,
  stillOpen,
  surprise,
  WAITING,
  WINDOW_S,
} from './evidence.ts';

const anyEvidence = (answer: fc.Arbitrary<Evidence['answer']>): fc.Arbitrary<Evidence> => {
  const time = fc.option(fc.integer({ min: 0, max: 2 * WINDOW_S }).map(ago), { nil: null });
  return fc.record({
    direction: fc.constantFrom('in' as const, 'out' as const),
    step: fc.constantFrom<Step>('send', 'confirm', 'find', 'cancel'),
    answer,
    money: fc.constant(SUCCESS.money),
    beneficiary: fc.constant(SENT.beneficiary),
    externId: fc.constantFrom(null, 'tr_1', 'p_1'),
    stages: fc.constantFrom(1 as const, 2 as const),
    canFindByKey: fc.boolean(),
    moneyIntendedAt: time,
    lastSentBy: time,
    firstSentAt: time,
    errorReplays: fc.integer({ min: 0, max: 3 }),
    sawSuccess: fc.boolean(),
    decline: fc.constantFrom(null, FIRST_NO),
    cancelRequested: fc.boolean(),
    isExpiring: fc.boolean(),
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
  fc.constantFrom<Evidence['answer']>(
    WAITING,
    ACTION,
    NOT_FOUND,
    declined('declined'),
    declined('canceled'),
    stillOpen('declined'),
  ),
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
      const verdict = judge(evidence);
      // Incoming money may be cancelled: that never sends, and the provider says what holds.
      if (evidence.direction === 'in' && verdict.type === 'act') expect(verdict.step).toBe('cancel');
      else expect(['pending', 'unknown', 'not_taken', 'review']).toContain(verdict.type);
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

test('what the buyer can still pay never fails before it is cancelled at the provider', () => {
  const open = fc.constantFrom<Evidence['answer']>(ACTION, stillOpen('declined'), stillOpen('expired'));
  fc.assert(
    fc.property(anyEvidence(open), (evidence) => {
      const verdict = judge(evidence);
      expect(['act', 'pending', 'unknown', 'review']).toContain(verdict.type);
      // The cancel is asked for once a claim; its answer is looked up later, and not answered by another cancel.
      if (verdict.type === 'act') expect([verdict.step, evidence.step === 'cancel']).toEqual(['cancel', false]);
    }),
    { numRuns: 2_000 },
  );
});

test('money that came in as it was asked for is never refused, whatever was said before', () => {
  fc.assert(
    fc.property(anyEvidence(fc.constant({ ...SUCCESS, beneficiary: null })), (evidence) => {
      const agreeing = { ...evidence, direction: 'in' as const, externId: SUCCESS.externId };
      expect(judge(agreeing).type).toBe('succeeded');
    }),
    { numRuns: 500 },
  );
});
