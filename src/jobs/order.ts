// The life of an order after it is paid: delivery releases the seller's part. Refunds and disputes are lives of their
// own that take the order's lock.

import { sql } from 'kysely';
import { PaymentError } from '../domain/errors.ts';
import { postingIdOf } from '../domain/id.ts';
import { deliverOrder, type Order, walletsOfOrder } from '../domain/order.ts';
import type { Decision } from '../ledger/step.ts';
import type { LifeOptions } from './life.ts';
import { readOrder } from './order-rows.ts';
import { noSuchOrder } from './refund-request.ts';

export type OrderLife = ReturnType<typeof createOrderLife>;

export function createOrderLife({ db, tables, journal }: LifeOptions) {
  /** What a cancel took back may not be released: it is on its way to the buyer, or waits for a person. */
  async function refuseCanceled({ checkoutId }: Order): Promise<void> {
    const { rows } = await sql`
      SELECT FROM checkout WHERE checkout_id = ${checkoutId} AND canceled_at IS NOT NULL`.execute(db.sql);
    if (rows.length === 0) return;
    const detail = 'Its checkout is cancelled, and what was paid goes back to the buyer. Make a new checkout.';
    throw new PaymentError('invalid-state', { detail });
  }

  return {
    find: (orderId: string): Promise<Order | null> => readOrder(db.sql, tables.order, orderId),

    /** Releases the seller's part less the fee; twice is no change. Throws not-found, invalid-state. */
    async deliver(orderId: string): Promise<Order> {
      const seen = await readOrder(db.sql, tables.order, orderId);
      if (seen === null) throw noSuchOrder(orderId);
      if (seen.deliveredAt === null) await refuseCanceled(seen);
      return journal.stepOrder({
        pkid: seen.pkid,
        walletIds: walletsOfOrder(seen),
        decide: (order, now) => deliver(order, now),
      });
    },
  };
}

function deliver(order: Order, now: Date): Decision<Order, Order> {
  const { order: delivered, lines } = deliverOrder(order, now);
  if (delivered === order) {
    return { movements: [], conclude: () => ({ next: null, path: [], cause: null, result: order }) };
  }
  const subject = { kind: 'order', pkid: order.pkid, semanticKey: order.orderId } as const;
  const posting = {
    ...subject,
    postingId: postingIdOf(order.pkid, 'deliver'),
    event: 'order.delivered',
    reverses: null,
  };
  const { currency, walletId: repays } = order;
  return {
    movements: lines.length === 0 ? [] : [{ type: 'post', posting, currency, lines, repays }],
    conclude([result]) {
      if (result?.type === 'refused') {
        const detail = `The ledger refused a delivery: ${result.code}. Run the audit.`;
        throw new PaymentError('internal', { detail });
      }
      const events = [{ type: 'order.delivered', ...subject } as const];
      return { next: null, path: [], cause: null, orders: [delivered], events, result: delivered };
    },
  };
}
