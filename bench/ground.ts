// What a run stands on: a folder, a database server and a Redis, all gone at its end, also when the run is killed.

import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BackendName } from './arguments.ts';
import { openServer, readSettings, type Server, type Settings } from './database.ts';
import { hasRedisServer, type RedisPlace, startRedis, takeRedis } from './redis.ts';

export interface Ground {
  readonly folder: string;
  readonly server: Server;
  readonly settings: Settings;
  /** Null when only PostgreSQL is measured. */
  readonly redis: RedisPlace | null;
  readonly backends: readonly BackendName[];
  close(): Promise<void>;
}

export interface GroundOptions {
  readonly databaseUrl: string | null;
  readonly redisUrl: string | null;
  /** Null: Redis where there is one. */
  readonly backends: readonly BackendName[] | null;
}

export async function layGround({ databaseUrl, redisUrl, backends: asked }: GroundOptions): Promise<Ground> {
  const backends = asked ?? [redisUrl !== null || hasRedisServer() ? 'redis' : 'postgres'];
  const folder = mkdtempSync(join(tmpdir(), 'remit-bench-'));
  // PostgreSQL runs as a user of its own when we are root, and has to get through here.
  chmodSync(folder, 0o711);
  const guard = startGuard(folder);
  let server: Server | null = null;
  let redis: RedisPlace | null = null;
  const close = async () => {
    await redis?.close();
    await server?.stop();
    guard.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    server = await openServer(databaseUrl, folder);
    if (server.pid !== null) guard.stdin?.write(`QUIT ${server.pid}\n`);
    if (backends.includes('redis')) redis = await openRedis(redisUrl, folder);
    if (redis !== null && redis.pid !== null) guard.stdin?.write(`KILL ${redis.pid}\n`);
    return { folder, server, settings: await readSettings(server.url), redis, backends, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function openRedis(redisUrl: string | null, folder: string): Promise<RedisPlace> {
  if (redisUrl !== null) return takeRedis(redisUrl);
  if (hasRedisServer()) return startRedis(folder);
  throw new Error('There is no redis-server on PATH. Install it, set REDIS_URL, or measure --backend postgres.');
}

/** Waits for the pipe to this process to close, which it also does when this process is killed. */
function startGuard(folder: string): ChildProcess {
  const guard = spawn('/bin/sh', ['-c', GUARD_SCRIPT, 'sh', folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.on('error', () => {});
  guard.stdin.on('error', () => {});
  guard.unref();
  return guard;
}

const GUARD_SCRIPT = `
ends=
while read -r signal pid; do ends="$ends $signal:$pid"; done
for one in $ends; do kill -"\${one%%:*}" "\${one##*:}"; done
for one in $ends; do while kill -0 "\${one##*:}"; do sleep 0.1; done; done
rm -rf "$1"
`;
