// A checkout: one buyer's orders, from one or many sellers, paid at once. What it is at is read off its orders and
// pay-ins, so that nothing has to keep it in step with them.

import { type Order, statusOfOrder } from './order.ts';
import type { Status } from './state-machine.ts';

export const CHECKOUT_STATUSES = ['open', 'paying', 'paid', 'closed', 'canceled'] as const;
export type CheckoutStatus = (typeof CHECKOUT_STATUSES)[number];

export function statusOfCheckout(checkout: {
  readonly canceledAt: Date | null;
  readonly orders: readonly Order[];
  readonly payins: readonly { readonly status: Status }[];
}): CheckoutStatus {
  if (checkout.canceledAt !== null) return 'canceled';
  const statuses = checkout.orders.map(statusOfOrder);
  if (statuses.every((status) => status === 'delivered' || status === 'refunded')) return 'closed';
  if (statuses.every((status) => status !== 'unpaid')) return 'paid';
  return checkout.payins.some(({ status }) => status !== 'failed') ? 'paying' : 'open';
}
