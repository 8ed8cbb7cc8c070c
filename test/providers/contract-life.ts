// The life of one operation without a database: claims, calls and verdicts in the order of the worker, so that the
// suite judges an adapter by what the processor would conclude from its answers. Its clock can be put forward.

import { setTimeout as wait } from 'node:timers/promises';
import { PaymentError } from '../../src/domain/errors.ts';
import { pkidOf, stepKeyOf } from '../../src/domain/id.ts';
import type { Answer, Provider, Succeeded } from '../../src/domain/provider.ts';
import { type Evidence, judge, type Step, type Verdict } from '../../src/domain/verdict.ts';
import { type Asked, type Line, type Operation, operationOf, paymentsOf } from './contract-lines.ts';
import { LIMITS, type Rig } from './rig.ts';

/** As the worker bounds it: more calls in one claim is a provider that contradicts itself. */
const CALLS_PER_CLAIM_MAX = 6;
/** Between two claims; the worker's ladder begins at a second. */
const PERIOD_MS = 60;
/** Longer than anything the sandbox does by itself. */
const PATIENCE_MS = 20_000;

export interface Terms {
  /** Of one call. */
  readonly timeoutMs: number;
  /** After which "not found" proves something: what the lease is to the worker. */
  readonly graceMs: number;
}

export interface Life {
  /** One claim, until it settles. */
  claim(): Promise<Exclude<Verdict, { type: 'act' }>>;
  /** Claims until nothing more is to come: "succeeded", "failed:declined", "review:key_expired", or "waits: ..." */
  settle(patienceMs?: number): Promise<string>;
  /** Somebody wants it taken back; the next claim asks first. */
  requestCancel(): void;
  /** Puts the clock of this operation forward. */
  jump(ms: number): void;
  /** The same to where the provider may have forgotten the key. */
  jumpPastRetention(): void;
  /** The steps called so far, in order. */
  readonly steps: readonly Step[];
  /** Null until a provider's answer told it. */
  externId(): string | null;
  success(): Succeeded | null;
}

/** What the row of an operation knows. */
interface Row {
  externId: string | null;
  firstSentAt: Date | null;
  lastSentAt: Date | null;
  confirmSentAt: Date | null;
  storedError: string | null;
  errorReplays: number;
  sawSuccess: boolean;
  decline: Evidence['decline'];
  inReview: boolean;
  cancelRequested: boolean;
}

export function startLife(provider: Provider, operation: Operation, terms: Terms): Life {
  const payments = paymentsOf(provider, operation);
  const steps: Step[] = [];
  let success: Succeeded | null = null;
  let aheadMs = 0;
  let row: Row = {
    externId: null,
    firstSentAt: null,
    lastSentAt: null,
    confirmSentAt: null,
    storedError: null,
    errorReplays: 0,
    sawSuccess: false,
    decline: null,
    inReview: false,
    cancelRequested: false,
  };
  const now = () => new Date(Date.now() + aheadMs);

  async function claim(): Promise<Exclude<Verdict, { type: 'act' }>> {
    const isSent = row.firstSentAt !== null || row.externId !== null;
    let step: Step = isSent || row.inReview || row.cancelRequested ? 'find' : 'send';
    for (let calls = 1; calls <= CALLS_PER_CLAIM_MAX; calls += 1) {
      const before = row;
      const { answer, verdict } = await take(step);
      if (answer.type === 'succeeded') success = answer;
      if (verdict.type === 'not_taken') {
        const { firstSentAt, lastSentAt, confirmSentAt } = before;
        row = { ...row, firstSentAt, lastSentAt, confirmSentAt };
      }
      if (verdict.type === 'review') row = { ...row, inReview: true };
      if (verdict.type !== 'act') return verdict;
      // A cancel that was asked for before the second step's intent wins over it.
      const isCanceled = verdict.step === 'confirm' && row.cancelRequested && row.confirmSentAt === null;
      step = isCanceled ? 'cancel' : verdict.step;
    }
    throw new Error(`The claim took too many calls: ${ending(steps)}.`);
  }

  async function take(step: Step): Promise<{ answer: Evidence['answer']; verdict: Verdict }> {
    steps.push(step);
    row = intended(row, step, now());
    const { pkid, payinExternId } = operation;
    const key = step === 'send' || step === 'find' ? pkid : stepKeyOf(pkid, step);
    const reference = { pkid, externId: row.externId, key, payinExternId };
    const limits = { timeoutMs: terms.timeoutMs };
    const answer = await heard(
      step === 'send' ? payments.send({ key, money: operation.money }, limits) : payments[step](reference, limits),
    );
    row = taught(row, step, answer);
    return { answer, verdict: judge(evidenceOf(step, answer)) };
  }

  function evidenceOf(step: Step, answer: Evidence['answer']): Evidence {
    const { stages, canFindByKey, keyRetentionMs, movesAtSend } = payments.facts;
    const { lastSentAt, confirmSentAt, inReview, storedError: _storedError, ...known } = row;
    const isDecidedBySend = stages === 1 || (row.externId === null && movesAtSend?.(operation.target) === true);
    return {
      ...known,
      direction: operation.kind === 'payin' ? 'in' : 'out',
      step,
      answer,
      money: operation.money,
      beneficiary: operation.kind === 'payout' ? operation.target : '',
      stages,
      canFindByKey,
      moneyIntendedAt: confirmSentAt ?? (isDecidedBySend ? row.firstSentAt : null),
      lastSentBy: lastSentAt,
      isExpiring: false,
      inReview,
      now: now(),
      graceMs: terms.graceMs,
      resendWindowMs: keyRetentionMs / 2,
    };
  }

  async function settle(patienceMs = PATIENCE_MS): Promise<string> {
    const deadline = performance.now() + patienceMs;
    for (;;) {
      const verdict = await claim();
      if (verdict.type === 'succeeded') return 'succeeded';
      if (verdict.type === 'failed') return `failed:${verdict.code}`;
      if (verdict.type === 'review') return `review:${verdict.reason}`;
      if (performance.now() > deadline) return `waits: ${verdict.type} after ${steps.length} steps, ${ending(steps)}`;
      await wait(PERIOD_MS);
    }
  }

  return {
    claim,
    settle,
    requestCancel: () => {
      row = { ...row, cancelRequested: true };
    },
    jump: (ms) => {
      aheadMs += ms;
    },
    jumpPastRetention: () => {
      aheadMs += payments.facts.keyRetentionMs;
    },
    steps,
    externId: () => row.externId,
    success: () => success,
  };
}

function ending(steps: readonly Step[]): string {
  return `at last ${steps.slice(-12).join(', ')}`;
}

/** The intent of a call, committed before it leaves. */
function intended(row: Row, step: Step, now: Date): Row {
  if (step === 'find' || step === 'cancel') return row;
  const sent = { ...row, firstSentAt: row.firstSentAt ?? now, lastSentAt: now };
  return step === 'confirm' ? { ...sent, confirmSentAt: row.confirmSentAt ?? now } : sent;
}

function taught(row: Row, step: Step, answer: Evidence['answer']): Row {
  const externId = 'externId' in answer ? answer.externId : null;
  const stored = answer.type === 'surprise' ? answer.surprise.storedError : null;
  const signature = stored === null || step === 'find' || step === 'cancel' ? null : `${step}:${stored}`;
  const replays = row.storedError === signature ? row.errorReplays + 1 : 0;
  return {
    ...row,
    externId: row.externId ?? externId,
    sawSuccess: row.sawSuccess || answer.type === 'succeeded',
    decline:
      row.decline === null && answer.type === 'declined' && answer.code !== 'canceled'
        ? { code: answer.code, detail: answer.detail }
        : row.decline,
    ...(signature === null ? {} : { storedError: signature, errorReplays: replays }),
  };
}

async function heard(call: Promise<Answer>): Promise<Evidence['answer']> {
  try {
    return await call;
  } catch (error) {
    // Anything but a surprise is a defect of the adapter, and fails the test.
    if (!(error instanceof PaymentError) || error.surprise === undefined) throw error;
    return { type: 'surprise', surprise: error.surprise, retryAfterMs: error.retryAfterMs ?? null };
  }
}

/** An operation that can be begun: the pay-in that a refund gives back a part of is made first. */
export async function readyOperation(rig: Rig, line: Line, asked: Asked): Promise<Operation> {
  const operation = operationOf(line, asked);
  if (line.kind !== 'refund') return operation;
  const money = { ...operation.money, amountMinor: operation.money.amountMinor * 2n };
  const payin: Operation = {
    ...operation,
    kind: 'payin',
    pkid: pkidOf('payin', operation.semanticKey),
    money,
  };
  const life = startLife(rig.make(line.name), payin, { ...LIMITS, graceMs: 500 });
  const end = await life.settle();
  if (end !== 'succeeded') throw new Error(`The pay-in of the refund should have succeeded, and ended as ${end}.`);
  return { ...operation, payinExternId: life.externId() };
}
