// Whose it is when a provider takes money back of a whole pay-in: how much each of its orders gives.

import { type Order, refundableMinor } from './order.ts';

interface Shares {
  readonly shares: readonly { readonly order: Order; readonly amountMinor: bigint }[];
  /** What no order has left. */
  readonly restMinor: bigint;
}

/** Which order gives how much: the ones that are not delivered first, and none more than is left of it. */
export function shareOut(orders: readonly Order[], amountMinor: bigint): Shares {
  let restMinor = amountMinor;
  const shares = orders
    .toSorted((left, right) => Number(left.deliveredAt !== null) - Number(right.deliveredAt !== null))
    .flatMap((order) => {
      const leftMinor = refundableMinor(order);
      const shareMinor = leftMinor < restMinor ? leftMinor : restMinor;
      restMinor -= shareMinor;
      return shareMinor > 0n ? [{ order, amountMinor: shareMinor }] : [];
    });
  return { shares, restMinor };
}

/**
 * The same of a refund that somebody made at the provider: whose it was is not said, so the order whose whole rest it
 * is comes first, then one that has enough left, then all of them together.
 */
export function shareRefund(orders: readonly Order[], amountMinor: bigint): Shares {
  const whole = orders.find((order) => refundableMinor(order) === amountMinor);
  const order = whole ?? orders.find((one) => refundableMinor(one) >= amountMinor);
  return order === undefined ? shareOut(orders, amountMinor) : { shares: [{ order, amountMinor }], restMinor: 0n };
}
