// How a verdict changes the row of a payment, and when somebody must look again.

import { describe, expect, test } from 'vitest';
import { hintPatch, type Payment } from '../../src/domain/payment.ts';
import { resolvedPatch, settlePatch } from '../../src/domain/payment-settle.ts';
import { SUCCESS } from './evidence.ts';
import { CLAIMED, later, NOW, WAITING } from './payment-rows.ts';

describe('settle', () => {
  const secondsUntilDue = (payout: Payment, verdict: Parameters<typeof settlePatch>[1]) => {
    const { patch, outcome } = settlePatch(payout, verdict, NOW);
    expect(outcome).toBe('waits');
    expect(patch).toMatchObject({ leased: false, hinted: false, crashes: 0 });
    return ((patch.dueAt?.getTime() ?? 0) - NOW.getTime()) / 1000;
  };
  const unknown = { type: 'unknown', notBefore: null } as const;

  test('success ends it, and the review', () => {
    const payout: Payment = { ...CLAIMED, reviewReason: 'key_expired', reviewSince: NOW };
    const { patch, outcome } = settlePatch(payout, { type: 'succeeded', success: SUCCESS, arrival: null }, NOW);
    expect(outcome).toBe('succeeded');
    const review = { reviewReason: null, reviewSince: null };
    const rest = { leased: false, dueAt: null, finalAt: NOW, externPaymentId: SUCCESS.externId };
    expect(patch).toMatchObject({ status: 'succeeded', ...rest, ...review });
  });

  test('failure ends it with a reason, and long texts of a provider are cut', () => {
    const verdict = { type: 'failed', code: 'declined', detail: 'x'.repeat(10_000) } as const;
    const { patch, outcome } = settlePatch(CLAIMED, verdict, NOW);
    expect(outcome).toBe('failed');
    expect(patch).toMatchObject({
      status: 'failed',
      failureCode: 'declined',
      leased: false,
      dueAt: null,
      finalAt: NOW,
    });
    expect(patch.failureDetail).toHaveLength(500);
  });

  test('unknown is asked again after 1, 2, 5, 10, 30 s, then every minute', () => {
    const waits = [0, 1, 2, 3, 4, 5, 6, 99].map((unknowns) => secondsUntilDue({ ...CLAIMED, unknowns }, unknown));
    expect(waits).toEqual([1, 2, 5, 10, 30, 60, 60, 60]);
  });

  test('pending is asked again after 10 s, 1 m, 10 m, 1 h, then every 6 h', () => {
    const waits = [0, 1, 2, 3, 4, 5, 99].map((pendings) =>
      secondsUntilDue({ ...CLAIMED, pendings }, { type: 'pending' }),
    );
    expect(waits).toEqual([10, 60, 600, 3600, 21_600, 21_600, 21_600]);
  });

  test('unknown is not asked later than when a look-up can first prove something', () => {
    const payout = { ...CLAIMED, unknowns: 4 };
    expect(secondsUntilDue(payout, { type: 'unknown', notBefore: later(7) })).toBe(7);
    expect(secondsUntilDue(payout, { type: 'unknown', notBefore: later(700) })).toBe(30);
    expect(secondsUntilDue(payout, { type: 'unknown', notBefore: later(-7) })).toBe(30);
  });

  const notTaken = (retryAfterMs: number | null) => ({ type: 'not_taken', retryAfterMs, waiting: null }) as const;

  test('not taken comes back when the provider says, else on the ladder', () => {
    expect(secondsUntilDue({ ...CLAIMED, unknowns: 3 }, notTaken(4_000))).toBe(4);
    expect(secondsUntilDue({ ...CLAIMED, unknowns: 3 }, notTaken(0))).toBe(0);
    expect(secondsUntilDue({ ...CLAIMED, unknowns: 3 }, notTaken(null))).toBe(10);
  });

  test('a review is looked at again every minute, since its first day', () => {
    const verdict = { type: 'review', reason: 'key_expired', detail: '', success: null } as const;
    expect(secondsUntilDue(CLAIMED, verdict)).toBe(60);
    expect(settlePatch(CLAIMED, verdict, NOW).patch).toMatchObject({ reviewReason: 'key_expired', reviewSince: NOW });
    const known: Payment = { ...CLAIMED, reviewReason: 'crashed_repeatedly', reviewSince: later(-900) };
    expect(settlePatch(known, verdict, NOW).patch).toMatchObject({ reviewSince: later(-900) });
    expect(secondsUntilDue({ ...known, pendings: 4 }, { type: 'pending' })).toBe(60);
  });

  test('a hint that came during the claim makes it due at once, and one outside of it too', () => {
    const hinted = { ...CLAIMED, ...hintPatch(CLAIMED, NOW) };
    expect(hinted).toMatchObject({ hinted: true, dueAt: CLAIMED.dueAt });
    expect(secondsUntilDue(hinted, unknown)).toBe(0);
    expect(hintPatch({ ...WAITING, dueAt: later(3600) }, NOW)).toEqual({ dueAt: NOW, updatedAt: NOW });
  });
});

test('a payment that waits is looked at when its time is over, not after the whole pause', () => {
  const soon: Payment = { ...CLAIMED, pendings: 4, expiresAt: later(30) };
  expect(settlePatch(soon, { type: 'pending' }, NOW).patch.dueAt).toEqual(later(30));
  const over: Payment = { ...CLAIMED, expiresAt: later(-30) };
  expect(settlePatch(over, { type: 'pending' }, NOW).patch.dueAt).toEqual(later(10));
});

test('what it waits for is shown while it waits, and no longer', () => {
  const notTaken = { type: 'not_taken', retryAfterMs: null, waiting: 'provider_funds' } as const;
  const waiting: Payment = { ...CLAIMED, ...settlePatch(CLAIMED, notTaken, NOW).patch };
  expect(waiting.waiting).toBe('provider_funds');
  const ends = [
    { type: 'pending' },
    { type: 'unknown', notBefore: null },
    { type: 'failed', code: 'declined', detail: '' },
    { type: 'succeeded', success: SUCCESS, arrival: null },
  ] as const;
  expect(ends.map((verdict) => settlePatch(waiting, verdict, NOW).patch.waiting)).toEqual([null, null, null, null]);
});

describe("a person's verdict", () => {
  const inReview: Payment = { ...WAITING, reviewReason: 'key_expired', reviewSince: NOW, externPaymentId: 'on-file' };
  const by = { reason: 'Seen on the statement.', now: later(9) };

  test.each([
    ['keeps the id on file', null, 'on-file'],
    ['takes the id that proves it', 'tr_9', 'tr_9'],
  ])('of success %s, and ends the review', (_, externPaymentId, kept) => {
    const patch = resolvedPatch(inReview, { ...by, verdict: 'succeeded', externPaymentId });
    const rest = { leased: false, dueAt: null, finalAt: later(9), reviewReason: null, reviewSince: null };
    expect(patch).toMatchObject({ status: 'succeeded', externPaymentId: kept, ...rest });
  });

  test('of failure is named as theirs', () => {
    const patch = resolvedPatch(inReview, { ...by, verdict: 'failed', externPaymentId: null });
    expect(patch).toMatchObject({ failureCode: 'resolved_by_operator', failureDetail: by.reason, dueAt: null });
  });
});
