// The Redis of a run: the one of REDIS_URL, which must hold no queue of remit's yet, or a throw-away one from PATH.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';

export interface RedisPlace {
  readonly url: string;
  readonly version: string;
  /** Of a server that we started; null for a given one. */
  readonly pid: number | null;
  close(): Promise<void>;
}

/** What remit's keys begin with. */
const KEYS = '{remit}:*';
const SCAN_COUNT = 1_000;
const CONNECT_TIMEOUT_MS = 5_000;
/** Another program may take the free port between the look and the start; this many times in a row it will not. */
const STARTS_MAX = 5;

export function hasRedisServer(): boolean {
  return spawnSync('redis-server', ['--version'], { stdio: 'ignore' }).status === 0;
}

export async function takeRedis(url: string): Promise<RedisPlace> {
  const client = new Redis(url, { lazyConnect: true, connectTimeout: CONNECT_TIMEOUT_MS, retryStrategy: () => null });
  client.on('error', () => {});
  try {
    await client.connect();
    if ((await keysIn(client)).length > 0) {
      throw new Error('This Redis holds a queue of remit, which the bench would disturb. Give REDIS_URL an empty one.');
    }
    const version = /^redis_version:(\S+)/m.exec(await client.info('server'))?.[1] ?? 'unknown';
    return {
      url,
      version,
      pid: null,
      async close() {
        // Only what the bench made: there was nothing before.
        for (const keys of chunksOf(await keysIn(client), SCAN_COUNT)) await client.unlink(...keys);
        client.disconnect();
      },
    };
  } catch (error) {
    client.disconnect();
    throw error;
  }
}

/** Loopback, a free port, nothing kept on disk, nothing evicted. */
export async function startRedis(folder: string): Promise<RedisPlace> {
  for (let start = 1; start <= STARTS_MAX; start += 1) {
    const port = await freePort();
    const settings = {
      bind: '127.0.0.1',
      port,
      dir: folder,
      save: '',
      appendonly: 'no',
      'maxmemory-policy': 'noeviction',
    };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'ignore'] });
    if (!(await isReady(child)) || child.pid === undefined) continue;
    const place = await takeRedis(`redis://127.0.0.1:${port}`);
    return {
      ...place,
      pid: child.pid,
      async close() {
        await place.close().catch(() => {});
        const gone = once(child, 'exit');
        if (child.exitCode === null && child.kill('SIGTERM')) await gone;
      },
    };
  }
  throw new Error('redis-server did not start. Try it by hand: redis-server --port 0');
}

async function keysIn(client: Redis): Promise<string[]> {
  const found: string[] = [];
  let cursor = '0';
  do {
    const [next, keys] = await client.scan(cursor, 'MATCH', KEYS, 'COUNT', SCAN_COUNT);
    found.push(...keys);
    cursor = next;
  } while (cursor !== '0');
  return found;
}

function* chunksOf<One>(all: readonly One[], size: number): Generator<One[]> {
  for (let at = 0; at < all.length; at += size) yield all.slice(at, at + size);
}

async function isReady(child: ChildProcess): Promise<boolean> {
  if (child.stdout === null) return false;
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.includes('Ready to accept connections')) continue;
    // Read on, or the server would block once the pipe is full.
    child.stdout.resume();
    return true;
  }
  return false;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
