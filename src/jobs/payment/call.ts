// One call to a provider, with no transaction open, inside the send deadline and inside the lease. A surprise comes
// back as evidence; only a defect of our own is logged as an error, and even then the outcome counts as unknown.

import { PaymentError } from '../../domain/errors.ts';
import { moneyOf, type Payment } from '../../domain/payment.ts';
import type { Answer, CallLimits, Provider } from '../../domain/provider.ts';
import { type Evidence, PROVIDER_FUNDS } from '../../domain/verdict.ts';
import { BREAKER_RETRY_MS } from '../../runtime/breaker.ts';
import type { LifeOptions } from '../life.ts';
import type { Answered, IntendedCall } from './records.ts';
import { foundBefore } from './restored.ts';
import type { PaymentRules } from './rules.ts';

/** When the crowd before a call is larger than the rate; the next look has to find a shorter one. */
const PACE_RETRY_MS_MIN = 1_000;
/** Money from a bank takes hours; this is often enough to see it, and seldom enough to bother nobody. */
const FUNDS_RETRY_MS = 10_000;

export interface CallContext<Row extends Payment> {
  readonly rules: PaymentRules<Row>;
  readonly provider: Provider;
  /** Before the intent's commit, so that a process that was paused since then does not send (M15). */
  readonly startedAt: number;
  readonly options: LifeOptions;
}

export async function callProvider<Row extends Payment>(
  call: IntendedCall<Row>,
  context: CallContext<Row>,
): Promise<Answered<Row>> {
  const { rules, provider, startedAt, options } = context;
  const { timing, at } = options;
  const isMoneyStep = call.step === 'send' || call.step === 'confirm';
  const leftMs = () => timing.sendDeadlineMs - (performance.now() - startedAt);
  const refused = (reason: string, retryAfterMs = 0) => ({
    call,
    answer: notSent({ reason, retryAfterMs }),
    latencyMs: 0,
  });

  // The gaps lie outside the admission: what dies at one would never give it back, and the process may live on.
  if (at) await at(`${rules.kind}: before ${call.step} call`, call.row.pkid);
  // Before the pace: a call that the breaker stops takes nobody's turn.
  const admission = isMoneyStep ? options.breakers.get(provider.name)?.admit(call.row.pkid) : undefined;
  if (admission === null) return refused('circuit_open', BREAKER_RETRY_MS);
  const obstacle = await obstacleTo(call, context, leftMs);
  if (obstacle !== null) {
    admission?.record('not_sent');
    return refused(obstacle.reason, obstacle.retryAfterMs);
  }

  const sentAt = performance.now();
  const answer = await answerOf(call, context, leftMs);
  const latencyMs = performance.now() - sentAt;
  admission?.record(isUsable(answer) ? 'answered' : 'no_answer');
  if (at) await at(`${rules.kind}: after ${call.step} call`, call.row.pkid);
  if (answer.type === 'surprise' && answer.retryAfterMs !== null && answer.surprise.type === 'not_taken') {
    options.paces.get(provider.name)?.pause(answer.retryAfterMs);
  }
  const outcome = answer.type === 'surprise' ? answer.surprise.reason : answer.type;
  options.onProviderCall({ provider: provider.name, step: call.step, outcome, durationMs: latencyMs });
  return { call, answer, latencyMs };
}

/** Why it may not leave now, and when to look again. A look-up only waits its turn. */
async function obstacleTo<Row extends Payment>(
  call: IntendedCall<Row>,
  context: CallContext<Row>,
  leftMs: () => number,
): Promise<{ reason: string; retryAfterMs: number } | null> {
  const isMoneyStep = call.step === 'send' || call.step === 'confirm';
  const pace = context.options.paces.get(context.provider.name);
  const isTurn = (await pace?.turn({ timeoutMs: Math.max(0, leftMs()) })) ?? true;
  if (!isTurn) return { reason: 'pace', retryAfterMs: Math.max(PACE_RETRY_MS_MIN, pace?.freeInMs() ?? 0) };
  if (!isMoneyStep) return null;
  if (call.before.firstSentAt === null && !(await hasFunds(call.row, context))) {
    return { reason: PROVIDER_FUNDS, retryAfterMs: FUNDS_RETRY_MS };
  }
  return leftMs() < 0 ? { reason: 'send_deadline', retryAfterMs: 0 } : null;
}

/** Whether our balance there covers a payout that was never sent. No answer is no reason to hold it back. */
async function hasFunds<Row extends Payment>(
  row: Row,
  { rules, provider, options }: CallContext<Row>,
): Promise<boolean> {
  if (rules.kind !== 'payout') return true;
  return options.funds.cover(provider, moneyOf(row));
}

async function answerOf<Row extends Payment>(
  call: IntendedCall<Row>,
  { rules, provider, options }: CallContext<Row>,
  leftMs: () => number,
): Promise<Evidence['answer']> {
  const limits = { timeoutMs: options.timing.providerTimeoutMs };
  try {
    if (options.isRestored && call.step === 'send') {
      const found = await foundBefore(call.row, { rules, provider, db: options.db, limits });
      if (found !== null) return found;
      if (leftMs() < 0) return notSent({ reason: 'send_deadline', retryAfterMs: 0 });
    }
    return await ask(call, { rules, provider, limits });
  } catch (error) {
    if (error instanceof PaymentError && error.surprise !== undefined) {
      return { type: 'surprise', surprise: error.surprise, retryAfterMs: error.retryAfterMs ?? null };
    }
    options.log.error({ err: error, pkid: call.row.pkid, provider: provider.name }, 'a provider adapter failed');
    const surprise = { type: 'uncertain', reason: 'adapter_defect', httpStatus: null, storedError: null } as const;
    return { type: 'surprise', surprise, retryAfterMs: null };
  }
}

async function ask<Row extends Payment>(
  { row, step, key }: IntendedCall<Row>,
  { rules, provider, limits }: { rules: PaymentRules<Row>; provider: Provider; limits: CallLimits },
): Promise<Answer> {
  const account = rules.accountOf(provider);
  if (account === null) {
    throw new PaymentError('internal', { detail: `${provider.name} does no ${rules.kind}, yet one names it.` });
  }
  const reference = { pkid: row.pkid, externId: row.externPaymentId, key, payinExternId: rules.payinExternIdOf(row) };
  // One that was made at the provider is only ever asked about: it is not ours to cancel.
  const external = step === 'find' || step === 'cancel' ? rules.findExternal(provider, row, limits) : null;
  if (external !== null) return external;
  if (step === 'find') return account.find(reference, limits);
  if (step === 'cancel') return account.cancel(reference, limits);
  if (step === 'confirm') return account.confirm(reference, limits);
  return rules.send(provider, row, { key, limits });
}

/** A provider that says anything definite, a decline or "too many requests" included, is there. */
function isUsable(answer: Evidence['answer']): boolean {
  return answer.type !== 'surprise' || answer.surprise.httpStatus === TOO_MANY_REQUESTS;
}

const TOO_MANY_REQUESTS = 429;

/** Settles as "not sent": as if the call had never been intended, and due again at once unless told otherwise. */
function notSent({ reason, retryAfterMs }: { reason: string; retryAfterMs: number }): Evidence['answer'] {
  const surprise = { type: 'not_taken', reason, httpStatus: null, storedError: null } as const;
  return { type: 'surprise', surprise, retryAfterMs };
}
