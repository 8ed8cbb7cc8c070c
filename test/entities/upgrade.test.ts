// An upgrade: today's program on the database of every earlier release, which was stopped with rows in every state.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { migrations } from '../../src/entities/migrations/list.ts';
import { migrate, openDb } from '../../src/runtime/db.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { type Rig, rowsOf, startRig } from '../api/rig.ts';
import type { TestDatabase } from '../harness/postgres.ts';
import { openHome } from '../harness/process.ts';
import { openReceiver } from '../harness/receiver.ts';
import { until } from '../harness/until.ts';
import { payoutRequest } from './released-books.ts';
import { databaseOf, fill, type Had } from './released-database.ts';
import { STATES } from './released-payment.ts';

const NAMES = migrations.map(({ name }) => name);
/** Every set of migrations that some release consisted of; a new migration makes one more. */
const RELEASES = NAMES.map((last, index) => ({ last, left: NAMES.slice(index + 1) }));
/** Processes of a new version that start at once. */
const STARTING = 3;

/** What a released migration is for ever. A new one gets its line when it is released. */
const RELEASED: Readonly<Record<string, string>> = {
  '0001-payouts-and-transfers': 'a7dc3114826b8dbb2baa60ba622ca75f9e4cd75c55a93e879e089d981e430dd3',
  '0002-checkouts': '37aca5a1ddcc4242a45fc93f112b7e6a577b638c54521428353615001719dce2',
  '0003-webhooks-out': 'b371c0a18e10b43d4dc375ff4832235739907e92a88848ce0f71f0e128f97b17',
  '0004-external-payments': '1a7132666fdbbe4841ad0751eb8cb84af39576f71a479a2a2199917c98fb6c41',
};

test('a released migration is never edited', () => {
  const digests = Object.keys(RELEASED).map((name) => {
    const text = readFileSync(new URL(`../../src/entities/migrations/${name}.sql`, import.meta.url), 'utf8');
    return [name, createHash('sha256').update(text.replaceAll('\r', '')).digest('hex')];
  });
  expect(Object.fromEntries(digests)).toEqual(RELEASED);
  expect(NAMES.slice(0, digests.length)).toEqual(Object.keys(RELEASED));
});

test('processes that migrate at once take turns: one of them does all of it, and every one goes on', async () => {
  const database = await databaseOf(NAMES[0] ?? '');
  const home = openHome({ DATABASE_URL: database.url, REMIT_UNSAFE_DURABILITY: '1' });
  try {
    const runs = await Promise.all(Array.from({ length: STARTING }, () => home.run(['migrate'])));
    expect(runs.map(({ code }) => code)).toEqual([0, 0, 0]);
    const idle = Array.from({ length: STARTING - 1 }, () => 'Migrations: nothing to do\n');
    expect(runs.map(({ stdout }) => stdout).toSorted()).toEqual(
      [`Migrations: ${NAMES.slice(1).join(', ')}\n`, ...idle].toSorted(),
    );
  } finally {
    await home.close();
    await database.drop();
  }
}, 90_000);

test('a migration that fails leaves the database as the earlier release had it', async () => {
  const database = await databaseOf(NAMES[0] ?? '');
  const db = await openDb(database.url, { log: silentLogger() });
  const schema = async () =>
    (
      await sql`SELECT table_name, column_name FROM information_schema.columns
      WHERE table_schema = 'public' ORDER BY 1, 2`.execute(db.sql)
    ).rows;
  try {
    // What 0003 wants to create is there already, after all that 0002 does.
    await sql`CREATE TABLE outgoing_event (in_the_way int)`.execute(db.sql);
    const before = await schema();
    await expect(migrate(db)).rejects.toThrow('outgoing_event');
    expect(await schema()).toEqual(before);
    await sql`DROP TABLE outgoing_event`.execute(db.sql);
    expect(await migrate(db)).toEqual(NAMES.slice(1));
  } finally {
    await db.close();
    await database.drop();
  }
});

describe.each(RELEASES)('on the database of the release that ended with $last', ({ last, left }) => {
  let rig: Rig;
  let platform: Awaited<ReturnType<typeof openReceiver>>;
  let applied: string[][] = [];
  let had: Had;
  const heard: string[] = [];
  beforeAll(async () => {
    platform = await openReceiver();
    platform.handTo(async ({ raw }) => heard.push(raw.toString('utf8')));
    rig = await startRig(
      { WEBHOOK_ALLOW_HOSTS: new URL(platform.url).host },
      {
        async makeDatabase(sandboxUrl) {
          const database = await databaseOf(last);
          had = await fill(database, { sandboxUrl, listenerUrl: platform.url });
          applied = await migrateAtOnce(database);
          return database;
        },
      },
    );
  });
  afterAll(async () => {
    await rig.stop();
    platform.close();
  });

  test('what is missing is migrated once, however many start', () => {
    expect(applied).toHaveLength(STARTING);
    expect(applied.flat()).toEqual(left);
  });

  test('what was unfinished is finished, once, and what was at rest or in review stays', async () => {
    for (const kind of ['payout', 'payin', 'refund'].filter((one) => had.has(one))) {
      const { path, key, states } = PAYMENTS[kind] ?? NO_PAYMENTS;
      for (const state of states) {
        const ended = await until(
          async () => (await rig.get(`${path}/${encodeURIComponent(`${key}:${state}`)}`)).json,
          ({ status }) => status === ENDS_AS[state],
        );
        expect({ state, review: ended.review !== null }).toEqual({ state, review: state === 'review' });
      }
    }
    await until(unfinished, (count) => count === 0);
    expect(await rig.get('/v1/transfers/waiting')).toMatchObject({ json: { status: 'succeeded' } });
    expect(rowsOf(await rig.get('/v1/transfers?status=failed'))).toMatchObject([{ semantic_key: 'refused' }]);
    const moved = Map.groupBy(rig.remit.sandbox.book(), ({ key, direction }) => `${direction} ${key}`);
    expect([...moved.values()].filter((rows) => rows.length > 1)).toEqual([]);
    expect(await auditFinds()).toEqual([]);
  });

  test('every list shows what was there, and every operation can be read with its timeline', async () => {
    for (const [path, table] of Object.entries(LISTS)) {
      const { status, json } = await rig.get(`${path}?limit=500`);
      expect({ path, status }).toEqual({ path, status: 200 });
      expect({ path, rows: rowsOf({ json }).length >= (had.counts.get(table) ?? 0) }).toEqual({ path, rows: true });
    }
    for (const path of ['/v1/payouts', '/v1/payins', '/v1/refunds', '/v1/transfers']) {
      for (const { semantic_key: key } of rowsOf(await rig.get(`${path}?limit=500`))) {
        const timeline = await rig.get(`${path}/${encodeURIComponent(String(key))}/timeline`);
        expect({ key, status: timeline.status, isEmpty: rowsOf(timeline).length === 0 }).toEqual({
          key,
          status: 200,
          isEmpty: false,
        });
      }
    }
    const { json } = await rig.get('/v1/trial-balance?currency=USD');
    expect(json).toMatchObject({ total: '0' });
  });

  test('a request from before the upgrade is known, and new ones are done', async () => {
    const known = await rig.post('/v1/payouts', { semantic_key: 'out:succeeded', ...payoutRequest('succeeded') });
    expect(known).toMatchObject({ status: 200, json: { status: 'succeeded' } });
    const fresh = { ...payoutRequest('confirmed'), semantic_key: 'out:fresh', confirm: true };
    expect(await rig.post('/v1/payouts?wait=20', fresh)).toMatchObject({ status: 202, json: { status: 'succeeded' } });
    const verdict = { verdict: 'failed', reason: 'Not paid, says the provider.' };
    // Reconcile asks about it as well, and as long as a worker asks, who decides is told to try again.
    const resolved = await until(
      () => rig.post('/v1/payouts/out:review/resolve', verdict),
      ({ json }) => !/asking the provider right now/.test(JSON.stringify(json)),
    );
    expect(resolved).toMatchObject({ json: { status: 'failed' } });
    expect(await auditFinds()).toEqual([]);
  });

  test('an event that its listener had not heard is told', async () => {
    if (!had.has('delivery')) return;
    await until(
      async () => heard.filter((raw) => raw.includes('"out:succeeded"')),
      (told) => told.length > 0,
    );
  });

  async function auditFinds(): Promise<unknown> {
    const { checks } = await rig.remit.app.audit();
    return checks.filter(({ violations }) => violations.length > 0);
  }

  /** Of everything that reconcile looks after, but for what waits for a person. */
  async function unfinished(): Promise<number> {
    const { rows } = await sql<{ count: string }>`
      SELECT (SELECT count(*) FROM transfer WHERE due_at IS NOT NULL)
           + (SELECT count(*) FROM provider_event WHERE due_at IS NOT NULL)
           + (SELECT count(*) FROM checkout WHERE due_at IS NOT NULL) AS count`.execute(rig.remit.app.db.sql);
    return Number(rows[0]?.count);
  }
});

const ENDS_AS = {
  resting: 'initialized',
  confirmed: 'succeeded',
  leased: 'succeeded',
  asked: 'succeeded',
  review: 'in_process',
  succeeded: 'succeeded',
  failed: 'failed',
} as const satisfies Record<(typeof STATES)[number], string>;
const PAYMENTS: Readonly<Record<string, Payments>> = {
  payout: { path: '/v1/payouts', key: 'out', states: STATES },
  payin: { path: '/v1/payins', key: 'pay', states: STATES.filter((state) => state !== 'succeeded') },
  refund: { path: '/v1/refunds', key: 'back', states: ['confirmed', 'leased', 'succeeded', 'failed'] },
};
interface Payments {
  readonly path: string;
  readonly key: string;
  readonly states: readonly (typeof STATES)[number][];
}
const NO_PAYMENTS: Payments = { path: '', key: '', states: [] };
const LISTS = {
  '/v1/wallets': 'wallet',
  '/v1/postings': 'posting',
  '/v1/payouts': 'payout',
  '/v1/transfers': 'transfer',
  '/v1/payees': 'payee',
  '/v1/wallets/ann/entries': 'transfer',
  '/v1/checkouts': 'checkout',
  '/v1/orders': 'seller_order',
  '/v1/payins': 'payin',
  '/v1/refunds': 'refund',
  '/v1/disputes': 'dispute',
  '/v1/unapplied': 'unapplied',
  '/v1/discrepancies': 'discrepancy',
  '/v1/webhook-endpoints': 'webhook_endpoint',
} as const;

async function migrateAtOnce({ url }: TestDatabase): Promise<string[][]> {
  const processes = await Promise.all(Array.from({ length: STARTING }, () => openDb(url, { log: silentLogger() })));
  const applied = await Promise.all(processes.map(migrate));
  await Promise.all(processes.map((db) => db.close()));
  return applied;
}
