// What taking jobs in batches adds to the queue's promises: one waiting job starts at once, many share few batches.

import { describe, expect, test } from 'vitest';
import { BACKENDS, jobOf, LOCK_MS, POLL, queueBench } from './queue-bench.ts';
import { killed, nextOutput, startVictim } from './queue-servers.ts';

const SERVERS = BACKENDS.filter(([, way]) => way === 'in batches');

describe.each(SERVERS)('a batch worker on %s (%s)', (_kind, way, start) => {
  const { openHere, closeLater, server } = queueBench(start, way);

  /** Jobs that begin in one turn of the event loop have come together. */
  async function recordBatches(options: {
    concurrency: number;
    hold?: Promise<void>;
    fails?: (id: string) => boolean;
  }) {
    const queues = await openHere();
    const batches: string[][] = [];
    let isSameTurn = false;
    let isFirst = true;
    const worker = await queues.workInBatches('payout', {
      concurrency: options.concurrency,
      lockDurationMs: LOCK_MS,
      canRetry: () => false,
      async process({ id }) {
        if (isSameTurn) batches.at(-1)?.push(id);
        else batches.push([id]);
        isSameTurn = true;
        setImmediate(() => {
          isSameTurn = false;
        });
        const wait = isFirst ? options.hold : undefined;
        isFirst = false;
        await wait;
        if (options.fails?.(id)) throw new Error('refused');
      },
    });
    closeLater(() => worker.close(1_000));
    return { queues, batches, worker, add: (ids: readonly string[]) => queues.add('payout', ids.map(jobOf)) };
  }

  test('a backlog is worked off in few batches, and no more run at once than may', async () => {
    const queues = await openHere();
    const ids = Array.from({ length: 200 }, (_, index) => `payout-${index}`);
    await queues.add('payout', ids.map(jobOf));
    const { batches } = await recordBatches({ concurrency: 64 });
    await expect.poll(() => batches.flat().length, POLL).toBe(200);
    expect(batches.flat().toSorted()).toEqual(ids.toSorted());
    expect(Math.max(...batches.map((batch) => batch.length))).toBeLessThanOrEqual(64);
    expect(batches.length).toBeLessThanOrEqual(20);
    await expect.poll(async () => (await queues.counts()).payout, POLL).toMatchObject({ waiting: 0, active: 0 });
  });

  test('a job that takes long keeps one place, and the others go on around it', async () => {
    const { promise: hold, resolve: release } = Promise.withResolvers<void>();
    const { queues, batches, worker, add } = await recordBatches({ concurrency: 2, hold });
    await add(['payout-long']);
    await expect.poll(() => batches.flat(), POLL).toEqual(['payout-long']);
    const ids = Array.from({ length: 20 }, (_, index) => `payout-${index}`);
    await add(ids);
    await expect.poll(async () => (await queues.counts()).payout, POLL).toMatchObject({ waiting: 0, active: 1 });
    expect(batches.flat().toSorted()).toEqual([...ids, 'payout-long'].toSorted());
    expect(worker.running()).toBe(1);
    release();
    await expect.poll(async () => (await queues.counts()).payout, POLL).toMatchObject({ active: 0 });
  });

  test('a job that fails leaves those that came with it done', async () => {
    const { queues, batches, add } = await recordBatches({ concurrency: 64, fails: (id) => id === 'payout-bad' });
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
      concurrency: 40,
      lockDurationMs: LOCK_MS,
      process: async ({ id }) => void taken.push(id),
    });
    // It has asked for the first by now, and nothing was answered.
    expect(await worker.close(5_000)).toBe(true);
    expect(taken.length).toBeLessThanOrEqual(1);
    await expect
      .poll(async () => (await queues.counts()).payout, POLL)
      .toMatchObject({ waiting: ids.length - taken.length, active: 0 });
  });

  test('the locks of a batch that takes longer than they last are renewed, so that nobody runs it again', async () => {
    const { promise: hold, resolve: release } = Promise.withResolvers<void>();
    const { batches, queues, add } = await recordBatches({ concurrency: 1, hold });
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
