// PostgreSQL through MikroORM: the connection, the migrations, what is refused at start, and which errors of the
// database mean "the whole transaction again".

import { Migrator } from '@mikro-orm/migrations';
import { type EntityManager, MikroORM } from '@mikro-orm/postgresql';
import { type Kysely, sql, type Transaction } from 'kysely';
import type { Logger } from 'pino';
import { PaymentError } from '../domain/errors.ts';
import { AdjustmentEntity } from '../entities/adjustment.ts';
import { ApiKeyEntity } from '../entities/api-key.ts';
import { CheckoutEntity } from '../entities/checkout.ts';
import { DeliveryEntity } from '../entities/delivery.ts';
import { DiscrepancyEntity } from '../entities/discrepancy.ts';
import { DisputeEntity } from '../entities/dispute.ts';
import { EntryEntity } from '../entities/entry.ts';
import { HeartbeatEntity } from '../entities/heartbeat.ts';
import { HoldEntity } from '../entities/hold.ts';
import { migrations } from '../entities/migrations/list.ts';
import { OrderEntity } from '../entities/order.ts';
import { OutgoingEventEntity } from '../entities/outgoing-event.ts';
import { PayeeEntity } from '../entities/payee.ts';
import { PayinEntity } from '../entities/payin.ts';
import { PayoutEntity } from '../entities/payout.ts';
import { PostingEntity } from '../entities/posting.ts';
import { ProviderCallEntity } from '../entities/provider-call.ts';
import { ProviderEventEntity } from '../entities/provider-event.ts';
import { RefundEntity } from '../entities/refund.ts';
import { ReviewActionEntity } from '../entities/review-action.ts';
import { StatusChangeEntity } from '../entities/status-change.ts';
import { TransferEntity } from '../entities/transfer.ts';
import { TreasuryEntity } from '../entities/treasury.ts';
import { UnappliedEntity } from '../entities/unapplied.ts';
import { WalletEntity } from '../entities/wallet.ts';
import { WebhookEndpointEntity } from '../entities/webhook-endpoint.ts';
import { type LastStatements, openBatchPool } from './batch-pool.ts';
import { prepareStatements } from './prepared.ts';
import type { Statements } from './statements.ts';

/** SQL is written by hand, so no table is declared to the query builder. */
type Schema = Record<string, never>;
export type Sql = Kysely<Schema>;
export type Tx = Transaction<Schema>;

export interface Db {
  readonly orm: MikroORM;
  /** A fresh EntityManager: one per request and per job. */
  em(): EntityManager;
  /** For single statements outside a transaction. */
  readonly sql: Sql;
  /** One transaction, tried again as a whole on errors that allow it. `work` may therefore run several times. */
  transaction<Result>(work: (tx: Tx, attempt: number) => Promise<Result>): Promise<Result>;
  /** The same for statements that need not wait for each other. */
  batch<Result>(
    work: (statements: Statements) => Promise<LastStatements<Result>>,
    options?: { readonly onFailed?: () => void },
  ): Promise<Result>;
  close(): Promise<void>;
}

const ENTITIES = [
  AdjustmentEntity,
  ApiKeyEntity,
  DeliveryEntity,
  CheckoutEntity,
  DiscrepancyEntity,
  DisputeEntity,
  EntryEntity,
  HeartbeatEntity,
  HoldEntity,
  OutgoingEventEntity,
  OrderEntity,
  PayeeEntity,
  PayinEntity,
  PayoutEntity,
  PostingEntity,
  ProviderCallEntity,
  ProviderEventEntity,
  RefundEntity,
  ReviewActionEntity,
  StatusChangeEntity,
  TransferEntity,
  TreasuryEntity,
  UnappliedEntity,
  WalletEntity,
  WebhookEndpointEntity,
];

/** A paused process must not stop the others: its session ends by itself, its waits are short. */
const SESSION_OPTIONS =
  '-c idle_in_transaction_session_timeout=5000 -c statement_timeout=10000 -c lock_timeout=2000 ' +
  '-c timezone=UTC -c jit=off';
/**
 * A prepared statement keeps a plan that was made when the tables were small, and would read all of them as they grow.
 * What goes by keys only may plan for that; everything else is planned anew each time.
 */
const PLANS_BY_KEY = ' -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off';
const PLANS_EACH_TIME = ' -c plan_cache_mode=force_custom_plan';
/** Enough for two commits in flight, readers and the queue's neighbours; PostgreSQL's default allows 100 in all. */
const POOL_MAX = 12;
/** Commits in flight, and one more for the moment between two of them. */
const BATCH_POOL_MAX = 3;
const CONNECT_TIMEOUT_MS = 5_000;
/** Above the server's limit of a statement. The two commits in flight would else wait for a dead wire as TCP does. */
const ANSWER_TIMEOUT_MS = 15_000;
/** Whole transactions are repeated at most this often. */
const TRANSACTION_TRIES_MAX = 5;
const RETRY_PAUSE_MAX_MS = 200;
/** Any number; it only has to be the same in every process that migrates. */
const MIGRATION_LOCK = 7_305_011;
const POSTGRES_VERSION_MIN = 150_000;

export async function openDb(url: string, { log }: { log: Logger }): Promise<Db> {
  const orm = await MikroORM.init({
    clientUrl: url,
    entities: ENTITIES,
    extensions: [Migrator],
    migrations: {
      migrationsList: migrations,
      snapshot: false,
      tableName: 'migration',
      allOrNothing: true,
      silent: true,
    },
    pool: { min: 0, max: POOL_MAX },
    driverOptions: {
      options: SESSION_OPTIONS + PLANS_EACH_TIME,
      application_name: 'remit',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      onPoolCreated: prepareStatements,
    },
    // A flush of several versioned rows would not check the versions, so money is never written by a flush.
    useBatchUpdates: false,
    debug: false,
    logger: (message) => log.warn({ reason: message.slice(0, 200) }, 'database client'),
  });
  const client = orm.em.getKysely<Schema>();
  const batches = openBatchPool({
    url,
    max: BATCH_POOL_MAX,
    sessionOptions: SESSION_OPTIONS + PLANS_BY_KEY,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    answerTimeoutMs: ANSWER_TIMEOUT_MS,
    log,
  });
  let isClosed = false;
  return {
    orm,
    em: () => orm.em.fork(),
    sql: client,
    async transaction(work) {
      // A provider may answer after the process has stopped waiting for it: its row is looked at by the next one.
      if (isClosed) throw databaseAway(new Error('The database is closed.'));
      return withRetry((attempt) => client.transaction().execute((tx) => work(tx, attempt)), log);
    },
    async batch(work, { onFailed } = {}) {
      if (isClosed) throw databaseAway(new Error('The database is closed.'));
      const run = () =>
        batches.transaction(work).catch((error: unknown) => {
          onFailed?.();
          throw error;
        });
      return withRetry(run, log);
    },
    async close() {
      isClosed = true;
      await Promise.all([orm.close(), batches.close()]);
    },
  };
}

/** Brings the schema up to date. Any number of starting processes may call it: they take turns. */
export async function migrate(db: Db): Promise<string[]> {
  return db.sql.connection().execute(async (connection) => {
    await sql`SET lock_timeout = 0`.execute(connection);
    await sql`SET statement_timeout = 0`.execute(connection);
    await sql`SELECT pg_advisory_lock(${MIGRATION_LOCK})`.execute(connection);
    try {
      const applied = await db.orm.migrator.up();
      return applied.map((migration) => migration.name);
    } finally {
      await sql`SELECT pg_advisory_unlock(${MIGRATION_LOCK})`.execute(connection);
      await sql`RESET ALL`.execute(connection);
    }
  });
}

/** Refuses a database that cannot keep our promises. Every message names the fix. */
export async function refuseUnsafeDatabase(db: Db, { unsafeDurability }: { unsafeDurability: boolean }): Promise<void> {
  const { rows } = await sql<{ version: string; fsync: string; commits: string; pages: string }>`
    SELECT current_setting('server_version_num') AS version, current_setting('fsync') AS fsync,
           current_setting('synchronous_commit') AS commits, current_setting('full_page_writes') AS pages
  `.execute(db.sql);
  const [settings] = rows;
  if (settings === undefined) throw new Error('The database did not tell its settings. Check DATABASE_URL.');
  if (Number(settings.version) < POSTGRES_VERSION_MIN) {
    throw new Error('PostgreSQL 15 or newer is needed. Upgrade the server, or point DATABASE_URL at a newer one.');
  }
  if (unsafeDurability) return;
  const unsafe = [
    settings.fsync === 'on' ? null : 'fsync',
    settings.commits === 'off' ? 'synchronous_commit' : null,
    settings.pages === 'on' ? null : 'full_page_writes',
  ].filter((name) => name !== null);
  if (unsafe.length === 0) return;
  throw new Error(
    `The database may lose committed money: ${unsafe.join(', ')} is off. ` +
      `Set it to "on" in postgresql.conf and reload the server (or, for tests only, set REMIT_UNSAFE_DURABILITY=1).`,
  );
}

async function withRetry<Result>(run: (attempt: number) => Promise<Result>, log: Logger): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run(attempt);
    } catch (error) {
      if (!isRetryable(error)) throw error;
      if (attempt >= TRANSACTION_TRIES_MAX) throw databaseAway(error);
      log.warn({ attempt, reason: sqlStateOf(error) ?? 'connection' }, 'transaction is tried again');
      await new Promise((resolve) => setTimeout(resolve, Math.random() * RETRY_PAUSE_MAX_MS * attempt));
    }
  }
}

export function databaseAway(cause: unknown): PaymentError {
  return new PaymentError('unavailable', { cause, retryAfterMs: 1_000 });
}

/**
 * Serialisation failure, deadlock, lock not available, server going down, connection lost: the transaction did not
 * commit, or (at COMMIT) may have; every step reads its row again, so running it once more is right in both cases.
 */
export function isRetryable(error: unknown): boolean {
  const state = sqlStateOf(error);
  if (state !== null) return RETRYABLE_STATES.has(state) || state.startsWith('08');
  return error instanceof Error && CONNECTION_LOST.test(`${codeOf(error)} ${error.message}`);
}

/** A table, column or function that is asked for is not there: nobody has migrated, or to an older version only. */
export function isSchemaMissing(error: unknown): boolean {
  return ['42P01', '42703', '42883'].includes(sqlStateOf(error) ?? '');
}

/** Somebody else's row stands under this key; it was committed after it was looked for. */
export function isDuplicateKey(error: unknown): boolean {
  return sqlStateOf(error) === '23505';
}

const RETRYABLE_STATES = new Set(['40001', '40P01', '55P03', '57P01', '57P02', '57P03', '57014', '25P03', '53300']);
const CONNECTION_LOST = new RegExp(
  'ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|Connection terminated' +
    '|timeout exceeded when trying to connect|Query read timeout|not queryable',
);

function sqlStateOf(error: unknown): string | null {
  const code = codeOf(error);
  return /^[0-9A-Z]{5}$/.test(code) && !code.startsWith('E') ? code : null;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
