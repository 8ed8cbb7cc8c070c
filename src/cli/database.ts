// Which database a command works on: DATABASE_URL, or the embedded one of the data folder.

import { sql } from 'kysely';
import pg from 'pg';
import { type Config, readConfig } from '../runtime/config.ts';
import { type Db, isRetryable, isSchemaMissing, openDb } from '../runtime/db.ts';
import { findEmbeddedPostgres, startEmbeddedPostgres } from '../runtime/embedded-postgres.ts';
import { createLogger, type Logger } from '../runtime/logger.ts';

export interface Database {
  readonly url: string;
  readonly isEmbedded: boolean;
  /** Stops an embedded server that is ours to stop. */
  close(): Promise<void>;
}

/** Any fixed number: `npm start` holds it for as long as it owns the embedded server. */
const OWNER_LOCK = 7_305_012;

/** For `npm start`: owns the embedded server, also one that an earlier, killed process left running. */
export async function ownDatabase(config: Config, log: Logger): Promise<Database> {
  if (config.databaseUrl !== null) return givenDatabase(config.databaseUrl);
  const server = await startEmbeddedPostgres({ dataDir: config.dataDir, unsafe: config.unsafeDurability, log });
  const owner = new pg.Client({ connectionString: server.url, application_name: 'remit-owner' });
  // The server goes away under it when it is stopped; that is no news.
  owner.on('error', () => {});
  await owner.connect().catch(async (error: unknown) => {
    await server.stop();
    throw error;
  });
  if (!(await isOwned(owner))) {
    await owner.end();
    throw new Error(`Another remit runs on ${config.dataDir}. Stop it first, or set REMIT_DATA_DIR to another folder.`);
  }
  return {
    url: server.url,
    isEmbedded: true,
    async close() {
      await owner.end().catch(() => {});
      await server.stop();
    },
  };
}

/** For the other commands: joins the server that runs, or starts it for as long as the command lasts. */
export async function joinDatabase(config: Config, log: Logger): Promise<Database> {
  if (config.databaseUrl !== null) return givenDatabase(config.databaseUrl);
  const running = await findEmbeddedPostgres(config.dataDir);
  if (running !== null) return { url: running, isEmbedded: true, close: async () => {} };
  const server = await startEmbeddedPostgres({ dataDir: config.dataDir, unsafe: config.unsafeDurability, log });
  return { url: server.url, isEmbedded: true, close: () => server.stop() };
}

/** For a command that reads or writes the database once, and neither migrates it nor waits for it. */
export async function withDatabase<Result>(work: (db: Db) => Promise<Result>): Promise<Result> {
  const config = readConfig();
  const log = createLogger({ level: config.logLevel, format: config.logFormat, destination: process.stderr });
  const database = await joinDatabase(config, log);
  try {
    const db = await openAnsweringDb(database.url, log);
    return await work(db).finally(() => db.close());
  } catch (error) {
    if (!isSchemaMissing(error)) throw error;
    throw new Error(`${NOT_MIGRATED} (${reasonOf(error)})`, { cause: error });
  } finally {
    await database.close();
  }
}

const NOT_MIGRATED =
  'The database has no tables of remit, or those of an older version. Check DATABASE_URL, or bring it up to date: ' +
  'npm run remit -- migrate';

/**
 * Opened, and known to answer: a wrong address or password is told in plain words, whatever the command. One that is
 * only not up yet is waited for as long as `waitMs`, because a machine that boots starts us beside it.
 */
export async function openAnsweringDb(url: string, log: Logger, { waitMs = 0 } = {}): Promise<Db> {
  const db = await openDb(url, { log });
  const giveUpAt = performance.now() + waitMs;
  for (let tried = 1; ; tried += 1) {
    try {
      await sql`SELECT 1`.execute(db.sql);
      return db;
    } catch (error) {
      const mayComeUp = isRetryable(error);
      if (!mayComeUp || performance.now() >= giveUpAt) {
        await db.close();
        const wayOut = mayComeUp ? 'Start it, or check DATABASE_URL.' : 'Check DATABASE_URL.';
        throw new Error(`Cannot reach the database: ${reasonOf(error)}. ${wayOut}`, { cause: error });
      }
      if (tried === 1) log.warn({ reason: reasonOf(error) }, waitingFor(waitMs));
      await new Promise((resolve) => setTimeout(resolve, ANSWER_RETRY_MS));
    }
  }
}

const ANSWER_RETRY_MS = 300;

function waitingFor(waitMs: number): string {
  return `the database does not answer; it is waited for, ${waitMs / 1000} s at most. Start it, or check DATABASE_URL.`;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? error.cause : error;
  // A name with several addresses fails with one error for all of them, which has a code and no text.
  const text = cause.message === '' && 'code' in cause ? String(cause.code) : cause.message;
  return text.split('\n')[0] ?? 'unknown';
}

function givenDatabase(url: string): Database {
  return { url, isEmbedded: false, close: async () => {} };
}

/** A killed owner's session ends a moment after it; so this is tried for a little while. */
async function isOwned(client: pg.Client): Promise<boolean> {
  for (let tried = 1; tried <= OWN_TRIES_MAX; tried += 1) {
    const { rows } = await client.query('SELECT pg_try_advisory_lock($1) AS got', [OWNER_LOCK]);
    if (rows[0]?.got === true) return true;
    await new Promise((resolve) => setTimeout(resolve, OWN_RETRY_MS));
  }
  return false;
}

const OWN_TRIES_MAX = 15;
const OWN_RETRY_MS = 100;
