// Movements that somebody made in a provider's own dashboard: they become operations here, so that our books show them.

import { sql } from 'kysely';
import { PaymentError } from '../domain/errors.ts';
import type { Pkid } from '../domain/id.ts';
import type { Payin } from '../domain/payin.ts';
import type { ProviderName } from '../domain/provider.ts';
import { isFinal } from '../domain/state-machine.ts';
import type { DiscrepancyReason } from '../entities/discrepancy.ts';
import type { LifeOptions } from './life.ts';
import { findPayments, isPayment } from './payment/lookup.ts';
import { providerOf, unavailable } from './provider-of.ts';
import type { PaymentLives } from './review.ts';
import type { UnappliedLife } from './unapplied.ts';

export type Externals = ReturnType<typeof createExternals>;

type Outcome = 'applied' | 'no_effect' | 'unmatched' | 'ignored';

const TOLD = 'external_refund' satisfies DiscrepancyReason;

export function createExternals(
  options: LifeOptions,
  lives: Pick<PaymentLives, 'payin' | 'refund'> & { readonly unapplied: Pick<UnappliedLife, 'adopt'> },
) {
  const { db, providers, timing, at } = options;
  const limits = { timeoutMs: timing.providerTimeoutMs };

  /** The pay-in that a refund is of: by the payment on file, or by one that is kept beside it as unapplied money. */
  async function known(provider: ProviderName, payinExternId: string): Promise<Payin | null> {
    const [onFile] = await findPayments(db.sql, { kind: 'payin', provider, externId: payinExternId });
    const pkid = onFile ?? (await keptBeside(provider, payinExternId));
    return pkid === null ? null : lives.payin.find(pkid);
  }

  async function keptBeside(provider: ProviderName, externId: string): Promise<Pkid | null> {
    const { rows } = await sql<{ pkid: Pkid }>`
      SELECT pkid FROM unapplied
      WHERE extern_payment_id = ${externId} AND provider = ${provider} AND operation_kind = 'payin' LIMIT 1`.execute(
      db.sql,
    );
    return rows[0]?.pkid ?? null;
  }

  async function isKnown(provider: ProviderName, externId: string): Promise<boolean> {
    return (await findPayments(db.sql, { kind: 'refund', provider, externId })).length > 0;
  }

  /** Told of before refunds made there became operations, and settled by a person. */
  async function wasToldOf(provider: ProviderName, externId: string): Promise<boolean> {
    const { rows } = await sql`
      SELECT FROM discrepancy
      WHERE reason = ${TOLD} AND extern_payment_id = ${externId} AND provider = ${provider}`.execute(db.sql);
    return rows.length > 0;
  }

  /** Asks the provider about a payment that we did not ask for. Throws `unavailable` without a usable answer. */
  async function adoptPayin(name: ProviderName, externId: string): Promise<Outcome | { readonly ours: Pkid }> {
    const provider = providerOf(providers, name);
    const view = await provider.findPayin?.(externId, limits).catch(unavailable);
    if (view === undefined || view === null) return 'unmatched';
    const { pkid, answer } = view;
    // The event did not name it, but the payment does.
    if (pkid !== null && (await isPayment(db.sql, { kind: 'payin', provider: name, pkid }))) return { ours: pkid };
    // Nothing came in, or not yet: an event tells when it does.
    if (answer.type !== 'succeeded') return 'ignored';
    // It was asked for under a key that is not here, as after a restored backup. Whoever asked repeats the request,
    // which finds this payment; booked as a stranger's it would count twice then.
    if (pkid !== null) return 'unmatched';
    switch (await lives.payin.adopt(name, answer)) {
      case 'created':
        return 'applied';
      case 'replayed':
        return 'no_effect';
      default:
        return 'unmatched';
    }
  }

  /** The pay-in that something else was made of at the provider, or null. Throws `unavailable` until it is here. */
  async function payinOf(provider: ProviderName, payinExternId: string): Promise<Payin | null> {
    const found = await known(provider, payinExternId);
    if (found !== null) return found;
    const adopted = await adoptPayin(provider, payinExternId);
    if (adopted === 'unmatched' || adopted === 'ignored') return null;
    // Events may come in any order: that of the payment itself is still to come, or on its way.
    if (typeof adopted !== 'string') await lives.payin.hint(adopted.ours, payinExternId);
    throw new PaymentError('unavailable', { detail: 'Its pay-in is not settled yet. It is looked at again.' });
  }

  return {
    adoptPayin,
    payinOf,

    /** The same of a refund. */
    async adoptRefund(name: ProviderName, externId: string): Promise<Outcome> {
      const provider = providerOf(providers, name);
      const view = await provider.findRefund?.(externId, limits).catch(unavailable);
      if (view === null || view === undefined) return 'unmatched';
      if (at) await at('external: after look call', view.payinExternId);
      if (view.status === 'failed') return 'ignored';
      const { pkid } = view;
      if (pkid !== null) {
        // One of ours, whose own answer has not come yet, is found by its look-up.
        return (await isPayment(db.sql, { kind: 'refund', provider: name, pkid })) ? 'no_effect' : 'unmatched';
      }
      // Before the money is looked for: what an event before this one adopted is no longer open.
      if ((await isKnown(name, externId)) || (await wasToldOf(name, externId))) return 'no_effect';
      if (await lives.unapplied.adopt(name, view)) return 'applied';
      const payin = await payinOf(name, view.payinExternId);
      if (payin === null) return 'unmatched';
      if (!isFinal(payin.status)) {
        throw new PaymentError('unavailable', { detail: 'A refund came before its pay-in. It is looked at again.' });
      }
      return (await lives.refund.adopt({ payin, view })) ? 'applied' : 'no_effect';
    },
  };
}
