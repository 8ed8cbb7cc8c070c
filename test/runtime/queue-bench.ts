// What the queue's tests share: a server, queues that close themselves, and workers that keep what they saw.

import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { type NewJob, openQueues, type Queues, type RunningJob, type WorkOptions } from '../../src/runtime/queue.ts';
import { hasRedisServer, type QueueServer, silent, startPostgres, startRedis } from './queue-servers.ts';

export const NAMES = ['payout', 'transfer', 'maintenance'] as const;
type Name = (typeof NAMES)[number];
/** Short, so that a killed worker's job is given back soon. */
export const LOCK_MS = 1000;
export const POLL = { timeout: 20_000, interval: 50 } as const;

export const redis = hasRedisServer();
const SERVERS = [...(redis ? [['redis', startRedis] as const] : []), ['postgres', startPostgres] as const] as const;
/** The suites run once for each: a queue keeps its promises wherever it is, and however its jobs are taken. */
export const BACKENDS = SERVERS.flatMap(([kind, start]) => [
  [kind, 'one by one', start] as const,
  [kind, 'in batches', start] as const,
]);
export type Way = (typeof BACKENDS)[number][1];

export function queueBench(start: () => Promise<QueueServer>, way: Way) {
  let started: QueueServer | null = null;
  const closers: (() => Promise<unknown>)[] = [];
  const server = () => {
    if (started === null) throw new Error('the server was not started');
    return started;
  };
  beforeAll(async () => {
    started = await start();
  });
  afterAll(() => started?.stop());
  beforeEach(() => server().flush());
  afterEach(async () => {
    // Workers close before the queues they were made from.
    for (const close of closers.splice(0).reverse()) await close();
  });

  return {
    server,
    closeLater(close: () => Promise<unknown>): void {
      closers.push(close);
    },
    async openHere(attempts: Partial<Record<Name, number>> = {}): Promise<Queues<Name>> {
      const queues = await openQueues({ ...server().options, names: NAMES, log: silent, attempts });
      closers.push(() => queues.close());
      return way === 'one by one' ? queues : { ...queues, work: queues.workInBatches };
    },
    /** Runs jobs of a queue until the test ends and keeps what it saw. */
    async work(queues: Queues<Name>, name: Name, options: Partial<WorkOptions> = {}): Promise<RunningJob[]> {
      const seen: RunningJob[] = [];
      const worker = await queues.work(name, {
        concurrency: 8,
        lockDurationMs: LOCK_MS,
        ...options,
        process: async (job) => {
          seen.push(job);
          await options.process?.(job);
        },
      });
      closers.push(() => worker.close(1000));
      return seen;
    },
  };
}

export const idsOf = (jobs: readonly RunningJob[]) => jobs.map(({ id }) => id).sort();

export function jobOf(id: string): NewJob {
  return { id, data: { pkid: 'pkid-1', traceparent: '00-1-2-01' } };
}

export function addUntilTaken(queues: Queues<Name>, id: string): Promise<void> {
  return expect.poll(() => queues.add('payout', [jobOf(id)]), POLL).toBe(true);
}
