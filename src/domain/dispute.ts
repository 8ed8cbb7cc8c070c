// A dispute: the buyer's bank took a pay-in's money back, or part of it, until the matter is decided.

import type { Pkid } from './id.ts';
import type { Currency } from './money.ts';
import type { Taken } from './order.ts';
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

export function takenIn(dispute: Dispute): Taken[] {
  return dispute.parts.map(({ orderPkid, amount, beforeDelivery }) => ({
    orderPkid,
    amountMinor: BigInt(amount),
    beforeDelivery,
  }));
}
