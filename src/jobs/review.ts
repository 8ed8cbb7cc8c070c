// What people do about operations: ask the provider now, or decide what the machine cannot. Both are recorded with
// who and why.

import { randomUUID } from 'node:crypto';
import { providerWalletId } from '../domain/chart.ts';
import { PaymentError } from '../domain/errors.ts';
import type { Pkid } from '../domain/id.ts';
import { hintPatch, type Payout, resolvedPatch } from '../domain/payout.ts';
import { isFinal } from '../domain/state-machine.ts';
import type { ReviewAction } from '../entities/review-action.ts';
import type { Decision } from '../ledger/step.ts';
import { readAttention } from './attention.ts';
import { closeDiscrepanciesOf } from './discrepancy.ts';
import type { LifeOptions } from './life.ts';
import { type PayoutLife, providerOf } from './payout.ts';
import { lookAgain } from './payout-after.ts';
import { change, movementsFor, refuseRefusals } from './payout-steps.ts';

export interface Resolution {
  readonly verdict: 'succeeded' | 'failed';
  readonly reason: string;
  readonly externPaymentId: string | null;
  readonly actor: string;
}

export function createReviews(options: LifeOptions & { readonly payouts: PayoutLife }) {
  const { db, journal, payouts, providers, enqueue } = options;
  return {
    attention: () => readAttention(db, providers.values()),

    /** Makes the row due now, or compares a final one with the provider. Throws not-found, invalid-state. */
    async query(kind: 'payout' | 'transfer', pkid: Pkid, actor: string): Promise<void> {
      if (kind === 'transfer') {
        throw new PaymentError('invalid-state', { detail: 'A transfer has no provider to ask. Read it instead.' });
      }
      const payout = await journal.stepPayout({
        pkid,
        walletIds: [],
        decide: (row, now) => askNow(row, { actor, now }),
      });
      if (isFinal(payout.status)) {
        await lookAgain(payout, { provider: providerOf(providers, payout.provider), options });
        return;
      }
      await enqueue({ kind: 'payout', pkid, semanticKey: payout.semanticKey });
    },

    /** A person's verdict on an operation in process. Throws not-found, invalid-state, validation-failed. */
    async resolvePayout(pkid: Pkid, resolution: Resolution): Promise<Payout> {
      const seen = await payouts.find(pkid);
      if (seen === null) throw new PaymentError('not-found', { detail: 'There is no such payout. Check its key.' });
      const resolved = await journal.stepPayout({
        pkid,
        walletIds: [seen.walletId, providerWalletId(seen.provider, seen.currency)],
        decide: (row, now) => resolve(row, { resolution, now }),
      });
      await closeDiscrepanciesOf(db, { pkid, ...resolution });
      return resolved;
    },
  };
}

function askNow(row: Payout, { actor, now }: { actor: string; now: Date }): Decision<Payout, Payout> {
  if (row.status === 'initialized') {
    const detail =
      'The payout was not sent yet, so there is nothing to ask. Confirm it, or wait a moment if it is confirmed.';
    throw new PaymentError('invalid-state', { detail });
  }
  const patch = row.status === 'in_process' ? hintPatch(row, now) : null;
  const action = { action: 'query', verdict: null, reason: null, actor };
  return change({
    patch,
    cause: null,
    reviewActions: [actionRow(row.pkid, action, now)],
    result: { ...row, ...patch },
  });
}

function resolve(row: Payout, { resolution, now }: { resolution: Resolution; now: Date }): Decision<Payout, Payout> {
  // A repeat of what holds already is no change, so that a person whose answer was lost may simply send it again.
  if (isResolvedAs(row, resolution)) return change({ patch: null, cause: null, result: row });
  refuseUnresolvable(row, now);
  const { verdict, reason, externPaymentId, actor } = resolution;
  if (verdict === 'succeeded' && externPaymentId === null && row.externPaymentId === null) {
    throw new PaymentError('validation-failed', {
      detail: "Proof of success needs the provider's id of the payment. Send extern_payment_id.",
      errors: [{ pointer: '/extern_payment_id', detail: 'required, because no id is on file' }],
    });
  }
  const patch = resolvedPatch(row, { ...resolution, now });
  const action = { action: 'resolve', verdict, reason, actor };
  return {
    movements: movementsFor(row, { outcome: verdict, returnedMinor: 0n }),
    conclude(results) {
      refuseRefusals(results);
      return {
        patch,
        path: [verdict],
        cause: `resolved by ${actor}`,
        reviewActions: [actionRow(row.pkid, action, now)],
        result: { ...row, ...patch },
      };
    },
  };
}

function isResolvedAs(row: Payout, { verdict, externPaymentId }: Resolution): boolean {
  if (row.status !== verdict) return false;
  if (verdict === 'failed') return row.failureCode === 'resolved_by_operator';
  return externPaymentId === null || externPaymentId === row.externPaymentId;
}

function refuseUnresolvable(row: Payout, now: Date): void {
  if (isFinal(row.status)) {
    throw new PaymentError('invalid-state', { detail: `The payout is final: ${row.status}. It cannot be resolved.` });
  }
  if (row.status === 'initialized') {
    throw new PaymentError('invalid-state', { detail: 'Nothing was sent yet. Cancel the payout instead.' });
  }
  if (row.leased && row.dueAt !== null && row.dueAt > now) {
    const seconds = Math.ceil((row.dueAt.getTime() - now.getTime()) / 1000);
    const detail = `A worker is asking the provider right now. Try again in at most ${seconds} s.`;
    throw new PaymentError('invalid-state', { detail });
  }
}

function actionRow(
  pkid: Pkid,
  action: Pick<ReviewAction, 'action' | 'verdict' | 'reason' | 'actor'>,
  now: Date,
): ReviewAction {
  return { reviewActionId: randomUUID(), operationKind: 'payout', pkid, ...action, createdAt: now };
}
