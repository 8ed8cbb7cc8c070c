// Real servers that the queue's tests may hang, flush and restart: one Redis and one PostgreSQL of their own.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, connect as dial, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import pino from 'pino';
import { startEmbeddedPostgres } from '../../src/runtime/embedded-postgres.ts';
import { startRedis as startRedisServer } from '../harness/redis.ts';

export interface QueueServer {
  readonly options: { readonly redisUrl: string | null; readonly databaseUrl: string };
  /** Stops the server's processes without closing a connection: it takes bytes and answers nothing. */
  hang(): Promise<void>;
  wake(): void;
  flush(): Promise<void>;
  /** Redis only. */
  configure?(name: string, value: string): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export const silent = pino({ level: 'silent' });

/** False, with one line that says so, where there is no redis-server to start and stop. */
export function hasRedisServer(): boolean {
  if (spawnSync('redis-server', ['--version'], { stdio: 'ignore' }).status === 0) return true;
  const wayOut = 'There is no redis-server on PATH. Install it (apt-get install redis-server).';
  if (process.env.REQUIRE_REDIS === '1') throw new Error(wayOut);
  process.stdout.write(`The queue's Redis tests are skipped. ${wayOut}\n`);
  return false;
}

export async function startRedis(): Promise<QueueServer> {
  let server = await startRedisServer();
  // A restarted server listens on another port; clients must find it where it was.
  const front = await relay(() => server.port);
  const redisUrl = `redis://127.0.0.1:${front.port}`;
  const command = async (...words: readonly [string, ...string[]]) => {
    const admin = new Redis(server.url);
    try {
      await admin.call(...words);
    } finally {
      admin.disconnect();
    }
  };
  return {
    options: { redisUrl, databaseUrl: '' },
    async hang() {
      process.kill(server.pid, 'SIGSTOP');
    },
    wake() {
      process.kill(server.pid, 'SIGCONT');
    },
    flush: () => command('FLUSHALL'),
    configure: (name, value) => command('CONFIG', 'SET', name, value),
    async restart() {
      process.kill(server.pid, 'SIGKILL');
      await server.stop();
      server = await startRedisServer();
    },
    async stop() {
      await server.stop();
      front.server.close();
    },
  };
}

export async function startPostgres(): Promise<QueueServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'remit-queue-postgres-'));
  const start = () => startEmbeddedPostgres({ dataDir, unsafe: true, log: silent });
  let server = await start();
  let admin = await connect(server.url);
  let stopped: number[] = [];
  const front = await relay(() => server.port);
  const databaseUrl = server.url.replace(`:${server.port}/`, `:${front.port}/`);
  return {
    options: { redisUrl: null, databaseUrl },
    async hang() {
      const { rows } = await admin.query<{ pid: number }>(
        `SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
      );
      const postmaster = Number.parseInt(await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8'), 10);
      stopped = [postmaster, ...rows.map(({ pid }) => pid)];
      for (const pid of stopped) process.kill(pid, 'SIGSTOP');
    },
    wake() {
      for (const pid of stopped) process.kill(pid, 'SIGCONT');
      stopped = [];
    },
    async flush() {
      const { rows } = await admin.query<{ tables: string | null }>(
        `SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') AS tables
         FROM pg_tables WHERE schemaname = 'bullmq' AND tablename <> 'migration'`,
      );
      const tables = rows[0]?.tables;
      if (tables) await truncate(admin, tables);
    },
    async restart() {
      await admin.end();
      await server.stop();
      server = await start();
      admin = await connect(server.url);
    },
    async stop() {
      await admin.end();
      await server.stop();
      front.server.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** A local port that passes every connection on to whatever port is the right one by then. */
export function relay(target: () => number): Promise<{ server: Server; port: number }> {
  return new Promise((resolve) => {
    const server = createServer((client) => {
      const upstream = dial(target(), '127.0.0.1');
      client.setNoDelay(true);
      upstream.setNoDelay(true);
      client.pipe(upstream).pipe(client);
      client.on('error', () => upstream.destroy());
      client.on('close', () => upstream.destroy());
      upstream.on('error', () => client.destroy());
      upstream.on('close', () => client.destroy());
    });
    server.listen(0, '127.0.0.1', () => resolve({ server, port: portOf(server) }));
  });
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** A worker that takes one job and never ends it. */
export function startVictim(server: QueueServer, lockMs: number): ChildProcess {
  const { redisUrl, databaseUrl } = server.options;
  const file = join(import.meta.dirname, 'queue-victim.ts');
  return spawn(process.execPath, [file, redisUrl ?? '', databaseUrl, String(lockMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

export async function nextOutput(child: ChildProcess): Promise<unknown> {
  if (child.stdout === null) throw new Error('the child has no output to read');
  const [chunk] = await once(child.stdout, 'data');
  return chunk;
}

export function killed(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}

/** Workers hold locks of their own; a deadlock with them is the emptier's to try again. */
async function truncate(admin: pg.Pool | pg.Client, tables: string): Promise<void> {
  for (let tried = 1; ; tried += 1) {
    try {
      await admin.query(`TRUNCATE ${tables}`);
      return;
    } catch (error) {
      const isDeadlock = error instanceof Error && 'code' in error && error.code === '40P01';
      if (!isDeadlock || tried >= TRUNCATE_TRIES_MAX) throw error;
    }
  }
}

const TRUNCATE_TRIES_MAX = 10;
