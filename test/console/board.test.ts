// The queue board: what it lists on both backends, and everything it refuses to do.

import { randomUUID } from 'node:crypto';
import type { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createBoard } from '../../src/console/board.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { openQueues, type Queues } from '../../src/runtime/queue.ts';
import { createDatabase, type TestDatabase } from '../harness/postgres.ts';
import { redisUrl } from '../harness/redis.ts';

const ID = 'payout-order~17';
const BASE = '/admin/queues';

describe.each([...(redisUrl() === null ? [] : (['redis'] as const)), 'postgres' as const])(
  'the queue board on %s',
  (kind) => {
    let queues: Queues<'payout' | 'transfer'>;
    let board: Hono;
    let database: TestDatabase;

    beforeAll(async () => {
      database = await createDatabase();
      queues = await openQueues({
        redisUrl: kind === 'redis' ? redisUrl() : null,
        databaseUrl: database.url,
        prefix: `{board-${randomUUID()}}`,
        names: ['payout', 'transfer'],
        attempts: { payout: 1 },
        log: silentLogger(),
      });
      board = createBoard({ queues, basePath: BASE });
      await queues.add('payout', [{ id: 'payout-dead', data: { pkid: 'pkid-2' } }]);
      const dead = Promise.withResolvers<unknown>();
      const worker = await queues.work('payout', {
        concurrency: 1,
        lockDurationMs: 60_000,
        process: async () => {
          throw new Error('no');
        },
        onDead: dead.resolve,
      });
      await dead.promise;
      await worker.close(5000);
      await queues.add('payout', [{ id: ID, data: { pkid: 'pkid-1' } }]);
      await queues.schedule('transfer', { id: 'later', everyMs: 3_600_000 });
    });
    afterAll(async () => {
      for (const queue of queues.board()) await queue.obliterate({ force: true });
      await queues.close();
      await database.drop();
    });

    const get = (path: string) => board.request(`${BASE}${path}`);

    test('lists every queue, and jobs under their semantic key', async () => {
      const response = await get('/api/queues?activeQueue=payout&status=waiting&page=1&jobsPerPage=10');
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({
        queues: [
          { name: 'payout', readOnlyMode: true, counts: { waiting: 1, failed: 1 }, jobs: [{ id: ID }] },
          { name: 'transfer', readOnlyMode: true },
        ],
      });
      expect(await (await get(`/api/queues/payout/${ID}`)).json()).toMatchObject({
        job: { id: ID, data: { pkid: 'pkid-1' } },
        status: 'waiting',
      });
    });

    test('shows the server behind it', async () => {
      expect(await (await get('/api/redis/stats')).json()).toHaveProperty('version');
    });

    test.each([
      ['PUT', '/api/queues/payout/payout-dead/retry/failed'],
      ['PUT', '/api/queues/payout/payout-dead/retry'],
      ['PUT', '/api/queues/payout/retry/failed'],
      ['PUT', `/api/queues/payout/${ID}/clean`],
      ['PUT', '/api/queues/payout/payout-dead/clean'],
      ['PUT', '/api/queues/payout/clean/failed'],
      ['PUT', '/api/queues/payout/empty'],
      ['PUT', '/api/queues/payout/obliterate'],
      ['PUT', '/api/queues/payout/promote'],
      ['PUT', '/api/queues/payout/pause'],
      ['PUT', '/api/queues/pause'],
      ['PUT', '/api/queues/resume'],
      ['PUT', '/api/queues/payout/concurrency'],
      ['PUT', '/api/queues/payout/rate-limit'],
      ['PUT', '/api/queues/transfer/job-schedulers/later/remove'],
      ['PUT', '/api/queues/transfer/job-schedulers/later/run'],
      ['PATCH', '/api/queues/transfer/job-schedulers/later'],
      ['PATCH', `/api/queues/payout/${ID}/update-data`],
      ['PATCH', `/api/queues/payout/${ID}/priority`],
      ['POST', '/api/queues/payout/add'],
      ['DELETE', `/api/queues/payout/${ID}`],
    ])('%s %s is refused and changes nothing', async (method, path) => {
      const body = JSON.stringify({ name: 'x', data: {}, concurrency: 1, max: 1, duration: 1000, every: 1000 });
      const headers = { 'Content-Type': 'application/json' };
      const before = await stateOf(queues);
      const response = await board.request(`${BASE}${path}`, { method, body, headers });
      expect(response.status).toBe(405);
      expect(response.headers.get('Allow')).toBe('GET, HEAD');
      expect(await stateOf(queues)).toEqual(before);
    });

    test('a form of another site is refused', async () => {
      const response = await board.request(`http://localhost${BASE}/api/queues/payout/add`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded', Origin: 'https://evil.example' },
        body: 'name=x',
      });
      expect(response.status).toBe(403);
    });

    test('contacts no foreign host and says so to the browser', async () => {
      const response = await get('');
      const page = await response.text();
      expect(response.status).toBe(200);
      expect(page).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
      const policy = response.headers.get('Content-Security-Policy');
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toMatch(/https?:|\*/);
      expect(response.headers.get('X-Content-Type-Options')).toBe('nosniff');
      expect(response.headers.get('Referrer-Policy')).toBe('no-referrer');
    });

    test('serves every file its page names, under the same policy', async () => {
      const page = await (await get('')).text();
      const files = [...page.matchAll(/(?:src|href)="(static\/[^"]+)"/g)].map(([, file]) => file);
      expect(files.length).toBeGreaterThan(4);
      for (const file of files) {
        const response = await get(`/${file}`);
        expect(response.status, file).toBe(200);
        expect(response.headers.get('X-Content-Type-Options')).toBe('nosniff');
        const styles = response.headers.get('Content-Type')?.startsWith('text/css') ? await response.text() : '';
        expect(styles).not.toMatch(/(?:@import|url\()\s*["']?(?:https?:)?\/\//);
      }
    });

    test('its pages can be opened directly, and a trailing slash leads to the page', async () => {
      expect((await get('/queue/payout')).status).toBe(200);
      const response = await get('/');
      expect(response.status).toBe(301);
      expect(new URL(response.headers.get('Location') ?? '').pathname).toBe(BASE);
    });

    test('paths outside the board are not its business', async () => {
      expect((await board.request('/v1/payouts', { method: 'POST' })).status).toBe(404);
      expect((await get('/static/../../package.json')).status).toBe(404);
    });
  },
);

/** All that a call to the board could change. */
function stateOf(queues: Pick<Queues, 'board'>) {
  return Promise.all(
    queues.board().map(async (queue) => ({
      counts: await queue.getJobCounts(),
      paused: await queue.isPaused(),
      concurrency: await queue.getGlobalConcurrency(),
      rateLimit: await queue.getGlobalRateLimit(),
      schedulers: await queue.getJobSchedulers(),
      job: (await queue.getJob(ID))?.asJSON(),
    })),
  );
}
