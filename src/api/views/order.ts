// An order as the API shows it. Its status is read off its counters, here in SQL as well, for the filters of lists.

import { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import { ORDER_STATUSES, type Order, refundableMinor, statusOfOrder } from '../../domain/order.ts';
import { isoOrNull } from './operation.ts';

export const orderView = z
  .object({
    order_id: z.string(),
    checkout_id: z.string(),
    seller_id: z.string(),
    wallet_id: z.string().openapi({ description: "The seller's wallet." }),
    amount: z.string(),
    currency: z.string(),
    fee: z.string().openapi({ description: 'Our commission on the whole amount.' }),
    refunded: z.string().openapi({ description: 'Refunds that succeeded.' }),
    refunding: z.string().openapi({ description: 'Refunds that are still open.' }),
    disputed: z.string().openapi({ description: 'Taken by disputes (open or lost) and by reversals.' }),
    refundable: z.string().openapi({ description: 'What may still be refunded, once it is paid.' }),
    released: z.string().openapi({ description: 'What the seller got of it, less what refunds took again.' }),
    status: z.enum(ORDER_STATUSES),
    paid_at: z.string().nullable(),
    delivered_at: z.string().nullable(),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .openapi('Order', {
    example: {
      order_id: 'order-77-1',
      checkout_id: 'checkout-77',
      seller_id: 'seller-42',
      wallet_id: 'seller-42-usd',
      amount: '1500',
      currency: 'USD',
      fee: '150',
      refunded: '0',
      refunding: '0',
      disputed: '0',
      refundable: '1500',
      released: '1350',
      status: 'delivered',
      paid_at: '2026-01-31T12:00:00.000Z',
      delivered_at: '2026-02-02T12:00:00.000Z',
      created_at: '2026-01-31T11:59:00.000Z',
      updated_at: '2026-02-02T12:00:00.000Z',
    },
  });

export type OrderView = z.input<typeof orderView>;

export function presentOrder(order: Order): OrderView {
  return {
    order_id: order.orderId,
    checkout_id: order.checkoutId,
    seller_id: order.sellerId,
    wallet_id: order.walletId,
    amount: order.amountMinor.toString(),
    currency: order.currency,
    fee: order.feeMinor.toString(),
    refunded: order.refundedMinor.toString(),
    refunding: (order.openBeforeMinor + order.openAfterMinor).toString(),
    disputed: (order.takenBeforeMinor + order.takenAfterMinor).toString(),
    refundable: refundableMinor(order).toString(),
    released: order.releasedMinor.toString(),
    status: statusOfOrder(order),
    paid_at: isoOrNull(order.paidAt),
    delivered_at: isoOrNull(order.deliveredAt),
    created_at: order.createdAt.toISOString(),
    updated_at: order.updatedAt.toISOString(),
  };
}

/** statusOfOrder as an expression over a row of seller_order; a test holds the two together. */
export const orderStatusSql = sql<string>`CASE
  WHEN seller_order.paid_at IS NULL THEN 'unpaid'
  WHEN seller_order.refunded + seller_order.taken_before + seller_order.taken_after = seller_order.amount
    THEN 'refunded'
  WHEN seller_order.delivered_at IS NULL THEN 'paid'
  ELSE 'delivered' END`;
