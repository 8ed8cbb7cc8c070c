// A dispute: the buyer's bank took a pay-in's money back, or part of it, until the matter is decided.

import type { Pkid } from './id.ts';
import type { Currency } from './money.ts';
import { type Order, refundableMinor, type Taken } from './order.ts';
import type { DisputeStatus, ProviderName } from './provider.ts';

export interface Dispute {
  readonly disputeId: string;
  readonly pkid: Pkid;
  readonly provider: ProviderName;
  readonly externId: string;
  readonly payinPkid: Pkid;
  readonly orderId: string | null;
  readonly amountMinor: bigint;
  readonly currency: Currency;
  readonly feeMinor: bigint;
  readonly status: DisputeStatus;
  readonly evidenceDue: Date | null;
  /** How it was taken. Amounts are texts, because JSON has no bigint. */
  readonly parts: readonly { readonly orderPkid: Pkid; readonly amount: string; readonly beforeDelivery: boolean }[];
  /** What no order or wallet could give, and therefore we gave. */
  readonly uncoveredMinor: bigint;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** Which order gives how much: the ones that are not delivered first, and none more than is left of it. */
export function shareOut(
  orders: readonly Order[],
  amountMinor: bigint,
): { readonly shares: readonly { readonly order: Order; readonly amountMinor: bigint }[]; readonly restMinor: bigint } {
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
export function shareRefund(orders: readonly Order[], amountMinor: bigint): ReturnType<typeof shareOut> {
  const whole = orders.find((order) => refundableMinor(order) === amountMinor);
  const order = whole ?? orders.find((one) => refundableMinor(one) >= amountMinor);
  return order === undefined ? shareOut(orders, amountMinor) : { shares: [{ order, amountMinor }], restMinor: 0n };
}

export function takenIn(dispute: Dispute): Taken[] {
  return dispute.parts.map(({ orderPkid, amount, beforeDelivery }) => ({
    orderPkid,
    amountMinor: BigInt(amount),
    beforeDelivery,
  }));
}
