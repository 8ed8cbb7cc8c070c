// The queue keeps the same promises on Redis and on PostgreSQL.

import { describe, expect, test } from 'vitest';
import { jobIdOf } from '../../src/domain/id.ts';
import { BACKENDS, idsOf, jobOf, LOCK_MS, POLL, queueBench } from './queue-bench.ts';

const CONCURRENCY = 64;

describe.each(BACKENDS)('the queue on %s, jobs taken %s', (_kind, way, start) => {
  const { openHere, work, closeLater } = queueBench(start, way);

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

  test('of the jobs that are done the newest thousand are kept to look at', async () => {
    const queues = await openHere();
    const ids = Array.from({ length: 1100 }, (_, index) => `transfer-${index}`);
    expect(await queues.add('transfer', ids.slice(0, 550).map(jobOf))).toBe(true);
    expect(await queues.add('transfer', ids.slice(550).map(jobOf))).toBe(true);
    const seen = await work(queues, 'transfer', { concurrency: CONCURRENCY });
    const board = queues.board().find(({ name }) => name === 'transfer');
    await expect
      .poll(() => board?.getJobCountByTypes('completed', 'waiting', 'active'), POLL)
      .toBeLessThanOrEqual(1000);
    // Those of the same millisecond go or stay together, which may be all that run at once.
    expect(await board?.getCompletedCount()).toBeGreaterThanOrEqual(1000 - 2 * CONCURRENCY);
    expect(idsOf(seen)).toEqual([...ids].sort());
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
    closeLater(() => worker.close(1000));
    await worker.pause();
    await queues.add('payout', [jobOf('payout-1')]);
    await worker.resume();
    await expect.poll(() => seen, POLL).toEqual(['payout-1']);
  });
});
