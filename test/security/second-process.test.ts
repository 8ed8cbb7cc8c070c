// A key that is revoked on the command line is refused by every process that serves, although none of them is told.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Home, openHome, type Running, until } from '../harness/process.ts';

/** What a process believes of a key, and the time in which a busy machine gets round to it. */
const REFUSED_WITHIN_MS = 1_000 + 3_000;

let home: Home;
let processes: readonly Running[];
beforeAll(async () => {
  home = openHome();
  processes = [await home.start('all'), await home.start('api')];
}, 120_000);
afterAll(() => home.close());

async function statusAt({ url }: Running, key: string): Promise<number> {
  const response = await fetch(`${url}/v1/wallets`, { headers: { Authorization: `Bearer ${key}` } });
  await response.arrayBuffer();
  return response.status;
}

const allAnswer = async (key: string, status: number) =>
  (await Promise.all(processes.map((one) => statusAt(one, key)))).every((answered) => answered === status);

test('a key made on the command line opens every process at once, and once revoked none, a second later', async () => {
  expect(new Set(processes.map(({ url }) => url)).size).toBe(2);
  const made = await home.run(['keys', 'create', '--scopes', 'read']);
  const key = made.stdout.trim();
  const [, keyId = ''] = /Key (\S+) \(read\)/.exec(made.stderr) ?? [];
  expect(await allAnswer(key, 200)).toBe(true);

  // Both ask about it all the time, so that each believes what it knew for as long as it may.
  const revoking = home.run(['keys', 'revoke', keyId]);
  const isRevoking = { now: true };
  void revoking.finally(() => {
    isRevoking.now = false;
  });
  while (isRevoking.now) await allAnswer(key, 200);
  expect(await revoking).toMatchObject({ code: 0, stdout: expect.stringContaining(`Revoked ${keyId} `) });
  await until('both processes refuse the key', () => allAnswer(key, 401), REFUSED_WITHIN_MS);

  expect(await allAnswer(home.key, 200)).toBe(true);
  const again = await home.run(['keys', 'revoke', keyId]);
  expect(again.code).toBe(0);
  for (const running of processes) expect(`${running.stdout()}${running.stderr()}`).not.toContain(key);
}, 120_000);
