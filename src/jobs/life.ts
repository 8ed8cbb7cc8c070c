// What every life of an operation needs; app.ts makes one and hands it to all.

import type { Logger } from 'pino';
import type { OperationKind, Pkid } from '../domain/id.ts';
import type { Timing } from '../domain/payment.ts';
import type { Provider, ProviderName } from '../domain/provider.ts';
import type { Journal } from '../ledger/journal.ts';
import type { WalletDirectory } from '../ledger/wallet-directory.ts';
import type { Tables } from '../ledger/writes.ts';
import type { Breaker } from '../runtime/breaker.ts';
import type { AtCrashPoint } from '../runtime/crash-point.ts';
import type { Db } from '../runtime/db.ts';
import type { Pace } from '../runtime/pace.ts';
import type { JobData } from '../runtime/queue.ts';
import type { Funds } from './funds.ts';

export interface LifeOptions {
  readonly db: Db;
  readonly tables: Tables;
  readonly journal: Journal;
  readonly wallets: WalletDirectory;
  readonly providers: ReadonlyMap<ProviderName, Provider>;
  /** Waits for a provider account's rate; providers without an entry have no limit. */
  readonly paces: ReadonlyMap<ProviderName, Pace>;
  /** Stops sending to a provider account that gives no answers. */
  readonly breakers: ReadonlyMap<ProviderName, Breaker>;
  /** Our balances at the providers, asked before a payout is sent first. */
  readonly funds: Funds;
  readonly timing: Timing & { readonly providerTimeoutMs: number };
  /** The books may be older than the world: each payment is looked for before it is sent first. */
  readonly isRestored: boolean;
  readonly log: Logger;
  /** Best effort: tells the queue to look at a row, and what may spare a look; due_at repairs what it loses. */
  readonly enqueue: (job: { kind: OperationKind; pkid: Pkid; semanticKey: string; told?: JobData }) => Promise<void>;
  /** A new operation was committed. */
  readonly onAccepted: (kind: OperationKind) => void;
  /** Only the crash bench hands it in. */
  readonly at?: AtCrashPoint | undefined;
  readonly onProviderCall: (call: { provider: string; step: string; outcome: string; durationMs: number }) => void;
}
