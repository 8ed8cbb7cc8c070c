// Taking in new operations: equal keys of a batch are folded, new ones inserted, known ones read and compared.
// They are read after the commit, because one statement cannot both insert and read what another transaction has just
// committed, and nothing depends on them.

import { PaymentError } from '../domain/errors.ts';
import type { OperationKind, Pkid } from '../domain/id.ts';
import type { Payin } from '../domain/payin.ts';
import type { Payout } from '../domain/payout.ts';
import type { Status } from '../domain/state-machine.ts';
import type { Transfer } from '../domain/transfer.ts';
import type { Statements } from '../runtime/statements.ts';
import { arrayLiteral } from './array-literal.ts';
import type { IntakeItem } from './item.ts';
import { readRows } from './reads.ts';
import { parseRow, type Table } from './table.ts';
import { insertOperations } from './table-writes.ts';
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

/** What is known once the rows are inserted; the rest is read, and the callers are told, after the commit. */
export interface Taken {
  readonly inserting: readonly Promise<unknown>[];
  /** `reader` is outside of the transaction. */
  deliveries(reader: Statements): Promise<(() => void)[]>;
}

/** Inserts what is new, without waiting for it. */
export function takeIntakes(
  taking: Taking,
  intakes: {
    payins: readonly IntakeItem<Payin>[];
    payouts: readonly IntakeItem<Payout>[];
    transfers: readonly IntakeItem<Transfer>[];
  },
): Taken {
  const { payins, payouts, transfers } = intakes;
  const { tables } = taking;
  const taken = [
    take(taking, { table: tables.payin, kind: 'payin', items: payins, rivalsOf: readRivals }),
    take(taking, { table: tables.payout, kind: 'payout', items: payouts }),
    take(taking, { table: tables.transfer, kind: 'transfer', items: transfers }),
  ];
  return {
    inserting: taken.flatMap(({ inserting }) => inserting),
    deliveries: async (reader) => (await Promise.all(taken.map((one) => one.deliveries(reader)))).flat(),
  };
}

interface NewRow {
  readonly pkid: Pkid;
  readonly status: Status;
  readonly createdAt: Date;
  readonly fingerprint: Buffer;
}

function take<Row extends NewRow>(
  { statements, now, earlier }: Taking,
  options: {
    table: Table<Row>;
    kind: OperationKind;
    items: readonly IntakeItem<Row>[];
    /** Of rows that found no place although their key is new: the rows that have it. */
    rivalsOf?: (reader: Statements, table: Table<Row>, rows: readonly Row[]) => Promise<ReadonlyMap<Pkid, Row>>;
  },
): Taken {
  const { table, kind, items, rivalsOf } = options;
  if (items.length === 0) return { inserting: [], deliveries: async () => [] };
  const first = new Map<string, { item: IntakeItem<Row>; row: Row }>();
  for (const item of items) if (!first.has(item.pkid)) first.set(item.pkid, { item, row: item.row(now) });
  const rows = [...first.values()].map(({ row }) => row);
  const inserting = insertOperations(statements, table, { kind, rows });

  /** Rows that are not ours must be read; whose row cannot be read now hears of it by repeating the request. */
  async function deliveries(reader: Statements): Promise<(() => void)[]> {
    const inserted = await inserting;
    const others = rows.filter(({ pkid }) => !inserted.has(pkid));
    try {
      const known = await readRows(
        reader,
        table,
        others.map(({ pkid }) => pkid),
      );
      const homeless = others.filter(({ pkid }) => !known.has(pkid));
      const rivals = homeless.length === 0 ? new Map() : await rivalsOf?.(reader, table, homeless);
      return items.map((item) => deliver(item, { inserted, known, rivals: rivals ?? new Map() }));
    } catch (error) {
      const away = new PaymentError('unavailable', { cause: error, detail: REPEAT });
      const nothing = { inserted, known: new Map(), rivals: new Map() };
      return items.map((item) => (inserted.has(item.pkid) ? deliver(item, nothing) : () => item.reject(away)));
    }
  }

  function deliver(item: IntakeItem<Row>, found: Found<Row>): () => void {
    const candidate = first.get(item.pkid);
    const known = found.known.get(item.pkid);
    if (!found.inserted.has(item.pkid) && known === undefined) {
      const rival = found.rivals.get(item.pkid);
      // Its rival ended between the two statements: the next try finds the place free.
      if (rival === undefined) return () => item.reject(new PaymentError('unavailable', { detail: TRY_AGAIN }));
      return () => item.resolve({ type: 'taken', row: rival });
    }
    const wanted = candidate?.item === item ? candidate.row : item.row(now);
    const row = known ?? candidate?.row ?? wanted;
    const isOurs = found.inserted.has(item.pkid) || earlier.has(row.createdAt.getTime());
    const isFirst = candidate?.item === item && isOurs;
    const isEqual = wanted.fingerprint.equals(row.fingerprint);
    const type = !isEqual ? 'key_reused' : isFirst ? 'created' : 'replayed';
    return () => item.resolve({ type, row });
  }

  return { inserting: [inserting], deliveries };
}

interface Found<Row> {
  readonly inserted: ReadonlySet<string>;
  readonly known: ReadonlyMap<Pkid, Row>;
  readonly rivals: ReadonlyMap<Pkid, Row>;
}

const REPEAT = 'The request was taken before, and its row cannot be read now. Send it again in a second.';
const TRY_AGAIN = 'Another pay-in of this checkout ended at this very moment. Send the request again.';

/** The unfailed pay-in of the same checkout, for each row that met it. */
async function readRivals(
  reader: Statements,
  table: Table<Payin>,
  rows: readonly Payin[],
): Promise<ReadonlyMap<Pkid, Payin>> {
  const checkoutIds = rows.flatMap(({ checkoutId }) => checkoutId ?? []);
  const { rows: raw } = await reader.run<Record<string, unknown>>(
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
