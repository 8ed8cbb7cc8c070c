// The port every payment provider is reached through. Expected answers are returned; surprises are thrown as
// PaymentError with a `surprise`: `unavailable` or `rate-limited` when the call certainly was not taken, `uncertain`
// when it may have been.

import type { Pkid } from './id.ts';
import type { Currency, Money } from './money.ts';

export const PROVIDERS = ['stripe', 'demobank'] as const;
export type ProviderName = (typeof PROVIDERS)[number];

export type DeclineCode = 'declined' | 'provider_insufficient_funds' | 'expired' | 'canceled';

/** When the money reaches the beneficiary's bank, where the provider tells. */
export interface Arrival {
  readonly status: string;
  readonly expectedAt: string | null;
}

export type NextAction =
  | { readonly type: 'redirect'; readonly url: string; readonly expiresAt: string | null }
  | { readonly type: 'client_secret'; readonly clientSecret: string };

export interface Succeeded {
  readonly type: 'succeeded';
  readonly externId: string;
  readonly money: Money;
  /** The account the provider says it paid to (or was paid by). */
  readonly beneficiary: string;
  /** What the provider has taken back since, in minor units; 0n when nothing. */
  readonly reversedMinor: bigint;
  readonly arrival: Arrival | null;
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
    }
  | { readonly type: 'not_found' };

export interface SendOrder {
  readonly pkid: Pkid;
  readonly semanticKey: string;
  /** The provider's idempotency key of this call: pkid, or the key of a later step. */
  readonly key: string;
  readonly money: Money;
  readonly beneficiary: string;
}

/** What is known of a payment when it is looked up, confirmed or cancelled. */
export interface Reference {
  readonly pkid: Pkid;
  readonly externId: string | null;
  readonly key: string;
}

/** The bound of one call; the caller keeps it inside the lease. */
export interface CallLimits {
  readonly timeoutMs: number;
}

/** A webhook, verified and parsed. It is a hint to look, never a verdict. */
export interface ProviderEvent {
  readonly eventId: string;
  readonly type: string;
  readonly externId: string | null;
  /** Our pkid, where the event carries it. */
  readonly pkid: Pkid | null;
  readonly occurredAt: Date;
}

export interface PayinOrder extends SendOrder {
  readonly returnUrl: string | null;
  readonly statementDescriptor: string | null;
}

export interface RefundOrder {
  readonly pkid: Pkid;
  readonly key: string;
  readonly payinExternId: string;
  readonly money: Money;
}

/** Money in: present where the provider can take payments. */
export interface PayinPort {
  createPayin(order: PayinOrder, limits: CallLimits): Promise<Answer>;
  capturePayin(reference: Reference, limits: CallLimits): Promise<Answer>;
  refund(order: RefundOrder, limits: CallLimits): Promise<Answer>;
}

/** Money out: present where the provider can pay. */
export interface PayoutPort {
  sendPayout(order: SendOrder, limits: CallLimits): Promise<Answer>;
  /** The second step of a two-stage provider. */
  confirmPayout(reference: Reference, limits: CallLimits): Promise<Answer>;
}

export interface Provider {
  readonly name: ProviderName;
  /** False while it talks to the sandbox; every surface then says so. */
  readonly live: boolean;
  /** 1: one call moves the money. 2: create, then confirm. */
  readonly stages: 1 | 2;
  /** How long the provider remembers an idempotency key. */
  readonly keyRetentionMs: number;
  /** Whether `find` works by our key alone, and answers read-after-write consistently. */
  readonly canFindByKey: boolean;
  /** Whether a payout that was created but not confirmed can still be taken back. */
  readonly cancelable: boolean;
  /** After this long in process a payout is shown under attention. */
  readonly usualMs: number;
  readonly payout: PayoutPort | null;
  readonly payin: PayinPort | null;
  /** Why this money cannot be paid out here, as advice to the caller; null when it can. */
  refusalOf(money: Money): string | null;
  cancel(reference: Reference, limits: CallLimits): Promise<Answer>;
  find(reference: Reference, limits: CallLimits): Promise<Answer>;
  /** Our own balance there in minor units, or null when the provider does not tell. */
  balance(currency: Currency, limits: CallLimits): Promise<bigint | null>;
  /** Verifies over the raw bytes, in constant time; throws invalid-signature or stale-timestamp. */
  parseWebhook(raw: Buffer, headers: Readonly<Record<string, string>>, receivedAt: Date): ProviderEvent;
}
