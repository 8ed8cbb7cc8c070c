// How a verdict changes the row of a payment: it becomes final, or is due again after a wait that grows.

import { endReview, failedPatch, type Payment, type PaymentPatch } from './payment.ts';
import type { Verdict } from './verdict.ts';

/** Seconds until the next look after an answer that proves nothing (M14). */
const UNKNOWN_LADDER_S = [1, 2, 5, 10, 30, 60] as const;
/** Seconds until the next look after a definite "pending" (M14). */
const PENDING_LADDER_S = [10, 60, 600, 3600, 21_600] as const;
const REVIEW_PERIOD_S = 60;

/** The change a final or non-final verdict makes to the row. `act` is not settled: it is acted on. */
export function settlePatch(
  payment: Payment,
  verdict: Exclude<Verdict, { type: 'act' }>,
  now: Date,
): { patch: PaymentPatch; outcome: 'succeeded' | 'failed' | 'waits' } {
  const rest: PaymentPatch = { leased: false, hinted: false, crashes: 0, waiting: null, updatedAt: now };
  switch (verdict.type) {
    case 'succeeded': {
      const { externId } = verdict.success;
      const final = { ...endReview, ...rest, finalAt: now, dueAt: null };
      return {
        outcome: 'succeeded',
        patch: { ...final, status: 'succeeded', externPaymentId: externId, arrival: verdict.arrival },
      };
    }
    case 'failed':
      return { outcome: 'failed', patch: { ...rest, ...failedPatch(now, verdict) } };
    case 'pending':
      return waits({ ...rest, pendings: payment.pendings + 1 }, ladder(PENDING_LADDER_S, payment.pendings));
    case 'not_taken': {
      const unsent = { ...rest, waiting: verdict.waiting };
      if (verdict.retryAfterMs !== null) return waits(unsent, verdict.retryAfterMs);
      return waits({ ...unsent, unknowns: payment.unknowns + 1 }, ladder(UNKNOWN_LADDER_S, payment.unknowns));
    }
    case 'unknown': {
      const backoffMs = ladder(UNKNOWN_LADDER_S, payment.unknowns);
      const provesInMs = verdict.notBefore === null ? 0 : verdict.notBefore.getTime() - now.getTime();
      const delayMs = provesInMs > 0 ? Math.min(backoffMs, provesInMs) : backoffMs;
      return waits({ ...rest, unknowns: payment.unknowns + 1 }, delayMs);
    }
    case 'review': {
      const reviewSince = payment.reviewSince ?? now;
      return waits({ ...rest, reviewReason: verdict.reason, reviewSince }, REVIEW_PERIOD_S * 1000);
    }
  }

  function waits(patch: PaymentPatch, delayMs: number): { patch: PaymentPatch; outcome: 'waits' } {
    const isInReview = (patch.reviewReason ?? payment.reviewReason) !== null;
    const boundedMs = isInReview ? Math.min(delayMs, REVIEW_PERIOD_S * 1000) : delayMs;
    return { outcome: 'waits', patch: { ...patch, dueAt: payment.hinted ? now : dueBy(after(now, boundedMs)) } };
  }

  /** No later than the moment at which it expires. */
  function dueBy(wanted: Date): Date {
    const { expiresAt } = payment;
    return expiresAt !== null && expiresAt > now && expiresAt < wanted ? expiresAt : wanted;
  }
}

/** A person's verdict, with their reason. */
export function resolvedPatch(
  payment: Payment,
  by: { verdict: 'succeeded' | 'failed'; reason: string; externPaymentId: string | null; now: Date },
): PaymentPatch {
  const { verdict, reason, externPaymentId, now } = by;
  if (verdict === 'failed') return failedPatch(now, { code: 'resolved_by_operator', detail: reason });
  const rest = { leased: false, hinted: false, dueAt: null, finalAt: now, updatedAt: now };
  const extern = externPaymentId ?? payment.externPaymentId;
  return { ...endReview, ...rest, status: 'succeeded', externPaymentId: extern };
}

function ladder(seconds: readonly number[], position: number): number {
  return (seconds[Math.min(position, seconds.length - 1)] ?? REVIEW_PERIOD_S) * 1000;
}

function after(now: Date, delayMs: number): Date {
  return new Date(now.getTime() + delayMs);
}
