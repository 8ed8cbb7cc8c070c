// Movements that somebody made in a provider's own dashboard: they become operations here, so that our books show them.

import { sql } from 'kysely';
import { uuidV5 } from '../domain/id.ts';
import { type Order, refundableMinor } from '../domain/order.ts';
import type { Payin } from '../domain/payin.ts';
import type { ProviderName, RefundView } from '../domain/provider.ts';
import type { LifeOptions } from './life.ts';
import { readOrders } from './order-rows.ts';
import { findPayment } from './payment-lookup.ts';
import { providerOf, unavailable } from './provider-of.ts';
import type { PaymentLives } from './review.ts';
import type { UnappliedLife } from './unapplied.ts';

export type ExternalRefunds = ReturnType<typeof createExternalRefunds>;

type Outcome = 'applied' | 'no_effect' | 'unmatched' | 'ignored';

export function createExternalRefunds(
  options: LifeOptions,
  lives: Pick<PaymentLives, 'payin' | 'refund'> & { readonly unapplied: Pick<UnappliedLife, 'adopt'> },
) {
  const { db, tables, providers, timing } = options;

  async function payinOf(provider: ProviderName, { payinExternId }: RefundView): Promise<Payin | null> {
    const pkid = await findPayment(db.sql, { kind: 'payin', provider, externId: payinExternId });
    return pkid === null ? null : lives.payin.find(pkid);
  }

  async function isKnown(provider: ProviderName, externId: string): Promise<boolean> {
    return (await findPayment(db.sql, { kind: 'refund', provider, externId })) !== null;
  }

  return {
    /** Asks the provider about a refund that we did not ask for. Throws `unavailable` without a usable answer. */
    async adopt(name: ProviderName, externId: string): Promise<Outcome> {
      const provider = providerOf(providers, name);
      const view = await provider.findRefund?.(externId, { timeoutMs: timing.providerTimeoutMs }).catch(unavailable);
      if (view === null || view === undefined || view.status === 'failed') return 'ignored';
      // One of ours, whose own answer has not come yet: it is found by its look-up.
      if (view.pkid !== null) return 'no_effect';
      // Before the money is looked for: what an event before this one adopted is no longer open.
      if (await isKnown(name, externId)) return 'no_effect';
      if (await lives.unapplied.adopt(name, view)) return 'applied';
      const payin = await payinOf(name, view);
      if (payin === null) return 'unmatched';
      const { amountMinor } = view.money;
      const orders =
        payin.checkoutId === null || payin.status === 'failed'
          ? []
          : await readOrders(db.sql, tables.order, payin.checkoutId);
      // Only now: what was adopted before the orders were read is why they have nothing left.
      if (await isKnown(name, externId)) return 'no_effect';
      const order = orderFor(orders, amountMinor);
      if (order === null) {
        await reportHomeless(payin, view);
        return 'applied';
      }
      const { type } = await lives.refund.adopt({ order, payin, externId, amountMinor });
      return type === 'created' ? 'applied' : 'no_effect';
    },
  };

  /** Nothing of this checkout can have been refunded so much: a person compares the two books. */
  async function reportHomeless(
    { pkid, semanticKey, provider }: Payin,
    { externId, money }: RefundView,
  ): Promise<void> {
    const detail =
      `The refund ${externId} was made at ${provider} and is more than any one order of its checkout has left. ` +
      'Record it with POST /v1/treasury from @bank to @provider, with this id as its reference, and close this.';
    await sql`
      INSERT INTO discrepancy (discrepancy_id, reason, provider, operation_kind, pkid, semantic_key, extern_payment_id,
                               amount, currency, detail, opened_at)
      VALUES (${uuidV5(pkid, `discrepancy:external_refund:${externId}`)}::uuid, 'external_refund', ${provider}, 'payin',
              ${pkid}::uuid, ${semanticKey}, ${externId}, ${money.amountMinor.toString()}, ${money.currency},
              ${detail}, clock_timestamp())
      ON CONFLICT DO NOTHING`.execute(db.sql);
  }
}

/** The order whose whole rest it is, else the first one that has enough left. */
function orderFor(orders: readonly Order[], amountMinor: bigint): Order | null {
  const whole = orders.find((order) => refundableMinor(order) === amountMinor);
  return whole ?? orders.find((order) => refundableMinor(order) >= amountMinor) ?? null;
}
