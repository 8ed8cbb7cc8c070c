// A Redis for the run: TEST_REDIS_URL when given, else a redis-server from PATH on a free port that keeps nothing.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { inject } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    redisUrl: string | null;
  }
}

export type TestRedis = { url: string; stop(): Promise<void> };

/** The run's Redis, or null: then write `describe.skipIf(redisUrl() === null)`; the reason was printed at the start. */
export function redisUrl(): string | null {
  return inject('redisUrl');
}

/** For the global set-up: null means that the Redis suites are skipped, which is said in one line, or refused. */
export async function startRunRedis(env: Record<string, string | undefined>): Promise<TestRedis | null> {
  if (env.TEST_REDIS_URL) return { url: env.TEST_REDIS_URL, stop: async () => {} };
  if (spawnSync('redis-server', ['--version'], { stdio: 'ignore' }).status === 0) return startRedis();
  const wayOut = 'Install redis-server (apt-get install redis-server) or set TEST_REDIS_URL.';
  if (env.REQUIRE_REDIS === '1') throw new Error(`REQUIRE_REDIS=1 and there is no redis-server on PATH. ${wayOut}`);
  process.stdout.write(`Redis suites are skipped: there is no redis-server on PATH. ${wayOut}\n`);
  return null;
}

// Another program may take the free port between the look and the start; this many times in a row it will not.
const startsMax = 5;

/** A server of the caller's own, for tests that flush, stop or kill it. */
export async function startRedis(): Promise<TestRedis & { pid: number; port: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'remit-redis-'));
  for (let start = 1; start <= startsMax; start += 1) {
    const port = await freePort();
    const child = spawn('redis-server', redisArguments({ port, folder }), { stdio: ['ignore', 'pipe', 'inherit'] });
    if ((await isReady(child)) && child.pid !== undefined) {
      const guard = endWithUs({ pid: child.pid, folder });
      return {
        url: `redis://127.0.0.1:${port}`,
        port,
        pid: child.pid,
        stop: () => stopRedis({ child, guard, folder }),
      };
    }
  }
  rmSync(folder, { recursive: true, force: true });
  throw new Error('redis-server did not start. Try it by hand: redis-server --port 0');
}

function redisArguments({ port, folder }: { port: number; folder: string }): string[] {
  const settings = {
    bind: '127.0.0.1',
    port,
    dir: folder,
    save: '',
    appendonly: 'no',
    'maxmemory-policy': 'noeviction',
  };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
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

/** Ends the server also when we are killed: the pipe to this process then closes, which it waits for. */
function endWithUs({ pid, folder }: { pid: number; folder: string }): ChildProcess {
  const script = 'read -r _; kill -9 "$1"; rm -rf "$2"';
  const guard = spawn('/bin/sh', ['-c', script, 'sh', String(pid), folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.unref();
  return guard;
}

type Running = { child: ChildProcess; guard: ChildProcess; folder: string };

async function stopRedis({ child, guard, folder }: Running): Promise<void> {
  guard.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) {
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    child.kill('SIGCONT');
    await gone;
  }
  rmSync(folder, { recursive: true, force: true });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
