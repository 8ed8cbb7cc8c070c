// The steps of a payment's life as the journal runs them: claim, and what to do with an answer. Each decides on the
// locked row, so a worker that has lost its lease changes nothing but the evidence.

import { costsWalletId, providerWalletId, unappliedWalletId } from '../../domain/chart.ts';
import { PaymentError } from '../../domain/errors.ts';
import type { MovementResult } from '../../domain/movements.ts';
import { claimPayment, failedPatch, firstStep, type Payment, type Timing } from '../../domain/payment.ts';
import type { PaymentKind, Provider, Succeeded } from '../../domain/provider.ts';
import { isFinal, type Status } from '../../domain/state-machine.ts';
import { type Step as CallStep, type Evidence, judge } from '../../domain/verdict.ts';
import type { DiscrepancyReason } from '../../entities/discrepancy.ts';
import type { CallAnswer, Conclusion, Decision, Seen, Step } from '../../ledger/step.ts';
import { strayIdIn } from '../unapplied-money.ts';
import { evidenceOf, learn } from './evidence.ts';
import { type Answered, answerRow, discrepancyOf, type IntendedCall, intend } from './records.ts';
import {
  type Companions,
  eventOf,
  type Held,
  NO_EFFECTS,
  type Obstacle,
  type PaymentRules,
  together,
} from './rules.ts';
import { settle } from './settle.ts';

export type Claimed<Row extends Payment> =
  | { readonly type: 'idle' }
  | { readonly type: 'ended'; readonly row: Row }
  | ({ readonly type: 'call' } & IntendedCall<Row>);

/** `obstacle` is why it may not be sent, read before; it ends a payment that was never sent. */
export function claimStep<Row extends Payment>(
  seenRow: Row,
  context: { rules: PaymentRules<Row>; companions: Companions; obstacle: Obstacle | null; timing: Timing },
): Step<Row, Claimed<Row>> {
  const { rules, companions, obstacle, timing } = context;
  const { kind } = rules;
  return {
    pkid: seenRow.pkid,
    ...(seenRow.status === 'initialized' ? locking(companions) : { walletIds: [] }),
    decide(row, now, seen): Decision<Row, Claimed<Row>> {
      const claim = claimPayment(row, now, { kind, leaseMs: timing.leaseMs });
      if (claim.type === 'idle')
        return change<Row, Claimed<Row>>({ next: null, cause: null, result: { type: 'idle' } });
      if (claim.type === 'expired')
        return endUnsent<Row>({ ...row, ...claim.patch }, { rules, seen, companions, cause: 'expired', now });
      if (claim.isFirst && obstacle !== null) {
        const failed = failedPatch(now, obstacle);
        return endUnsent<Row>({ ...row, ...failed }, { rules, seen, companions, cause: obstacle.code, now });
      }
      const claimed: Row = { ...row, ...claim.patch };
      const { intent, intended } = intend(kind, claimed, { step: firstStep(claimed), now });
      return {
        movements: claim.isFirst ? rules.claimMovements(row) : [],
        conclude([result]) {
          if (result?.type === 'refused') return refusedHold(row, { rules, code: result.code, now });
          return {
            next: intended.row,
            path: claim.isFirst ? ['in_process'] : [],
            cause: 'claimed',
            intents: [intent],
            events: row.reviewReason !== claimed.reviewReason ? [eventOf(kind, 'review.opened', row)] : [],
            result: { type: 'call', ...intended },
          };
        },
      };
    },
  };
}

/** Ends a payment that was never sent, and so holds nothing yet but what its request reserved. */
function endUnsent<Row extends Payment>(
  next: Row,
  context: { rules: PaymentRules<Row>; seen: Seen; companions: Companions; cause: string; now: Date },
): Decision<Row, Claimed<Row>> {
  const { rules, cause, ...beside } = context;
  // A hold is placed by the first claim only, so none is there to release.
  const { movements, ...records } = rules.fail({ row: next, ...beside, wasClaimed: false });
  return {
    movements,
    conclude(results) {
      refuseRefusals(results);
      return { next, path: ['failed'], cause, ...records, result: { type: 'ended', row: next } };
    },
  };
}

function refusedHold<Row extends Payment>(
  row: Row,
  { rules, code, now }: { rules: PaymentRules<Row>; code: string; now: Date },
): Conclusion<Row, Claimed<Row>> {
  if (code !== 'insufficient_funds' && code !== 'limit_exceeded') {
    throw new PaymentError('internal', { detail: `The ledger refused the hold: ${code}. Run the audit.` });
  }
  const detail =
    code === 'insufficient_funds'
      ? 'The wallet had less available than the amount. Fund it and make a new payout.'
      : 'What the wallet holds back would grow out of bounds. Settle other payouts first, then make a new one.';
  const next = { ...row, ...failedPatch(now, { code, detail }) };
  const events = rules.kind === 'payout' ? [eventOf('payout', 'payout.failed', row)] : [];
  return { next, path: ['failed'], cause: code, events, result: { type: 'ended', row: next } };
}

export type Concluded<Row extends Payment> =
  | { readonly type: 'settled'; readonly verdict: string; readonly row: Row }
  | ({ readonly type: 'call' } & IntendedCall<Row>);

/** Judges the answer on the locked row; then settles, or commits the intent of the next call. */
export function answerStep<Row extends Payment>(
  answered: Answered<Row>,
  context: { rules: PaymentRules<Row>; companions: Companions; provider: Provider; timing: Timing },
): Step<Row, Concluded<Row>> {
  const { row: claimed } = answered.call;
  const { rules, companions, provider, timing } = context;
  const mayEnd = ['succeeded', 'declined', 'not_found'].includes(answered.answer.type);
  return {
    pkid: claimed.pkid,
    ...(mayEnd ? lockingFor(claimed, answered.answer, { kind: rules.kind, companions }) : { walletIds: [] }),
    decide(row, now, seen) {
      const isOurs = row.status === 'in_process' && row.leased && row.attempt === claimed.attempt;
      if (!isOurs) return keepEvidence({ row, seen, companions, now }, rules, answered);
      const verdict = judge(evidenceOf(row, answered, { rules, provider, timing, now }));
      const taught = learn(row, { rules, answered });
      const answers = [answerRow(answered, { verdict: verdict.type, now })];
      if (verdict.type === 'act') return actOn(taught, { rules, step: verdict.step, timing, answers, now });
      const held = { row: taught, seen, companions, now };
      const settled = settle(held, { rules, before: row, verdict, unsent: answered.call.before });
      const { movements, conclusion } = settled;
      return {
        movements,
        conclude(results) {
          refuseRefusals(results);
          const result: Concluded<Row> = { type: 'settled', verdict: verdict.type, row: conclusion.next };
          return { ...conclusion, answers, result };
        },
      };
    },
  };
}

/** What a settlement needs locked, as a step takes it. */
export function locking(companions: Companions, more: readonly string[] = []) {
  const { walletIds, orderPkids, unappliedId } = companions;
  return {
    walletIds: [...new Set([...walletIds, ...more])],
    orderPkids,
    reads: unappliedId === null ? {} : { unapplied: unappliedId },
  };
}

/** The same, with what this answer may move, and what may be known of its money. */
export function lockingFor(
  row: Payment,
  answer: Evidence['answer'],
  { kind, companions }: { kind: PaymentKind; companions: Companions },
) {
  const unappliedId = companions.unappliedId ?? strayIdIn(kind, row, answer);
  return locking({ ...companions, unappliedId }, walletsOf(row, answer));
}

/**
 * The platform's wallets that an answer may move: its fee, and money in it that fits nothing, have their own currency.
 */
function walletsOf({ provider, currency }: Payment, answer: Evidence['answer']): string[] {
  if (answer.type !== 'succeeded') return [];
  const fee = answer.fee?.money.currency;
  const fees = fee === undefined ? [] : [providerWalletId(provider, fee), costsWalletId(provider, fee)];
  const came = answer.money.currency;
  const stray = [providerWalletId(provider, came), unappliedWalletId(came)];
  return [providerWalletId(provider, currency), costsWalletId(provider, currency), ...fees, ...stray];
}

/** Commits the intent of the next call under the same claim, with a fresh lease. */
function actOn<Row extends Payment>(
  row: Row,
  context: {
    rules: PaymentRules<Row>;
    step: CallStep;
    timing: Timing;
    answers: readonly CallAnswer[];
    now: Date;
  },
): Decision<Row, Concluded<Row>> {
  const { rules, step, timing, answers, now } = context;
  const { intent, intended } = intend(rules.kind, row, { step, now });
  const next = { ...intended.row, dueAt: new Date(now.getTime() + timing.leaseMs) };
  return change({ next, cause: step, intents: [intent], answers, result: { type: 'call', ...intended, row: next } });
}

/** The claim was lost meanwhile: the answer is stored; what contradicts the row is told, and booked if it came in. */
function keepEvidence<Row extends Payment>(
  held: Held<Row>,
  rules: PaymentRules<Row>,
  answered: Answered<Row>,
): Decision<Row, Concluded<Row>> {
  const { row, now } = held;
  const contradiction = lateContradiction(row, answered.answer);
  const success = successIn(answered.answer);
  const told = contradiction === null ? [] : [discrepancyOf(rules.kind, row, { ...contradiction, success, now })];
  const isStray = contradiction !== null && success !== null;
  const stray = isStray ? rules.strayMoney(held, success, contradiction.reason) : NO_EFFECTS;
  const { movements, ...records } = together({ movements: [], discrepancies: told }, stray);
  return {
    movements,
    conclude(results) {
      refuseRefusals(results);
      return {
        next: isFinal(row.status) ? null : learn(row, { rules, answered }),
        path: [],
        cause: null,
        ...records,
        answers: [answerRow(answered, { verdict: 'late', now })],
        result: { type: 'settled', verdict: 'late', row },
      };
    },
  };
}

function lateContradiction(
  row: Payment,
  answer: Evidence['answer'],
): { reason: DiscrepancyReason; detail: string } | null {
  const { status, externPaymentId } = row;
  if (answer.type === 'succeeded' && answer.reversedMinor >= answer.money.amountMinor) return null;
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

function successIn(answer: Evidence['answer']): Succeeded | null {
  return answer.type === 'succeeded' ? answer : null;
}

export function refuseRefusals(results: readonly MovementResult[]): void {
  const refusal = results.find((result) => result.type === 'refused');
  if (refusal === undefined) return;
  throw new PaymentError('internal', { detail: `The ledger refused a settlement: ${refusal.code}. Run the audit.` });
}

/** A decision that moves no money. */
export function change<Row, Result>(
  conclusion: Omit<Conclusion<Row, Result>, 'path'> & { path?: readonly Status[] },
): Decision<Row, Result> {
  return { movements: [], conclude: () => ({ path: [], ...conclusion }) };
}

/** A decision that leaves everything as it is, but for the answer of a call. */
export function unchanged<Row, Result>(result: Result, answers: readonly CallAnswer[] = []): Decision<Row, Result> {
  return { movements: [], conclude: () => ({ next: null, path: [], cause: null, answers, result }) };
}
