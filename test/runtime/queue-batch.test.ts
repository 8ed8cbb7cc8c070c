// What taking jobs in batches adds to the queue's promises: one waiting job starts at once, many share few batches.

import { describe, expect, test } from 'vitest';
import { BACKENDS, jobOf, LOCK_MS, POLL, queueBench } from './queue-bench.ts';
import { killed, nextOutput, startVictim } from './queue-servers.ts';

const SERVERS = BACKENDS.filter(([, way]) => way === 'in batches');

describe.each(SERVERS)('a batch worker on %s (%s)', (_kind, way, start) => {
  const { openHere, closeLater, server } = queueBench(start, way);

  async function recordBatches(options: { batchMax: number; hold?: Promise<void>; fails?: (id: string) => boolean }) {
    const queues = await openHere();
    const batches: string[][] = [];
    const worker = await queues.workInBatches('payout', {
      lanes: 1,
      batchMax: options.batchMax,
      lockDurationMs: LOCK_MS,
      canRetry: () => false,
      async process(jobs) {
        batches.push(jobs.map(({ id }) => id));
        if (batches.length === 1) await options.hold;
        return Promise.allSettled(jobs.map(async ({ id }) => refuse(options.fails?.(id) ?? false)));
      },
    });
    closeLater(() => worker.close(1_000));
    return { queues, batches, add: (ids: readonly string[]) => queues.add('payout', ids.map(jobOf)) };
  }

  test('a backlog that grew behind a single job is worked off in few batches, none of them too large', async () => {
    const { promise: hold, resolve: release } = Promise.withResolvers<void>();
    const { queues, batches, add } = await recordBatches({ batchMax: 64, hold });
    await add(['payout-first']);
    await expect.poll(() => batches, POLL).toEqual([['payout-first']]);
    const ids = Array.from({ length: 200 }, (_, index) => `payout-late.${index}`);
    await add(ids);
    release();
    await expect.poll(() => batches.flat().length, POLL).toBe(201);
    expect(batches.flat().toSorted()).toEqual(['payout-first', ...ids].toSorted());
    expect(Math.max(...batches.map((batch) => batch.length))).toBeLessThanOrEqual(64);
    expect(batches.length).toBeLessThanOrEqual(20);
    await expect.poll(async () => (await queues.counts()).payout, POLL).toMatchObject({ waiting: 0, active: 0 });
  });

  test('a job of a batch that fails leaves the others of its batch done', async () => {
    const { queues, batches, add } = await recordBatches({ batchMax: 64, fails: (id) => id === 'payout-bad' });
    await add(['payout-good.1', 'payout-bad', 'payout-good.2']);
    await expect.poll(() => batches.flat().toSorted(), POLL).toEqual(['payout-bad', 'payout-good.1', 'payout-good.2']);
    await expect
      .poll(async () => (await queues.counts()).payout, POLL)
      .toMatchObject({ waiting: 0, active: 0, failed: 1 });
  });

  test('a worker that is told to end takes no others with the job that it was given', async () => {
    const queues = await openHere();
    const ids = Array.from({ length: 50 }, (_, index) => `payout-${index}`);
    await queues.add('payout', ids.map(jobOf));
    const taken: string[] = [];
    const worker = await queues.workInBatches('payout', {
      lanes: 2,
      batchMax: 20,
      lockDurationMs: LOCK_MS,
      async process(jobs) {
        taken.push(...jobs.map(({ id }) => id));
        return Promise.allSettled(jobs.map(async () => undefined));
      },
    });
    // Both lanes have asked by now, and nothing was answered.
    expect(await worker.close(5_000)).toBe(true);
    expect(taken.length).toBeLessThanOrEqual(2);
    await expect
      .poll(async () => (await queues.counts()).payout, POLL)
      .toMatchObject({ waiting: ids.length - taken.length, active: 0 });
  });

  test('the locks of a batch that takes longer than they last are renewed, so that nobody runs it again', async () => {
    const { promise: hold, resolve: release } = Promise.withResolvers<void>();
    const { batches, queues, add } = await recordBatches({ batchMax: 8, hold });
    await add(['payout-long']);
    await expect.poll(() => batches.length, POLL).toBe(1);
    // A second job is lost a moment later: once it has been given back, the locks of that time have been looked at.
    const victim = startVictim(server(), LOCK_MS);
    closeLater(() => killed(victim));
    await add(['payout-lost']);
    expect(String(await nextOutput(victim))).toBe('took payout-lost\n');
    await killed(victim);
    const seen: string[] = [];
    const other = await queues.work('payout', {
      concurrency: 1,
      lockDurationMs: LOCK_MS,
      process: async (job) => void seen.push(job.id),
    });
    closeLater(() => other.close(1_000));
    await expect.poll(() => seen, POLL).toContain('payout-lost');
    release();
    await add(['payout-next']);
    await expect.poll(async () => (await queues.counts()).payout, POLL).toMatchObject({ active: 0, waiting: 0 });
    expect([...seen, ...batches.flat()].filter((id) => id === 'payout-long')).toEqual(['payout-long']);
  }, 30_000);
});

function refuse(isRefused: boolean): void {
  if (isRefused) throw new Error('refused');
}
