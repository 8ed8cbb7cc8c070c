// The drill of docs/backup.md: the database is lost and an older copy takes its place, while the providers, the shop
// and the queue remember everything that came after it. The providers have even forgotten our keys meanwhile.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { jobIdOf, pkidOf } from '../../src/domain/id.ts';
import { QUEUE_NAMES } from '../../src/jobs/queues.ts';
import { fileStatement, type Looked, readStatement } from '../../src/jobs/statement.ts';
import { type Db, openDb } from '../../src/runtime/db.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { openQueues } from '../../src/runtime/queue.ts';
import { cloneDatabase } from '../harness/ledger.ts';
import { createDatabase, type TestDatabase } from '../harness/postgres.ts';
import { type Home, openHome, type Running, until } from '../harness/process.ts';
import { redisUrl, startRedis, type TestRedis } from '../harness/redis.ts';
import { expectMarketAgrees, finalAt, openSeller } from './market.ts';
import {
  AFTERWARDS,
  askForAll,
  askForLost,
  askForPayout,
  type Listed,
  LOST_PAYIN,
  LOST_PAYOUT,
  listAll,
  type Moved,
  openBooks,
  REPEATED,
  readMoved,
  TOO_SOON,
} from './restored-shop.ts';
import { type BookRow, type Json, type Story, tell, violations } from './story.ts';

const WITHIN_MS = 60_000;
const UNSAFE = { REMIT_UNSAFE_DURABILITY: '1' };
/** Longer than a call may take: until this is taken back, no answer comes. */
const SILENT_MS = 10_000;
const SLOW = { semantic_key: 'out-slow', wallet_id: 'ann', amount: '90', currency: 'USD', provider: 'stripe' };

let redis: TestRedis | null = null;
let home: Home;
let remit: Running;
let story: Story;
let original: TestDatabase;
let copy: TestDatabase;
/** The same once more, for whoever forgets AFTER_RESTORE. */
let plainCopy: TestDatabase;
let db: Db;
/** What the providers' own lists show of the time after the copy, and what they have moved in all. */
let listed: readonly Listed[];
let book: readonly BookRow[];

beforeAll(async () => {
  redis = redisUrl() === null ? null : await startRedis();
  original = await createDatabase();
  home = openHome({ ...UNSAFE, ...(redis === null ? {} : { REDIS_URL: redis.url }) });
  story = tell(home);
  await startOn(original);
  await openBooks(story);
  // Under way when the copy is taken: the provider pays, and nobody hears of it.
  await story.sandbox('POST', '/_sandbox/faults', { rates: {}, latency_ms: SILENT_MS });
  await story.insist('/v1/payouts', { ...SLOW, destination: 'acct_ok_1', confirm: true });
  await until('the payout is out', async () => (await bookOf('out-slow')).length === 1, WITHIN_MS);
  await remit.end('SIGKILL');
  copy = await until('nobody is connected', () => cloneDatabase(original.url).catch(() => null), WITHIN_MS);
  plainCopy = await cloneDatabase(copy.url);

  await startOn(original);
  await finalAt(story, '/v1/payouts/out-slow');
  await askForAll(story);
  await askForPayout(story, TOO_SOON, 'dan');
  await askForLost(story);
  listed = await listAll(story);
  book = await story.book();
  await remit.end('SIGTERM');
  db = await openDb(copy.url, { log: silentLogger() });
}, 240_000);
afterAll(async () => {
  await db?.close();
  await home.close();
  await redis?.stop();
  await Promise.all([original.drop(), copy.drop(), plainCopy.drop()]);
});

test('the copy is right in itself, so its audit says nothing of what came after it', async () => {
  const audit = await home.run(['audit'], { DATABASE_URL: copy.url });
  expect(audit).toMatchObject({ code: 0, stdout: expect.stringContaining('The books are right.') });
  expect(listed).toHaveLength(AFTERWARDS.length);
});

describe('on the copy, with providers that have forgotten every key', { timeout: 120_000 }, () => {
  let queues: Awaited<ReturnType<typeof openQueues<(typeof QUEUE_NAMES)[number]>>>;
  beforeAll(async () => {
    queues = await openQueues({
      redisUrl: redis?.url ?? null,
      databaseUrl: copy.url,
      names: QUEUE_NAMES,
      log: silentLogger(),
    });
    for (const { kind, key } of [...REPEATED, LOST_PAYOUT]) {
      const job = { id: jobIdOf(kind, `${key}-again`), data: { pkid: pkidOf(kind, key) } };
      expect(await queues.add(kind, [job])).toBe(true);
    }
    await startOn(copy);
  }, 120_000);
  afterAll(() => queues.close());

  test('a queue that is newer than the database does nothing', async () => {
    const waiting = async () => Object.values(await queues.counts()).reduce((sum, one) => sum + one.waiting, 0);
    await until('every job has run', async () => (await waiting()) === 0, WITHIN_MS);
    const failed = Object.values(await queues.counts()).reduce((sum, one) => sum + one.failed, 0);
    expect(failed).toBe(0);
    expect((await story.get('/v1/payouts/out-lost')).status).toBe(404);
    expect(await violations(story)).toEqual([]);
  });

  test('a payout that was under way is found, and not paid again', async () => {
    await finalAt(story, '/v1/payouts/out-slow');
    expect(await readMoved(story, { kind: 'payout', key: 'out-slow' })).toMatchObject({ status: 'succeeded' });
    expect(await story.book()).toEqual(book);
  });

  test("the providers' own lists show what the books do not have: each is told, with money and age", async () => {
    const payouts = linesOf(({ kind, provider }) => kind === 'payout' && provider === 'stripe');
    const file = join(home.folder, 'payouts.txt');
    writeFileSync(file, payouts.map(({ externId, pkid }) => `${externId},${pkid}\n`).join(''));
    const told = await home.run(['statement', file, '--provider', 'stripe', '--kind', 'payout'], {
      DATABASE_URL: copy.url,
    });
    expect(told).toMatchObject({ code: 1, stdout: expect.stringContaining(`Looked at: ${payouts.length} unmatched`) });
    for (const one of OTHER_LISTS)
      expect(await look(one)).toMatchObject({ open: 0, outcomes: { unmatched: expect.any(Number) } });

    const found = await discrepancies();
    const shown = listed.map(({ externId }) => found.find((row) => String(row.extern_payment_id) === externId));
    expect(shown).toEqual(listed.map(toldOf));
    expect(found).toHaveLength(listed.length);
    expect(await story.book()).toEqual(book);
  });

  test('a payout that is repeated before its seller has the money again fails here, and is told as paid', async () => {
    await openSeller(story, 'dan');
    expect(await askForPayout(story, TOO_SOON, 'dan')).toMatchObject({
      status: 'failed',
      failure: { code: 'insufficient_funds' },
    });
  });

  test.skipIf(redisUrl() === null)(
    'an emptied queue is as good, and keeps no request waiting for its lease',
    async () => {
      const client = new Redis(redis?.url ?? '');
      await client.flushall();
      client.disconnect();
      const moved = {
        semantic_key: 'after-the-flush',
        from_wallet: 'ann',
        to_wallet: 'bob',
        amount: '1',
        currency: 'USD',
      };
      expect(await story.post('/v1/transfers?wait=20', moved)).toMatchObject({ json: { status: 'succeeded' } });
    },
  );

  test('what the shop repeats is found under the same ids, and nothing is paid twice', async () => {
    await askForAll(story);
    for (const one of listed.filter(({ key }) => REPEATED.some((repeated) => repeated.key === key))) {
      const { status, pkid, extern_payment_id: externId } = await readMoved(story, one);
      expect({ key: one.key, status, pkid, externId }).toEqual({
        key: one.key,
        status: 'succeeded',
        pkid: pkidOf(one.kind, one.key),
        externId: one.externId,
      });
    }
    expect(await story.book()).toEqual(book);
    expect(await violations(story)).toEqual([]);
  });

  test('the same lists again close what is here again; what nobody knows stays open until it is booked', async () => {
    for (const one of [...OTHER_LISTS, { provider: 'stripe', kind: 'payout' } as const]) await look(one);
    const open = await discrepancies();
    const told = open.map((row) => [row.reason, keyOf(String(row.extern_payment_id)), row.amount].join(' '));
    expect(told.toSorted()).toEqual([
      'paid_but_failed out-poor 4000',
      'unmatched_event out-lost 700',
      'unmatched_event pay-lost 2000',
    ]);
    await bookByHand(LOST_PAYIN, { from: '@bank:USD', to: '@provider:stripe:USD', wallet: 'cid', sign: '' });
    await bookByHand(LOST_PAYOUT, { from: '@provider:stripe:USD', to: '@bank:USD', wallet: 'ann', sign: '-' });
    await bookByHand(TOO_SOON, { from: '@provider:stripe:USD', to: '@bank:USD', wallet: 'dan', sign: '-' });
    for (const { discrepancy_id: id } of open) {
      const closed = await story.post(`/v1/discrepancies/${String(id)}/resolve`, { reason: 'Booked by hand.' });
      expect(closed.status).toBe(200);
    }
    expect(await discrepancies()).toEqual([]);
    await expectMarketAgrees(story);
    expect(await story.book()).toEqual(book);
  });

  test('new payments are sent as ever', async () => {
    const fresh: Moved = { kind: 'payout', key: 'out-fresh', provider: 'stripe', amount: '10' };
    expect(await askForPayout(story, fresh, 'ann')).toMatchObject({ status: 'succeeded' });
    expect(await bookOf('out-fresh')).toHaveLength(1);
    await expectMarketAgrees(story);
  });
});

test('while a provider remembers our keys, a repeat meets its payment also without a look-up', async () => {
  await remit.end('SIGTERM');
  await startOn(plainCopy);
  const before = await story.book();
  for (const one of REPEATED.filter(({ key }) => key === 'out-stripe' || key === 'out-paypal')) {
    expect(await askForPayout(story, one, 'ann')).toMatchObject({
      status: 'succeeded',
      extern_payment_id: listed.find(({ key }) => key === one.key)?.externId,
    });
    const calls: { data: { method: string }[] } = Object(
      await story.sandbox('GET', `/_sandbox/calls?key=${pkidOf('payout', one.key)}`),
    );
    expect(calls.data.filter(({ method }) => method === 'POST')).toHaveLength(1);
  }
  expect(await story.book()).toEqual(before);
}, 120_000);

/** The lists besides the one that goes through the command. */
const OTHER_LISTS = [
  { provider: 'stripe', kind: 'payin' },
  { provider: 'stripe', kind: 'refund' },
  { provider: 'paypal', kind: 'payin' },
  { provider: 'paypal', kind: 'payout' },
  { provider: 'square', kind: 'payin' },
  { provider: 'tipalti', kind: 'payout' },
] as const satisfies readonly List[];
type List = Pick<Listed, 'provider' | 'kind'>;

async function startOn(database: TestDatabase): Promise<void> {
  const isCopy = database === copy;
  remit = await home.start('all', { env: { DATABASE_URL: database.url, AFTER_RESTORE: isCopy ? '1' : '0' } });
  if (isCopy) await story.sandbox('POST', '/_sandbox/retention', { ms: 0 });
}

async function bookOf(key: string): Promise<BookRow[]> {
  return (await story.book()).filter((row) => row.key === pkidOf('payout', key));
}

function linesOf(isMeant: (one: Listed) => boolean) {
  return listed.filter(isMeant).map(({ externId, kind, key }) => ({ externId, pkid: pkidOf(kind, key) }));
}

/** Files a list, and waits until every line was looked at. */
async function look({ provider, kind }: List): Promise<Looked> {
  const lines = linesOf((one) => one.provider === provider && one.kind === kind);
  // Only a payout has to be told what we call it.
  const given = kind === 'payout' ? lines : lines.map(({ externId }) => ({ externId, pkid: null }));
  const filed = await fileStatement(db, { provider, kind, lines: given });
  return until('every line was looked at', async () => isDone(await readStatement(db, filed)), WITHIN_MS);
}

const isDone = (looked: Looked) => (looked.open === 0 ? looked : null);

async function discrepancies(): Promise<Json[]> {
  const attention: { discrepancies: Json[] } = Object((await story.get('/v1/attention')).json);
  return attention.discrepancies;
}

function toldOf({ externId, kind, key, provider, amount }: Listed) {
  const what = { reason: 'unmatched_event', provider, kind, pkid: pkidOf(kind, key), extern_payment_id: externId };
  return expect.objectContaining({ ...what, amount, currency: 'USD', age_seconds: expect.any(Number) });
}

function keyOf(externId: string): string {
  return listed.find((one) => one.externId === externId)?.key ?? externId;
}

/** What a person does with money that has no operation any more: where it is, and whose it was. */
async function bookByHand(
  { key, amount }: Moved,
  { from, to, wallet, sign }: { from: string; to: string; wallet: string; sign: '' | '-' },
): Promise<void> {
  const money = { amount, currency: 'USD' };
  const treasury = { semantic_key: `lost:${key}`, from, to, ...money, reference: key };
  expect((await story.post('/v1/treasury', treasury)).status).toBe(201);
  const adjustment = {
    semantic_key: `lost:${key}`,
    wallet_id: wallet,
    ...money,
    amount: `${sign}${amount}`,
    reason: key,
  };
  expect((await story.post('/v1/adjustments', adjustment)).status).toBe(201);
}
