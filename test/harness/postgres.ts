// One PostgreSQL for the whole run, on a folder of its own; every test file clones the migrated template database.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { inject } from 'vitest';
import { clusterPaths, isAlive, isServing, readPostmaster } from '../../src/runtime/embedded-postgres/cluster.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/runtime/embedded-postgres.ts';
import { silentLogger } from '../../src/runtime/logger.ts';

declare module 'vitest' {
  interface ProvidedContext {
    postgresUrl: string;
  }
}

export type TestDatabase = { url: string; drop(): Promise<void> };

export type TestPostgres = { url: string; stop(): Promise<void> };

const template = 'remit_template';
const folderPrefix = 'remit-test-';

/** A database of its own with the schema in place and no rows. */
export function createDatabase(): Promise<TestDatabase> {
  return cloneOf(template);
}

/** One without a schema. */
export function createEmptyDatabase(): Promise<TestDatabase> {
  return cloneOf('template0');
}

async function cloneOf(original: string): Promise<TestDatabase> {
  const server = inject('postgresUrl');
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  // Copied as files: by way of the log, page by page, it takes a third longer.
  await runSql(server, `CREATE DATABASE ${name} TEMPLATE ${original} STRATEGY file_copy`);
  return {
    url: onDatabase({ url: server, name }),
    drop: () => dropDatabase(server, name),
  };
}

/** By force, because a test may leave connections; a vacuum of the server is no client to end, but gives way. */
export async function dropDatabase(server: string, name: string): Promise<void> {
  await runSql(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`).catch(async (error: unknown) => {
    const isVacuumed = error instanceof Error && 'code' in error && error.code === '42501';
    if (!isVacuumed) throw error;
    // What the force would have ended is still there.
    const clients = `FROM pg_stat_activity WHERE datname = '${name}' AND backend_type = 'client backend'`;
    await runSql(server, `SELECT pg_terminate_backend(pid) ${clients}`);
    await runSql(server, `DROP DATABASE IF EXISTS ${name}`);
  });
}

/** For the global set-up only: starts the server and lets `migrate` fill the template. */
export async function startTestPostgres(migrate: (url: string) => Promise<void>): Promise<TestPostgres> {
  clearAbandonedFolders();
  const dataDir = mkdtempSync(join(tmpdir(), `${folderPrefix}${process.pid}-`));
  let server: EmbeddedPostgres | null = null;
  const stop = async () => {
    await server?.stop();
    rmSync(dataDir, { recursive: true, force: true });
  };
  try {
    server = await startEmbeddedPostgres({ dataDir, unsafe: true, log: silentLogger() });
    await runSql(server.url, `CREATE DATABASE ${template}`);
    await migrate(onDatabase({ url: server.url, name: template }));
    // PostgreSQL clones a database only while nobody is connected to it.
    await runSql(server.url, `ALTER DATABASE ${template} ALLOW_CONNECTIONS false`);
    await runSql(server.url, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${template}'`);
    return { url: server.url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A run that was killed could not clean up; the number in the folder's name tells whether its process still lives. */
function clearAbandonedFolders(): void {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(folderPrefix))) {
    const owner = Number(name.slice(folderPrefix.length).split('-')[0]);
    if (!Number.isSafeInteger(owner) || isAlive(owner)) continue;
    try {
      const paths = clusterPaths(join(tmpdir(), name));
      const postmaster = readPostmaster(paths);
      if (postmaster !== null && isServing({ postmaster, paths })) process.kill(postmaster.pid, 'SIGQUIT');
      rmSync(paths.dataDir, { recursive: true, force: true });
    } catch {
      // It belongs to another user, who will clear it.
    }
  }
}

function onDatabase({ url, name }: { url: string; name: string }): string {
  const address = new URL(url);
  address.pathname = `/${name}`;
  return address.href;
}

async function runSql(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
