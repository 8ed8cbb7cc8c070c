// The database of a run: a fresh one on the server of DATABASE_URL, or on an embedded server of the run's own with
// durability on. What it may lose in a power cut is asked of the server itself.

import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { clusterPaths, readPostmaster } from '../src/runtime/embedded-postgres/cluster.ts';
import { startEmbeddedPostgres } from '../src/runtime/embedded-postgres.ts';
import { silentLogger } from '../src/runtime/logger.ts';

export interface Server {
  readonly url: string;
  /** Of a server that we started; null for a given one. */
  readonly pid: number | null;
  stop(): Promise<void>;
}

export interface Settings {
  readonly version: string;
  readonly fsync: string;
  readonly synchronousCommit: string;
  readonly fullPageWrites: string;
}

export async function openServer(databaseUrl: string | null, folder: string): Promise<Server> {
  if (databaseUrl !== null) return { url: databaseUrl, pid: null, stop: async () => {} };
  const server = await startEmbeddedPostgres({ dataDir: folder, log: silentLogger() });
  return { url: server.url, pid: readPostmaster(clusterPaths(folder))?.pid ?? null, stop: () => server.stop() };
}

export async function readSettings(url: string): Promise<Settings> {
  const [row] = await ask<Settings>(
    url,
    `SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync,
            current_setting('synchronous_commit') AS "synchronousCommit",
            current_setting('full_page_writes') AS "fullPageWrites"`,
  );
  if (row === undefined) throw new Error('The database did not tell its settings. Check DATABASE_URL.');
  return row;
}

/** What is off of what keeps a commit; figures without it are of another kind. */
export function unsafeSettings({ fsync, synchronousCommit, fullPageWrites }: Settings): string[] {
  return [
    ...(fsync === 'on' ? [] : ['fsync']),
    ...(synchronousCommit === 'off' ? ['synchronous_commit'] : []),
    ...(fullPageWrites === 'on' ? [] : ['full_page_writes']),
  ];
}

/** Nobody else's rows are measured, and none are left behind. */
export async function createDatabase(serverUrl: string): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `remit_bench_${randomBytes(6).toString('hex')}`;
  await ask(serverUrl, `CREATE DATABASE ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    // Without force: a vacuum of the server's own gives way, but is not ours to end.
    drop: async () => void (await ask(serverUrl, `DROP DATABASE IF EXISTS ${name}`)),
  };
}

async function ask<Row extends object>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}
