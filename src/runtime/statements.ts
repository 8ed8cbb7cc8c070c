// Statements in words and values, for those that write their SQL themselves.

import { CompiledQuery, type QueryResult } from 'kysely';

export interface Statements {
  /** Values as the database's own text: numbers of 64 bits and times are not parsed. */
  run<Row extends object>(text: string, values?: readonly unknown[]): Promise<{ rows: Row[]; count: number }>;
}

/** A query builder's connection or transaction. */
interface Executor {
  executeQuery<Row>(query: CompiledQuery<Row>): Promise<QueryResult<Row>>;
}

/** Runs them through a query builder, one after the other. */
export function statementsOf(client: Executor): Statements {
  return {
    async run<Row extends object>(text: string, values: readonly unknown[] = []) {
      const { rows, numAffectedRows } = await client.executeQuery<Row>(CompiledQuery.raw(text, [...values]));
      return { rows, count: Number(numAffectedRows ?? rows.length) };
    },
  };
}
