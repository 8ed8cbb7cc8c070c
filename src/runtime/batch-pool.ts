// Transactions whose statements need not wait for each other: all that are asked for in one turn leave in one write,
// and are run and answered in that order.

import pg from 'pg';
import type { Logger } from 'pino';
import { gatheringSocket } from './gathering-socket.ts';
import { nameOf } from './prepared.ts';
import type { Statements } from './statements.ts';

/** What is still on its way when the COMMIT is sent behind it. */
export interface LastStatements<Result> {
  readonly underway: readonly Promise<unknown>[];
  readonly result: Result;
}

export interface BatchPool {
  /**
   * One transaction. The COMMIT leaves with the last statements: what their answers must not be is for the database to
   * refuse. Throws what the first statement that failed said; then nothing is committed.
   */
  transaction<Result>(work: (statements: Statements) => Promise<LastStatements<Result>>): Promise<Result>;
  close(): Promise<void>;
}

/** Types that are left as text: timestamptz, and with them every other way to write a time. */
const TIMES = new Set([1082, 1083, 1114, 1184, 1266]);

export function openBatchPool(options: {
  url: string;
  max: number;
  sessionOptions: string;
  connectTimeoutMs: number;
  /** Above the server's own limit of a statement. A server that hangs, or a wire that is cut in silence, ends by it. */
  answerTimeoutMs: number;
  log: Logger;
}): BatchPool {
  const { url, max, sessionOptions, connectTimeoutMs, answerTimeoutMs, log } = options;
  const pool = new pg.Pool({
    connectionString: url,
    max,
    application_name: 'remit',
    options: sessionOptions,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: answerTimeoutMs,
    keepAlive: true,
    pipeline: true,
    stream: gatheringSocket,
    types: {
      getTypeParser: (oid: number, format?: 'text' | 'binary') =>
        TIMES.has(oid) ? (value: string) => value : pg.types.getTypeParser(oid, format),
    },
  });
  let closed: Promise<void> | null = null;
  const tell = (error: Error) => log.warn({ reason: error.message.slice(0, 200) }, 'database connection lost');
  pool.on('error', tell);
  // Of a connection that breaks while it is in use, its statements tell; an event that nobody hears ends the process.
  pool.on('connect', (client) => void client.on('error', () => undefined));

  return {
    async transaction(work) {
      const client = await pool.connect();
      const { statements, firstFailure } = statementsOn(client);
      let isCommitted = false;
      try {
        const begun = statements.run('BEGIN');
        // Should the work fail first, its error is the one that tells.
        begun.catch(() => undefined);
        const { underway, result } = await work(statements);
        const [{ command }] = await Promise.all([client.query('COMMIT'), begun, ...underway]);
        // What the server answers to a COMMIT after a statement that failed.
        if (command !== 'COMMIT') throw new Error('A batch was rolled back. Look for the error before this one.');
        isCommitted = true;
        return result;
      } catch (error) {
        throw firstFailure() ?? error;
      } finally {
        // Statements may still be under way; what was to be prepared in them may not be.
        if (!isCommitted) await client.query('ROLLBACK').catch(() => undefined);
        client.release(!isCommitted);
      }
    },
    close() {
      closed ??= pool.end();
      return closed;
    },
  };
}

function statementsOn(client: pg.PoolClient): { statements: Statements; firstFailure: () => unknown } {
  // Those behind it fail too, because the transaction is over, and may be heard of before it.
  let failure: unknown;
  return {
    firstFailure: () => failure,
    statements: {
      async run<Row extends object>(text: string, values?: readonly unknown[]) {
        // What is said without a list of values, even an empty one, is no statement that can be prepared.
        const name = values === undefined ? null : nameOf(text);
        try {
          const { rows, rowCount } = await client.query<Row>({
            text,
            ...(values !== undefined && { values: [...values] }),
            ...(name !== null && { name }),
          });
          return { rows, count: rowCount ?? rows.length };
        } catch (error) {
          failure ??= error;
          throw error;
        }
      },
    },
  };
}
