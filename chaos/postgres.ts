// The run's own PostgreSQL, with all of its durability on: killed with everything it has forked, it must come back by
// replaying its log with every commit that was answered.

import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { clusterPaths, readPostmaster } from '../src/runtime/embedded-postgres/cluster.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../src/runtime/embedded-postgres.ts';

export interface Postgres {
  /** Changes with each start. */
  port(): number;
  /** As a process reaches it through the wire at `port`. */
  urlAt(port: number): string;
  start(): Promise<void>;
  /** SIGKILL to the server and all of its children. */
  kill(): Promise<void>;
  stop(): Promise<void>;
  /** Straight to the server, on a session of its own. */
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** Ends half of the sessions, those that work first; returns how many. */
  endSessions(): Promise<number>;
}

const OWN_NAME = 'chaos';
const CONNECT_MS = 5_000;
const QUERY_MS = 20_000;
const POLL_MS = 20;

export function postgresIn(dataDir: string): Postgres {
  const log = { info: () => undefined, warn: () => undefined };
  let server: EmbeddedPostgres | null = null;

  function running(): EmbeddedPostgres {
    if (server === null) throw new Error('The database server of this run is down.');
    return server;
  }

  const postgres: Postgres = {
    port: () => server?.port ?? 0,
    urlAt(port) {
      const url = new URL(running().url);
      url.port = String(port);
      return url.href;
    },
    async start() {
      server = await startEmbeddedPostgres({ dataDir, log });
    },
    async kill() {
      const pid = readPostmaster(clusterPaths(dataDir))?.pid;
      server = null;
      if (pid === undefined) return;
      const pids = [pid, ...childrenOf(pid)];
      for (const one of pids) kill(one);
      while (pids.some(isAlive)) await wait(POLL_MS);
    },
    async stop() {
      await server?.stop();
      server = null;
    },
    async query<Row extends object>(text: string, values: readonly unknown[] = []) {
      const client = new pg.Client({
        connectionString: running().url,
        application_name: OWN_NAME,
        connectionTimeoutMillis: CONNECT_MS,
        query_timeout: QUERY_MS,
      });
      client.on('error', () => undefined);
      await client.connect();
      try {
        return (await client.query<Row>(text, [...values])).rows;
      } finally {
        await client.end();
      }
    },
    async endSessions() {
      const rows = await postgres.query(
        `SELECT pg_terminate_backend(pid) FROM (
           SELECT pid FROM pg_stat_activity WHERE usename = current_user AND application_name <> $1
           ORDER BY state = 'idle', xact_start
           LIMIT (SELECT greatest(1, count(*) / 2) FROM pg_stat_activity WHERE usename = current_user)) half`,
        [OWN_NAME],
      );
      return rows.length;
    },
  };
  return postgres;
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself meanwhile.
  }
}

function isAlive(pid: number): boolean {
  try {
    // A killed process that nobody has waited for yet holds nothing any more.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2)[0] !== 'Z';
  } catch {
    return false;
  }
}
