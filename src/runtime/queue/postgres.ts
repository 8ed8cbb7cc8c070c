// BullMQ on PostgreSQL, in the schema "bullmq" of our own database, through one pool per process.
// Workers wait by LISTEN on a connection that they keep; no statement ever blocks, so statement limits are safe.

import { createPostgresBackend, isPgPool, runMigrations } from 'bullmq';
import pg from 'pg';
import { type Backend, errorListener, type QueueLog, within } from './backend.ts';
import { codeOf, reasonOf } from './error.ts';
import { addJobs, exchangeJobs } from './postgres-jobs.ts';

/** A worker keeps one connection for LISTEN and one that is nearly always busy fetching and finishing. */
const POOL_PER_WORKER = 2;
const POOL_MAX_DEFAULT = 8;
const CONNECT_TIMEOUT_MS = 5000;
const PING_TIMEOUT_MS = 2000;
/** Client side, above the server's limit: it frees a connection whose server hangs. */
const QUERY_TIMEOUT_MS = 15_000;
const CLOSE_TIMEOUT_MS = 2000;
const MIGRATION_ATTEMPTS_MAX = 5;
/** Several processes may migrate at once, and then wait for each other's advisory lock. */
const MIGRATION_TIMEOUT_MS = 60_000;
/** As on every connection of remit: a paused process must not stop the others. */
const SESSION_LIMITS = '-c statement_timeout=10s -c lock_timeout=2s -c idle_in_transaction_session_timeout=5s';
/** Any number that nothing else in this database locks by. */
const TRIM_LOCK = 0x72_65_6d_69;
/** Deadlock, serialisation, and what two processes meet that create the same schema at once. */
const RETRYABLE = new Set(['40P01', '40001', '55P03', '23505', '42P06', '42P07', 'XX000']);

export async function connectPostgres(options: { url: string; log: QueueLog; poolMax?: number }): Promise<Backend> {
  const { url, log } = options;
  await migrate(url);
  const pool = new pg.Pool({
    connectionString: url,
    max: options.poolMax ?? POOL_MAX_DEFAULT,
    application_name: 'remit-queue',
    options: `-c search_path=bullmq ${SESSION_LIMITS}`,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  pool.on('error', errorListener(log, 'queue database'));
  // Every Queue and Worker on a shared pool listens to it.
  pool.setMaxListeners(0);
  // BullMQ's own test of what it takes for a pool, which pg's declared types do not pass.
  const connection: unknown = pool;
  if (!isPgPool(connection))
    throw new Error('BullMQ does not know this pg pool. Install the versions of the lockfile.');

  return {
    kind: 'postgres',
    // The pool is bound here, so that queues and workers have one type whatever the backend.
    factory: (name, queueOptions, roles) => createPostgresBackend(name, { ...queueOptions, connection }, roles),
    prefix: 'bullmq',
    trimAlone: (work) => holdingLock(pool, work),
    // Each is a transaction: fewer and larger ones cost less than waiting saves.
    addsUnderwayMax: 1,
    producerConnection: {},
    add: (queue, jobs) => addJobs(pool, { queue: queue.name, options: queue.defaultJobOptions, jobs }),
    exchange: (queue, exchange) => exchangeJobs(pool, { queue, ...exchange }),
    connectWorker() {
      pool.options.max += POOL_PER_WORKER;
      return {};
    },
    async ping() {
      await within(PING_TIMEOUT_MS, pool.query('SELECT 1'), 'The queue database does not answer. Check that it runs.');
    },
    async close() {
      // end() waits for connections that are in use, which a hanging server never gives back.
      await within(CLOSE_TIMEOUT_MS, pool.end(), 'pool').catch(() => undefined);
    },
  };
}

/** Nothing is done while another process holds it. The server frees the lock of a process that died. */
async function holdingLock(pool: pg.Pool, work: () => Promise<void>): Promise<void> {
  const holder = await pool.connect();
  let failure: Error | undefined;
  // A connection that breaks between two statements says so here, and to nobody else.
  const onError = (error: Error) => {
    failure = error;
  };
  holder.on('error', onError);
  try {
    const { rows } = await holder.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [TRIM_LOCK]);
    if (rows[0]?.locked !== true) return;
    await work();
    await holder.query('SELECT pg_advisory_unlock($1)', [TRIM_LOCK]);
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
    throw error;
  } finally {
    holder.off('error', onError);
    // With an error the connection is closed, and the lock with it.
    holder.release(failure);
  }
}

/** On a connection of its own: migrations need a session, and waiting for another process exceeds our limits. */
async function migrate(url: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const client = new pg.Client({
      connectionString: url,
      application_name: 'remit-queue',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: MIGRATION_TIMEOUT_MS,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await runMigrations(client, 'bullmq');
      return;
    } catch (error) {
      if (attempt < MIGRATION_ATTEMPTS_MAX && RETRYABLE.has(codeOf(error) ?? '')) continue;
      throw new Error(
        `Cannot prepare the queue in PostgreSQL: ${reasonOf(error)}. ` +
          'Start the database, correct DATABASE_URL, or grant its user CREATE on the database (schema "bullmq").',
        { cause: error },
      );
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}
