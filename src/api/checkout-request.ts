// From the body of a checkout to what its life is asked: its orders, and that they agree with each other.

import { z } from '@hono/zod-openapi';
import type { CheckoutRequest } from '../jobs/checkout.ts';
import { amount, chosenId, currency, fee, metadata } from './fields.ts';
import { infoOf, paymentInfo } from './payin-request.ts';

const ORDERS_MAX = 100;
/** As for every amount: 18 digits. */
const TOTAL_MAX = 10n ** 18n - 1n;

const newOrder = z
  .strictObject({
    order_id: chosenId('the id of an order'),
    seller_id: chosenId('the id of a seller'),
    amount,
    fee: fee.optional(),
  })
  .superRefine((order, ctx) => {
    if (order.fee === undefined || order.fee <= order.amount) return;
    ctx.addIssue({ code: 'custom', path: ['fee'], message: 'The fee is more than the amount. Send at most that.' });
  })
  .openapi('NewOrder');

export const checkoutBody = z
  .strictObject({
    checkout_id: chosenId('the id of a checkout'),
    buyer_id: chosenId('the id of a buyer'),
    currency,
    payment_info: paymentInfo,
    orders: z.array(newOrder).min(1).max(ORDERS_MAX),
    metadata,
  })
  .superRefine(({ orders }, ctx) => {
    const ids = orders.map((order) => order.order_id);
    ids.forEach((id, at) => {
      if (ids.indexOf(id) === at) return;
      const message = 'An earlier order of this checkout has the same id. Choose another one.';
      ctx.addIssue({ code: 'custom', path: ['orders', at, 'order_id'], message });
    });
    if (orders.reduce((sum, order) => sum + order.amount, 0n) <= TOTAL_MAX) return;
    const message = 'The orders together have more than 18 digits. Split the checkout.';
    ctx.addIssue({ code: 'custom', path: ['orders'], message, params: { code: 'invalid-amount' } });
  })
  .openapi('NewCheckout');

export function checkoutRequestOf(body: z.output<typeof checkoutBody>): CheckoutRequest {
  return {
    checkoutId: body.checkout_id,
    buyerId: body.buyer_id,
    currency: body.currency,
    ...infoOf(body.payment_info),
    orders: body.orders.map((order) => ({
      orderId: order.order_id,
      sellerId: order.seller_id,
      amountMinor: order.amount,
      feeMinor: order.fee ?? 0n,
    })),
    metadata: body.metadata,
  };
}
