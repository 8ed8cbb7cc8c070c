// What a cancelled checkout gives back: its pay-in is taken back, or its undelivered orders are refunded. Each look
// does what can be done now, and the checkout is due again until nothing is left to do.

import { sql } from 'kysely';
import { PaymentError } from '../domain/errors.ts';
import { pkidOf, uuidV5 } from '../domain/id.ts';
import { type Order, refundableMinor } from '../domain/order.ts';
import { compensationKey } from '../domain/own-key.ts';
import type { Payin } from '../domain/payin.ts';
import type { Refund } from '../domain/refund.ts';
import { isFinal } from '../domain/state-machine.ts';
import type { DiscrepancyReason } from '../entities/discrepancy.ts';
import type { LifeOptions } from './life.ts';
import { readOrders } from './order-rows.ts';
import type { PayinLife } from './payin.ts';
import type { RefundLife } from './refund.ts';

/** While a pay-in is being taken back, or refunds are under way. */
const COMPENSATE_RETRY_S = 2;

export function createCompensation(
  { db, tables, payins, refunds, at }: LifeOptions & { readonly payins: PayinLife; readonly refunds: RefundLife },
  payinsOf: (checkoutId: string) => Promise<Payin[]>,
) {
  /** One look: what can be done is done, and the checkout is due again while something is open. */
  async function compensate(checkoutId: string): Promise<void> {
    const [payin] = await payinsOf(checkoutId);
    if (payin !== undefined && !isFinal(payin.status)) {
      await payins.cancel(payin.pkid, payin.semanticKey).catch(ignoreInvalidState);
      if (at) await at('checkout: after pay-in cancel', checkoutId);
    }
    const orders = await readOrders(db.sql, tables.order, checkoutId);
    const stuck = new Set<string>();
    for (const order of orders) if (!(await compensateOrder(order, payin))) stuck.add(order.orderId);
    const isOpen = (await payinsOf(checkoutId)).some(({ status }) => !isFinal(status));
    const isLeft = (await readOrders(db.sql, tables.order, checkoutId)).some(
      (order) => isUncompensated(order) && !stuck.has(order.orderId),
    );
    if (at) await at('checkout: before settle commit', checkoutId);
    await sql`
      UPDATE checkout SET due_at = CASE WHEN ${isOpen || isLeft}
        THEN clock_timestamp() + make_interval(secs => ${COMPENSATE_RETRY_S}) END
      WHERE checkout_id = ${checkoutId} AND due_at IS NOT NULL`.execute(db.sql);
    if (at) await at('checkout: after settle commit', checkoutId);
  }

  /**
   * What is left of an order goes back under a key of its own, so that a second look finds the first one's refund.
   * What went back before is part of it: the same amount is left again when another refund of the order has failed.
   * False when it cannot go back: trying on would change nothing, so a person has to look.
   */
  async function compensateOrder(order: Order, payin: Payin | undefined): Promise<boolean> {
    const amountMinor = refundableMinor(order);
    if (!isUncompensated(order) || amountMinor === 0n || payin === undefined) return true;
    const semanticKey = compensationKey({ ...order, leftMinor: amountMinor });
    const { orderId } = order;
    const request = { semanticKey, orderId, amountMinor, destination: 'payer', reason: CANCELED } as const;
    const asked = { ...request, metadata: {}, traceparent: null };
    const intake = await refunds.compensate(asked).catch(refusalOf);
    if (intake === null) return true;
    if ('why' in intake) await reportUncompensated(asked, { kind: 'payin', of: payin, ...intake });
    else if (intake.row.status !== 'failed') return true;
    else await reportUncompensated(asked, { kind: 'refund', of: intake.row, why: intake.row.failureDetail });
    if (at) await at('checkout: after report commit', order.checkoutId);
    return false;
  }

  async function reportUncompensated(
    { orderId, amountMinor, semanticKey }: { orderId: string; amountMinor: bigint; semanticKey: string },
    { kind, of, why }: { kind: 'payin' | 'refund'; of: Payin | Refund; why: string | null },
  ): Promise<void> {
    const discrepancyId = uuidV5(pkidOf('refund', semanticKey), `discrepancy:${REASON}`);
    const detail =
      `The refund of the order "${orderId}" of a cancelled checkout failed: ${why ?? 'no reason given'} ` +
      "Refund it under a new key, or into the buyer's wallet, and close this.";
    await sql`
      INSERT INTO discrepancy (discrepancy_id, reason, provider, operation_kind, pkid, semantic_key, amount, currency,
                               detail, opened_at)
      VALUES (${discrepancyId}::uuid, ${REASON}, ${of.provider}, ${kind}, ${of.pkid}::uuid, ${of.semanticKey},
              ${amountMinor.toString()}, ${of.currency}, ${detail}, clock_timestamp())
      ON CONFLICT DO NOTHING`.execute(db.sql);
  }

  return compensate;
}

const CANCELED = 'The checkout was cancelled.';
const REASON = 'not_compensated' satisfies DiscrepancyReason;

/** Delivered orders stay delivered; what is being refunded is on its way. */
function isUncompensated(order: Order): boolean {
  if (order.paidAt === null || order.deliveredAt !== null) return false;
  return refundableMinor(order) > 0n || order.openBeforeMinor > 0n;
}

/** It ended, or was delivered, between two looks: the next look sees it. */
function ignoreInvalidState(error: unknown): null {
  if (error instanceof PaymentError && (error.code === 'invalid-state' || error.code === 'refund-exceeds-payment')) {
    return null;
  }
  throw error;
}

/** What the provider cannot refund keeps no other order waiting. */
function refusalOf(error: unknown): { readonly why: string } | null {
  if (error instanceof PaymentError && error.code === 'provider-not-able') return { why: error.detail };
  return ignoreInvalidState(error);
}
