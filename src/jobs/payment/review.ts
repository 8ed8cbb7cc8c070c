// What people do about a payment: ask the provider now, or decide what the machine cannot. Both are recorded with who
// and why.

import { randomUUID } from 'node:crypto';
import { PaymentError } from '../../domain/errors.ts';
import type { Pkid } from '../../domain/id.ts';
import { hintPatch, type Payment } from '../../domain/payment.ts';
import { resolvedPatch } from '../../domain/payment-settle.ts';
import type { PaymentKind } from '../../domain/provider.ts';
import { isFinal } from '../../domain/state-machine.ts';
import type { ReviewAction } from '../../entities/review-action.ts';
import type { Decision } from '../../ledger/step.ts';
import type { Held, PaymentRules } from './rules.ts';
import { change, refuseRefusals, unchanged } from './steps.ts';

export interface Resolution {
  readonly verdict: 'succeeded' | 'failed';
  readonly reason: string;
  readonly externPaymentId: string | null;
  readonly actor: string;
}

/** Makes the row due now and records who asked. */
export function askNow<Row extends Payment>(
  row: Row,
  { kind, actor, now }: { kind: PaymentKind; actor: string; now: Date },
): Decision<Row, Row> {
  if (row.status === 'initialized') {
    const detail = `The ${kind} was not sent yet, so there is nothing to ask. Confirm it, or wait if it is confirmed.`;
    throw new PaymentError('invalid-state', { detail });
  }
  const next = row.status === 'in_process' ? { ...row, ...hintPatch(row, now) } : null;
  const action = { action: 'query', verdict: null, reason: null, actor };
  return change({ next, cause: null, reviewActions: [actionRow(kind, row.pkid, action, now)], result: next ?? row });
}

export function resolvePayment<Row extends Payment>(
  held: Held<Row>,
  rules: PaymentRules<Row>,
  resolution: Resolution,
): Decision<Row, Row> {
  const { row, now } = held;
  // A repeat of what holds already is no change, so that a person whose answer was lost may simply send it again.
  if (isResolvedAs(row, resolution)) return unchanged(row);
  refuseUnresolvable(row, rules.kind, now);
  const { verdict, reason, externPaymentId, actor } = resolution;
  if (verdict === 'succeeded' && externPaymentId === null && row.externPaymentId === null) {
    const detail =
      "Proof of success needs the provider's id of the payment, and none is on file. Send extern_payment_id.";
    throw new PaymentError('validation-failed', { detail, errors: [{ pointer: '/extern_payment_id', detail }] });
  }
  const isKept = row.reviewReason === 'success_differs' || held.seen.unapplied !== null;
  if (verdict === 'succeeded' && rules.direction === 'in' && isKept) {
    const detail =
      'What came in is kept as unapplied already. Resolve this as failed, and the money under /v1/unapplied.';
    throw new PaymentError('invalid-state', { detail });
  }
  const next = { ...row, ...resolvedPatch(row, { ...resolution, now }) };
  const ended = { ...held, row: next };
  const effects = verdict === 'succeeded' ? rules.succeed(ended) : rules.fail({ ...ended, wasClaimed: true });
  const { movements, ...records } = effects;
  const action = { action: 'resolve', verdict, reason, actor };
  return {
    movements,
    conclude(results) {
      refuseRefusals(results);
      const reviewActions = [actionRow(rules.kind, row.pkid, action, now)];
      return { next, path: [verdict], cause: `resolved by ${actor}`, ...records, reviewActions, result: next };
    },
  };
}

function isResolvedAs(row: Payment, { verdict, externPaymentId }: Resolution): boolean {
  if (row.status !== verdict) return false;
  if (verdict === 'failed') return row.failureCode === 'resolved_by_operator';
  return externPaymentId === null || externPaymentId === row.externPaymentId;
}

function refuseUnresolvable(row: Payment, kind: PaymentKind, now: Date): void {
  if (isFinal(row.status)) {
    const detail =
      `The ${kind} is final: ${row.status}. Nothing is left to resolve; its timeline says why. If its provider shows ` +
      'otherwise, book the difference with POST /v1/adjustments and POST /v1/treasury.';
    throw new PaymentError('invalid-state', { detail });
  }
  if (row.status === 'initialized') {
    throw new PaymentError('invalid-state', { detail: `Nothing was sent yet. Cancel the ${kind} instead.` });
  }
  if (row.leased && row.dueAt !== null && row.dueAt > now) {
    const seconds = Math.ceil((row.dueAt.getTime() - now.getTime()) / 1000);
    const detail = `A worker is asking the provider right now. Try again in at most ${seconds} s.`;
    throw new PaymentError('invalid-state', { detail });
  }
}

function actionRow(
  operationKind: PaymentKind,
  pkid: Pkid,
  action: Pick<ReviewAction, 'action' | 'verdict' | 'reason' | 'actor'>,
  now: Date,
): ReviewAction {
  return { reviewActionId: randomUUID(), operationKind, pkid, ...action, createdAt: now };
}
