// What is left of the queue's promises when its server hangs, restarts, forgets or is not there.

import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { createLogger } from '../../src/runtime/logger.ts';
import { openQueues } from '../../src/runtime/queue.ts';
import { freePort } from '../harness/process.ts';
import { addUntilTaken, BACKENDS, idsOf, jobOf, LOCK_MS, NAMES, POLL, queueBench, redis } from './queue-bench.ts';
import { killed, nextOutput, relay, silent, startRedis, startVictim } from './queue-servers.ts';

describe.each(BACKENDS)('in trouble, the queue on %s, jobs taken %s', (kind, way, start) => {
  const { server, openHere, work, closeLater } = queueBench(start, way);

  test('a server that hangs makes add answer false, and when it is back it gets what it missed', async () => {
    const queues = await openHere();
    await server().hang();
    try {
      expect(await queues.add('payout', [jobOf('payout-1')])).toBe(false);
      expect(await queues.add('payout', [jobOf('payout-2')])).toBe(false);
      expect(await queues.ping()).toBe(false);
    } finally {
      server().wake();
    }
    await addUntilTaken(queues, 'payout-3');
    await queues.ready();
    const seen = await work(queues, 'payout');
    const missed = ['payout-1', 'payout-2'];
    await expect.poll(() => idsOf(seen), POLL).toEqual(expect.arrayContaining([...missed, 'payout-3']));
  });

  test('the job of a killed worker is run by another one', async () => {
    const queues = await openHere();
    const victim = startVictim(server(), LOCK_MS);
    closeLater(() => killed(victim));
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
    await server().flush();
    await queues.add('payout', [jobOf('payout-2')]);
    await expect.poll(() => idsOf(seen), POLL).toContain('payout-2');
    await server().restart();
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
    await server().flush();
    release.resolve();
    await queues.add('payout', [jobOf('payout-2')]);
    await expect.poll(() => idsOf(seen), POLL).toEqual(['payout-1', 'payout-2']);
  });

  test('a schedule keeps firing however often it is repeated, and again after a flush', async () => {
    const queues = await openHere();
    const seen = await work(queues, 'maintenance');
    const schedule = () => queues.schedule('maintenance', { id: 'reconcile', everyMs: 300, data: { source: 'test' } });
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
    await server().flush();
    await firedThrice();
    expect(seen.every((job) => job.name === 'reconcile' && job.data.source === 'test')).toBe(true);
  }, 30_000);

  test('processes that start and schedule at the same time do not disturb each other', async () => {
    const processes = await Promise.all([openHere(), openHere(), openHere(), openHere()]);
    const schedule = { id: 'reconcile', everyMs: 60_000 };
    await Promise.all(processes.flatMap((queues) => [1, 2, 3].map(() => queues.schedule('maintenance', schedule))));
    expect(await processes[0]?.board().at(-1)?.getJobSchedulersCount()).toBe(1);
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
});

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

describe.skipIf(!redis)('a Redis that is not up yet', () => {
  test('is waited for, with one line that says so, and used as soon as it is there', async () => {
    const server = await startRedis();
    let isUp = false;
    const real = Number(new URL(server.options.redisUrl ?? '').port);
    const nothing = await freePort();
    const front = await relay(() => (isUp ? real : nothing));
    const lines: string[] = [];
    const destination = new PassThrough();
    destination.on('data', (line: Buffer) => {
      lines.push(line.toString());
      isUp ||= line.includes('waited for');
    });
    const redisUrl = `redis://127.0.0.1:${front.port}`;
    const log = createLogger({ level: 'warn', format: 'json', destination });
    try {
      const queues = await openQueues({ ...server.options, redisUrl, names: NAMES, log, waitMs: 20_000 });
      expect(await queues.ping()).toBe(true);
      await queues.close();
      expect(lines).toEqual([expect.stringMatching(/"reason":"Cannot use Redis.*Redis is waited for, 20 s at most/)]);
    } finally {
      front.server.close();
      await server.stop();
    }
  }, 30_000);

  test('is given up when the time is over', async () => {
    const redisUrl = `redis://127.0.0.1:${await freePort()}`;
    const opening = openQueues({ redisUrl, databaseUrl: '', names: NAMES, log: silent, waitMs: 400 });
    await expect(opening).rejects.toThrow(/ECONNREFUSED.*\. Start it, correct REDIS_URL, or unset REDIS_URL/);
  });

  test('is not one that wants a password: that is told at once', async () => {
    const server = await startRedis();
    try {
      await server.configure?.('requirepass', 'right-word');
      const begun = performance.now();
      const opening = openQueues({ ...server.options, names: NAMES, log: silent, waitMs: 20_000 });
      await expect(opening).rejects.toThrow(/NOAUTH.*correct REDIS_URL/);
      expect(performance.now() - begun).toBeLessThan(20_000);
    } finally {
      await server.stop();
    }
  }, 30_000);
});
