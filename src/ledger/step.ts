// What callers hand to the journal: one thing to do to one operation, decided under its row lock. A step decides
// twice: first which movements it wants, then, knowing how the ledger took them, what is written besides.

import type { Dispute } from '../domain/dispute.ts';
import type { Pkid } from '../domain/id.ts';
import type { Movement, MovementResult, RefusalCode } from '../domain/movements.ts';
import type { Order } from '../domain/order.ts';
import type { OutgoingEvent } from '../domain/outgoing.ts';
import type { Refund } from '../domain/refund.ts';
import type { Status } from '../domain/state-machine.ts';
import type { Adjustment } from '../entities/adjustment.ts';
import type { Discrepancy } from '../entities/discrepancy.ts';
import type { ProviderCall } from '../entities/provider-call.ts';
import type { ReviewAction } from '../entities/review-action.ts';
import type { Treasury } from '../entities/treasury.ts';
import type { Unapplied } from '../entities/unapplied.ts';

/** The answer's part of a provider call that was intended in an earlier commit. */
export type CallAnswer = Omit<ProviderCall, 'operationKind' | 'provider' | 'attempt' | 'step' | 'key' | 'intentAt'>;

/** A refund that a step on its order or pay-in brings into being, with the statuses it has passed by then. */
export interface NewRefund {
  readonly row: Refund;
  readonly path: readonly Status[];
}

/** What a step writes besides postings, entries and holds. */
export interface Conclusion<Row, Result> {
  /** The row as it will stand; null leaves it as it is. */
  readonly next: Row | null;
  /** The statuses the row passes, in order; each one becomes a status change. */
  readonly path: readonly Status[];
  readonly cause: string | null;
  /** Orders as they will stand; their locks are held. */
  readonly orders?: readonly Order[];
  readonly newRefunds?: readonly NewRefund[];
  readonly dispute?: Dispute;
  readonly unapplied?: readonly Unapplied[];
  readonly intents?: readonly ProviderCall[];
  readonly answers?: readonly CallAnswer[];
  readonly discrepancies?: readonly Discrepancy[];
  readonly reviewActions?: readonly ReviewAction[];
  readonly events?: readonly OutgoingEvent[];
  readonly result: Result;
}

export interface Decision<Row, Result> {
  readonly movements: readonly Movement[];
  conclude(results: readonly MovementResult[]): Conclusion<Row, Result>;
}

/** Rows to read besides, by their pkids. */
export interface Reads {
  readonly refund?: Pkid;
  readonly dispute?: Pkid;
  readonly unapplied?: Pkid;
}

/** What else a step asked to see, read when all locks are held. */
export interface Seen {
  /** Locked, in the order of their pkids. */
  readonly orders: readonly Order[];
  readonly refund: Refund | null;
  readonly dispute: Dispute | null;
  readonly unapplied: Unapplied | null;
}

export interface Step<Row, Result> {
  readonly pkid: Pkid;
  /** Every wallet it may touch; they are locked before it decides. */
  readonly walletIds: readonly string[];
  /** Orders that are locked with the row. */
  readonly orderPkids?: readonly Pkid[];
  /** Rows that the locks already held keep still. */
  readonly reads?: Reads;
  /** `now` is the database's clock, read after all locks are held. */
  decide(row: Row, now: Date, seen: Seen): Decision<Row, Result>;
}

/**
 * How an insertion under a key ended: new, there already, there with another request's fields, or `taken`: not under
 * its key, but another row stands where only one may, as the one pay-in of a checkout that did not fail.
 */
export interface Intake<Row> {
  readonly type: 'created' | 'replayed' | 'key_reused' | 'taken';
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
