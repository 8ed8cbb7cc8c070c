// What the API is built from: one plain object. The parts that other folders provide are named as interfaces here.

import type { Hono } from 'hono';
import type { Provider, ProviderName } from '../domain/provider.ts';
import type { CheckoutLife } from '../jobs/checkout.ts';
import type { OrderLife } from '../jobs/order.ts';
import type { PayinLife } from '../jobs/payin.ts';
import type { PayoutLife } from '../jobs/payout.ts';
import type { RefundLife } from '../jobs/refund.ts';
import type { TransferLife } from '../jobs/transfer.ts';
import type { UnappliedLife } from '../jobs/unapplied.ts';
import type { Waiter } from '../jobs/waiter.ts';
import type { WebhookEndpoints } from '../jobs/webhook-endpoint.ts';
import type { Journal } from '../ledger/journal.ts';
import type { WalletDirectory } from '../ledger/wallet-directory.ts';
import type { Tables } from '../ledger/writes.ts';
import type { Config } from '../runtime/config.ts';
import type { REAL_PROVIDERS } from '../runtime/config-providers.ts';
import type { Db } from '../runtime/db.ts';
import type { Logger } from '../runtime/logger.ts';

export interface ApiOptions {
  readonly db: Db;
  readonly tables: Tables;
  readonly journal: Journal;
  readonly wallets: WalletDirectory;
  readonly payouts: PayoutLife;
  readonly transfers: TransferLife;
  readonly checkouts: CheckoutLife;
  readonly orders: OrderLife;
  readonly payins: PayinLife;
  readonly refunds: RefundLife;
  readonly unapplied: UnappliedLife;
  readonly providers: ReadonlyMap<ProviderName, Provider>;
  readonly config: Pick<Config, 'rateLimitRps' | (typeof REAL_PROVIDERS)[number]>;
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
  readonly metrics?: ApiMetrics;
  readonly waiter: Pick<Waiter, 'wait' | 'waitForCheckout'>;
  readonly reviews: Reviews;
  readonly events: Events;
  /** Without it no private host may be registered, and a resend waits for reconcile. */
  readonly webhookEndpoints?: WebhookEndpoints;
  /** Tells the queue of outgoing events that were written outside of the journal. */
  readonly onDeliveries: (deliveryIds: readonly string[]) => void;
  readonly audit: () => Promise<AuditReport>;
  readonly readiness: () => Promise<Readiness>;
  /** Serves /admin/queues; its routes carry the whole path. */
  readonly board?: Hono;
  /** Serves the operator pages; its routes carry the whole path. */
  readonly console?: Hono;
}

export interface ApiMetrics {
  text(): Promise<string>;
  readonly contentType: string;
  /** `route` is the pattern, never the address itself: a metric must not grow with its callers. */
  request(request: { route: string; method: string; status: number; durationMs: number }): void;
}

export interface Reviews {
  attention(): Promise<AttentionView>;
}

/** Rows already in the shape of the answer. */
export interface AttentionView {
  readonly review: readonly unknown[];
  readonly discrepancies: readonly unknown[];
  readonly unapplied: readonly unknown[];
  readonly disputes: readonly unknown[];
  readonly webhook_endpoints: readonly unknown[];
  readonly provider_events: readonly unknown[];
  readonly oldest_unfinished: readonly {
    readonly kind: string;
    readonly age_seconds: number;
    readonly count: number;
  }[];
  readonly stale: readonly unknown[];
}

export interface Events {
  /** Resolves after the commit. Throws invalid-signature, stale-timestamp or not-found. */
  receive(event: {
    provider: ProviderName;
    raw: Buffer;
    headers: Record<string, string>;
  }): Promise<'stored' | 'duplicate'>;
}

export interface AuditReport {
  readonly ok: boolean;
  readonly checks: readonly {
    readonly id: string;
    readonly title: string;
    readonly violations: readonly unknown[];
  }[];
}

export interface Readiness {
  readonly ok: boolean;
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly detail: string }>>;
}
