import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { jobIdOf } from '../../src/domain/id.ts';
import { type NewJob, openQueues, type Queues, type RunningJob, type WorkOptions } from '../../src/runtime/queue.ts';
import { hasRedisServer, killed, type QueueServer, silent, startPostgres, startRedis } from './queue-servers.ts';

const NAMES = ['payout', 'transfer', 'maintenance'] as const;
type Name = (typeof NAMES)[number];
/** Short, so that a killed worker's job is given back soon. */
const LOCK_MS = 1000;
const POLL = { timeout: 20_000, interval: 50 } as const;

const redis = hasRedisServer();
describe.each([...(redis ? [['redis', startRedis] as const] : []), ['postgres', startPostgres] as const])(
  'the queue on %s',
  (kind, start) => {
    let server: QueueServer;
    let open: Queues<Name>[] = [];
    const closers: (() => Promise<unknown>)[] = [];

    beforeAll(async () => {
      server = await start();
    }, 60_000);
    afterAll(async () => {
      await server.stop();
    });
    beforeEach(() => server.flush());
    afterEach(async () => {
      for (const close of closers.splice(0)) await close();
      await Promise.all(open.map((queues) => queues.close()));
      open = [];
    });

    async function openHere(attempts: Partial<Record<Name, number>> = {}): Promise<Queues<Name>> {
      const queues = await openQueues({ ...server.options, names: NAMES, log: silent, attempts });
      open.push(queues);
      return queues;
    }

    /** Runs jobs of a queue until the test ends and keeps what it saw. */
    async function work(queues: Queues<Name>, name: Name, options: Partial<WorkOptions> = {}): Promise<RunningJob[]> {
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
    }

    const idsOf = (jobs: readonly RunningJob[]) => jobs.map(({ id }) => id).sort();
    const addUntilTaken = (queues: Queues<Name>, id: string) =>
      expect.poll(() => queues.add('payout', [jobOf(id)]), POLL).toBe(true);

    test('any semantic key makes a job id that runs and comes back unchanged', async () => {
      const keys = ['meta', 'wait', 'active', 'id', 'events', 'delayed', 'completed', 'marker', '123', 'a:b:c', '0'];
      const ids = keys.map((key) => jobIdOf('payout', key));
      const queues = await openHere();
      expect(await queues.add('payout', ids.map(jobOf))).toBe(true);
      const seen = await work(queues, 'payout');
      await expect.poll(() => idsOf(seen), POLL).toEqual([...ids].sort());
      expect(seen[0]?.data).toEqual({ pkid: 'pkid-1', traceparent: '00-1-2-01' });
    });

    test('an id that could be a key of the queue itself is refused and harms nothing', async () => {
      const queues = await openHere();
      for (const id of ['meta', '7', 'payout-a:b', 'payout-\0', '']) {
        expect(await queues.add('payout', [jobOf(id)])).toBe(false);
      }
      expect(await queues.add('payout', [jobOf('payout-1')])).toBe(true);
      const seen = await work(queues, 'payout');
      await expect.poll(() => idsOf(seen), POLL).toEqual(['payout-1']);
    });

    test('a job added again under its id runs once', async () => {
      const queues = await openHere();
      expect(await queues.add('payout', [jobOf('payout-1'), jobOf('payout-1')])).toBe(true);
      expect(await queues.add('payout', [jobOf('payout-1')])).toBe(true);
      const seen = await work(queues, 'payout');
      await expect.poll(() => idsOf(seen), POLL).toEqual(['payout-1']);
      await queues.add('payout', [jobOf('payout-1'), jobOf('payout-2')]);
      await expect.poll(() => idsOf(seen), POLL).toEqual(['payout-1', 'payout-2']);
    });

    test('a server that hangs makes add answer false, and adding recovers by itself', async () => {
      const queues = await openHere();
      await server.hang();
      try {
        expect(await queues.add('payout', [jobOf('payout-1')])).toBe(false);
        expect(await queues.add('payout', [jobOf('payout-2')])).toBe(false);
        expect(await queues.ping()).toBe(false);
      } finally {
        server.wake();
      }
      await addUntilTaken(queues, 'payout-3');
      await queues.ready();
      const seen = await work(queues, 'payout');
      await expect.poll(() => idsOf(seen), POLL).toContain('payout-3');
      expect(idsOf(seen)).not.toContain('payout-2');
    });

    test('a job that throws is tried again and then given up with a plain reason', async () => {
      const queues = await openHere({ payout: 3 });
      const dead = Promise.withResolvers<{ id: string; attemptsMade: number; reason: string }>();
      await queues.add('payout', [jobOf('payout-1')]);
      const seen = await work(queues, 'payout', {
        process: async () => {
          const unstorable: Record<string, unknown> = { amount: 1n };
          unstorable.self = unstorable;
          throw Object.assign(new TypeError('card 4242424242424242\0'), unstorable, { code: 'E\0ODD' });
        },
        onDead: (job) => dead.resolve(job),
      });
      expect(await dead.promise).toMatchObject({ id: 'payout-1', attemptsMade: 3, reason: 'TypeError E?ODD' });
      expect(seen.map(({ attemptsMade }) => attemptsMade)).toEqual([0, 1, 2]);
      expect((await queues.counts()).payout).toMatchObject({ failed: 1, waiting: 0, active: 0, delayed: 0 });
    });

    test('an error that no repeat can cure is given up at once', async () => {
      const queues = await openHere();
      const dead = Promise.withResolvers<{ attemptsMade: number }>();
      await queues.add('payout', [jobOf('payout-1')]);
      const seen = await work(queues, 'payout', {
        process: async () => {
          throw new RangeError('no');
        },
        canRetry: (error) => !(error instanceof RangeError),
        onDead: (job) => dead.resolve(job),
      });
      await dead.promise;
      expect(seen).toHaveLength(1);
    });

    test('the job of a killed worker is run by another one', async () => {
      const queues = await openHere();
      const victim = startVictim(server);
      closers.push(() => killed(victim));
      await queues.add('payout', [jobOf('payout-1')]);
      expect(String(await nextOutput(victim))).toBe('took payout-1\n');
      await killed(victim);
      const seen = await work(queues, 'payout');
      await expect.poll(() => idsOf(seen), POLL).toEqual(['payout-1']);
    }, 30_000);

    test('workers go on after the queue was emptied and after the server was restarted', async () => {
      const queues = await openHere();
      const seen = await work(queues, 'payout');
      await queues.add('payout', [jobOf('payout-1')]);
      await expect.poll(() => idsOf(seen), POLL).toContain('payout-1');
      await server.flush();
      await queues.add('payout', [jobOf('payout-2')]);
      await expect.poll(() => idsOf(seen), POLL).toContain('payout-2');
      await server.restart();
      await addUntilTaken(queues, 'payout-3');
      await expect.poll(() => idsOf(seen), POLL).toContain('payout-3');
    }, 60_000);

    test('a job whose queue was emptied under it ends without harm', async () => {
      const queues = await openHere();
      const begun = Promise.withResolvers<void>();
      const release = Promise.withResolvers<void>();
      const seen = await work(queues, 'payout', {
        process: async (job) => {
          begun.resolve();
          if (job.id === 'payout-1') await release.promise;
        },
      });
      await queues.add('payout', [jobOf('payout-1')]);
      await begun.promise;
      await server.flush();
      release.resolve();
      await queues.add('payout', [jobOf('payout-2')]);
      await expect.poll(() => idsOf(seen), POLL).toEqual(['payout-1', 'payout-2']);
    });

    test('a schedule keeps firing however often it is repeated, and again after a flush', async () => {
      const queues = await openHere();
      const seen = await work(queues, 'maintenance');
      const schedule = () =>
        queues.schedule('maintenance', { id: 'reconcile', everyMs: 300, data: { source: 'test' } });
      const firedThrice = async () => {
        const before = seen.length;
        await expect
          .poll(async () => {
            await schedule();
            return seen.length;
          }, POLL)
          .toBeGreaterThanOrEqual(before + 3);
      };
      await firedThrice();
      await server.flush();
      await firedThrice();
      expect(seen.every((job) => job.name === 'reconcile' && job.data.source === 'test')).toBe(true);
    }, 30_000);

    test('processes that start and schedule at the same time do not disturb each other', async () => {
      const processes = await Promise.all([openHere(), openHere(), openHere(), openHere()]);
      const schedule = { id: 'reconcile', everyMs: 60_000 };
      await Promise.all(processes.flatMap((queues) => [1, 2, 3].map(() => queues.schedule('maintenance', schedule))));
      expect(await processes[0]?.board().at(-1)?.getJobSchedulersCount()).toBe(1);
    });

    test('counts tell what waits in each queue and for how long', async () => {
      const queues = await openHere();
      await queues.add('payout', [jobOf('payout-1'), jobOf('payout-2')]);
      await queues.add('transfer', [jobOf('transfer-1')]);
      const counts = await queues.counts();
      expect(counts.payout).toMatchObject({ waiting: 2, active: 0, delayed: 0, failed: 0 });
      expect(counts.transfer.waiting).toBe(1);
      expect(counts.maintenance).toEqual({ waiting: 0, active: 0, delayed: 0, failed: 0, oldestWaitingMs: 0 });
      await expect.poll(async () => (await queues.counts()).payout.oldestWaitingMs, POLL).toBeGreaterThan(50);
    });

    test('a worker that closes lets its job end within the grace', async () => {
      const queues = await openHere();
      const begun = Promise.withResolvers<void>();
      const release = Promise.withResolvers<void>();
      const worker = await queues.work('payout', {
        concurrency: 2,
        lockDurationMs: LOCK_MS,
        process: async () => {
          begun.resolve();
          await release.promise;
        },
      });
      await queues.add('payout', [jobOf('payout-1')]);
      await begun.promise;
      const closed = worker.close(10_000);
      expect(worker.running()).toBe(1);
      release.resolve();
      expect(await closed).toBe(true);
      expect((await queues.counts()).payout).toMatchObject({ active: 0, waiting: 0, failed: 0 });
    });

    test('a job that outlives the grace is told to stop', async () => {
      const queues = await openHere();
      const begun = Promise.withResolvers<void>();
      const worker = await queues.work('payout', {
        concurrency: 2,
        lockDurationMs: LOCK_MS,
        process: ({ signal }) =>
          new Promise((resolve) => {
            signal.addEventListener('abort', () => resolve());
            begun.resolve();
          }),
      });
      await queues.add('payout', [jobOf('payout-1')]);
      await begun.promise;
      expect(await worker.close(50)).toBe(true);
      expect(worker.running()).toBe(0);
    });

    test('a paused worker takes nothing until it is resumed', async () => {
      const queues = await openHere();
      const seen: string[] = [];
      const worker = await queues.work('payout', {
        concurrency: 2,
        lockDurationMs: LOCK_MS,
        process: async (job) => {
          seen.push(job.id);
        },
      });
      closers.push(() => worker.close(1000));
      await worker.pause();
      await queues.add('payout', [jobOf('payout-1')]);
      await worker.resume();
      await expect.poll(() => seen, POLL).toEqual(['payout-1']);
    });

    test('after close, adding answers false and nothing hangs', async () => {
      const queues = await openHere();
      await Promise.all([queues.close(), queues.close()]);
      expect(await queues.add('payout', [jobOf('payout-1')])).toBe(false);
      expect(await queues.ping()).toBe(false);
      await expect(queues.ready()).rejects.toThrow('closed');
    });

    test('a queue that cannot be reached is refused at start with the way out', async () => {
      const away = kind === 'redis' ? { redisUrl: 'redis://:secret@127.0.0.1:1' } : { redisUrl: null };
      const opening = openQueues({
        ...away,
        databaseUrl: 'postgres://u:secret@127.0.0.1:1/x',
        names: NAMES,
        log: silent,
      });
      await expect(opening).rejects.toThrow(/ECONNREFUSED.*(REDIS_URL|DATABASE_URL)/);
      await expect(opening).rejects.toThrow(/^((?!secret).)*$/);
    });
  },
);

test.skipIf(!redis)('a Redis that may evict jobs is refused with the command that corrects it', async () => {
  const server = await startRedis();
  try {
    await server.configure?.('maxmemory-policy', 'allkeys-lru');
    const opening = openQueues({ ...server.options, names: NAMES, log: silent });
    await expect(opening).rejects.toThrow(/allkeys-lru.*CONFIG SET maxmemory-policy noeviction.*redis\.conf/);
  } finally {
    await server.stop();
  }
});

function jobOf(id: string): NewJob {
  return { id, data: { pkid: 'pkid-1', traceparent: '00-1-2-01' } };
}

function startVictim(server: QueueServer): ChildProcess {
  const { redisUrl, databaseUrl } = server.options;
  const file = join(import.meta.dirname, 'queue-victim.ts');
  return spawn(process.execPath, [file, redisUrl ?? '', databaseUrl, `${LOCK_MS}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

async function nextOutput(child: ChildProcess): Promise<unknown> {
  if (child.stdout === null) throw new Error('the child has no output to read');
  const [chunk] = await once(child.stdout, 'data');
  return chunk;
}
