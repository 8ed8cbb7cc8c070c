// Taking in new operations: equal keys of a batch are folded, new ones inserted, known ones read and compared.
// Two statements, because one cannot both insert and read what another transaction has just committed.

import { sql } from 'kysely';
import { PaymentError } from '../domain/errors.ts';
import type { OperationKind, Pkid } from '../domain/id.ts';
import type { Payin } from '../domain/payin.ts';
import type { Payout } from '../domain/payout.ts';
import type { Status } from '../domain/state-machine.ts';
import type { Transfer } from '../domain/transfer.ts';
import type { Tx } from '../runtime/db.ts';
import type { IntakeItem } from './item.ts';
import { statusChangeOf } from './plan.ts';
import { readClock, readRows } from './reads.ts';
import { parseRow, type Table } from './table.ts';
import { insertAll, insertNew } from './table-writes.ts';
import type { Tables } from './writes.ts';

/** Returns what to tell the callers once the transaction has committed. */
export async function takeIntakes(
  tx: Tx,
  intake: {
    tables: Tables;
    payins: readonly IntakeItem<Payin>[];
    payouts: readonly IntakeItem<Payout>[];
    transfers: readonly IntakeItem<Transfer>[];
    /**
     * The times that earlier runs of this transaction gave to its rows. One of them may have been committed and its
     * answer lost: a row that bears such a time is ours, and new to its caller all the same.
     */
    ownTimes: Set<number>;
  },
): Promise<(() => void)[]> {
  const { tables, payins, payouts, transfers, ownTimes } = intake;
  if (payins.length + payouts.length + transfers.length === 0) return [];
  const now = await readClock(tx);
  const earlier = new Set(ownTimes);
  const rivalsOf = (rows: readonly Payin[]) => readRivals(tx, tables.payin, rows);
  ownTimes.add(now.getTime());
  return [
    ...(await take(tx, { table: tables.payin, kind: 'payin', tables, items: payins, now, earlier, rivalsOf })),
    ...(await take(tx, { table: tables.payout, kind: 'payout', tables, items: payouts, now, earlier })),
    ...(await take(tx, { table: tables.transfer, kind: 'transfer', tables, items: transfers, now, earlier })),
  ];
}

interface NewRow {
  readonly pkid: Pkid;
  readonly status: Status;
  readonly createdAt: Date;
  readonly fingerprint: Buffer;
}

async function take<Row extends NewRow>(
  tx: Tx,
  options: {
    table: Table<Row>;
    kind: OperationKind;
    tables: Tables;
    items: readonly IntakeItem<Row>[];
    now: Date;
    earlier: ReadonlySet<number>;
    /** Of rows that found no place although their key is new: the rows that have it. */
    rivalsOf?: (rows: readonly Row[]) => Promise<ReadonlyMap<Pkid, Row>>;
  },
): Promise<(() => void)[]> {
  const { table, kind, tables, items, now, earlier, rivalsOf } = options;
  const first = new Map<string, { item: IntakeItem<Row>; row: Row }>();
  for (const item of items) if (!first.has(item.pkid)) first.set(item.pkid, { item, row: item.row(now) });
  const inserted = await insertNew(
    tx,
    table,
    [...first.values()].map(({ row }) => row),
  );
  const knownPkids = [...first.values()].map(({ row }) => row.pkid).filter((pkid) => !inserted.has(pkid));
  const known = await readRows(tx, table, knownPkids);
  const fresh = [...first.values()].filter(({ row }) => inserted.has(row.pkid)).map(({ row }) => row);
  await insertAll(
    tx,
    tables.statusChange,
    fresh.map((row) => statusChangeOf({ row, table: kind, from: null, to: row.status, cause: 'requested', now })),
  );
  const homeless = [...first.values()].flatMap(({ row }) =>
    inserted.has(row.pkid) || known.has(row.pkid) ? [] : [row],
  );
  const rivals = homeless.length === 0 ? new Map() : await rivalsOf?.(homeless);
  return items.map((item) => {
    if (homeless.some((row) => row.pkid === item.pkid)) {
      const rival = rivals?.get(item.pkid);
      // Its rival ended between the two statements: the next try finds the place free.
      if (rival === undefined) return () => item.reject(new PaymentError('unavailable', { detail: TRY_AGAIN }));
      return () => item.resolve({ type: 'taken', row: rival });
    }
    const candidate = first.get(item.pkid);
    const wanted = candidate?.item === item ? candidate.row : item.row(now);
    const row = known.get(item.pkid) ?? candidate?.row ?? wanted;
    const isOurs = inserted.has(item.pkid) || earlier.has(row.createdAt.getTime());
    const isFirst = candidate?.item === item && isOurs;
    const isEqual = wanted.fingerprint.equals(row.fingerprint);
    const type = !isEqual ? 'key_reused' : isFirst ? 'created' : 'replayed';
    return () => item.resolve({ type, row });
  });
}

const TRY_AGAIN = 'Another pay-in of this checkout ended at this very moment. Send the request again.';

/** The unfailed pay-in of the same checkout, for each row that met it. */
async function readRivals(tx: Tx, table: Table<Payin>, rows: readonly Payin[]): Promise<ReadonlyMap<Pkid, Payin>> {
  const checkoutIds = rows.flatMap(({ checkoutId }) => checkoutId ?? []);
  const { rows: raw } = await sql<Record<string, unknown>>`
    SELECT * FROM payin WHERE checkout_id = ANY(${checkoutIds}::text[]) AND status <> 'failed'`.execute(tx);
  const rivals = new Map(raw.map((one) => parseRow(table, one)).map((rival) => [rival.checkoutId, rival]));
  return new Map(
    rows.flatMap((row): [Pkid, Payin][] => {
      const rival = rivals.get(row.checkoutId);
      return rival === undefined ? [] : [[row.pkid, rival]];
    }),
  );
}
