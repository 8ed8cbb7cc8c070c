// Where one backend is measured: its own database with wallets in it, the baseline beside them, and the processor.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BackendName } from './arguments.ts';
import { type Baseline, openBaseline } from './baseline.ts';
import { type Books, openBooks } from './books.ts';
import { createDatabase } from './database.ts';
import type { Ground } from './ground.ts';
import { LEASE_MS, type Processor, startProcessor } from './processor.ts';
import { openWire, type Wire } from './wire.ts';

export interface Stage {
  readonly books: Books;
  readonly baseline: Baseline;
  readonly seconds: number;
  readonly rounds: number;
  readonly backlog: number;
  /** The default start: API, workers and reconcile in one process, the sandbox in another. */
  processor(): Promise<Processor>;
  /** So many processes that only work, and nothing else. */
  workers(count: number): Promise<readonly Processor[]>;
  /** Ends whichever run. */
  stopProcessor(): Promise<void>;
  sandboxUrl(): string;
  /** Connections to the processor's API. */
  wire(connections: number): Promise<Wire>;
  /** Begins the semantic keys of one measurement. */
  nextPrefix(name: string): string;
  say(progress: string): void;
  close(): Promise<void>;
}

export interface StageOptions {
  readonly ground: Ground;
  readonly backend: BackendName;
  readonly seconds: number;
  readonly rounds: number;
  readonly backlog: number;
  readonly isUnsafe: boolean;
  readonly say: (progress: string) => void;
}

/** Nothing listens there: a worker that moves transfers asks no provider. */
const NO_SANDBOX_PORT = '9';

export async function openStage(options: StageOptions): Promise<Stage> {
  const { ground, backend, seconds, rounds, backlog, isUnsafe, say } = options;
  const { folder } = ground;
  const key = randomBytes(32).toString('base64url');
  const redisUrl = backend === 'redis' ? (ground.redis?.url ?? null) : null;
  const database = await createDatabase(ground.server.url);
  say('makes and funds the wallets');
  const books = await openBooks({ databaseUrl: database.url, redisUrl, folder, isUnsafe, leaseMs: LEASE_MS });
  const baseline = await openBaseline(database.url);
  const env = {
    DATABASE_URL: database.url,
    REMIT_DATA_DIR: folder,
    REMIT_BOOTSTRAP_KEY: key,
    ...(redisUrl === null ? {} : { REDIS_URL: redisUrl }),
    ...(isUnsafe ? { REMIT_UNSAFE_DURABILITY: '1' } : {}),
  };
  const nodeArguments = process.env.BENCH_NODE_ARGUMENTS?.split(' ') ?? [];
  let running: Processor[] = [];
  let measured = 0;

  const stage: Stage = {
    books,
    baseline,
    seconds,
    rounds,
    backlog,
    async processor() {
      const [first] = running;
      if (first !== undefined) return first;
      const started = await startProcessor({ command: 'all', folder, env, nodeArguments });
      running = [started];
      await books.calm();
      return started;
    },
    async workers(count) {
      await stage.stopProcessor();
      const alone = { ...env, SANDBOX_PORT: NO_SANDBOX_PORT };
      const starting = Array.from({ length: count }, () =>
        startProcessor({ command: 'worker', folder, env: alone, nodeArguments }),
      );
      running = await Promise.all(starting);
      await books.calm();
      return running;
    },
    async stopProcessor() {
      const ending = running;
      running = [];
      await Promise.all(ending.map((one) => one.stop()));
    },
    sandboxUrl: () => readFileSync(join(folder, 'sandbox.address'), 'utf8'),
    wire: async (connections) => openWire({ url: (await stage.processor()).url, key, connections }),
    nextPrefix(name) {
      measured += 1;
      return `${name.replaceAll('_', '-')}-${measured}-`;
    },
    say,
    async close() {
      await stage.stopProcessor();
      await books.close();
      await baseline.close();
      await database.drop();
    },
  };
  return stage;
}
