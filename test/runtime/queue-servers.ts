// Real servers that the queue's tests may hang, flush and restart: one Redis and one PostgreSQL of their own.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import pino from 'pino';
import { startEmbeddedPostgres } from '../../src/runtime/embedded-postgres.ts';

export interface QueueServer {
  readonly options: { readonly redisUrl: string | null; readonly databaseUrl: string };
  /** Stops the server's processes without closing a connection: it takes bytes and answers nothing. */
  hang(): Promise<void>;
  wake(): void;
  flush(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export const silent = pino({ level: 'silent' });

export async function startRedis(settings: readonly string[] = []): Promise<QueueServer> {
  const folder = await mkdtemp(join(tmpdir(), 'remit-queue-redis-'));
  const port = await freePort();
  const redisUrl = `redis://127.0.0.1:${port}`;
  const start = async () => {
    const child = spawn(
      'redis-server',
      ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', '', ...settings],
      { stdio: 'ignore' },
    );
    const admin = new Redis(redisUrl, { maxRetriesPerRequest: null, retryStrategy: () => 50 });
    admin.on('error', () => undefined);
    await admin.ping();
    return { child, admin };
  };
  let server = await start();
  const end = async () => {
    server.admin.disconnect();
    await killed(server.child);
  };
  return {
    options: { redisUrl, databaseUrl: '' },
    async hang() {
      server.child.kill('SIGSTOP');
    },
    wake() {
      server.child.kill('SIGCONT');
    },
    async flush() {
      await server.admin.flushall();
    },
    async restart() {
      await end();
      server = await start();
    },
    async stop() {
      await end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export async function startPostgres(): Promise<QueueServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'remit-queue-postgres-'));
  const start = () => startEmbeddedPostgres({ dataDir, unsafe: true, log: silent });
  let server = await start();
  let admin = await connect(server.url);
  let stopped: number[] = [];
  return {
    options: { redisUrl: null, databaseUrl: server.url },
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
      if (tables) await admin.query(`TRUNCATE ${tables}`);
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
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

export function killed(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
