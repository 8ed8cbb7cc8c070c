// What a batch reads besides wallets: the locked operations, holds that end, bookings that exist, the clock.

import type { Pkid } from '../domain/id.ts';
import type { Hold, Movement } from '../domain/movements.ts';
import type { Unapplied } from '../entities/unapplied.ts';
import type { Statements } from '../runtime/statements.ts';
import { arrayLiteral } from './array-literal.ts';
import { parseRow, type Table } from './table.ts';

/** Milliseconds, because that is what a Date can carry back: a time must be equal to itself when it returns. */
export async function readClock(statements: Statements): Promise<Date> {
  const { rows } = await statements.run<{ now: string }>('SELECT clock_timestamp() AS now', []);
  const [row] = rows;
  if (row === undefined) throw new Error('The database did not tell the time.');
  return new Date(row.now);
}

/**
 * Locks the rows in primary key order, whatever order they came in. NO KEY UPDATE, because a new refund refers to its
 * pay-in and must not wait for it: whoever holds the pay-in may be waiting for the refund's order.
 */
export async function lockOperations<Row extends { readonly pkid: Pkid }>(
  statements: Statements,
  table: Table<Row>,
  pkids: readonly Pkid[],
): Promise<ReadonlyMap<Pkid, Row>> {
  if (pkids.length === 0) return new Map();
  return select(statements, { table, pkids, ending: ' ORDER BY pkid FOR NO KEY UPDATE' });
}

/** Rows by key, without locks. */
export async function readRows<Row extends { readonly pkid: Pkid }>(
  statements: Statements,
  table: Table<Row>,
  pkids: readonly Pkid[],
): Promise<ReadonlyMap<Pkid, Row>> {
  if (pkids.length === 0) return new Map();
  return select(statements, { table, pkids, ending: '' });
}

async function select<Row extends { readonly pkid: Pkid }>(
  statements: Statements,
  { table, pkids, ending }: { table: Table<Row>; pkids: readonly Pkid[]; ending: string },
): Promise<ReadonlyMap<Pkid, Row>> {
  // Named one by one: a newer process may have added others.
  const columns = table.columns.map(({ name }) => `"${name}"`).join(', ');
  const text = `SELECT ${columns} FROM "${table.name}" WHERE pkid = ANY($1::uuid[])${ending}`;
  const { rows } = await statements.run<Record<string, unknown>>(text, [arrayLiteral('uuid', pkids)]);
  return new Map(rows.map((raw) => parseRow(table, raw)).map((row) => [row.pkid, row]));
}

/** Unapplied money by its id; the operation it came with is locked. */
export async function readUnapplied(
  statements: Statements,
  table: Table<Unapplied>,
  unappliedIds: readonly Pkid[],
): Promise<ReadonlyMap<Pkid, Unapplied>> {
  if (unappliedIds.length === 0) return new Map();
  const { rows } = await statements.run<Record<string, unknown>>(
    'SELECT * FROM unapplied WHERE unapplied_id = ANY($1::uuid[])',
    [arrayLiteral('uuid', unappliedIds)],
  );
  return new Map(rows.map((raw) => parseRow(table, raw)).map((row) => [row.unappliedId, row]));
}

/** The holds that movements end. Their operations are locked, so the holds need no lock of their own. */
export async function readHolds(
  statements: Statements,
  movements: readonly Movement[],
): Promise<ReadonlyMap<Pkid, Hold>> {
  const holdIds = movements.flatMap((movement) => ('holdId' in movement ? [movement.holdId] : []));
  if (holdIds.length === 0) return new Map();
  const { rows } = await statements.run<{
    wallet_id: string;
    hold_id: Pkid;
    amount: string;
    status: Hold['status'];
  }>('SELECT wallet_id, hold_id, amount, status FROM hold WHERE hold_id = ANY($1::uuid[])', [
    arrayLiteral('uuid', holdIds),
  ]);
  return new Map(
    rows.map((row) => [
      row.hold_id,
      { holdId: row.hold_id, walletId: row.wallet_id, amountMinor: BigInt(row.amount), status: row.status },
    ]),
  );
}
