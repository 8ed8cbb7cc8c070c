// What the judge looks at: the client's log, the ledger, the providers' own book and what the merchant heard. Plain
// data, so that the judge can be shown evidence of things that never should happen.

import type { ClientLine } from './client-log.ts';
import type { HeardLine } from './heard-log.ts';

export const PAYMENT_KINDS = ['payout', 'payin', 'refund'] as const;
export type PaymentKind = (typeof PAYMENT_KINDS)[number];
export type OperationKind = PaymentKind | 'transfer';

/** As the API reads it at the end; what a kind does not have is null. */
export interface Operation {
  readonly kind: OperationKind;
  readonly pkid: string;
  readonly semanticKey: string;
  readonly status: string;
  readonly amount: string;
  readonly currency: string;
  readonly origin: string | null;
  readonly reviewReason: string | null;
  readonly returned: bigint;
  /** Of a refund: the payer, or a wallet of ours. */
  readonly to: string | null;
  readonly orderId: string | null;
  /** The rest of it, to be compared with what was asked for. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface Order {
  readonly orderId: string;
  readonly checkoutId: string;
  readonly sellerId: string;
  readonly amountMinor: bigint;
  readonly feeMinor: bigint;
  readonly isPaid: boolean;
  readonly isDelivered: boolean;
}

/** One row for each time money really moved. */
export interface BookRow {
  readonly at: number;
  readonly provider: string;
  readonly direction: 'in' | 'out' | 'refund' | 'return' | 'dispute' | 'dispute_won' | 'fee';
  readonly key: string | null;
  readonly amount: string;
  readonly currency: string;
  readonly destination: string;
}

export interface Evidence {
  readonly client: readonly ClientLine[];
  readonly heard: readonly HeardLine[];
  readonly operations: readonly Operation[];
  readonly orders: readonly Order[];
  readonly book: readonly BookRow[];
  /** What is posted on each wallet, platform wallets included. */
  readonly wallets: ReadonlyMap<string, bigint>;
  /** When the first call of a payment was intended, by pkid. */
  readonly firstIntentAt: ReadonlyMap<string, number>;
  /** Money that fitted nothing and is kept apart: by the pkid it came under. */
  readonly unapplied: readonly { readonly pkid: string; readonly amountMinor: bigint }[];
  /** Checkouts, events and deliveries that were not worked off in time, in words. */
  readonly leftovers: readonly string[];
  /** What our own audit found, in words. */
  readonly audit: readonly string[];
}

/** What may be wrong, each by the promise that it breaks. */
export const CHECKS = {
  lost: 'acknowledged or booked, but there is no row or no payment',
  doubled: 'more than one row or payment for one operation',
  paid_but_failed: 'the provider moved money, and the operation says failed',
  orphan: 'a payment or an operation that nobody asked for',
  amount: 'another amount, currency or beneficiary than was asked for',
  early: 'paid before the intent was committed',
  changed: 'a final status that was shown to the client changed',
  replaced: 'a known key with another body was not refused, or changed something',
  copies: 'copies of one request were not one operation',
  refused: 'refused to the client, and done all the same',
  unfinished: 'accepted, and neither final nor in review',
  review: 'in review although no fault of this run explains it',
  untold: 'the merchant did not hear of a final state',
  disorder: 'the merchant heard something out of order, or against the ledger',
  balance: 'a wallet is not what the operations add up to',
  audit: 'the audit found something',
} as const;
export type Check = keyof typeof CHECKS;

export interface Violation {
  readonly check: Check;
  /** The key, pkid or wallet by which it is found. */
  readonly key: string;
  readonly detail: string;
}

export function isFinal({ status }: { readonly status: string }): boolean {
  return status === 'succeeded' || status === 'failed';
}
