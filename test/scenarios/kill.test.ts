// The whole program is killed again and again in the middle of its work, each time more of it, and started again.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Home, openHome, type Running, until } from '../harness/process.ts';
import { allFinal, expectBooksAgree, FINAL, type Operation, type Story, tell } from './story.ts';
import { answeredAtLeast, openWallets, send } from './traffic.ts';

const COUNT = 300;
const FINAL_WITHIN_MS = 90_000;

let home: Home;
let remit: Running;
let story: Story;
beforeAll(async () => {
  home = openHome();
  remit = await home.start('all');
  story = tell(home);
  await openWallets(story);
});
afterAll(() => home.close());

test('six hundred operations, three kills and a restart: all of it ends, and money moved once', async () => {
  const traffic = send(story, { count: COUNT, prefix: 'kill' });

  // While requests come in: our process alone.
  await answeredAtLeast(traffic, COUNT / 2);
  await kill({ sandbox: false, postgres: false });

  // A stop in order at full work, as for a new version.
  await answeredAtLeast(traffic, COUNT);
  await rememberFinals();
  expect(await remit.end('SIGTERM')).toEqual({ code: 0, signal: null });
  remit = await home.start('all');

  // While requests still come in: the providers' stand-in with it.
  await answeredAtLeast(traffic, COUNT + COUNT / 2);
  await kill({ sandbox: true, postgres: false });

  // When everything was accepted and the provider has moved some of the money: the database server too.
  const accepted = await traffic.done;
  await until('some money has moved', async () => (await story.book()).length > COUNT / 4, FINAL_WITHIN_MS);
  const moving = (await story.operations('payouts')).filter(({ status }) => status === 'in_process');
  expect(moving.length).toBeGreaterThan(0);
  await rememberFinals();
  await kill({ sandbox: true, postgres: true });

  const payouts = await allFinal(story, { count: COUNT, kind: 'payouts', limitMs: FINAL_WITHIN_MS });
  const transfers = await allFinal(story, { count: COUNT, kind: 'transfers', limitMs: FINAL_WITHIN_MS });
  // What was acknowledged exists, under the identity that was told.
  const kept = new Set([...payouts, ...transfers].map(({ semantic_key, pkid }) => `${semantic_key} ${pkid}`));
  expect(accepted.filter(({ key, pkid }) => !kept.has(`${key} ${pkid}`))).toEqual([]);
  expect(transfers.filter(({ status }) => status !== 'succeeded')).toEqual([]);
  expect(payouts.filter((one) => !endsAsItsWordSays(one)).map(tellEnd)).toEqual([]);
  const changed = [...payouts, ...transfers].filter(({ pkid, status }) => (finals.get(pkid) ?? status) !== status);
  expect(changed).toEqual([]);
  await expectBooksAgree(story);
  const audit = await home.run(['audit']);
  expect(audit).toMatchObject({ code: 0, stdout: expect.stringContaining('The books are right.') });
}, 240_000);

/** What was shown as final once. */
const finals = new Map<string, string>();

async function rememberFinals(): Promise<void> {
  const shown = [...(await story.operations('payouts')), ...(await story.operations('transfers'))];
  for (const { pkid, status } of shown) if (FINAL.includes(status)) finals.set(pkid, status);
  expect(finals.size).toBeGreaterThan(0);
}

const REFUSALS: Readonly<Record<string, string>> = {
  acct_decline: 'declined',
  acct_insufficient: 'provider_insufficient_funds',
  acct_error_stored: 'provider_error',
};

function endsAsItsWordSays({ provider, destination, status, failure }: Operation): boolean {
  const word = destination?.replace(/_\d+$/, '') ?? '';
  // A Stripe transfer that is refused late was refused for want of our own funds there.
  const late = provider === 'stripe' ? 'provider_insufficient_funds' : 'declined';
  const refusal = word === 'acct_pending_then_fail' ? late : REFUSALS[word];
  return refusal === undefined ? status === 'succeeded' : failure?.code === refusal;
}

function tellEnd({ semantic_key, provider, destination, status, failure }: Operation): string {
  return `${semantic_key} to ${destination} by ${provider}: ${status} ${failure?.code} ${failure?.detail}`;
}

async function kill(also: { sandbox: boolean; postgres: boolean }): Promise<void> {
  const { sandbox } = remit.children();
  const postgres = home.postgresPid();
  remit.signal('SIGKILL');
  if (also.sandbox && sandbox !== null) process.kill(sandbox, 'SIGKILL');
  if (also.postgres && postgres !== null) process.kill(postgres, 'SIGKILL');
  expect(await remit.exited).toEqual({ code: null, signal: 'SIGKILL' });
  remit = await home.start('all');
}
