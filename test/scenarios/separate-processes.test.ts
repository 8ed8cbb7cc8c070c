// Production's way to run it: an API without workers, workers without an API, and Redis between them. Workers are
// killed and Redis forgets everything, and still every operation ends as it should.

import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort, type Home, openHome, type Running, until } from '../harness/process.ts';
import { redisUrl, startRedis } from '../harness/redis.ts';
import { allFinal, expectBooksAgree, type Story, tell } from './story.ts';
import { answeredAtLeast, openWallets, send } from './traffic.ts';

const COUNT = 150;
const FINAL_WITHIN_MS = 90_000;

describe.skipIf(redisUrl() === null)('on Redis', () => {
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let home: Home;
  let api: Running;
  let worker: Running;
  let story: Story;
  beforeAll(async () => {
    redis = await startRedis();
    home = openHome({ REDIS_URL: redis.url, PORT: String(await freePort()) });
    await home.start('sandbox');
    api = await home.start('api');
    worker = await home.start('worker');
    story = tell(home);
    await openWallets(story);
  });
  afterAll(async () => {
    await home.close();
    await redis.stop();
  });

  test('the worker says that it works on Redis', () => {
    expect(worker.stdout()).toContain('running on redis');
  });

  test('a wait at the API ends when a worker elsewhere is done', async () => {
    const moved = await story.post('/v1/transfers?wait=30', transfer('waited'));
    expect(moved).toMatchObject({ status: 202, json: { status: 'succeeded' } });
  });

  test.each(['meta', 'wait', 'active', '123', 'a:b:c'])('a key named "%s" works like any other', async (key) => {
    const moved = await story.post('/v1/transfers?wait=20', transfer(key));
    expect(moved).toMatchObject({ status: 202, json: { status: 'succeeded', semantic_key: key } });
    const body = { ...payout(key), confirm: true };
    const paid = await story.post('/v1/payouts?wait=20', body);
    expect(paid).toMatchObject({ status: 202, json: { status: 'succeeded', semantic_key: key } });
  });

  test('killed processes and a Redis that forgets everything cost time and no money', async () => {
    const before = (await story.operations('payouts')).length;
    const transfersBefore = (await story.operations('transfers')).length;
    const traffic = send(story, { count: COUNT, prefix: 'redis' });

    await answeredAtLeast(traffic, COUNT / 2);
    await killWorker();
    await answeredAtLeast(traffic, COUNT);
    const client = new Redis(redis.url);
    await client.flushall();
    await api.end('SIGKILL');
    api = await home.start('api');
    await answeredAtLeast(traffic, COUNT + COUNT / 2);
    await killWorker();
    await traffic.done;
    await client.flushall();
    client.disconnect();
    await killWorker();

    const counts = { payouts: before + COUNT, transfers: transfersBefore + COUNT };
    await allFinal(story, { count: counts.payouts, kind: 'payouts', limitMs: FINAL_WITHIN_MS });
    const transfers = await allFinal(story, { count: counts.transfers, kind: 'transfers', limitMs: FINAL_WITHIN_MS });
    expect(transfers.filter(({ status }) => status !== 'succeeded')).toEqual([]);
    await expectBooksAgree(story);
    expect((await home.run(['audit'])).code).toBe(0);
  }, 200_000);

  test('after a flush new work runs at once: nothing waits for a schedule that is gone', async () => {
    const moved = await story.post('/v1/transfers?wait=20', transfer('after-the-flush'));
    expect(moved.json).toMatchObject({ status: 'succeeded' });
    const isReconciled = async () => (await story.get('/readyz')).status === 200;
    await until('reconcile beats', isReconciled, FINAL_WITHIN_MS);
  });

  test('a Redis that may evict jobs is refused at the start, with the fix', async () => {
    const client = new Redis(redis.url);
    await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    const refused = await home.run(['worker']);
    await client.config('SET', 'maxmemory-policy', 'noeviction');
    client.disconnect();
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    const said = refused.stderr.trimEnd().split('\n').at(-1);
    expect(said).toContain('allkeys-lru');
    expect(said).toContain('CONFIG SET maxmemory-policy noeviction');
    expect(refused.stderr).not.toMatch(/^\s+at /m);
  });

  async function killWorker(): Promise<void> {
    expect(await worker.end('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
    worker = await home.start('worker');
  }
});

function transfer(key: string) {
  return { semantic_key: key, from_wallet: 'w-0', to_wallet: 'w-1', amount: '1', currency: 'USD' };
}

function payout(key: string) {
  return {
    semantic_key: key,
    wallet_id: 'w-0',
    amount: '1000',
    currency: 'USD',
    provider: 'stripe',
    destination: 'acct_ok_1',
  };
}
