// Evidence in, verdict out: the one place that decides what a provider's answer, or its silence, proves.
// The branches stand in the order of the failure model; the first that fits decides. Unknown is never failed.

import type { Surprise } from './errors.ts';
import { type Money, sameMoney } from './money.ts';
import type { Answer, Arrival, Succeeded } from './provider.ts';
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
  readonly step: Step;
  readonly answer:
    | Answer
    | { readonly type: 'surprise'; readonly surprise: Surprise; readonly retryAfterMs: number | null };
  readonly money: Money;
  readonly beneficiary: string;
  readonly externId: string | null;
  readonly stages: 1 | 2;
  readonly canFindByKey: boolean;
  /** Whether the call that moves the money was ever intended (one stage: send; two: confirm). */
  readonly moneyIntendedAt: Date | null;
  /** The last moment at which that call, or the first step, may have left; null when none can have. */
  readonly lastSentBy: Date | null;
  readonly firstSentAt: Date | null;
  /** How often a resend brought back the very error that the key has stored. */
  readonly errorReplays: number;
  /** Of earlier calls of the same operation. */
  readonly sawSuccess: boolean;
  readonly sawDecline: boolean;
  readonly cancelRequested: boolean;
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
  | { readonly type: 'not_taken'; readonly retryAfterMs: number | null }
  | {
      readonly type: 'review';
      readonly reason: ReviewReason;
      readonly detail: string;
      readonly success: Succeeded | null;
    };

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
      return answer.awaitsConfirm ? judgeWaitingFirstStep(evidence) : { type: 'pending' };
    case 'action_required':
      return { type: 'pending' };
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
  if (evidence.sawDecline) {
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
  if (beneficiary !== success.beneficiary) return 'The provider reports another beneficiary than the approved one.';
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
  if (answer.code !== 'canceled') return { type: 'failed', code: answer.code, detail: answer.detail };
  if (evidence.cancelRequested) return { type: 'failed', code: 'canceled', detail: 'Cancelled on request.' };
  // We take a first step back only when the key of the second replays an error for ever.
  if (evidence.step === 'cancel' || evidence.errorReplays >= ERROR_REPLAYS_FINAL) return storedErrorIsFinal();
  return { type: 'failed', code: 'expired', detail: 'The provider cancelled the payment before it was confirmed.' };
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
  if (surprise.type === 'not_taken') return { type: 'not_taken', retryAfterMs };
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
    return { type: 'failed', code: 'canceled', detail: 'Cancelled on request before anything was sent.' };
  }
  const isInsideWindow = firstSentAt === null || now.getTime() - firstSentAt.getTime() <= resendWindowMs;
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
      'Nothing was found at the provider, and it may have forgotten our key, so sending again could pay twice.';
    return { type: 'review', reason: 'key_expired', detail, success: null };
  }
  if (evidence.inReview) return { type: 'unknown', notBefore: null };
  return { type: 'act', step: isFirstStepWaiting ? 'confirm' : 'send' };
}

/** From when on "not found" proves that nothing was taken: a grace period after the last possible send. */
function provedFrom({ lastSentBy, graceMs }: Evidence): Date | null {
  return lastSentBy === null ? null : new Date(lastSentBy.getTime() + graceMs);
}

function storedErrorIsFinal(): Verdict {
  const detail = 'The provider keeps answering this payment with an error, and shows no payment. Make a new payout.';
  return { type: 'failed', code: 'provider_error', detail };
}
