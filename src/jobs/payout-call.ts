// One call to a provider, with no transaction open, inside the send deadline and inside the lease. A surprise comes
// back as evidence; only a defect of our own is logged as an error, and even then the outcome counts as unknown.

import { PaymentError } from '../domain/errors.ts';
import { moneyOf } from '../domain/payout.ts';
import type { Answer, CallLimits, Provider } from '../domain/provider.ts';
import type { Evidence } from '../domain/verdict.ts';
import type { LifeOptions } from './life.ts';
import type { Answered, IntendedCall } from './payout-records.ts';

/** When the crowd before a call is larger than the rate; the next look has to find a shorter one. */
const PACE_RETRY_MS = 1_000;

export async function callProvider(
  call: IntendedCall,
  { provider, startedAt, options }: { provider: Provider; startedAt: number; options: LifeOptions },
): Promise<Answered> {
  const { timing, onProviderCall } = options;
  // startedAt lies before the intent's commit, so a process that was paused since then does not send (M15).
  const leftMs = () => timing.sendDeadlineMs - (performance.now() - startedAt);
  const isTurn = (await options.paces.get(provider.name)?.turn({ timeoutMs: Math.max(0, leftMs()) })) ?? true;
  const isMoneyStep = call.step === 'send' || call.step === 'confirm';
  if (isMoneyStep && leftMs() < 0) return { call, answer: notSent({ reason: 'send_deadline' }), latencyMs: 0 };
  if (!isTurn) return { call, answer: notSent({ reason: 'pace', retryAfterMs: PACE_RETRY_MS }), latencyMs: 0 };
  const sentAt = performance.now();
  const answer = await answerOf(call, { provider, options });
  const latencyMs = performance.now() - sentAt;
  const outcome = answer.type === 'surprise' ? answer.surprise.reason : answer.type;
  onProviderCall({ provider: provider.name, step: call.step, outcome, durationMs: latencyMs });
  return { call, answer, latencyMs };
}

async function answerOf(
  call: IntendedCall,
  { provider, options }: { provider: Provider; options: LifeOptions },
): Promise<Evidence['answer']> {
  try {
    return await ask(call, provider, { timeoutMs: options.timing.providerTimeoutMs });
  } catch (error) {
    if (error instanceof PaymentError && error.surprise !== undefined) {
      return { type: 'surprise', surprise: error.surprise, retryAfterMs: error.retryAfterMs ?? null };
    }
    options.log.error({ err: error, pkid: call.payout.pkid, provider: provider.name }, 'a provider adapter failed');
    const surprise = { type: 'uncertain', reason: 'adapter_defect', httpStatus: null, storedError: null } as const;
    return { type: 'surprise', surprise, retryAfterMs: null };
  }
}

async function ask(call: IntendedCall, provider: Provider, limits: CallLimits): Promise<Answer> {
  const { payout, step, key } = call;
  const reference = { pkid: payout.pkid, externId: payout.externPaymentId, key };
  if (step === 'find') return provider.find(reference, limits);
  if (step === 'cancel') return provider.cancel(reference, limits);
  if (provider.payout === null) {
    throw new PaymentError('internal', { detail: `${provider.name} cannot pay out, yet a payout names it.` });
  }
  if (step === 'confirm') return provider.payout.confirmPayout(reference, limits);
  const { pkid, semanticKey, beneficiary } = payout;
  return provider.payout.sendPayout({ pkid, semanticKey, key, money: moneyOf(payout), beneficiary }, limits);
}

/** Settles as "not sent": as if the call had never been intended, and due again at once unless told otherwise. */
function notSent({ reason, retryAfterMs = 0 }: { reason: string; retryAfterMs?: number }): Evidence['answer'] {
  const surprise = { type: 'not_taken', reason, httpStatus: null, storedError: null } as const;
  return { type: 'surprise', surprise, retryAfterMs };
}
