// A Redis that knows less than the database, or more, or answers nothing: what was accepted is done all the same, and
// what was done is not done again.

import { Redis } from 'ioredis';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import { startWorkers } from '../../src/jobs/worker.ts';
import { type Rig, rowsOf, startRig } from '../api/rig.ts';
import { redisUrl, startRedis } from '../harness/redis.ts';
import { until } from '../harness/until.ts';

const KNOWN = 12;
const FORGOTTEN = 5;

describe.skipIf(redisUrl() === null)('on Redis', () => {
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let client: Redis;
  let rig: Rig;
  beforeEach(async () => {
    redis = await startRedis();
    client = new Redis(redis.url);
  });
  afterEach(async () => {
    await rig.stop();
    client.disconnect();
    await redis.stop();
  });

  test('a Redis that is set back forgets jobs and repeats others, and each payout is made once', async () => {
    // Leases so long that nothing here runs because its time has come.
    rig = await startRig({ REDIS_URL: redis.url, LEASE_MS: '600000' }, { withWorkers: false });
    const { app } = rig.remit;
    await rig.remit.fundedWallet('w', 1_000n);
    await acceptAll('known', KNOWN);
    const older = await copyOf(client);
    await acceptAll('forgotten', FORGOTTEN);
    await setBack(client, older);

    const runs: string[] = [];
    const workers = await startWorkers({ ...app, onRun: ({ queue }) => runs.push(queue) });
    const payoutRuns = async () => runs.filter((queue) => queue === 'payout').length;
    try {
      await until(payoutRuns, (count) => count >= KNOWN);
      expect(await statuses()).toEqual({ succeeded: KNOWN, initialized: FORGOTTEN });
      await sql`UPDATE payout SET due_at = now() WHERE final_at IS NULL`.execute(app.db.sql);
      await app.reconcile.round();
      await app.runner.idle();
      expect(await statuses()).toEqual({ succeeded: KNOWN + FORGOTTEN });

      // Once more: by now every one of its jobs is about a payout that is final.
      const before = await rowsOfPayouts();
      await setBack(client, older);
      await until(payoutRuns, (count) => count >= 2 * KNOWN);
      expect(await rowsOfPayouts()).toEqual(before);
      const paid = rig.remit.sandbox.book().map(({ key }) => key);
      expect(paid.toSorted()).toEqual(pkids().toSorted());
      expect((await app.audit()).ok).toBe(true);
    } finally {
      await workers.close(2_000);
    }
  });

  test('while Redis hangs, what is asked for is accepted, and done when it is due', async () => {
    rig = await startRig({ REDIS_URL: redis.url }, { withWorkers: false });
    await rig.remit.fundedWallet('w', 1_000n);
    process.kill(redis.pid, 'SIGSTOP');
    try {
      rig.remit.app.reconcile.start();
      await acceptAll('known', KNOWN);
      await until(statuses, ({ succeeded }) => succeeded === KNOWN);
    } finally {
      process.kill(redis.pid, 'SIGCONT');
    }
    expect(rig.remit.sandbox.book()).toHaveLength(KNOWN);
  });

  async function acceptAll(name: string, count: number): Promise<void> {
    const asked = Array.from({ length: count }, (_, index) => {
      const money = { wallet_id: 'w', amount: '1', currency: 'USD', provider: 'stripe', destination: 'acct_ok_1' };
      return rig.post('/v1/payouts', { ...money, semantic_key: `${name}-${index}`, confirm: true });
    });
    expect(new Set((await Promise.all(asked)).map(({ status }) => status))).toEqual(new Set([202]));
  }

  async function rowsOfPayouts() {
    return rowsOf(await rig.get('/v1/payouts?limit=500'));
  }

  async function statuses(): Promise<Record<string, number>> {
    const found = Map.groupBy(await rowsOfPayouts(), ({ status }) => String(status));
    return Object.fromEntries([...found].map(([status, rows]) => [status, rows.length]));
  }
});

function pkids(): string[] {
  const keys = [
    ...Array.from({ length: KNOWN }, (_, index) => `known-${index}`),
    ...Array.from({ length: FORGOTTEN }, (_, index) => `forgotten-${index}`),
  ];
  return keys.map((key) => pkidOf('payout', key));
}

/** Every key with its value, as a dump on disk has it. */
async function copyOf(client: Redis): Promise<ReadonlyMap<string, Buffer>> {
  const keys = await client.keys('*');
  const values = await Promise.all(keys.map(async (key) => [key, await client.dumpBuffer(key)] as const));
  return new Map(values);
}

/** In one transaction, as a server that starts from its dump: nobody sees half of it. */
async function setBack(client: Redis, copy: ReadonlyMap<string, Buffer>): Promise<void> {
  const steps = client.multi().flushall();
  for (const [key, value] of copy) steps.restore(key, 0, value);
  await steps.exec();
}
