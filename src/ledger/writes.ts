// The writing half of a batch: one statement a table, rows in primary key order.

import type { Dispute } from '../domain/dispute.ts';
import type { Applied, Book, Hold } from '../domain/movements.ts';
import type { Order } from '../domain/order.ts';
import type { OutgoingEvent } from '../domain/outgoing.ts';
import type { Payin } from '../domain/payin.ts';
import type { Payout } from '../domain/payout.ts';
import type { Refund } from '../domain/refund.ts';
import type { MovingTransfer, Transfer } from '../domain/transfer.ts';
import type { Adjustment } from '../entities/adjustment.ts';
import type { Discrepancy } from '../entities/discrepancy.ts';
import type { Entry } from '../entities/entry.ts';
import type { Posting } from '../entities/posting.ts';
import type { ProviderCall } from '../entities/provider-call.ts';
import type { ReviewAction } from '../entities/review-action.ts';
import type { StatusChange } from '../entities/status-change.ts';
import type { Treasury } from '../entities/treasury.ts';
import type { Unapplied } from '../entities/unapplied.ts';
import type { Db } from '../runtime/db.ts';
import type { Statements } from '../runtime/statements.ts';
import { arrayLiteral } from './array-literal.ts';
import {
  ANSWER_CHANGES,
  DISPUTE_CHANGES,
  ORDER_CHANGES,
  PAYIN_CHANGES,
  PAYMENT_CHANGES,
  POSTING_STEADY,
  STATUS_CHANGE_STEADY,
  TRANSFER_CHANGES,
  TRANSFER_LOCKED,
  TRANSFER_STEADY,
  UNAPPLIED_CHANGES,
} from './changes.ts';
import { insertOutgoing, outgoingTablesOf, planOutgoing, type Subscription } from './outgoing.ts';
import type { CallAnswer } from './step.ts';
import { narrowed, steadied, type Table, tableOf } from './table.ts';
import { everyRow, insertAll, insertOnce, updateAll, upsertAll } from './table-writes.ts';
import { updateWallets } from './wallets.ts';

export interface RowsByTable {
  readonly payin: Payin;
  readonly refund: Refund;
  readonly payout: Payout;
  readonly transfer: MovingTransfer;
  readonly adjustment: Adjustment;
  readonly treasury: Treasury;
}

/** What one item of a batch writes besides postings, entries, holds and balances. */
export interface Writes {
  readonly rows: Partial<RowsByTable>;
  readonly orders: readonly Order[];
  readonly newRefunds: readonly Refund[];
  readonly disputes: readonly Dispute[];
  readonly unapplied: readonly Unapplied[];
  readonly statusChanges: readonly StatusChange[];
  readonly intents: readonly ProviderCall[];
  readonly answers: readonly CallAnswer[];
  readonly discrepancies: readonly Discrepancy[];
  readonly reviewActions: readonly ReviewAction[];
  readonly events: readonly OutgoingEvent[];
}

export const NO_WRITES: Writes = {
  rows: {},
  orders: [],
  newRefunds: [],
  disputes: [],
  unapplied: [],
  statusChanges: [],
  intents: [],
  answers: [],
  discrepancies: [],
  reviewActions: [],
  events: [],
};

export type Tables = ReturnType<typeof tablesOf>;

export function tablesOf(db: Db) {
  const providerCall = tableOf<ProviderCall>(db, 'ProviderCall');
  const transfer = steadied(tableOf<Transfer>(db, 'Transfer'), TRANSFER_STEADY);
  return {
    payin: tableOf<Payin>(db, 'Payin'),
    payout: tableOf<Payout>(db, 'Payout'),
    refund: tableOf<Refund>(db, 'Refund'),
    order: tableOf<Order>(db, 'Order'),
    dispute: tableOf<Dispute>(db, 'Dispute'),
    unapplied: tableOf<Unapplied>(db, 'Unapplied'),
    ...outgoingTablesOf(db),
    transfer,
    lockedTransfer: narrowed<MovingTransfer>(transfer, TRANSFER_LOCKED),
    movedTransfer: steadied(narrowed<MovingTransfer>(transfer, ['pkid', ...TRANSFER_CHANGES]), TRANSFER_CHANGES),
    adjustment: tableOf<Adjustment>(db, 'Adjustment'),
    treasury: tableOf<Treasury>(db, 'Treasury'),
    posting: steadied(tableOf<Posting>(db, 'Posting'), POSTING_STEADY),
    entry: steadied(tableOf<Entry>(db, 'Entry'), ['currency']),
    statusChange: steadied(tableOf<StatusChange>(db, 'StatusChange'), STATUS_CHANGE_STEADY),
    providerCall,
    answer: answersOf(providerCall),
    discrepancy: tableOf<Discrepancy>(db, 'Discrepancy'),
    reviewAction: tableOf<ReviewAction>(db, 'ReviewAction'),
  };
}

export interface Writing {
  /** The statements leave together and run in this order; what a row refers to is written before it. */
  readonly underway: readonly Promise<unknown>[];
  /** Of the deliveries that outgoing events made, to be told to the queue after the commit. */
  readonly deliveryIds: readonly string[];
}

/** All but entries and balances. Resolves when the statements are on their way. */
export async function writeAll(
  statements: Statements,
  options: {
    tables: Tables;
    applied: Applied;
    /** As they stood before. */
    holds: Applied['holds'];
    writes: readonly Writes[];
    now: Date;
    endpoints: readonly Subscription[];
  },
): Promise<Writing> {
  const { tables, applied, holds, writes, now, endpoints } = options;
  const all = <Name extends keyof Omit<Writes, 'rows'>>(name: Name) =>
    writes.map((one) => one[name]).filter((some) => some.length > 0);
  // It may have to read first, and from then on nothing is waited for.
  const { outgoing, deliveryIds } = await planOutgoing(statements, { events: all('events').flat(), now, endpoints });
  const underway = [
    insertPostings(statements, { tables, applied, now }),
    ...writeHolds(statements, { before: holds, after: applied.holds, now }),
    ...writeRows(statements, { tables, writes }),
    insertAll(statements, tables.statusChange, all('statusChanges').flat()),
    insertAll(statements, tables.providerCall, all('intents').flat()),
    updateAll(statements, tables.answer, { rows: all('answers').flat(), properties: ANSWER_CHANGES }),
    insertOnce(statements, tables.discrepancy, all('discrepancies').flat()),
    insertAll(statements, tables.reviewAction, all('reviewActions').flat()),
    ...insertOutgoing(statements, tables, outgoing),
  ];
  return { underway, deliveryIds };
}

function insertPostings(
  statements: Statements,
  { tables, applied, now }: { tables: Tables; applied: Applied; now: Date },
): Promise<void> {
  const postings = applied.postings.map(({ kind, pkid, ...head }) => ({
    ...head,
    operationKind: kind,
    operationPkid: pkid,
    createdAt: now,
  }));
  return insertAll(statements, tables.posting, postings);
}

/** Behind everything else, because they need the locks of the wallets. */
export function writeBalances(
  statements: Statements,
  options: { tables: Tables; applied: Applied; before: Book['wallets']; now: Date },
): Promise<void>[] {
  const { tables, applied, before, now } = options;
  // All entries of a posting go in one statement: its trigger checks that they sum to zero.
  const entries = applied.entries.map((entry) => ({ ...entry, createdAt: now }));
  return [insertAll(statements, tables.entry, entries), updateWallets(statements, { before, after: applied.wallets })];
}

function writeRows(
  statements: Statements,
  { tables, writes }: { tables: Tables; writes: readonly Writes[] },
): Promise<void>[] {
  const rowsOf = <Name extends keyof RowsByTable>(name: Name): RowsByTable[Name][] =>
    writes.flatMap((one) => one.rows[name] ?? []);
  const orders = writes.flatMap((one) => one.orders);
  const unapplied = writes.flatMap((one) => one.unapplied);
  const newRefunds = writes.flatMap((one) => one.newRefunds);
  const disputes = writes.flatMap((one) => one.disputes);
  return [
    insertAll(statements, tables.adjustment, rowsOf('adjustment')),
    insertAll(statements, tables.treasury, rowsOf('treasury')),
    updateAll(statements, tables.payin, { rows: rowsOf('payin'), properties: PAYIN_CHANGES }),
    updateAll(statements, tables.payout, { rows: rowsOf('payout'), properties: PAYMENT_CHANGES }),
    updateAll(statements, tables.refund, { rows: rowsOf('refund'), properties: PAYMENT_CHANGES }),
    updateAll(statements, tables.movedTransfer, { rows: rowsOf('transfer'), properties: TRANSFER_CHANGES }),
    updateAll(statements, tables.order, { rows: orders, properties: ORDER_CHANGES }),
    // Before the refunds, which refer to it.
    upsertAll(statements, tables.unapplied, { rows: unapplied, properties: UNAPPLIED_CHANGES }),
    insertAll(statements, tables.refund, newRefunds),
    upsertAll(statements, tables.dispute, { rows: disputes, properties: DISPUTE_CHANGES }),
  ];
}

/** The same table, seen as the answers that complete its rows. */
function answersOf(table: Table<ProviderCall>): Table<CallAnswer> {
  const columns = table.columns.flatMap((column) => {
    const { property } = column;
    return property === 'pkid' || property === 'number' || isAnswer(property) ? [{ ...column, property }] : [];
  });
  return { name: table.name, columns };
}

function isAnswer(property: string): property is (typeof ANSWER_CHANGES)[number] {
  return ANSWER_CHANGES.some((name) => name === property);
}

/** New holds are inserted, ended ones updated; the ones that were only read stay as they are. */
function writeHolds(
  statements: Statements,
  { before, after, now }: { before: Applied['holds']; after: Applied['holds']; now: Date },
): Promise<unknown>[] {
  const changed = [...after.values()].filter((hold) => hold !== before.get(hold.holdId));
  const placed = changed.filter((hold) => hold.status === 'active');
  const ended = changed.filter((hold) => hold.status !== 'active');
  const values = (rows: readonly Hold[]) => [
    arrayLiteral(
      'text',
      rows.map(({ walletId }) => walletId),
    ),
    arrayLiteral(
      'uuid',
      rows.map(({ holdId }) => holdId),
    ),
    arrayLiteral(
      'bigint',
      rows.map(({ amountMinor }) => amountMinor),
    ),
    arrayLiteral(
      'text',
      rows.map(({ status }) => status),
    ),
    now.toISOString(),
  ];
  return [
    ...(placed.length === 0 ? [] : [statements.run(PLACE_HOLDS, values(placed))]),
    ...(ended.length === 0 ? [] : [statements.run(END_HOLDS, [...values(ended), ended.length])]),
  ];
}

const HOLDS = 'unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[]) AS u (wallet_id, hold_id, amount, status)';
const PLACE_HOLDS = `INSERT INTO hold (wallet_id, hold_id, amount, status, created_at)
  SELECT u.wallet_id, u.hold_id, u.amount, u.status, $5::timestamptz FROM ${HOLDS}
  ORDER BY u.wallet_id, u.hold_id`;
const END_HOLDS = everyRow(
  `UPDATE hold h SET status = u.status, ended_at = $5::timestamptz FROM ${HOLDS}
   WHERE h.wallet_id = u.wallet_id AND h.hold_id = u.hold_id AND h.status = 'active'`,
  5,
);
