// The port every payment provider is reached through. Expected answers are returned; surprises are thrown as
// PaymentError with a `surprise`: `unavailable` or `rate-limited` when the call certainly was not taken, `uncertain`
// when it may have been.

import type { Pkid } from './id.ts';
import type { Currency, Money } from './money.ts';

export const PROVIDERS = ['stripe', 'paypal', 'square', 'tipalti', 'demobank'] as const;
export type ProviderName = (typeof PROVIDERS)[number];

/** The operations that a provider carries out. A transfer needs none. */
export const PAYMENT_KINDS = ['payin', 'payout', 'refund'] as const;
export type PaymentKind = (typeof PAYMENT_KINDS)[number];

/** What each can carry out; its adapter has null for the rest. */
export const KINDS_OF: Readonly<Record<ProviderName, readonly PaymentKind[]>> = {
  stripe: PAYMENT_KINDS,
  paypal: PAYMENT_KINDS,
  square: ['payin', 'refund'],
  tipalti: ['payout'],
  demobank: ['payout'],
};

export function providersFor(kind: PaymentKind): ProviderName[] {
  return PROVIDERS.filter((name) => KINDS_OF[name].includes(kind));
}

export type DeclineCode = 'declined' | 'provider_insufficient_funds' | 'expired' | 'canceled';

/** When the money reaches the beneficiary's bank, where the provider tells. */
export interface Arrival {
  readonly status: string;
  readonly expectedAt: string | null;
}

/** What the buyer has to do before a pay-in can go on. */
export type NextAction =
  | { readonly type: 'redirect'; readonly url: string; readonly expiresAt: string | null }
  | { readonly type: 'client_secret'; readonly clientSecret: string };

/** What the provider charged; its own id of the charge keeps it from being booked twice. */
export interface Fee {
  readonly externId: string;
  readonly money: Money;
}

export interface Succeeded {
  readonly type: 'succeeded';
  readonly externId: string;
  readonly money: Money;
  /** The account the provider says it paid to; null for money that comes in or goes back to its payer. */
  readonly beneficiary: string | null;
  /** What was taken back since, besides refunds and disputes of ours, in minor units; 0n when nothing. */
  readonly reversedMinor: bigint;
  readonly arrival: Arrival | null;
  /** Null when the provider charges nothing, or does not tell yet. */
  readonly fee: Fee | null;
  /** Further payments the provider holds under the same key of ours; anything here is an alarm. */
  readonly otherExternIds: readonly string[];
}

/** What a provider says. `pending` with `awaitsConfirm` is a first step that waits for its second. */
export type Answer =
  | Succeeded
  | { readonly type: 'pending'; readonly externId: string | null; readonly awaitsConfirm: boolean }
  | { readonly type: 'action_required'; readonly externId: string; readonly nextAction: NextAction }
  | {
      readonly type: 'declined';
      readonly code: DeclineCode;
      /** The provider's own words, safe to show. */
      readonly detail: string;
      readonly externId: string | null;
      /** The buyer could still try again there, so it has to be cancelled before it counts as failed. */
      readonly isOpen: boolean;
    }
  | { readonly type: 'not_found' };

export interface PayoutOrder {
  readonly pkid: Pkid;
  readonly semanticKey: string;
  /** The provider's idempotency key of this call: pkid, or the key of a later step. */
  readonly key: string;
  readonly money: Money;
  readonly beneficiary: string;
}

export interface PayinOrder {
  readonly pkid: Pkid;
  readonly semanticKey: string;
  readonly key: string;
  readonly money: Money;
  /** The provider's own name for the means of payment; null lets the buyer choose at the provider. */
  readonly token: string | null;
  /** Where the provider sends the buyer back to. */
  readonly returnUrl: string | null;
  readonly cancelUrl: string | null;
  readonly statementDescriptor: string | null;
  readonly buyer: { readonly email: string | null; readonly ip: string | null };
}

export interface RefundOrder {
  readonly pkid: Pkid;
  readonly semanticKey: string;
  readonly key: string;
  readonly money: Money;
  /** The provider's id of the pay-in, as its answers gave it. */
  readonly payinExternId: string;
}

/** What is known of a payment when it is looked up, confirmed or cancelled. */
export interface Reference {
  readonly pkid: Pkid;
  readonly externId: string | null;
  readonly key: string;
  /** Refunds only: the provider's id of the pay-in. */
  readonly payinExternId: string | null;
}

/** The bound of one call; the caller keeps it inside the lease. */
export interface CallLimits {
  readonly timeoutMs: number;
}

/** A webhook, verified and parsed. It is a hint to look, never a verdict. */
export interface ProviderEvent {
  readonly eventId: string;
  readonly type: string;
  /** What it speaks of; null when it concerns nothing that we keep. */
  readonly subject: PaymentKind | 'dispute' | 'payee' | null;
  /** The provider's id of the subject: of the payment, the dispute, or the payee's account. */
  readonly externId: string | null;
  /** Our pkid, where the event carries it. */
  readonly pkid: Pkid | null;
  readonly occurredAt: Date;
}

/** A provider's account of one kind of payment. */
export interface Payments<Order> {
  /** 1: one call moves the money. 2: create, then confirm (or capture, or complete). */
  readonly stages: 1 | 2;
  /** With two stages: whether the first may move the money all the same, as with what was agreed with the buyer. */
  readonly movesAtSend?: (token: string | null) => boolean;
  /** How long the provider remembers an idempotency key. */
  readonly keyRetentionMs: number;
  /** Whether `find` works by our key alone, and answers read-after-write consistently. */
  readonly canFindByKey: boolean;
  /** Whether one that was created but not confirmed can still be taken back. */
  readonly cancelable: boolean;
  /** After this long in process it is shown under attention. */
  readonly usualMs: number;
  /** Types of events that say only that the payment was made: of one that is known to have succeeded, nothing new. */
  readonly creationEvents: readonly string[];
  /** Why this money cannot be moved so, as advice to the caller; null when it can. */
  refusalOf(money: Money): string | null;
  send(order: Order, limits: CallLimits): Promise<Answer>;
  /** The second step of a two-stage provider. */
  confirm(reference: Reference, limits: CallLimits): Promise<Answer>;
  /** Takes the first step back, by its id or by our key; answers what holds then. */
  cancel(reference: Reference, limits: CallLimits): Promise<Answer>;
  find(reference: Reference, limits: CallLimits): Promise<Answer>;
}

export const PAYEE_STATUSES = ['pending', 'payable', 'blocked'] as const;
export type PayeeStatus = (typeof PAYEE_STATUSES)[number];

/** Whether an account can be paid, as the provider says. */
export interface PayeeView {
  readonly status: PayeeStatus;
  /** Why not, in words that may be shown; null when payable. */
  readonly blockedReason: string | null;
  /** Where the payee gives what is missing, where the provider has such a page. */
  readonly onboardingUrl: string | null;
}

export const DISPUTE_STATUSES = ['open', 'won', 'lost'] as const;
export type DisputeStatus = (typeof DISPUTE_STATUSES)[number];

export interface DisputeView {
  readonly externId: string;
  readonly payinExternId: string;
  /** Our pkid of the pay-in, where the provider carries it. */
  readonly payinPkid: Pkid | null;
  readonly money: Money;
  readonly fee: Fee | null;
  readonly status: DisputeStatus;
  /** Until when evidence may be given. */
  readonly evidenceDue: Date | null;
}

/** A payment that came in, whoever took it. */
export interface PayinView {
  /** Our pkid, when it carries one. */
  readonly pkid: Pkid | null;
  readonly answer: Answer;
}

/** A refund as the provider knows it, whoever made it. */
export interface RefundView {
  readonly externId: string;
  /** Our pkid, when it is one of ours. */
  readonly pkid: Pkid | null;
  readonly payinExternId: string;
  readonly money: Money;
  readonly status: 'pending' | 'succeeded' | 'failed';
}

/** Null where the provider does not do such a thing at all. */
export interface Provider {
  readonly name: ProviderName;
  /** False while it talks to the sandbox; every surface then says so. */
  readonly live: boolean;
  readonly payin: Payments<PayinOrder> | null;
  readonly payout: Payments<PayoutOrder> | null;
  readonly refund: Payments<RefundOrder> | null;
  /** Our own balance there in minor units, or null when the provider does not tell. */
  balance(currency: Currency, limits: CallLimits): Promise<bigint | null>;
  /** Why no account there can have this name, as advice to the caller; null when one may. Asks nobody. */
  refusalOfAccount(account: string): string | null;
  /** Whether an account can be paid; null for an account that the provider does not know. */
  findPayee: ((account: string, limits: CallLimits) => Promise<PayeeView | null>) | null;
  findDispute: ((externId: string, limits: CallLimits) => Promise<DisputeView | null>) | null;
  /** Null also where no such payment is known. */
  findPayin: ((externId: string, limits: CallLimits) => Promise<PayinView | null>) | null;
  findRefund: ((externId: string, limits: CallLimits) => Promise<RefundView | null>) | null;
  /** Verifies over the raw bytes, in constant time; throws invalid-signature or stale-timestamp. */
  parseWebhook(
    raw: Buffer,
    headers: Readonly<Record<string, string>>,
    receivedAt: Date,
  ): ProviderEvent | Promise<ProviderEvent>;
}
