// Jobs that are added, taken and ended many at a time leave in the queue what BullMQ leaves for each of them: its board
// and its own workers find what they know.

import type { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { openQueues } from '../../src/runtime/queue.ts';
import { jobOf, LOCK_MS, POLL, queueBench, redis } from './queue-bench.ts';
import { type QueueServer, silent, startPostgres, startRedis } from './queue-servers.ts';

const NAME = 'payout';
const IDS = ['payout-a', 'payout-b', 'payout-ü"\\'];
const SERVERS = [
  ...(redis ? [['redis', startRedis, readRedis] as const] : []),
  ['postgres', startPostgres, readPostgres] as const,
];

describe.each(SERVERS)('on %s', (_kind, start, read) => {
  const bullmq = queueBench(start, 'one by one');

  /** What is there once the jobs wait, while they run, and when they are done. */
  async function traces(way: 'one by one' | 'in batches') {
    const server = bullmq.server();
    await server.flush();
    const queues = await openQueues({ ...server.options, names: [NAME], log: silent });
    bullmq.closeLater(() => queues.close());
    const [board] = queues.board();
    if (way === 'in batches') await queues.add(NAME, IDS.map(jobOf));
    else await addByBullmq(board, IDS);
    const waiting = await read(server);
    const { promise: hold, resolve: release } = Promise.withResolvers<void>();
    const work = { lockDurationMs: LOCK_MS * 10, concurrency: IDS.length, process: () => hold };
    const worker = way === 'in batches' ? await queues.workInBatches(NAME, work) : await queues.work(NAME, work);
    await expect.poll(async () => (await queues.counts()).payout.active, POLL).toBe(IDS.length);
    const running = await read(server);
    release();
    await expect.poll(async () => (await board?.getJobCounts('completed'))?.completed, POLL).toBe(IDS.length);
    const done = await read(server);
    await worker.close(1_000);
    await queues.close();
    return { waiting, running, done };
  }

  test('a batch leaves what BullMQ leaves', async () => {
    const expected = await traces('one by one');
    const { waiting, running, done } = await traces('in batches');
    expect(waiting).toEqual(expected.waiting);
    expect(running).toEqual(expected.running);
    expect(done).toEqual(expected.done);
    expect(JSON.stringify(done)).toContain('payout-b');
  });

  test('the attempts of a job that failed before are counted by a batch as BullMQ counts them', async () => {
    const counted = async (way: 'one by one' | 'in batches') => {
      const server = bullmq.server();
      await server.flush();
      const queues = await openQueues({ ...server.options, names: [NAME], log: silent });
      bullmq.closeLater(() => queues.close());
      const [board] = queues.board();
      const work = {
        lockDurationMs: LOCK_MS * 10,
        concurrency: IDS.length,
        async process({ id, attemptsMade }: { id: string; attemptsMade: number }) {
          if (id === 'payout-b' && attemptsMade === 0) throw new Error('not yet');
        },
      };
      const worker = way === 'in batches' ? await queues.workInBatches(NAME, work) : await queues.work(NAME, work);
      await queues.add(NAME, IDS.map(jobOf));
      await expect.poll(async () => (await board?.getJobCounts('completed'))?.completed, POLL).toBe(IDS.length);
      const jobs = await Promise.all(IDS.map((id) => board?.getJob(id)));
      await worker.close(1_000);
      await queues.close();
      return jobs.map((job) => ({ id: job?.id, made: job?.attemptsMade, started: job?.attemptsStarted }));
    };
    const expected = await counted('one by one');
    expect(expected.map(({ made }) => made)).toEqual([1, 2, 1]);
    expect(await counted('in batches')).toEqual(expected);
  });

  test('of a paused queue a batch takes nothing, and all of it once it goes on', async () => {
    const queues = await bullmq.openHere();
    const board = queues.board().find(({ name }) => name === NAME);
    const taken: string[] = [];
    const { promise: hold, resolve: release } = Promise.withResolvers<void>();
    await queues.add(NAME, [jobOf('payout-first')]);
    const worker = await queues.workInBatches(NAME, {
      lockDurationMs: LOCK_MS * 10,
      concurrency: 8,
      async process({ id }) {
        taken.push(id);
        await hold;
      },
    });
    bullmq.closeLater(() => worker.close(1_000));
    await expect.poll(() => taken, POLL).toEqual(['payout-first']);
    await board?.pause();
    await queues.add(NAME, ['payout-a', 'payout-b'].map(jobOf));
    release();
    await expect.poll(async () => (await board?.getJobCounts('completed'))?.completed, POLL).toBe(1);
    expect(taken).toEqual(['payout-first']);
    await board?.resume();
    await expect.poll(() => taken.toSorted(), POLL).toEqual(['payout-a', 'payout-b', 'payout-first']);
  });
});

async function addByBullmq(board: Queue | undefined, ids: readonly string[]): Promise<void> {
  await board?.addBulk(ids.map((id) => ({ name: NAME, data: { ...jobOf(id).data }, opts: { jobId: id } })));
}

/** Every key, with what differs between two equal runs (times, ids of events, who holds a lock) made equal. */
async function readRedis({ options }: QueueServer): Promise<Record<string, unknown>> {
  const client = new Redis(options.redisUrl ?? '');
  try {
    const found: Record<string, unknown> = {};
    for (const key of (await client.keys('*')).toSorted()) {
      // When a worker has last looked for lost jobs, and what it then saw.
      if (/:stalled(-check)?$/.test(key)) continue;
      found[key] = timeless(await readKey(client, key));
    }
    return found;
  } finally {
    client.disconnect();
  }
}

async function readKey(client: Redis, key: string): Promise<unknown> {
  const type = await client.type(key);
  if (type === 'hash') return { ...(await client.hgetall(key)), opts: await optionsOf(client, key) };
  if (type === 'list') return (await client.lrange(key, 0, -1)).toSorted();
  if (type === 'zset') return (await client.zrange(key, '0', '-1')).toSorted();
  if (type === 'stream') return (await client.xrange(key, '-', '+')).map(([, fields]) => fields.join(' ')).toSorted();
  return key.endsWith(':lock') ? 'locked' : client.get(key);
}

async function optionsOf(client: Redis, key: string): Promise<unknown> {
  const options = await client.hget(key, 'opts');
  return options === null ? null : JSON.parse(options);
}

async function readPostgres({ options }: QueueServer): Promise<Record<string, unknown>> {
  const client = new pg.Client({ connectionString: options.databaseUrl });
  await client.connect();
  try {
    const jobs = await client.query(
      `SELECT to_jsonb(j) - 'seq' - 'stalled_marked' || jsonb_build_object('lock_token', lock_token IS NOT NULL) AS job
       FROM bullmq.job j ORDER BY id`,
    );
    const events = await client.query(`SELECT event, data FROM bullmq.event WHERE event <> 'drained'`);
    return {
      jobs: jobs.rows.map(({ job }) => timeless(job)),
      events: events.rows.map((event) => JSON.stringify(event)).toSorted(),
    };
  } finally {
    await client.end();
  }
}

function timeless(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll(/"?\b1[789]\d{11}\b"?/g, '"time"'));
}
