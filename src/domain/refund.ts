// A refund: money of an order, or money that fitted nothing, back to its payer or into the buyer's wallet.

import type { Pkid } from './id.ts';
import type { Origin } from './payin.ts';
import type { Payment } from './payment.ts';

export const REFUND_DESTINATIONS = ['payer', 'wallet'] as const;
export type RefundDestination = (typeof REFUND_DESTINATIONS)[number];

export interface Refund extends Payment {
  readonly origin: Origin;
  /** The order it is taken from; null when it sends back unapplied money. */
  readonly orderPkid: Pkid | null;
  readonly orderId: string | null;
  readonly unappliedId: Pkid | null;
  readonly payinPkid: Pkid;
  readonly payinExternId: string;
  readonly destination: RefundDestination;
  /** The buyer's wallet when it goes there. */
  readonly walletId: string | null;
  /** Whether it was asked for before the order was delivered: then its money is still pending. */
  readonly beforeDelivery: boolean;
  readonly reason: string | null;
}
