// A payout: money from a person's wallet to an account outside, through a provider. Rules only: each function
// takes the locked row and the database's time, and says what changes.

import { createHash } from 'node:crypto';
import { PaymentError } from './errors.ts';
import type { Pkid } from './id.ts';
import type { Currency, Money } from './money.ts';
import type { Arrival, ProviderName } from './provider.ts';
import { type FailureCode, isFinal, type Status } from './state-machine.ts';
import type { ReviewReason, Step, Verdict } from './verdict.ts';

export interface Payout {
  readonly pkid: Pkid;
  readonly semanticKey: string;
  readonly status: Status;
  readonly walletId: string;
  readonly amountMinor: bigint;
  readonly currency: Currency;
  readonly provider: ProviderName;
  readonly payeeId: string | null;
  readonly destination: string | null;
  /** The account that was approved: the payee's, or the destination. */
  readonly beneficiary: string;
  /** SHA-256 of what was approved; compared again before anything is sent. */
  readonly approval: Buffer;
  readonly fingerprint: Buffer;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly traceparent: string | null;
  readonly externPaymentId: string | null;
  readonly arrival: Arrival | null;
  readonly failureCode: FailureCode | null;
  readonly failureDetail: string | null;
  readonly reviewReason: ReviewReason | null;
  readonly reviewSince: Date | null;
  readonly waiting: 'provider_funds' | null;
  /** Counts claims; the number of the present claim is the fencing token. */
  readonly attempt: number;
  /** Set by claim, cleared by settle: a worker is at it until dueAt. */
  readonly leased: boolean;
  /** A webhook or a person asked for a look while it was leased. */
  readonly hinted: boolean;
  readonly dueAt: Date | null;
  /** Claims in a row whose lease ran out without a settle. */
  readonly crashes: number;
  /** Settles as unknown, and as pending: the positions on the two ladders. */
  readonly unknowns: number;
  readonly pendings: number;
  /** Provider calls so far; the number of the last one. */
  readonly calls: number;
  readonly firstSentAt: Date | null;
  readonly lastSentAt: Date | null;
  readonly confirmSentAt: Date | null;
  readonly storedError: string | null;
  readonly errorReplays: number;
  /** What any call of this operation ever said, even to a worker that had lost its lease. */
  readonly sawSuccess: boolean;
  readonly sawDecline: boolean;
  readonly cancelRequestedAt: Date | null;
  readonly returnedMinor: bigint;
  readonly confirmedAt: Date | null;
  readonly expiresAt: Date | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly finalAt: Date | null;
}

export type PayoutPatch = Partial<Payout>;

/** How long a worker may hold a row, and the times that follow from it. All in milliseconds. */
export interface Timing {
  readonly leaseMs: number;
  readonly sendDeadlineMs: number;
}

export type ClaimDecision =
  | { readonly type: 'idle' }
  | { readonly type: 'expired'; readonly patch: PayoutPatch }
  | { readonly type: 'claimed'; readonly isFirst: boolean; readonly patch: PayoutPatch };

/** Crashes in a row after which a person must look (failure model, M14). */
const CRASHES_MAX = 5;
/** Seconds until the next look after an answer that proves nothing (M14). */
const UNKNOWN_LADDER_S = [1, 2, 5, 10, 30, 60] as const;
/** Seconds until the next look after a definite "pending" (M14). */
const PENDING_LADDER_S = [10, 60, 600, 3600, 21_600] as const;
const REVIEW_PERIOD_S = 60;

export function moneyOf(payout: Payout): Money {
  return { amountMinor: payout.amountMinor, currency: payout.currency };
}

/** The approved amount, currency and beneficiary as one digest. */
export function approvalOf(facts: { money: Money; provider: string; beneficiary: string }): Buffer {
  const { money, provider, beneficiary } = facts;
  return createHash('sha256')
    .update(JSON.stringify([money.amountMinor.toString(), money.currency, provider, beneficiary]))
    .digest();
}

export function isApproved(payout: Payout): boolean {
  return approvalOf({ money: moneyOf(payout), provider: payout.provider, beneficiary: payout.beneficiary }).equals(
    payout.approval,
  );
}

/** Null when it was confirmed already: twice is no change. */
export function confirmPayout(payout: Payout, now: Date, { leaseMs }: Timing): PayoutPatch | null {
  const isLate = payout.confirmedAt === null && payout.expiresAt !== null && payout.expiresAt <= now;
  const isEnded = payout.failureCode === 'canceled' || (isFinal(payout.status) && payout.confirmedAt === null);
  if (isLate || isEnded) {
    const word = payout.failureCode === 'canceled' ? 'cancelled' : 'expired';
    throw new PaymentError('invalid-state', { detail: `The payout is ${word}. Make a new one under a new key.` });
  }
  if (payout.confirmedAt !== null) return null;
  return { confirmedAt: now, dueAt: after(now, leaseMs), updatedAt: now };
}

export type CancelDecision =
  | { readonly type: 'unchanged' }
  | { readonly type: 'failed'; readonly patch: PayoutPatch }
  | { readonly type: 'requested'; readonly patch: PayoutPatch };

/** Whether the provider can still take it back is decided by the second step's intent: confirm against cancel. */
export function cancelPayout(payout: Payout, now: Date, { cancelable }: { cancelable: boolean }): CancelDecision {
  if (payout.failureCode === 'canceled' || payout.cancelRequestedAt !== null) return { type: 'unchanged' };
  if (payout.status === 'initialized') {
    return { type: 'failed', patch: failedPatch(now, { code: 'canceled', detail: 'Cancelled on request.' }) };
  }
  if (payout.status === 'in_process' && cancelable && payout.confirmSentAt === null) {
    return { type: 'requested', patch: { cancelRequestedAt: now, ...hintPatch(payout, now) } };
  }
  const detail = isFinal(payout.status)
    ? `The payout is final: ${payout.status}. Nothing can be cancelled any more.`
    : 'The money may already be on its way. Wait for the final status, and ask the beneficiary to pay it back.';
  throw new PaymentError('invalid-state', { detail });
}

/** What of a provider's "taken back" is to be booked: never more than was paid out. */
export function returnedOf(payout: Payout, reversedMinor: bigint): bigint {
  return reversedMinor > payout.amountMinor ? payout.amountMinor : reversedMinor;
}

/** A webhook, a person or a cancel asks for a look: now, or as soon as the present claim ends. */
export function hintPatch(payout: Payout, now: Date): PayoutPatch {
  return payout.leased ? { hinted: true, updatedAt: now } : { dueAt: now, updatedAt: now };
}

export function claimPayout(payout: Payout, now: Date, { leaseMs }: Timing): ClaimDecision {
  if (isFinal(payout.status)) return { type: 'idle' };
  const isDue = payout.dueAt !== null && payout.dueAt <= now;
  if (payout.status === 'initialized' && payout.confirmedAt === null) {
    if (payout.expiresAt === null || payout.expiresAt > now) return { type: 'idle' };
    const detail = 'The payout was not confirmed in time.';
    return { type: 'expired', patch: failedPatch(now, { code: 'expired', detail }) };
  }
  const isFirst = payout.status === 'initialized';
  if (!isFirst && !isDue) return { type: 'idle' };
  const crashes = payout.leased ? payout.crashes + 1 : 0;
  const reviewReason = payout.reviewReason ?? reviewReasonOf(payout, crashes);
  const patch: PayoutPatch = {
    status: 'in_process',
    attempt: payout.attempt + 1,
    leased: true,
    hinted: false,
    crashes,
    dueAt: after(now, leaseMs),
    updatedAt: now,
    reviewReason,
    reviewSince: reviewReason === null ? null : (payout.reviewSince ?? now),
  };
  return { type: 'claimed', isFirst, patch };
}

function reviewReasonOf(payout: Payout, crashes: number): ReviewReason | null {
  if (!isApproved(payout)) return 'approval_differs';
  return crashes >= CRASHES_MAX ? 'crashed_repeatedly' : null;
}

/** The call a fresh claim begins with: send when nothing can have been sent, else ask first. */
export function firstStep(payout: Payout): Step {
  const isSent = payout.firstSentAt !== null || payout.externPaymentId !== null;
  const isHeldBack = payout.reviewReason !== null || payout.cancelRequestedAt !== null;
  return isSent || isHeldBack ? 'find' : 'send';
}

/** What an intent to call changes: from here on it may have been sent. */
export function intentPatch(payout: Payout, step: Step, now: Date): PayoutPatch {
  const calls = payout.calls + 1;
  if (step === 'find' || step === 'cancel') return { calls, updatedAt: now };
  const sent = { calls, firstSentAt: payout.firstSentAt ?? now, lastSentAt: now, updatedAt: now };
  return step === 'confirm' ? { ...sent, confirmSentAt: payout.confirmSentAt ?? now } : sent;
}

/** The change a final or non-final verdict makes to the row. `act` is not settled: it is acted on. */
export function settlePatch(
  payout: Payout,
  verdict: Exclude<Verdict, { type: 'act' }>,
  now: Date,
): { patch: PayoutPatch; outcome: 'succeeded' | 'failed' | 'waits' } {
  const rest: PayoutPatch = { leased: false, hinted: false, crashes: 0, updatedAt: now };
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
      return waits({ ...rest, pendings: payout.pendings + 1 }, ladder(PENDING_LADDER_S, payout.pendings));
    case 'not_taken': {
      if (verdict.retryAfterMs !== null) return waits(rest, verdict.retryAfterMs);
      return waits({ ...rest, unknowns: payout.unknowns + 1 }, ladder(UNKNOWN_LADDER_S, payout.unknowns));
    }
    case 'unknown': {
      const backoffMs = ladder(UNKNOWN_LADDER_S, payout.unknowns);
      const provesInMs = verdict.notBefore === null ? 0 : verdict.notBefore.getTime() - now.getTime();
      const delayMs = provesInMs > 0 ? Math.min(backoffMs, provesInMs) : backoffMs;
      return waits({ ...rest, unknowns: payout.unknowns + 1 }, delayMs);
    }
    case 'review': {
      const reviewSince = payout.reviewSince ?? now;
      return waits({ ...rest, reviewReason: verdict.reason, reviewSince }, REVIEW_PERIOD_S * 1000);
    }
  }

  function waits(patch: PayoutPatch, delayMs: number): { patch: PayoutPatch; outcome: 'waits' } {
    const isInReview = (patch.reviewReason ?? payout.reviewReason) !== null;
    const boundedMs = isInReview ? Math.min(delayMs, REVIEW_PERIOD_S * 1000) : delayMs;
    return { outcome: 'waits', patch: { ...patch, dueAt: payout.hinted ? now : after(now, boundedMs) } };
  }
}

/** A person's verdict, with their reason. */
export function resolvedPatch(
  payout: Payout,
  by: { verdict: 'succeeded' | 'failed'; reason: string; externPaymentId: string | null; now: Date },
): PayoutPatch {
  const { verdict, reason, externPaymentId, now } = by;
  if (verdict === 'failed') return failedPatch(now, { code: 'resolved_by_operator', detail: reason });
  const rest = { leased: false, hinted: false, dueAt: null, finalAt: now, updatedAt: now };
  const extern = externPaymentId ?? payout.externPaymentId;
  return { ...endReview, ...rest, status: 'succeeded', externPaymentId: extern };
}

/** A row that ends without money: the same fields whatever the reason. */
export function failedPatch(now: Date, failure: { readonly code: FailureCode; readonly detail: string }): PayoutPatch {
  return {
    ...endReview,
    status: 'failed',
    failureCode: failure.code,
    failureDetail: failure.detail.slice(0, FAILURE_DETAIL_MAX),
    leased: false,
    dueAt: null,
    finalAt: now,
    updatedAt: now,
    waiting: null,
  };
}

/** Longer texts of a provider are cut: a row is no place for pages of HTML. */
const FAILURE_DETAIL_MAX = 500;
const endReview: PayoutPatch = { reviewReason: null, reviewSince: null };

function ladder(seconds: readonly number[], position: number): number {
  return (seconds[Math.min(position, seconds.length - 1)] ?? REVIEW_PERIOD_S) * 1000;
}

function after(now: Date, delayMs: number): Date {
  return new Date(now.getTime() + delayMs);
}
