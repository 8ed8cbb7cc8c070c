// What callers hand to the journal: one thing to do to one operation, decided under its row lock. A step decides
// twice: first which movements it wants, then, knowing how the ledger took them, what is written besides.

import type { Pkid } from '../domain/id.ts';
import type { Movement, MovementResult, RefusalCode } from '../domain/movements.ts';
import type { Status } from '../domain/state-machine.ts';
import type { Adjustment } from '../entities/adjustment.ts';
import type { Discrepancy } from '../entities/discrepancy.ts';
import type { ProviderCall } from '../entities/provider-call.ts';
import type { ReviewAction } from '../entities/review-action.ts';
import type { Treasury } from '../entities/treasury.ts';

/** The answer's part of a provider call that was intended in an earlier commit. */
export type CallAnswer = Omit<ProviderCall, 'operationKind' | 'provider' | 'attempt' | 'step' | 'key' | 'intentAt'>;

/** What a step writes besides postings, entries and holds. */
export interface Conclusion<Row, Result> {
  readonly patch: Partial<Row> | null;
  /** The statuses the row passes, in order; each one becomes a status change. */
  readonly path: readonly Status[];
  readonly cause: string | null;
  readonly intents?: readonly ProviderCall[];
  readonly answers?: readonly CallAnswer[];
  readonly discrepancies?: readonly Discrepancy[];
  readonly reviewActions?: readonly ReviewAction[];
  readonly result: Result;
}

export interface Decision<Row, Result> {
  readonly movements: readonly Movement[];
  conclude(results: readonly MovementResult[]): Conclusion<Row, Result>;
}

export interface Step<Row, Result> {
  readonly pkid: Pkid;
  /** Every wallet it may touch; they are locked before it decides. */
  readonly walletIds: readonly string[];
  /** `now` is the database's clock, read after all locks are held. */
  decide(row: Row, now: Date): Decision<Row, Result>;
}

/** How an insertion under a key ended: new, there already, or there with another request's fields. */
export interface Intake<Row> {
  readonly type: 'created' | 'replayed' | 'key_reused';
  readonly row: Row;
}

/** A posting by hand (adjustment, treasury) with its own row; nothing is kept of a refused one. */
export interface Booking<Row extends Adjustment | Treasury> {
  readonly pkid: Pkid;
  readonly walletIds: readonly string[];
  readonly row: (now: Date) => Row;
  readonly movement: Movement;
}

export type Booked<Row> = Intake<Row> | { readonly type: 'refused'; readonly code: RefusalCode };
