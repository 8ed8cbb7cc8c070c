// Taking in new operations: equal keys of a batch are folded, new ones inserted, known ones read and compared.
// Two statements, because one cannot both insert and read what another transaction has just committed.

import { PaymentError } from '../domain/errors.ts';
import type { OperationKind, Pkid } from '../domain/id.ts';
import type { Payin } from '../domain/payin.ts';
import type { Payout } from '../domain/payout.ts';
import type { Status } from '../domain/state-machine.ts';
import type { Transfer } from '../domain/transfer.ts';
import type { Statements } from '../runtime/statements.ts';
import { arrayLiteral } from './array-literal.ts';
import type { IntakeItem } from './item.ts';
import { statusChangeOf } from './plan.ts';
import { readRows } from './reads.ts';
import { parseRow, type Table } from './table.ts';
import { insertAll, insertNew } from './table-writes.ts';
import type { Tables } from './writes.ts';

interface Taking {
  readonly statements: Statements;
  readonly tables: Tables;
  /** When the new rows are made, by the database's clock. */
  readonly now: Date;
  /**
   * The times that earlier runs of this transaction gave to its rows. One of them may have been committed and its
   * answer lost: a row that bears such a time is ours, and new to its caller all the same.
   */
  readonly earlier: ReadonlySet<number>;
}

/** Inserts what is new. Returns what looks at the rest, which returns what tells the callers after the commit. */
export async function takeIntakes(
  taking: Taking,
  {
    payins,
    payouts,
    transfers,
  }: {
    payins: readonly IntakeItem<Payin>[];
    payouts: readonly IntakeItem<Payout>[];
    transfers: readonly IntakeItem<Transfer>[];
  },
): Promise<() => Promise<(() => void)[]>> {
  const { statements, tables } = taking;
  const rivalsOf = (rows: readonly Payin[]) => readRivals(statements, tables.payin, rows);
  const settles = await Promise.all([
    take(taking, { table: tables.payin, kind: 'payin', items: payins, rivalsOf }),
    take(taking, { table: tables.payout, kind: 'payout', items: payouts }),
    take(taking, { table: tables.transfer, kind: 'transfer', items: transfers }),
  ]);
  return async () => (await Promise.all(settles.map((settle) => settle()))).flat();
}

interface NewRow {
  readonly pkid: Pkid;
  readonly status: Status;
  readonly createdAt: Date;
  readonly fingerprint: Buffer;
}

async function take<Row extends NewRow>(
  { statements, tables, now, earlier }: Taking,
  options: {
    table: Table<Row>;
    kind: OperationKind;
    items: readonly IntakeItem<Row>[];
    /** Of rows that found no place although their key is new: the rows that have it. */
    rivalsOf?: (rows: readonly Row[]) => Promise<ReadonlyMap<Pkid, Row>>;
  },
): Promise<() => Promise<(() => void)[]>> {
  const { table, kind, items, rivalsOf } = options;
  if (items.length === 0) return async () => [];
  const first = new Map<string, { item: IntakeItem<Row>; row: Row }>();
  for (const item of items) if (!first.has(item.pkid)) first.set(item.pkid, { item, row: item.row(now) });
  const wantedRows = [...first.values()].map(({ row }) => row);
  const inserted = await insertNew(statements, table, wantedRows);
  return async () => {
    const fresh = wantedRows.filter(({ pkid }) => inserted.has(pkid));
    const [known] = await Promise.all([
      readRows(
        statements,
        table,
        wantedRows.map(({ pkid }) => pkid).filter((pkid) => !inserted.has(pkid)),
      ),
      insertAll(
        statements,
        tables.statusChange,
        fresh.map((row) => statusChangeOf({ row, table: kind, from: null, to: row.status, cause: 'requested', now })),
      ),
    ]);
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
  };
}

const TRY_AGAIN = 'Another pay-in of this checkout ended at this very moment. Send the request again.';

/** The unfailed pay-in of the same checkout, for each row that met it. */
async function readRivals(
  statements: Statements,
  table: Table<Payin>,
  rows: readonly Payin[],
): Promise<ReadonlyMap<Pkid, Payin>> {
  const checkoutIds = rows.flatMap(({ checkoutId }) => checkoutId ?? []);
  const { rows: raw } = await statements.run<Record<string, unknown>>(
    `SELECT * FROM payin WHERE checkout_id = ANY($1::text[]) AND status <> 'failed'`,
    [arrayLiteral('text', checkoutIds)],
  );
  const rivals = new Map(raw.map((one) => parseRow(table, one)).map((rival) => [rival.checkoutId, rival]));
  return new Map(
    rows.flatMap((row): [Pkid, Payin][] => {
      const rival = rivals.get(row.checkoutId);
      return rival === undefined ? [] : [[row.pkid, rival]];
    }),
  );
}
