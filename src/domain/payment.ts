// What payouts, pay-ins and refunds have in common: they are carried out at a provider, so each is claimed, called and
// settled. Rules only: each function takes the locked row and the database's time, and says what changes.

import { createHash } from 'node:crypto';
import { PaymentError } from './errors.ts';
import type { Pkid } from './id.ts';
import type { Currency, Money } from './money.ts';
import type { Arrival, DeclineCode, PaymentKind, ProviderName } from './provider.ts';
import { type FailureCode, isFinal, type Status } from './state-machine.ts';
import type { ReviewReason, Step } from './verdict.ts';

export interface Payment {
  readonly pkid: Pkid;
  readonly semanticKey: string;
  readonly status: Status;
  readonly amountMinor: bigint;
  readonly currency: Currency;
  readonly provider: ProviderName;
  /** Who is to have the money, as it was approved: an account, a checkout or wallet, the payer of a pay-in. */
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
  /** The provider's first final "no", even if the buyer could still try again there; null when there was none. */
  readonly declineCode: DeclineCode | null;
  readonly declineDetail: string | null;
  readonly cancelRequestedAt: Date | null;
  /** What was taken back after success. */
  readonly returnedMinor: bigint;
  /** What the provider charged; booked once, under the provider's id of the charge. */
  readonly feeMinor: bigint | null;
  readonly feeExternId: string | null;
  readonly confirmedAt: Date | null;
  readonly expiresAt: Date | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly finalAt: Date | null;
}

export type PaymentPatch = Partial<Payment>;

/** How long a worker may hold a row, and the times that follow from it. All in milliseconds. */
export interface Timing {
  readonly leaseMs: number;
  readonly sendDeadlineMs: number;
}

export type ClaimDecision =
  | { readonly type: 'idle' }
  | { readonly type: 'expired'; readonly patch: PaymentPatch }
  | { readonly type: 'claimed'; readonly isFirst: boolean; readonly patch: PaymentPatch };

/** Crashes in a row after which a person must look (failure model, M14). */
const CRASHES_MAX = 5;

export function moneyOf(payment: Payment): Money {
  return { amountMinor: payment.amountMinor, currency: payment.currency };
}

/** The approved amount, currency and beneficiary as one digest. */
export function approvalOf(facts: { money: Money; provider: string; beneficiary: string }): Buffer {
  const { money, provider, beneficiary } = facts;
  return createHash('sha256')
    .update(JSON.stringify([money.amountMinor.toString(), money.currency, provider, beneficiary]))
    .digest();
}

export function isApproved(payment: Payment): boolean {
  return approvalOf({ money: moneyOf(payment), provider: payment.provider, beneficiary: payment.beneficiary }).equals(
    payment.approval,
  );
}

/** Null when it was confirmed already: twice is no change. */
export function confirmPayment(
  payment: Payment,
  now: Date,
  { kind, leaseMs }: { kind: PaymentKind; leaseMs: number },
): PaymentPatch | null {
  const isLate = payment.confirmedAt === null && payment.expiresAt !== null && payment.expiresAt <= now;
  const isEnded = payment.failureCode === 'canceled' || (isFinal(payment.status) && payment.confirmedAt === null);
  if (isLate || isEnded) {
    const word = payment.failureCode === 'canceled' ? 'cancelled' : 'expired';
    throw new PaymentError('invalid-state', { detail: `The ${kind} is ${word}. Make a new one under a new key.` });
  }
  if (payment.confirmedAt !== null) return null;
  return { confirmedAt: now, dueAt: after(now, leaseMs), updatedAt: now };
}

export type CancelDecision =
  | { readonly type: 'unchanged' }
  | { readonly type: 'failed'; readonly patch: PaymentPatch }
  | { readonly type: 'requested'; readonly patch: PaymentPatch };

/** Whether the provider can still take it back is decided by the second step's intent: confirm against cancel. */
export function cancelPayment(payment: Payment, now: Date, { cancelable }: { cancelable: boolean }): CancelDecision {
  if (payment.failureCode === 'canceled' || payment.cancelRequestedAt !== null) return { type: 'unchanged' };
  if (payment.status === 'initialized') {
    return { type: 'failed', patch: failedPatch(now, { code: 'canceled', detail: 'Cancelled on request.' }) };
  }
  if (payment.status === 'in_process' && cancelable && payment.confirmSentAt === null) {
    return { type: 'requested', patch: { cancelRequestedAt: now, ...hintPatch(payment, now) } };
  }
  const detail = isFinal(payment.status)
    ? `It is final: ${payment.status}. ${payment.status === 'succeeded' ? MONEY_MOVED : NO_MONEY_MOVED}`
    : 'The money may already be on its way. Wait for the final status, and take it back then.';
  throw new PaymentError('invalid-state', { detail });
}

const MONEY_MOVED = 'Give the money back by an operation of its own, or have it reversed at the provider.';
const NO_MONEY_MOVED = 'Nothing is left to cancel, and what was held is free again.';

/** What of a provider's "taken back" is to be booked: never more than was paid. */
export function returnedOf(payment: Payment, reversedMinor: bigint): bigint {
  return reversedMinor > payment.amountMinor ? payment.amountMinor : reversedMinor;
}

/** A webhook, a person or a cancel asks for a look: now, or as soon as the present claim ends. */
export function hintPatch(payment: Payment, now: Date): PaymentPatch {
  return payment.leased ? { hinted: true, updatedAt: now } : { dueAt: now, updatedAt: now };
}

/**
 * Takes the row for one attempt. A pay-in whose buyer did not come in time is to be cancelled at its provider first,
 * because the provider's page may still be open.
 */
export function claimPayment(
  payment: Payment,
  now: Date,
  { kind, leaseMs }: { kind: PaymentKind; leaseMs: number },
): ClaimDecision {
  if (isFinal(payment.status)) return { type: 'idle' };
  const isDue = payment.dueAt !== null && payment.dueAt <= now;
  if (payment.status === 'initialized' && payment.confirmedAt === null) {
    if (payment.expiresAt === null || payment.expiresAt > now) return { type: 'idle' };
    const detail = `The ${kind} was not confirmed in time.`;
    return { type: 'expired', patch: failedPatch(now, { code: 'expired', detail }) };
  }
  const isFirst = payment.status === 'initialized';
  if (!isFirst && !isDue) return { type: 'idle' };
  const crashes = payment.leased ? payment.crashes + 1 : 0;
  const reviewReason = payment.reviewReason ?? reviewReasonOf(payment, crashes);
  const patch: PaymentPatch = {
    status: 'in_process',
    attempt: payment.attempt + 1,
    leased: true,
    hinted: false,
    crashes,
    dueAt: after(now, leaseMs),
    updatedAt: now,
    reviewReason,
    reviewSince: reviewReason === null ? null : (payment.reviewSince ?? now),
    ...(kind === 'payin' && isPastExpiry(payment, now) ? { cancelRequestedAt: now } : {}),
  };
  return { type: 'claimed', isFirst, patch };
}

function isPastExpiry({ expiresAt, cancelRequestedAt, confirmSentAt }: Payment, now: Date): boolean {
  return expiresAt !== null && expiresAt <= now && cancelRequestedAt === null && confirmSentAt === null;
}

/** Whether the cancel that is under way was asked for by the clock, not by a person. */
export function isExpiring({ expiresAt, cancelRequestedAt }: Payment): boolean {
  return expiresAt !== null && cancelRequestedAt !== null && cancelRequestedAt >= expiresAt;
}

function reviewReasonOf(payment: Payment, crashes: number): ReviewReason | null {
  if (!isApproved(payment)) return 'approval_differs';
  return crashes >= CRASHES_MAX ? 'crashed_repeatedly' : null;
}

/** The call a fresh claim begins with: send when nothing can have been sent, else ask first. */
export function firstStep(payment: Payment): Step {
  const isSent = payment.firstSentAt !== null || payment.externPaymentId !== null;
  const isHeldBack = payment.reviewReason !== null || payment.cancelRequestedAt !== null;
  return isSent || isHeldBack ? 'find' : 'send';
}

/** What an intent to call changes: from here on it may have been sent. */
export function intentPatch(payment: Payment, step: Step, now: Date): PaymentPatch {
  const calls = payment.calls + 1;
  if (step === 'find' || step === 'cancel') return { calls, updatedAt: now };
  const sent = { calls, firstSentAt: payment.firstSentAt ?? now, lastSentAt: now, updatedAt: now };
  return step === 'confirm' ? { ...sent, confirmSentAt: payment.confirmSentAt ?? now } : sent;
}

/** A row that ends without money: the same fields whatever the reason. */
export function failedPatch(now: Date, failure: { readonly code: FailureCode; readonly detail: string }): PaymentPatch {
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
/** What every final row has in common with a row that no person has to look at. */
export const endReview: PaymentPatch = { reviewReason: null, reviewSince: null };

function after(now: Date, delayMs: number): Date {
  return new Date(now.getTime() + delayMs);
}
