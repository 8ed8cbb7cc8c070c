// After a payout is final, the world may still take the money back, or claim what contradicts our books. A look at
// the provider decides: what came back is a new posting, a contradiction a discrepancy; the status stays.

import { providerWalletId } from '../domain/chart.ts';
import { PaymentError } from '../domain/errors.ts';
import { type Payout, returnedOf } from '../domain/payout.ts';
import type { Answer, Provider } from '../domain/provider.ts';
import { isFinal } from '../domain/state-machine.ts';
import type { Decision } from '../ledger/step.ts';
import type { LifeOptions } from './life.ts';
import { callProvider } from './payout-call.ts';
import { type Answered, answerRow, discrepancyOf, intend } from './payout-records.ts';
import { change, refuseRefusals, returnMovement } from './payout-steps.ts';

/** Whether the look changed anything. Throws `unavailable` when the provider gave no usable answer. */
export async function lookAgain(
  payout: Payout,
  { provider, options }: { provider: Provider; options: LifeOptions },
): Promise<'applied' | 'no_effect'> {
  const { journal } = options;
  const call = await journal.stepPayout({
    pkid: payout.pkid,
    walletIds: [],
    decide(row, now) {
      const { patch, intent, intended } = intend(row, { step: 'find', now });
      return change({ patch, cause: null, intents: [intent], result: intended });
    },
  });
  const answered = await callProvider(call, { provider, startedAt: performance.now(), options });
  const compared = await journal.stepPayout({
    pkid: payout.pkid,
    walletIds: [payout.walletId, providerWalletId(payout.provider, payout.currency)],
    decide: (row, now) => compare(row, answered, now),
  });
  if (compared !== 'no_answer') return compared;
  throw new PaymentError('unavailable', { detail: `${provider.name} gave no answer. It is asked again.` });
}

type Compared = 'applied' | 'no_effect' | 'no_answer';

function compare(row: Payout, answered: Answered, now: Date): Decision<Payout, Compared> {
  const { answer } = answered;
  if (!isFinal(row.status)) throw new PaymentError('internal', { detail: 'Only a final payout is compared again.' });
  const answers = [answerRow(answered, { verdict: 'compared', now })];
  if (answer.type === 'surprise') return change({ patch: null, cause: null, answers, result: 'no_answer' });
  const returnedMinor = answer.type === 'succeeded' ? returnedOf(row, answer.reversedMinor) : 0n;
  if (row.status === 'succeeded' && returnedMinor > row.returnedMinor) {
    return {
      movements: [returnMovement(row, returnedMinor)],
      conclude(results) {
        refuseRefusals(results);
        const patch = { returnedMinor, updatedAt: now };
        return { patch, path: [], cause: 'returned', answers, result: 'applied' };
      },
    };
  }
  const contradiction = contradictionIn(row, answer);
  if (contradiction === null) return change({ patch: null, cause: null, answers, result: 'no_effect' });
  const success = answer.type === 'succeeded' ? answer : null;
  const discrepancies = [discrepancyOf(row, { ...contradiction, success, now })];
  return change({ patch: null, cause: null, answers, discrepancies, result: 'applied' });
}

function contradictionIn(row: Payout, answer: Answer): { reason: string; detail: string } | null {
  if (row.status === 'failed' && answer.type === 'succeeded' && answer.reversedMinor < answer.money.amountMinor) {
    const detail = 'The payout is failed here, but the provider shows it as paid. Ask the provider to take it back.';
    return { reason: 'paid_but_failed', detail };
  }
  if (row.status === 'succeeded' && answer.type !== 'succeeded' && answer.type !== 'action_required') {
    const detail = `The payout succeeded here, but the provider now says "${answer.type}". Compare the two accounts.`;
    return { reason: 'contradicts_final', detail };
  }
  return null;
}
