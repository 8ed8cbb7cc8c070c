// The writing half of a batch: one statement a table, rows in primary key order.

import { sql } from 'kysely';
import type { Dispute } from '../domain/dispute.ts';
import type { Applied, Hold } from '../domain/movements.ts';
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
import type { Db, Tx } from '../runtime/db.ts';
import {
  ANSWER_CHANGES,
  DISPUTE_CHANGES,
  ORDER_CHANGES,
  PAYIN_CHANGES,
  PAYMENT_CHANGES,
  TRANSFER_CHANGES,
  TRANSFER_LOCKED,
  UNAPPLIED_CHANGES,
} from './changes.ts';
import { outgoingTablesOf, writeOutgoing } from './outgoing.ts';
import type { CallAnswer } from './step.ts';
import { narrowed, type Table, tableOf } from './table.ts';
import { insertAll, insertOnce, updateAll, upsertAll } from './table-writes.ts';

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
  const transfer = tableOf<Transfer>(db, 'Transfer');
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
    movedTransfer: narrowed<MovingTransfer>(transfer, ['pkid', ...TRANSFER_CHANGES]),
    adjustment: tableOf<Adjustment>(db, 'Adjustment'),
    treasury: tableOf<Treasury>(db, 'Treasury'),
    posting: tableOf<Posting>(db, 'Posting'),
    entry: tableOf<Entry>(db, 'Entry'),
    statusChange: tableOf<StatusChange>(db, 'StatusChange'),
    providerCall,
    answer: answersOf(providerCall),
    discrepancy: tableOf<Discrepancy>(db, 'Discrepancy'),
    reviewAction: tableOf<ReviewAction>(db, 'ReviewAction'),
  };
}

/** Returns the deliveries that outgoing events made, to be told to the queue after the commit. */
export async function writeAll(
  tx: Tx,
  { tables, applied, writes, now }: { tables: Tables; applied: Applied; writes: readonly Writes[]; now: Date },
): Promise<string[]> {
  await writePostings(tx, { tables, applied, now });
  await writeHolds(tx, applied, now);
  await writeRows(tx, { tables, writes });
  const all = <Name extends keyof Writes>(name: Name) => writes.map((one) => one[name]);
  await insertAll(tx, tables.statusChange, all('statusChanges').flat());
  await insertAll(tx, tables.providerCall, all('intents').flat());
  await updateAll(tx, tables.answer, { rows: all('answers').flat(), properties: ANSWER_CHANGES });
  await insertOnce(tx, tables.discrepancy, all('discrepancies').flat());
  await insertAll(tx, tables.reviewAction, all('reviewActions').flat());
  return writeOutgoing(tx, { tables, events: all('events').flat(), now });
}

async function writePostings(
  tx: Tx,
  { tables, applied, now }: { tables: Tables; applied: Applied; now: Date },
): Promise<void> {
  const postings = applied.postings.map(({ kind, pkid, ...head }) => ({
    ...head,
    operationKind: kind,
    operationPkid: pkid,
    createdAt: now,
  }));
  await insertAll(tx, tables.posting, postings);
  // All entries of a posting go in one statement: its trigger checks that they sum to zero.
  const entries = applied.entries.map((entry) => ({ ...entry, createdAt: now }));
  await insertAll(tx, tables.entry, entries);
}

async function writeRows(tx: Tx, { tables, writes }: { tables: Tables; writes: readonly Writes[] }): Promise<void> {
  const rowsOf = <Name extends keyof RowsByTable>(name: Name): RowsByTable[Name][] =>
    writes.flatMap((one) => one.rows[name] ?? []);
  await insertAll(tx, tables.adjustment, rowsOf('adjustment'));
  await insertAll(tx, tables.treasury, rowsOf('treasury'));
  await updateAll(tx, tables.payin, { rows: rowsOf('payin'), properties: PAYIN_CHANGES });
  await updateAll(tx, tables.payout, { rows: rowsOf('payout'), properties: PAYMENT_CHANGES });
  await updateAll(tx, tables.refund, { rows: rowsOf('refund'), properties: PAYMENT_CHANGES });
  await updateAll(tx, tables.movedTransfer, { rows: rowsOf('transfer'), properties: TRANSFER_CHANGES });
  const orders = writes.flatMap((one) => one.orders);
  await updateAll(tx, tables.order, { rows: orders, properties: ORDER_CHANGES });
  // Before the refunds, which refer to it.
  const unapplied = writes.flatMap((one) => one.unapplied);
  await upsertAll(tx, tables.unapplied, { rows: unapplied, properties: UNAPPLIED_CHANGES });
  const newRefunds = writes.flatMap((one) => one.newRefunds);
  await insertAll(tx, tables.refund, newRefunds);
  const disputes = writes.flatMap((one) => one.disputes);
  await upsertAll(tx, tables.dispute, { rows: disputes, properties: DISPUTE_CHANGES });
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
async function writeHolds(tx: Tx, applied: Applied, now: Date): Promise<void> {
  const holds = [...applied.holds.values()];
  const placed = holds.filter((hold) => hold.status === 'active');
  const ended = holds.filter((hold) => hold.status !== 'active');
  const columns = (rows: readonly Hold[]) => sql`
    unnest(${rows.map((hold) => hold.walletId)}::text[], ${rows.map((hold) => hold.holdId)}::uuid[],
           ${rows.map((hold) => hold.amountMinor.toString())}::bigint[], ${rows.map((hold) => hold.status)}::text[])
    AS u (wallet_id, hold_id, amount, status)`;
  if (placed.length > 0) {
    await sql`INSERT INTO hold (wallet_id, hold_id, amount, status, created_at)
      SELECT u.wallet_id, u.hold_id, u.amount, u.status, ${now.toISOString()}::timestamptz FROM ${columns(placed)}
      ORDER BY u.wallet_id, u.hold_id ON CONFLICT DO NOTHING`.execute(tx);
  }
  if (ended.length > 0) {
    await sql`UPDATE hold h SET status = u.status, ended_at = ${now.toISOString()}::timestamptz FROM ${columns(ended)}
      WHERE h.wallet_id = u.wallet_id AND h.hold_id = u.hold_id AND h.status = 'active'`.execute(tx);
  }
}
