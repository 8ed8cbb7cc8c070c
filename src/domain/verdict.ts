// Evidence in, verdict out: the one place that decides what a provider's answer, or its silence, proves.
// The branches stand in the order of the failure model; the first that fits decides. Unknown is never failed.

import type { Surprise } from './errors.ts';
import { type Money, sameMoney } from './money.ts';
import type { Answer, Arrival, DeclineCode, Succeeded } from './provider.ts';
import type { FailureCode } from './state-machine.ts';

/** send: the first or only call. confirm: the second of two. find: a look-up. cancel: takes the first step back. */
export type Step = 'send' | 'confirm' | 'find' | 'cancel';

export type ReviewReason =
  | 'success_differs'
  | 'success_and_decline'
  | 'second_reference'
  | 'key_conflict'
  | 'key_expired'
  | 'approval_differs'
  | 'crashed_repeatedly';

/** Everything that is known when an answer (or none) has come. Times are the database's. */
export interface Evidence {
  /** Outgoing money that differs is kept back; incoming money is here already, whatever we think of it. */
  readonly direction: 'in' | 'out';
  readonly step: Step;
  readonly answer:
    | Answer
    | { readonly type: 'surprise'; readonly surprise: Surprise; readonly retryAfterMs: number | null };
  readonly money: Money;
  readonly beneficiary: string;
  readonly externId: string | null;
  readonly stages: 1 | 2;
  readonly canFindByKey: boolean;
  /** When the call that moves the money was first intended: of one stage the send, of two the confirm, as a rule. */
  readonly moneyIntendedAt: Date | null;
  /** The last moment at which that call, or the first step, may have left; null when none can have. */
  readonly lastSentBy: Date | null;
  readonly firstSentAt: Date | null;
  /** How often a resend brought back the very error that the key has stored. */
  readonly errorReplays: number;
  /** Of earlier calls of the same operation. */
  readonly sawSuccess: boolean;
  /** An earlier final "no" of the provider. */
  readonly decline: { readonly code: DeclineCode; readonly detail: string } | null;
  readonly cancelRequested: boolean;
  /** The cancel was asked for because the time to pay is over. */
  readonly isExpiring: boolean;
  readonly inReview: boolean;
  readonly now: Date;
  readonly graceMs: number;
  readonly resendWindowMs: number;
}

export type Verdict =
  | { readonly type: 'succeeded'; readonly success: Succeeded; readonly arrival: Arrival | null }
  | { readonly type: 'failed'; readonly code: FailureCode; readonly detail: string }
  /** A call to make next, under the same key. */
  | { readonly type: 'act'; readonly step: 'send' | 'confirm' | 'cancel' }
  /** The provider said that it is working on it. */
  | { readonly type: 'pending' }
  /** No usable answer, or not found too early. `notBefore` is when a look-up can first prove something. */
  | { readonly type: 'unknown'; readonly notBefore: Date | null }
  /** Certainly not taken: as if the call had never been made. */
  | { readonly type: 'not_taken'; readonly retryAfterMs: number | null; readonly waiting: 'provider_funds' | null }
  | {
      readonly type: 'review';
      readonly reason: ReviewReason;
      readonly detail: string;
      readonly success: Succeeded | null;
    };

/** Why a payment waits that was not sent, because our balance at the provider is too small. */
export const PROVIDER_FUNDS = 'provider_funds';
/** A key that replayed its stored error this often will never do anything else. */
export const ERROR_REPLAYS_FINAL = 2;

export function judge(evidence: Evidence): Verdict {
  const { answer } = evidence;
  switch (answer.type) {
    case 'succeeded':
      return judgeSuccess(evidence, answer);
    case 'declined':
      return judgeDecline(evidence, answer);
    case 'pending':
      return answer.awaitsConfirm ? judgeWaitingFirstStep(evidence) : judgePending(evidence);
    case 'action_required':
      return judgeWaitingBuyer(evidence);
    case 'surprise':
      return judgeSurprise(evidence, answer);
    case 'not_found':
      return judgeNotFound(evidence);
  }
}

function judgeSuccess(evidence: Evidence, success: Succeeded): Verdict {
  const difference = differenceOf(evidence, success);
  if (difference !== null) return { type: 'review', reason: 'success_differs', detail: difference, success };
  if (success.otherExternIds.length > 0) {
    const detail = `The provider holds further payments under our key: ${success.otherExternIds.join(', ')}.`;
    return { type: 'review', reason: 'second_reference', detail, success };
  }
  // A buyer who was declined may have tried again with success before we could cancel.
  if (evidence.decline !== null && evidence.direction === 'out') {
    const detail = 'The provider declined this payment and later reports it as paid.';
    return { type: 'review', reason: 'success_and_decline', detail, success };
  }
  return { type: 'succeeded', success, arrival: success.arrival };
}

function differenceOf({ money, beneficiary, externId }: Evidence, success: Succeeded): string | null {
  if (!sameMoney(money, success.money)) {
    const paid = `${success.money.amountMinor} ${success.money.currency}`;
    return `Approved were ${money.amountMinor} ${money.currency} (minor units), the provider reports ${paid}.`;
  }
  if (success.beneficiary !== null && beneficiary !== success.beneficiary)
    return 'The provider reports another beneficiary than the approved one.';
  if (externId !== null && externId !== success.externId) {
    return `The provider reports ${success.externId}, but ${externId} is on file for this operation.`;
  }
  return null;
}

function judgeDecline(evidence: Evidence, answer: Extract<Answer, { type: 'declined' }>): Verdict {
  if (evidence.sawSuccess) {
    const detail = `The provider reported success before, and now: ${answer.detail}`;
    return { type: 'review', reason: 'success_and_decline', detail, success: null };
  }
  if (answer.isOpen) return cancelNext(evidence);
  if (answer.code !== 'canceled') return refusedAs(evidence, answer);
  if (evidence.decline !== null) return { type: 'failed', ...evidence.decline };
  if (evidence.cancelRequested) return canceledVerdict(evidence);
  // We take a first step back only when the key of the second replays an error for ever.
  if (evidence.step === 'cancel' || evidence.errorReplays >= ERROR_REPLAYS_FINAL) return storedErrorIsFinal();
  return { type: 'failed', code: 'expired', detail: 'The provider cancelled the payment before it was confirmed.' };
}

/** A look-up may give no reason where the refusal itself had one, which a worker heard that had lost its claim. */
function refusedAs({ decline }: Evidence, answer: Extract<Answer, { type: 'declined' }>): Verdict {
  const { code, detail } = answer.code === 'declined' && decline !== null ? decline : answer;
  return { type: 'failed', code, detail };
}

/**
 * A payment that can still be paid is cancelled at the provider before it counts as failed; a cancel is not repeated.
 */
function cancelNext(evidence: Evidence): Verdict {
  return evidence.step === 'cancel' ? { type: 'unknown', notBefore: null } : { type: 'act', step: 'cancel' };
}

/** Some providers call it pending while the buyer has to act; what cannot be cancelled any more, they say then. */
function judgePending({ direction, cancelRequested, step }: Evidence): Verdict {
  const isToCancel = direction === 'in' && cancelRequested && step !== 'cancel';
  return isToCancel ? { type: 'act', step: 'cancel' } : { type: 'pending' };
}

function judgeWaitingBuyer(evidence: Evidence): Verdict {
  return evidence.cancelRequested ? cancelNext(evidence) : { type: 'pending' };
}

function judgeWaitingFirstStep(evidence: Evidence): Verdict {
  if (evidence.moneyIntendedAt !== null) return judgeNotFound(evidence);
  if (evidence.cancelRequested) return { type: 'act', step: 'cancel' };
  return evidence.inReview ? { type: 'unknown', notBefore: null } : { type: 'act', step: 'confirm' };
}

function judgeSurprise(
  evidence: Evidence,
  { surprise, retryAfterMs }: Extract<Evidence['answer'], { type: 'surprise' }>,
): Verdict {
  if (surprise.type === 'not_taken') {
    const waiting = surprise.reason === PROVIDER_FUNDS ? PROVIDER_FUNDS : null;
    return { type: 'not_taken', retryAfterMs, waiting };
  }
  if (surprise.type === 'key_conflict') {
    const detail = 'The provider says that our key was used with another body. Compare the two payments there.';
    return { type: 'review', reason: 'key_conflict', detail, success: null };
  }
  return { type: 'unknown', notBefore: provedFrom(evidence) };
}

/** Also a first step that still waits for a second one which was sent: of the second, nothing was found. */
function judgeNotFound(evidence: Evidence): Verdict {
  const { now, firstSentAt, resendWindowMs } = evidence;
  const notBefore = provedFrom(evidence);
  if (notBefore !== null && now < notBefore) return { type: 'unknown', notBefore };
  const isFirstStepWaiting = evidence.answer.type === 'pending';
  if (evidence.errorReplays >= ERROR_REPLAYS_FINAL && evidence.canFindByKey) {
    return isFirstStepWaiting ? { type: 'act', step: 'cancel' } : storedErrorIsFinal();
  }
  if (evidence.cancelRequested && evidence.moneyIntendedAt === null) {
    return canceledVerdict(evidence);
  }
  const isInsideWindow = firstSentAt === null || now.getTime() - firstSentAt.getTime() <= resendWindowMs;
  // A buyer who gave up, or whose time is over, is not charged after all: only our key could tell, and would do it.
  if (evidence.cancelRequested && evidence.direction === 'in') {
    if (evidence.canFindByKey) return canceledVerdict(evidence);
    if (isInsideWindow) return cancelNext(evidence);
  }
  // Without the second step no money can have moved, so a first step that is gone ends the payment.
  if (evidence.stages === 2 && evidence.moneyIntendedAt === null && (evidence.externId !== null || !isInsideWindow)) {
    return {
      type: 'failed',
      code: 'expired',
      detail: 'The provider no longer has the payment, and it was not confirmed.',
    };
  }
  if (!isInsideWindow) {
    const detail =
      'Nothing was found at the provider, and it may have forgotten our key, so sending again could pay twice. ' +
      'Search there for the amount, the account and the day, then resolve it with what you found.';
    return { type: 'review', reason: 'key_expired', detail, success: null };
  }
  if (evidence.inReview) return { type: 'unknown', notBefore: null };
  return { type: 'act', step: isFirstStepWaiting ? 'confirm' : 'send' };
}

/** From when on "not found" proves that nothing was taken: a grace period after the last possible send. */
function provedFrom({ lastSentBy, graceMs }: Evidence): Date | null {
  return lastSentBy === null ? null : new Date(lastSentBy.getTime() + graceMs);
}

function canceledVerdict({ isExpiring }: Evidence): Verdict {
  if (!isExpiring) return { type: 'failed', code: 'canceled', detail: 'Cancelled on request.' };
  return { type: 'failed', code: 'expired', detail: 'The time to pay was over. Start again under a new key.' };
}

function storedErrorIsFinal(): Verdict {
  const detail = 'The provider keeps answering this payment with an error, and shows no payment. Make a new operation.';
  return { type: 'failed', code: 'provider_error', detail };
}
