// The records a payment leaves besides its row: the intent of each provider call, its answer, and discrepancies.

import { stepKeyOf, uuidV5 } from '../../domain/id.ts';
import type { Money } from '../../domain/money.ts';
import { intentPatch, moneyOf, type Payment } from '../../domain/payment.ts';
import type { PaymentKind, Succeeded } from '../../domain/provider.ts';
import type { Step as CallStep, Evidence } from '../../domain/verdict.ts';
import type { Discrepancy, DiscrepancyReason } from '../../entities/discrepancy.ts';
import type { ProviderCall } from '../../entities/provider-call.ts';
import type { CallAnswer } from '../../ledger/step.ts';

/** A call that is intended and committed; `row` is the payment as that commit left it. */
export interface IntendedCall<Row extends Payment> {
  readonly row: Row;
  readonly step: CallStep;
  readonly number: number;
  readonly key: string;
  /** The stamps before this intent, to be put back when the call certainly did not leave. */
  readonly before: Pick<Payment, 'firstSentAt' | 'lastSentAt' | 'confirmSentAt'>;
}

/** What came back from a call, with how long it took. */
export interface Answered<Row extends Payment> {
  readonly call: IntendedCall<Row>;
  readonly answer: Evidence['answer'];
  readonly latencyMs: number;
}

/** Longer texts of a provider are cut. */
const DETAIL_MAX = 500;

export function intend<Row extends Payment>(
  kind: PaymentKind,
  row: Row,
  { step: wanted, now }: { step: CallStep; now: Date },
): { intent: ProviderCall; intended: IntendedCall<Row> } {
  // A cancel that was asked for before the second step's intent wins over it.
  const step = wanted === 'confirm' && row.cancelRequestedAt !== null && row.confirmSentAt === null ? 'cancel' : wanted;
  const next = { ...row, ...intentPatch(row, step, now) };
  const key = step === 'send' || step === 'find' ? row.pkid : stepKeyOf(row.pkid, step);
  const { firstSentAt, lastSentAt, confirmSentAt } = row;
  return {
    intent: {
      pkid: row.pkid,
      number: next.calls,
      operationKind: kind,
      provider: row.provider,
      attempt: row.attempt,
      step,
      key,
      intentAt: now,
      answeredAt: null,
      latencyMs: null,
      outcome: null,
      reason: null,
      httpStatus: null,
      externPaymentId: null,
      verdict: null,
    },
    intended: { row: next, step, number: next.calls, key, before: { firstSentAt, lastSentAt, confirmSentAt } },
  };
}

export function answerRow<Row extends Payment>(
  { call, answer, latencyMs }: Answered<Row>,
  { verdict, now }: { verdict: string; now: Date },
): CallAnswer {
  const surprise = answer.type === 'surprise' ? answer.surprise : null;
  return {
    pkid: call.row.pkid,
    number: call.number,
    answeredAt: now,
    latencyMs: Math.round(latencyMs),
    outcome: surprise?.type ?? answer.type,
    reason: surprise?.reason ?? (answer.type === 'declined' ? answer.code : null),
    httpStatus: surprise?.httpStatus ?? null,
    externPaymentId: 'externId' in answer ? answer.externId : null,
    verdict,
  };
}

export function discrepancyOf(
  kind: PaymentKind,
  row: Payment,
  found: {
    reason: DiscrepancyReason;
    detail: string;
    /** What the provider shows, or else is on file. */
    success?: Pick<Succeeded, 'externId' | 'money'> | null;
    externId?: string | null;
    money?: Money;
    now: Date;
  },
): Discrepancy {
  const externId = found.externId ?? found.success?.externId ?? row.externPaymentId;
  const money = found.money ?? found.success?.money ?? moneyOf(row);
  return {
    discrepancyId: uuidV5(row.pkid, `discrepancy:${found.reason}:${externId ?? ''}`),
    reason: found.reason,
    provider: row.provider,
    operationKind: kind,
    pkid: row.pkid,
    semanticKey: row.semanticKey,
    externPaymentId: externId,
    ...money,
    detail: found.detail.slice(0, DETAIL_MAX),
    openedAt: found.now,
    closedAt: null,
    closedBy: null,
    closedReason: null,
  };
}

/** The fields of a payment that nobody has asked a provider for yet: at rest, or with `isConfirmed` on its way. */
export function untouched(
  { isConfirmed, expiresAt, leaseMs }: { isConfirmed: boolean; expiresAt: Date | null; leaseMs: number },
  now: Date,
) {
  return {
    status: 'initialized',
    externPaymentId: null,
    arrival: null,
    failureCode: null,
    failureDetail: null,
    reviewReason: null,
    reviewSince: null,
    waiting: null,
    attempt: 0,
    leased: false,
    hinted: false,
    // Confirmed: should the queue lose it, reconcile runs it then. At rest: it fails when it expires, or rests on.
    dueAt: isConfirmed ? new Date(now.getTime() + leaseMs) : expiresAt,
    crashes: 0,
    unknowns: 0,
    pendings: 0,
    calls: 0,
    firstSentAt: null,
    lastSentAt: null,
    confirmSentAt: null,
    storedError: null,
    errorReplays: 0,
    sawSuccess: false,
    declineCode: null,
    declineDetail: null,
    cancelRequestedAt: null,
    returnedMinor: 0n,
    feeMinor: null,
    feeExternId: null,
    confirmedAt: isConfirmed ? now : null,
    expiresAt,
    createdAt: now,
    updatedAt: now,
    finalAt: null,
  } as const satisfies Partial<Payment>;
}
