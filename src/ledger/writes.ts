// The writing half of a batch: one statement a table, rows in primary key order.

import { sql } from 'kysely';
import type { Applied, Hold } from '../domain/movements.ts';
import type { Payout } from '../domain/payout.ts';
import type { Transfer } from '../domain/transfer.ts';
import type { Adjustment } from '../entities/adjustment.ts';
import type { Discrepancy } from '../entities/discrepancy.ts';
import type { Entry } from '../entities/entry.ts';
import type { Posting } from '../entities/posting.ts';
import type { ProviderCall } from '../entities/provider-call.ts';
import type { ReviewAction } from '../entities/review-action.ts';
import type { StatusChange } from '../entities/status-change.ts';
import type { Treasury } from '../entities/treasury.ts';
import type { Db, Tx } from '../runtime/db.ts';
import type { CallAnswer } from './step.ts';
import { insertAll, insertOnce, type Table, tableOf, updateAll } from './table.ts';

export interface RowsByTable {
  readonly payout: Payout;
  readonly transfer: Transfer;
  readonly adjustment: Adjustment;
  readonly treasury: Treasury;
}

/** What one item of a batch writes besides postings, entries, holds and balances. */
export interface Writes {
  readonly rows: Partial<RowsByTable>;
  readonly statusChanges: readonly StatusChange[];
  readonly intents: readonly ProviderCall[];
  readonly answers: readonly CallAnswer[];
  readonly discrepancies: readonly Discrepancy[];
  readonly reviewActions: readonly ReviewAction[];
}

export type Tables = ReturnType<typeof tablesOf>;

export function tablesOf(db: Db) {
  return {
    payout: tableOf<Payout>(db, 'Payout'),
    transfer: tableOf<Transfer>(db, 'Transfer'),
    adjustment: tableOf<Adjustment>(db, 'Adjustment'),
    treasury: tableOf<Treasury>(db, 'Treasury'),
    posting: tableOf<Posting>(db, 'Posting'),
    entry: tableOf<Entry>(db, 'Entry'),
    statusChange: tableOf<StatusChange>(db, 'StatusChange'),
    providerCall: tableOf<ProviderCall>(db, 'ProviderCall'),
    discrepancy: tableOf<Discrepancy>(db, 'Discrepancy'),
    reviewAction: tableOf<ReviewAction>(db, 'ReviewAction'),
  };
}

/** What was asked for stays as it was; everything else of an operation may change. */
const PAYOUT_CHANGES = [
  'status',
  'externPaymentId',
  'arrival',
  'failureCode',
  'failureDetail',
  'reviewReason',
  'reviewSince',
  'waiting',
  'attempt',
  'leased',
  'hinted',
  'dueAt',
  'crashes',
  'unknowns',
  'pendings',
  'calls',
  'firstSentAt',
  'lastSentAt',
  'confirmSentAt',
  'storedError',
  'errorReplays',
  'sawSuccess',
  'sawDecline',
  'cancelRequestedAt',
  'returnedMinor',
  'confirmedAt',
  'updatedAt',
  'finalAt',
] as const satisfies readonly (keyof Payout)[];
const TRANSFER_CHANGES = [
  'status',
  'failureCode',
  'failureDetail',
  'dueAt',
  'updatedAt',
  'finalAt',
] as const satisfies readonly (keyof Transfer)[];
const ANSWER_CHANGES = [
  'answeredAt',
  'latencyMs',
  'outcome',
  'reason',
  'httpStatus',
  'externPaymentId',
  'verdict',
] as const satisfies readonly (keyof CallAnswer)[];

export async function writeAll(
  tx: Tx,
  { tables, applied, writes, now }: { tables: Tables; applied: Applied; writes: readonly Writes[]; now: Date },
): Promise<void> {
  const createdAt = now;
  await insertAll(
    tx,
    tables.posting,
    applied.postings.map(({ kind, pkid, ...head }) => ({
      ...head,
      operationKind: kind,
      operationPkid: pkid,
      createdAt,
    })),
  );
  // All entries of a posting go in one statement: its trigger checks that they sum to zero.
  await insertAll(
    tx,
    tables.entry,
    applied.entries.map((entry) => ({ ...entry, createdAt })),
  );
  await writeHolds(tx, applied, now);
  const rows = writes.map((one) => one.rows);
  await insertAll(
    tx,
    tables.adjustment,
    rows.flatMap((row) => row.adjustment ?? []),
  );
  await insertAll(
    tx,
    tables.treasury,
    rows.flatMap((row) => row.treasury ?? []),
  );
  await updateAll(tx, tables.payout, { rows: rows.flatMap((row) => row.payout ?? []), properties: PAYOUT_CHANGES });
  await updateAll(tx, tables.transfer, {
    rows: rows.flatMap((row) => row.transfer ?? []),
    properties: TRANSFER_CHANGES,
  });
  await insertAll(
    tx,
    tables.statusChange,
    writes.flatMap((one) => one.statusChanges),
  );
  await insertAll(
    tx,
    tables.providerCall,
    writes.flatMap((one) => one.intents),
  );
  const calls: Table<CallAnswer> = answersOf(tables.providerCall);
  await updateAll(tx, calls, { rows: writes.flatMap((one) => one.answers), properties: ANSWER_CHANGES });
  await insertOnce(
    tx,
    tables.discrepancy,
    writes.flatMap((one) => one.discrepancies),
  );
  await insertAll(
    tx,
    tables.reviewAction,
    writes.flatMap((one) => one.reviewActions),
  );
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
