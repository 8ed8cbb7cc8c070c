// Taking in new operations: equal keys of a batch are folded, new ones inserted, known ones read and compared.
// Two statements, because one cannot both insert and read what another transaction has just committed.

import type { OperationKind, Pkid } from '../domain/id.ts';
import type { Payout } from '../domain/payout.ts';
import type { Status } from '../domain/state-machine.ts';
import type { Transfer } from '../domain/transfer.ts';
import type { Tx } from '../runtime/db.ts';
import type { IntakeItem } from './item.ts';
import { statusChangeOf } from './plan.ts';
import { readClock, readRows } from './reads.ts';
import { insertAll, insertNew, type Table } from './table.ts';
import type { Tables } from './writes.ts';

/** Returns what to tell the callers once the transaction has committed. */
export async function takeIntakes(
  tx: Tx,
  intake: {
    tables: Tables;
    payouts: readonly IntakeItem<Payout>[];
    transfers: readonly IntakeItem<Transfer>[];
    /**
     * The times that earlier runs of this transaction gave to its rows. One of them may have been committed and its
     * answer lost: a row that bears such a time is ours, and new to its caller all the same.
     */
    ownTimes: Set<number>;
  },
): Promise<(() => void)[]> {
  const { tables, payouts, transfers, ownTimes } = intake;
  if (payouts.length + transfers.length === 0) return [];
  const now = await readClock(tx);
  const earlier = new Set(ownTimes);
  ownTimes.add(now.getTime());
  return [
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
  },
): Promise<(() => void)[]> {
  const { table, kind, tables, items, now, earlier } = options;
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
  return items.map((item) => {
    const candidate = first.get(item.pkid);
    const row = known.get(item.pkid) ?? candidate?.row ?? item.row(now);
    const isOurs = inserted.has(item.pkid) || earlier.has(row.createdAt.getTime());
    const isFirst = candidate?.item === item && isOurs;
    const isEqual = item.row(now).fingerprint.equals(row.fingerprint);
    const type = !isEqual ? 'key_reused' : isFirst ? 'created' : 'replayed';
    return () => item.resolve({ type, row });
  });
}
