// An order: what a buyer buys from one seller. Its counters say what of its amount was released, went back, or was
// taken; every rule takes the locked order and returns the next one together with the lines of its posting.

import { debtWalletId, feesWalletId, pendingWalletId, providerWalletId } from './chart.ts';
import { PaymentError } from './errors.ts';
import type { Pkid } from './id.ts';
import type { Currency } from './money.ts';
import type { Line } from './movements.ts';

export interface Order {
  readonly pkid: Pkid;
  readonly orderId: string;
  readonly checkoutId: string;
  readonly sellerId: string;
  /** The seller's wallet in the order's currency. */
  readonly walletId: string;
  readonly amountMinor: bigint;
  readonly currency: Currency;
  /** Our commission on the whole amount. */
  readonly feeMinor: bigint;
  readonly payinPkid: Pkid | null;
  readonly paidAt: Date | null;
  readonly deliveredAt: Date | null;
  /** Refunds that succeeded, whenever they were asked for. */
  readonly refundedMinor: bigint;
  /** Refunds still open, by whether they were asked for before or after delivery. */
  readonly openBeforeMinor: bigint;
  readonly openAfterMinor: bigint;
  /** Disputed (open or lost) or reversed by the provider, before or after delivery. */
  readonly takenBeforeMinor: bigint;
  readonly takenAfterMinor: bigint;
  /** What the seller got of it, less what was taken from them again for refunds. */
  readonly releasedMinor: bigint;
  /** How much of the fee was given up, because that part of the order went back. */
  readonly feeGivenMinor: bigint;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export const ORDER_STATUSES = ['unpaid', 'paid', 'delivered', 'refunded'] as const;
export type OrderStatus = (typeof ORDER_STATUSES)[number];

/** The next state of the order, and the lines that make it true; no lines when no money moves. */
export interface OrderChange {
  readonly order: Order;
  readonly lines: readonly Line[];
}

export function statusOfOrder(order: Order): OrderStatus {
  if (order.paidAt === null) return 'unpaid';
  if (order.refundedMinor + takenOf(order) === order.amountMinor) return 'refunded';
  return order.deliveredAt === null ? 'paid' : 'delivered';
}

/** What may still be refunded: nothing twice, whether it went back, is going back, or was taken. */
export function refundableMinor(order: Order): bigint {
  const gone = order.refundedMinor + order.openBeforeMinor + order.openAfterMinor + takenOf(order);
  return order.amountMinor - gone;
}

function takenOf(order: Order): bigint {
  return order.takenBeforeMinor + order.takenAfterMinor;
}

/** The commission that is given up when so much of the order goes back; rounded down, so a split unit stays with us. */
function feeGivenFor(order: Order, backMinor: bigint): bigint {
  return (order.feeMinor * backMinor) / order.amountMinor;
}

export function payOrder(order: Order, payinPkid: Pkid, now: Date): Order {
  return { ...order, payinPkid, paidAt: now, updatedAt: now };
}

/**
 * Releases the seller's part less the fee. What open refunds and disputes hold stays where it is, because a refund may
 * fail and a dispute be won. An order that was refunded as a whole has nothing that could ever be released.
 */
export function deliverOrder(order: Order, now: Date): OrderChange {
  if (order.paidAt === null) {
    throw new PaymentError('invalid-state', { detail: 'The order is not paid. Deliver it once its pay-in succeeded.' });
  }
  if (order.deliveredAt !== null) return { order, lines: [] };
  if (order.refundedMinor === order.amountMinor) {
    const detail =
      'The whole order was refunded, so nothing is left to release. Make a new checkout if it is bought again.';
    throw new PaymentError('invalid-state', { detail });
  }
  const backMinor = order.refundedMinor + order.takenBeforeMinor + order.openBeforeMinor;
  const feeGivenMinor = feeGivenFor(order, backMinor);
  const feeMinor = order.feeMinor - feeGivenMinor;
  const netMinor = order.amountMinor - backMinor;
  const releasedMinor = netMinor - feeMinor;
  return {
    order: { ...order, deliveredAt: now, releasedMinor, feeGivenMinor, updatedAt: now },
    lines: moving([
      { walletId: pendingOf(order), amountMinor: -netMinor },
      { walletId: order.walletId, amountMinor: releasedMinor },
      { walletId: feesWalletId(order.currency), amountMinor: feeMinor },
    ]),
  };
}

export function exceeds(order: Order): PaymentError {
  const { amountMinor, currency, orderId } = order;
  const leftMinor = refundableMinor(order);
  const detail =
    leftMinor > 0n
      ? `Of ${amountMinor} ${currency} (minor units) at most ${leftMinor} can still be refunded. Send a smaller amount.`
      : `Of ${amountMinor} ${currency} (minor units) nothing is left to refund: it went back, is on its way, or is ` +
        `disputed. GET /v1/orders/${orderId} shows which.`;
  return new PaymentError('refund-exceeds-payment', { detail });
}

/** Reserves a refund on the order. Throws refund-exceeds-payment, and invalid-state while it is not paid. */
export function openRefund(order: Order, amountMinor: bigint, now: Date): { order: Order; beforeDelivery: boolean } {
  if (order.paidAt === null) {
    const detail = 'The pay-in of this order has not succeeded, so there is nothing to refund. Cancel the checkout.';
    throw new PaymentError('invalid-state', { detail });
  }
  if (amountMinor > refundableMinor(order)) throw exceeds(order);
  const beforeDelivery = order.deliveredAt === null;
  const opened = beforeDelivery
    ? { openBeforeMinor: order.openBeforeMinor + amountMinor }
    : { openAfterMinor: order.openAfterMinor + amountMinor };
  return { order: { ...order, ...opened, updatedAt: now }, beforeDelivery };
}

interface RefundPart {
  readonly amountMinor: bigint;
  readonly beforeDelivery: boolean;
  /** Where the money goes: the provider's wallet, or the buyer's. */
  readonly to: string;
}

/** A refund that succeeded: its money was pending, or comes from the seller, and from their debt what they lack. */
export function settleRefund(order: Order, { amountMinor, beforeDelivery, to }: RefundPart, now: Date): OrderChange {
  const refundedMinor = order.refundedMinor + amountMinor;
  if (beforeDelivery) {
    return {
      order: { ...order, refundedMinor, openBeforeMinor: order.openBeforeMinor - amountMinor, updatedAt: now },
      lines: moving([
        { walletId: pendingOf(order), amountMinor: -amountMinor },
        { walletId: to, amountMinor },
      ]),
    };
  }
  const backMinor = refundedMinor + order.takenBeforeMinor + order.openBeforeMinor;
  const givenMinor = feeGivenFor(order, backMinor) - order.feeGivenMinor;
  const sellerMinor = amountMinor - givenMinor;
  return {
    order: {
      ...order,
      refundedMinor,
      openAfterMinor: order.openAfterMinor - amountMinor,
      releasedMinor: order.releasedMinor - sellerMinor,
      feeGivenMinor: order.feeGivenMinor + givenMinor,
      updatedAt: now,
    },
    lines: moving([
      { walletId: order.walletId, amountMinor: -sellerMinor, orFrom: debtOf(order) },
      { walletId: feesWalletId(order.currency), amountMinor: -givenMinor },
      { walletId: to, amountMinor },
    ]),
  };
}

/** A refund that failed. Was the order delivered meanwhile, its money is released now, less the fee. */
export function dropRefund(
  order: Order,
  { amountMinor, beforeDelivery }: Omit<RefundPart, 'to'>,
  now: Date,
): OrderChange {
  if (!beforeDelivery) {
    return { order: { ...order, openAfterMinor: order.openAfterMinor - amountMinor, updatedAt: now }, lines: [] };
  }
  const closed = { ...order, openBeforeMinor: order.openBeforeMinor - amountMinor, updatedAt: now };
  return order.deliveredAt === null ? { order: closed, lines: [] } : releaseLate(closed, amountMinor);
}

/** Money that was held back at delivery and turns out to be the seller's. `closed` no longer counts it as held back. */
function releaseLate(closed: Order, amountMinor: bigint): OrderChange {
  const backMinor = closed.refundedMinor + closed.takenBeforeMinor + closed.openBeforeMinor;
  const feeMinor = closed.feeGivenMinor - feeGivenFor(closed, backMinor);
  const sellerMinor = amountMinor - feeMinor;
  return {
    order: {
      ...closed,
      releasedMinor: closed.releasedMinor + sellerMinor,
      feeGivenMinor: closed.feeGivenMinor - feeMinor,
    },
    lines: moving([
      { walletId: pendingOf(closed), amountMinor: -amountMinor },
      { walletId: closed.walletId, amountMinor: sellerMinor },
      { walletId: feesWalletId(closed.currency), amountMinor: feeMinor },
    ]),
  };
}

/** What a provider took back of an order, in a dispute or a reversal. */
export interface Taken {
  readonly orderPkid: Pkid;
  readonly amountMinor: bigint;
  readonly beforeDelivery: boolean;
}

/** Before delivery from the pending money, after it from the seller, and from their debt what they lack. */
export function takeFromOrder(
  order: Order,
  { amountMinor, provider }: { amountMinor: bigint; provider: string },
  now: Date,
): OrderChange & { readonly taken: Taken } {
  const beforeDelivery = order.deliveredAt === null;
  const source = beforeDelivery
    ? { walletId: pendingOf(order), amountMinor: -amountMinor }
    : { walletId: order.walletId, amountMinor: -amountMinor, orFrom: debtOf(order) };
  const counted = beforeDelivery
    ? { takenBeforeMinor: order.takenBeforeMinor + amountMinor }
    : { takenAfterMinor: order.takenAfterMinor + amountMinor };
  return {
    taken: { orderPkid: order.pkid, amountMinor, beforeDelivery },
    order: { ...order, ...counted, updatedAt: now },
    lines: [source, { walletId: providerWalletId(provider, order.currency), amountMinor }],
  };
}

/** A dispute was won: the money is pending again, or the seller's when the order was delivered. */
export function giveBackToOrder(order: Order, taken: Taken & { readonly provider: string }, now: Date): OrderChange {
  const { amountMinor, beforeDelivery, provider } = taken;
  const from = { walletId: providerWalletId(provider, order.currency), amountMinor: -amountMinor };
  if (!beforeDelivery) {
    return {
      order: { ...order, takenAfterMinor: order.takenAfterMinor - amountMinor, updatedAt: now },
      lines: [from, { walletId: order.walletId, amountMinor }],
    };
  }
  const closed = { ...order, takenBeforeMinor: order.takenBeforeMinor - amountMinor, updatedAt: now };
  const back = [from, { walletId: pendingOf(order), amountMinor }];
  if (order.deliveredAt === null) return { order: closed, lines: back };
  const released = releaseLate(closed, amountMinor);
  return { order: released.order, lines: [...back, ...released.lines] };
}

/** Every wallet that a change of this order may touch, besides the provider's or the buyer's. */
export function walletsOfOrder(order: Order): string[] {
  return [pendingOf(order), order.walletId, debtOf(order), feesWalletId(order.currency)];
}

export function debtOf(order: Order): string {
  return debtWalletId(order.sellerId, order.currency);
}

function pendingOf(order: Order): string {
  return pendingWalletId(order.sellerId, order.currency);
}

/** An entry moves something, so parts of nothing are left out. */
function moving(lines: readonly Line[]): Line[] {
  return lines.filter(({ amountMinor }) => amountMinor !== 0n);
}
