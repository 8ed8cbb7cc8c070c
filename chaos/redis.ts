// The run's own Redis, which keeps its keys in an append-only file that reaches the disk every second: a kill loses up
// to a second of jobs, and a start from an older dump brings back jobs that were done long ago.

import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { type Child, childOf } from './child.ts';
import type { Guard } from './guard.ts';

export interface RedisServer {
  readonly child: Child;
  readonly port: number;
  flush(): Promise<void>;
  /** Writes its memory to a file, for `restoreDump`. */
  keepDump(): Promise<void>;
  /** Stops it and starts it with what was kept. */
  restoreDump(): Promise<void>;
}

const COMMAND_MS = 3_000;

export function redisIn(
  folder: string,
  { port, logs, guard }: { port: number; logs: string; guard: Guard },
): RedisServer {
  const data = join(folder, 'redis');
  mkdirSync(data, { recursive: true });
  let isAppending = true;
  const child = childOf({
    name: 'redis',
    command: 'redis-server',
    args: () => argumentsFor({ port, data, isAppending }),
    env: () => ({}),
    logs,
    guard,
    ready: /Ready to accept connections/,
  });

  async function tell<Result>(command: (client: Redis) => Promise<Result>): Promise<Result> {
    const client = new Redis({ port, host: '127.0.0.1', commandTimeout: COMMAND_MS, retryStrategy: null });
    client.on('error', () => undefined);
    try {
      return await command(client);
    } finally {
      client.disconnect();
    }
  }

  return {
    child,
    port,
    flush: async () => void (await tell((client) => client.flushall())),
    async keepDump() {
      await tell((client) => client.save());
      copyFileSync(join(data, 'dump.rdb'), join(data, 'older.rdb'));
    },
    async restoreDump() {
      await child.kill();
      rmSync(join(data, 'appendonlydir'), { recursive: true, force: true });
      copyFileSync(join(data, 'older.rdb'), join(data, 'dump.rdb'));
      // With the append-only file on it would not look at the dump; switched on later, it writes all it has.
      isAppending = false;
      await child.start();
      isAppending = true;
      await tell((client) => client.config('SET', 'appendonly', 'yes'));
    },
  };
}

function argumentsFor({ port, data, isAppending }: { port: number; data: string; isAppending: boolean }): string[] {
  const settings = {
    bind: '127.0.0.1',
    port,
    dir: data,
    save: '',
    appendonly: isAppending ? 'yes' : 'no',
    appendfsync: 'everysec',
    'maxmemory-policy': 'noeviction',
    daemonize: 'no',
  };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
}
