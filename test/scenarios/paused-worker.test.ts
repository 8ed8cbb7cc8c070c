// Two workers on the queue in PostgreSQL. One is stopped in the middle of its work, as by a virtual machine that is
// moved, and comes back later believing that nothing happened.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort, type Home, openHome, type Running, until } from '../harness/process.ts';
import { allFinal, expectBooksAgree, type Story, tell } from './story.ts';
import { openWallets, send } from './traffic.ts';

const COUNT = 100;
const FINAL_WITHIN_MS = 90_000;

let home: Home;
let first: Running;
let story: Story;
beforeAll(async () => {
  home = openHome({ PORT: String(await freePort()) });
  await home.start('sandbox');
  await home.start('api');
  first = await home.start('worker');
  story = tell(home);
  await openWallets(story);
});
afterAll(() => home.close());

test('a wait at an API without workers ends when a worker elsewhere is done', async () => {
  const body = { semantic_key: 'waited', from_wallet: 'w-0', to_wallet: 'w-1', amount: '5', currency: 'USD' };
  const moved = await story.post('/v1/transfers?wait=30', body);
  expect(moved).toMatchObject({ status: 202, json: { status: 'succeeded' } });
  const read = await story.get('/v1/transfers/waited?wait=30');
  expect(read).toMatchObject({ status: 200, json: { status: 'succeeded' } });
});

test('what a paused worker held is finished by another, and its return does no harm', async () => {
  const databaseUrl = await home.databaseUrl();
  const traffic = send(story, { count: COUNT, prefix: 'pause' });
  const isAtWork = async () => {
    const payouts = await story.operations('payouts');
    return payouts.filter(({ status }) => status === 'in_process').length >= COUNT / 5;
  };
  await until('the worker is in the middle of its work', isAtWork, FINAL_WITHIN_MS);
  first.signal('SIGSTOP');

  const second = await home.start('worker', { env: { DATABASE_URL: databaseUrl } });
  await traffic.done;
  const payouts = await allFinal(story, { count: COUNT, kind: 'payouts', limitMs: FINAL_WITHIN_MS });
  await allFinal(story, { count: COUNT + 1, kind: 'transfers', limitMs: FINAL_WITHIN_MS });
  await expectBooksAgree(story);

  first.signal('SIGCONT');
  // It works again: with the other one gone, new work can only be its own.
  expect(await second.end('SIGTERM')).toEqual({ code: 0, signal: null });
  await send(story, { count: 12, prefix: 'after' }).done;
  const later = await allFinal(story, { count: COUNT + 12, kind: 'payouts', limitMs: FINAL_WITHIN_MS });
  await allFinal(story, { count: COUNT + 13, kind: 'transfers', limitMs: FINAL_WITHIN_MS });
  const ends = new Map(later.map(({ pkid, status }) => [pkid, status]));
  expect(payouts.filter(({ pkid, status }) => ends.get(pkid) !== status)).toEqual([]);
  expect(await first.end('SIGTERM')).toEqual({ code: 0, signal: null });
  await expectBooksAgree(story);
}, 200_000);

test('when no worker reconciles any more, the API says that it is not ready, and why', async () => {
  const readiness = async () => {
    const answer = await fetch(`${home.url()}/readyz`);
    return { status: answer.status, body: await answer.json() };
  };
  await until('the heartbeat is too old', async () => (await readiness()).status === 503, FINAL_WITHIN_MS);
  expect((await readiness()).body).toMatchObject({ ok: false, checks: { reconcile: { ok: false } } });
  await home.start('worker');
  await until('a worker reconciles again', async () => (await readiness()).status === 200, FINAL_WITHIN_MS);
});
