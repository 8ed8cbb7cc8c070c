// The steps of a payout's life as the journal runs them: claim, and what to do with an answer. Each decides on the
// locked row, so a worker that has lost its lease changes nothing but the evidence.

import { providerWalletId } from '../domain/chart.ts';
import { PaymentError } from '../domain/errors.ts';
import { postingIdOf } from '../domain/id.ts';
import type { Movement, MovementResult, PostingHead } from '../domain/movements.ts';
import {
  claimPayout,
  failedPatch,
  firstStep,
  moneyOf,
  type Payout,
  type PayoutPatch,
  returnedOf,
  settlePatch,
  type Timing,
} from '../domain/payout.ts';
import type { Provider, Succeeded } from '../domain/provider.ts';
import { isFinal, type Status } from '../domain/state-machine.ts';
import { type Step as CallStep, type Evidence, judge, type Verdict } from '../domain/verdict.ts';
import type { CallAnswer, Conclusion, Decision, Step } from '../ledger/step.ts';
import { type Answered, answerRow, discrepancyOf, type IntendedCall, intend } from './payout-records.ts';

export type Claimed =
  | { readonly type: 'idle' }
  | { readonly type: 'ended'; readonly payout: Payout }
  | ({ readonly type: 'call' } & IntendedCall);

export function claimStep(seen: Payout, timing: Timing): Step<Payout, Claimed> {
  return {
    pkid: seen.pkid,
    walletIds: seen.status === 'initialized' ? [seen.walletId] : [],
    decide(row, now) {
      const claim = claimPayout(row, now, timing);
      if (claim.type === 'idle') return nothing({ type: 'idle' });
      if (claim.type === 'expired') {
        return change({
          patch: claim.patch,
          path: ['failed'],
          cause: 'expired',
          result: { type: 'ended', payout: { ...row, ...claim.patch } },
        });
      }
      const claimed = { ...row, ...claim.patch };
      const call = intend(claimed, { step: firstStep(claimed), now });
      const money = moneyOf(row);
      const hold: Movement = { type: 'hold', holdId: row.pkid, walletId: row.walletId, money };
      return {
        movements: claim.isFirst ? [hold] : [],
        conclude([result]) {
          if (result?.type === 'refused') return refusedHold(row, result.code, now);
          return {
            patch: { ...claim.patch, ...call.patch },
            path: claim.isFirst ? ['in_process'] : [],
            cause: 'claimed',
            intents: [call.intent],
            result: { type: 'call', ...call.intended },
          };
        },
      };
    },
  };
}

function refusedHold(row: Payout, code: string, now: Date): Conclusion<Payout, Claimed> {
  if (code !== 'insufficient_funds' && code !== 'limit_exceeded') {
    throw new PaymentError('internal', { detail: `The ledger refused the hold: ${code}. Run the audit.` });
  }
  const detail =
    code === 'insufficient_funds'
      ? 'The wallet had less available than the amount. Fund it and make a new payout.'
      : 'What the wallet holds back would grow out of bounds. Settle other payouts first, then make a new one.';
  const patch = failedPatch(now, { code, detail });
  return { patch, path: ['failed'], cause: code, result: { type: 'ended', payout: { ...row, ...patch } } };
}

export type Concluded =
  | { readonly type: 'settled'; readonly verdict: string; readonly payout: Payout }
  | ({ readonly type: 'call' } & IntendedCall);

/** Judges the answer on the locked row; then settles, or commits the intent of the next call. */
export function answerStep(answered: Answered, provider: Provider, timing: Timing): Step<Payout, Concluded> {
  const { payout } = answered.call;
  const mayEnd = ['succeeded', 'declined', 'not_found'].includes(answered.answer.type);
  return {
    pkid: payout.pkid,
    walletIds: mayEnd ? [payout.walletId, providerWalletId(payout.provider, payout.currency)] : [],
    decide(row, now) {
      const isOurs = row.status === 'in_process' && row.leased && row.attempt === payout.attempt;
      if (!isOurs) return keepEvidence(row, answered, now);
      const verdict = judge(evidenceOf(row, answered, { provider, timing, now }));
      const seen = seenPatch(row, answered);
      const answers = [answerRow(answered, { verdict: verdict.type, now })];
      if (verdict.type === 'act') return actOn({ ...row, ...seen }, { step: verdict.step, timing, seen, answers, now });
      return settle({ ...row, ...seen }, { verdict, answered, seen, answers, now });
    },
  };
}

/** Commits the intent of the next call under the same claim, with a fresh lease. */
function actOn(
  row: Payout,
  {
    step,
    timing,
    seen,
    answers,
    now,
  }: {
    step: CallStep;
    timing: Timing;
    seen: PayoutPatch;
    answers: readonly CallAnswer[];
    now: Date;
  },
): Decision<Payout, Concluded> {
  const call = intend(row, { step, now });
  const dueAt = new Date(now.getTime() + timing.leaseMs);
  return change({
    patch: { ...seen, ...call.patch, dueAt },
    cause: step,
    intents: [call.intent],
    answers,
    result: { type: 'call', ...call.intended, payout: { ...call.intended.payout, dueAt } },
  });
}

function settle(
  row: Payout,
  {
    verdict,
    answered,
    seen,
    answers,
    now,
  }: {
    verdict: Exclude<Verdict, { type: 'act' }>;
    answered: Answered;
    seen: PayoutPatch;
    answers: readonly CallAnswer[];
    now: Date;
  },
): Decision<Payout, Concluded> {
  const { patch, outcome } = settlePatch(row, verdict, now);
  const unsent = verdict.type === 'not_taken' ? answered.call.before : {};
  const returned = verdict.type === 'succeeded' ? returnedOf(row, verdict.success.reversedMinor) : 0n;
  const movements = movementsFor(row, { outcome, returnedMinor: returned });
  return {
    movements,
    conclude(results) {
      refuseRefusals(results);
      const whole = { ...seen, ...patch, ...unsent, ...(returned > 0n ? { returnedMinor: returned } : {}) };
      return {
        patch: whole,
        path: outcome === 'waits' ? [] : [outcome],
        cause: verdict.type,
        answers,
        discrepancies: verdict.type === 'review' ? [discrepancyOf(row, { ...verdict, now })] : [],
        result: { type: 'settled', verdict: verdict.type, payout: { ...row, ...whole } },
      };
    },
  };
}

export function movementsFor(
  row: Payout,
  { outcome, returnedMinor }: { outcome: 'succeeded' | 'failed' | 'waits'; returnedMinor: bigint },
): Movement[] {
  if (outcome === 'waits') return [];
  if (outcome === 'failed') return [{ type: 'release', holdId: row.pkid }];
  const posting = postingHead(row, { step: 'settle', event: 'payout.succeeded', reverses: false });
  const to = providerWalletId(row.provider, row.currency);
  const capture: Movement = { type: 'capture', posting, holdId: row.pkid, to };
  return returnedMinor > 0n ? [capture, returnMovement(row, returnedMinor)] : [capture];
}

/** Money that came back after success: opposite to the settle posting, up to what has not come back yet. */
export function returnMovement(row: Payout, returnedMinor: bigint): Movement {
  const amountMinor = returnedMinor - row.returnedMinor;
  return {
    type: 'post',
    posting: postingHead(row, { step: `return:${returnedMinor}`, event: 'payout.returned', reverses: true }),
    currency: row.currency,
    lines: [
      { walletId: providerWalletId(row.provider, row.currency), amountMinor: -amountMinor },
      { walletId: row.walletId, amountMinor },
    ],
  };
}

function postingHead(
  { pkid, semanticKey }: Payout,
  { step, event, reverses }: { step: string; event: string; reverses: boolean },
): PostingHead {
  return {
    postingId: postingIdOf(pkid, step),
    event,
    kind: 'payout',
    pkid,
    semanticKey,
    reverses: reverses ? postingIdOf(pkid, 'settle') : null,
  };
}

/** The claim was lost meanwhile: the answer is stored, and what contradicts the row becomes a discrepancy. */
function keepEvidence(row: Payout, answered: Answered, now: Date): Decision<Payout, Concluded> {
  const contradiction = lateContradiction(row, answered.answer);
  const success = successIn(answered.answer);
  return change({
    patch: isFinal(row.status) ? null : seenPatch(row, answered),
    cause: null,
    answers: [answerRow(answered, { verdict: 'late', now })],
    discrepancies: contradiction === null ? [] : [discrepancyOf(row, { ...contradiction, success, now })],
    result: { type: 'settled', verdict: 'late', payout: row },
  });
}

function lateContradiction(row: Payout, answer: Evidence['answer']): { reason: string; detail: string } | null {
  const { status, externPaymentId } = row;
  if ((status === 'failed' && answer.type === 'succeeded') || (status === 'succeeded' && answer.type === 'declined')) {
    const detail = `The operation is ${status}, but a late answer of the provider says ${answer.type}.`;
    return { reason: 'contradicts_final', detail };
  }
  if (answer.type === 'succeeded' && externPaymentId !== null && answer.externId !== externPaymentId) {
    const detail = `The payment on file is ${externPaymentId}; a late answer says that ${answer.externId} is paid too.`;
    return { reason: 'second_reference', detail };
  }
  return null;
}

function evidenceOf(
  row: Payout,
  { call, answer }: Answered,
  { provider, timing, now }: { provider: Provider; timing: Timing; now: Date },
): Evidence {
  return {
    step: call.step,
    answer,
    money: moneyOf(row),
    beneficiary: row.beneficiary,
    externId: row.externPaymentId,
    stages: provider.stages,
    canFindByKey: provider.canFindByKey,
    moneyIntendedAt: provider.stages === 1 ? row.firstSentAt : row.confirmSentAt,
    lastSentBy: row.lastSentAt === null ? null : new Date(row.lastSentAt.getTime() + timing.sendDeadlineMs),
    firstSentAt: row.firstSentAt,
    errorReplays: row.errorReplays,
    sawSuccess: row.sawSuccess,
    sawDecline: row.sawDecline,
    cancelRequested: row.cancelRequestedAt !== null,
    inReview: row.reviewReason !== null,
    now,
    graceMs: timing.leaseMs,
    resendWindowMs: provider.keyRetentionMs / 2,
  };
}

/** What any answer teaches, whoever got it. */
function seenPatch(row: Payout, { call, answer }: Answered): PayoutPatch {
  const externId = 'externId' in answer ? answer.externId : null;
  const stored = answer.type === 'surprise' ? answer.surprise.storedError : null;
  const isSend = call.step === 'send' || call.step === 'confirm';
  const signature = stored === null ? null : `${call.step}:${stored}`;
  return {
    ...(row.externPaymentId === null && externId !== null ? { externPaymentId: externId } : {}),
    ...(answer.type === 'succeeded' ? { sawSuccess: true } : {}),
    ...(answer.type === 'declined' && answer.code !== 'canceled' ? { sawDecline: true } : {}),
    ...(isSend && signature !== null
      ? { storedError: signature, errorReplays: row.storedError === signature ? row.errorReplays + 1 : 0 }
      : {}),
  };
}

function successIn(answer: Evidence['answer']): Succeeded | null {
  return answer.type === 'succeeded' ? answer : null;
}

export function refuseRefusals(results: readonly MovementResult[]): void {
  const refusal = results.find((result) => result.type === 'refused');
  if (refusal === undefined) return;
  throw new PaymentError('internal', { detail: `The ledger refused a settlement: ${refusal.code}. Run the audit.` });
}

function nothing<Result>(result: Result): Decision<Payout, Result> {
  return change({ patch: null, cause: null, result });
}

/** A decision that moves no money. */
export function change<Result>(
  conclusion: Omit<Conclusion<Payout, Result>, 'path'> & { path?: readonly Status[] },
): Decision<Payout, Result> {
  return { movements: [], conclude: () => ({ path: [], ...conclusion }) };
}
