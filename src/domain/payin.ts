// A pay-in: a buyer's money, through a provider, for a checkout with its orders or straight into a wallet.

import { pendingWalletId, providerWalletId, unappliedWalletId } from './chart.ts';
import { postingIdOf } from './id.ts';
import type { Line, Movement } from './movements.ts';
import type { Order } from './order.ts';
import type { Payment } from './payment.ts';
import type { NextAction } from './provider.ts';

export const ORIGINS = ['api', 'external'] as const;
/** external: made in the provider's own dashboard, and booked when we heard of it. */
export type Origin = (typeof ORIGINS)[number];

export interface Payin extends Payment {
  readonly origin: Origin;
  readonly checkoutId: string | null;
  /** The wallet it loads, or null when it pays for a checkout. An external one has neither: its money fits nothing. */
  readonly walletId: string | null;
  /** The provider's own name for the means of payment; never a card number. */
  readonly token: string | null;
  readonly returnUrl: string | null;
  readonly cancelUrl: string | null;
  readonly statementDescriptor: string | null;
  readonly buyer: { readonly email: string | null; readonly ip: string | null } | null;
  /** What the buyer has to do; null when nothing, or no longer. */
  readonly nextAction: NextAction | null;
}

/** How long a buyer has to pay unless told otherwise. */
export const PAYIN_EXPIRES_MS = 60 * 60 * 1000;

/** The provider owes us the money; the wallet, or each seller's pending wallet, has its part, or nobody yet. */
export function payinMovement(payin: Payin, orders: readonly Order[]): Movement {
  const parts: Line[] = orders.map((order) => ({
    walletId: pendingWalletId(order.sellerId, order.currency),
    amountMinor: order.amountMinor,
  }));
  const loadedId = isOfNobody(payin) ? unappliedWalletId(payin.currency) : payin.walletId;
  const loaded = loadedId === null ? [] : [{ walletId: loadedId, amountMinor: payin.amountMinor }];
  return {
    type: 'post',
    posting: {
      postingId: postingIdOf(payin.pkid, 'settle'),
      event: 'payin.succeeded',
      kind: 'payin',
      pkid: payin.pkid,
      semanticKey: payin.semanticKey,
      reverses: null,
    },
    currency: payin.currency,
    lines: [
      { walletId: providerWalletId(payin.provider, payin.currency), amountMinor: -payin.amountMinor },
      ...parts,
      ...loaded,
    ],
    // Who owes pays back from what they load.
    ...(payin.walletId === null ? {} : { repays: payin.walletId }),
  };
}

/** Somebody took it at the provider, and did not say for whom. */
export function isOfNobody({ checkoutId, walletId }: Payin): boolean {
  return checkoutId === null && walletId === null;
}
