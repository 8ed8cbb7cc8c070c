// The whole program is killed again and again in the middle of its work, each time more of it, and started again.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Home, openHome, type Running, until } from '../harness/process.ts';
import { allFinal, expectBooksAgree, type Operation, type Story, tell } from './story.ts';
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

test('six hundred operations and three kills: everything becomes final and money moved once', async () => {
  const traffic = send(story, { count: COUNT, prefix: 'kill' });

  // While requests come in: our process alone.
  await answeredAtLeast(traffic, COUNT / 2);
  await kill({ sandbox: false, postgres: false });

  // While requests still come in: the providers' stand-in with it.
  await answeredAtLeast(traffic, COUNT + COUNT / 2);
  await kill({ sandbox: true, postgres: false });

  // When everything was accepted and the provider has moved some of the money: the database server too.
  const accepted = await traffic.done;
  await until('some money has moved', async () => (await story.book()).length > COUNT / 4, FINAL_WITHIN_MS);
  const moving = (await story.operations('payouts')).filter(({ status }) => status === 'in_process');
  expect(moving.length).toBeGreaterThan(0);
  await kill({ sandbox: true, postgres: true });

  const payouts = await allFinal(story, { count: COUNT, kind: 'payouts', limitMs: FINAL_WITHIN_MS });
  const transfers = await allFinal(story, { count: COUNT, kind: 'transfers', limitMs: FINAL_WITHIN_MS });
  // What was acknowledged exists, under the identity that was told.
  const kept = new Set([...payouts, ...transfers].map(({ semantic_key, pkid }) => `${semantic_key} ${pkid}`));
  expect(accepted.filter(({ key, pkid }) => !kept.has(`${key} ${pkid}`))).toEqual([]);
  expect(transfers.filter(({ status }) => status !== 'succeeded')).toEqual([]);
  expect(payouts.filter((one) => !endsAsItsWordSays(one)).map(tellEnd)).toEqual([]);
  await expectBooksAgree(story);
  const audit = await home.run(['audit']);
  expect(audit).toMatchObject({ code: 0, stdout: expect.stringContaining('The books are right.') });
}, 240_000);

const REFUSALS: Readonly<Record<string, string>> = {
  acct_decline: 'declined',
  acct_insufficient: 'provider_insufficient_funds',
};

function endsAsItsWordSays({ destination, status, failure }: Operation): boolean {
  const refusal = REFUSALS[destination?.replace(/_\d+$/, '') ?? ''];
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
