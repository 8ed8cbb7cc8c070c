// Reads that are asked for one by one and answered in bulk: while one query is under way, the next one collects.

import type { Pkid } from '../domain/id.ts';
import type { Sql } from '../runtime/db.ts';
import { statementsOf } from '../runtime/statements.ts';
import { readRows } from './reads.ts';
import type { Table } from './table.ts';

/** Keeps a bulk read short; more than a worker's jobs and a batch route's items together. */
const BULK_MAX = 1_000;

export interface Loader<Key, Value> {
  load(key: Key): Promise<Value | null>;
}

export function createLoader<Key, Value>(
  loadMany: (keys: readonly Key[]) => Promise<ReadonlyMap<Key, Value>>,
): Loader<Key, Value> {
  let waiting = new Map<Key, PromiseWithResolvers<Value | null>>();
  let isLoading = false;

  async function pump(): Promise<void> {
    if (isLoading) return;
    isLoading = true;
    await Promise.resolve();
    while (waiting.size > 0) {
      const bulk = new Map([...waiting].slice(0, BULK_MAX));
      waiting = new Map([...waiting].slice(BULK_MAX));
      try {
        const values = await loadMany([...bulk.keys()]);
        for (const [key, settle] of bulk) settle.resolve(values.get(key) ?? null);
      } catch (error) {
        for (const settle of bulk.values()) settle.reject(error);
      }
    }
    isLoading = false;
  }

  return {
    load(key) {
      const known = waiting.get(key);
      if (known !== undefined) return known.promise;
      const settle = Promise.withResolvers<Value | null>();
      waiting.set(key, settle);
      void pump();
      return settle.promise;
    },
  };
}

/** Operations by primary key, without locks: what to lock is decided from them, never what to write. */
export function createRowLoader<Row extends { readonly pkid: Pkid }>(
  client: Sql,
  table: Table<Row>,
): Loader<Pkid, Row> {
  const statements = statementsOf(client);
  return createLoader((pkids) => readRows(statements, table, pkids));
}
