// The records a payout leaves besides its row: the intent of each provider call, its answer, and discrepancies.

import { type Pkid, stepKeyOf, uuidV5 } from '../domain/id.ts';
import type { Currency } from '../domain/money.ts';
import { intentPatch, type Payout, type PayoutPatch } from '../domain/payout.ts';
import type { ProviderName, Succeeded } from '../domain/provider.ts';
import type { Step as CallStep, Evidence } from '../domain/verdict.ts';
import type { Discrepancy } from '../entities/discrepancy.ts';
import type { ProviderCall } from '../entities/provider-call.ts';
import type { CallAnswer } from '../ledger/step.ts';

export interface PayoutRequest {
  readonly semanticKey: string;
  readonly walletId: string;
  readonly amountMinor: bigint;
  readonly currency: Currency;
  readonly provider: ProviderName;
  readonly payeeId: string | null;
  readonly destination: string | null;
  readonly expiresAt: Date | null;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly traceparent: string | null;
  /** True confirms in the same commit. */
  readonly confirm: boolean;
}

/** A call that is intended and committed; `payout` is the row as that commit left it. */
export interface IntendedCall {
  readonly payout: Payout;
  readonly step: CallStep;
  readonly number: number;
  readonly key: string;
  /** The stamps before this intent, to be put back when the call certainly did not leave. */
  readonly before: Pick<Payout, 'firstSentAt' | 'lastSentAt' | 'confirmSentAt'>;
}

/** Longer texts of a provider are cut. */
const DETAIL_MAX = 500;

/** What came back from a call, with how long it took. */
export interface Answered {
  readonly call: IntendedCall;
  readonly answer: Evidence['answer'];
  readonly latencyMs: number;
}

export function intend(
  row: Payout,
  { step: wanted, now }: { step: CallStep; now: Date },
): { patch: PayoutPatch; intent: ProviderCall; intended: IntendedCall } {
  // A cancel that was asked for before the second step's intent wins over it.
  const step = wanted === 'confirm' && row.cancelRequestedAt !== null && row.confirmSentAt === null ? 'cancel' : wanted;
  const patch = intentPatch(row, step, now);
  const payout = { ...row, ...patch };
  const key = step === 'send' || step === 'find' ? row.pkid : stepKeyOf(row.pkid, step);
  const { firstSentAt, lastSentAt, confirmSentAt } = row;
  return {
    patch,
    intent: {
      pkid: row.pkid,
      number: payout.calls,
      operationKind: 'payout',
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
    intended: { payout, step, number: payout.calls, key, before: { firstSentAt, lastSentAt, confirmSentAt } },
  };
}

export function answerRow(
  { call, answer, latencyMs }: Answered,
  { verdict, now }: { verdict: string; now: Date },
): CallAnswer {
  const surprise = answer.type === 'surprise' ? answer.surprise : null;
  return {
    pkid: call.payout.pkid,
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
  row: Payout,
  found: { reason: string; detail: string; success: Succeeded | null; now: Date },
): Discrepancy {
  const externId = found.success?.externId ?? row.externPaymentId;
  return {
    discrepancyId: uuidV5(row.pkid, `discrepancy:${found.reason}:${externId ?? ''}`),
    reason: found.reason,
    provider: row.provider,
    operationKind: 'payout',
    pkid: row.pkid,
    semanticKey: row.semanticKey,
    externPaymentId: externId,
    amountMinor: found.success?.money.amountMinor ?? row.amountMinor,
    currency: found.success?.money.currency ?? row.currency,
    detail: found.detail.slice(0, DETAIL_MAX),
    openedAt: found.now,
    closedAt: null,
    closedBy: null,
    closedReason: null,
  };
}

/** The row a request makes: at rest, or with `confirm` on its way. */
export function newPayout(
  facts: {
    pkid: Pkid;
    request: PayoutRequest;
    beneficiary: string;
    approval: Buffer;
    fingerprint: Buffer;
    leaseMs: number;
  },
  now: Date,
): Payout {
  const { request, leaseMs, ...rest } = facts;
  const { confirm, ...fields } = request;
  return {
    ...fields,
    ...rest,
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
    dueAt: confirm ? new Date(now.getTime() + leaseMs) : request.expiresAt,
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
    sawDecline: false,
    cancelRequestedAt: null,
    returnedMinor: 0n,
    confirmedAt: confirm ? now : null,
    createdAt: now,
    updatedAt: now,
    finalAt: null,
  };
}
