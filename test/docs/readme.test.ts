// The README's first payment is executed as it is printed: its commands run in a shell against a started remit, and
// what comes back is what the page shows, but for ids and times that cannot be the same twice.

import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type DemoPlace, startDemoProcess } from '../../src/cli/demo-process.ts';

const root = new URL('../../', import.meta.url);
const readme = readFileSync(new URL('README.md', root), 'utf8');

const remit = startDemoProcess();
let place: DemoPlace;
beforeAll(async () => {
  place = await remit.ready;
});
afterAll(() => remit.stop());

it('every command of the first payment answers what the README shows', async () => {
  const exchanges = exchangesIn(readme);
  expect(exchanges.length).toBeGreaterThanOrEqual(12);
  for (const { command, shown } of exchanges) {
    const { stdout } = await runInShell(command);
    expect(steady(JSON.parse(stdout)), command).toEqual(steady(JSON.parse(shown)));
  }
});

it('the README shows a transfer, a batch, and how a wallet is funded', () => {
  for (const path of ['adjustments', 'transfers?wait=10', 'transfers/batch']) {
    expect(exchangesIn(readme).filter(({ command }) => command.includes(`/v1/${path}"`))).toHaveLength(1);
  }
});

it('nothing of the first payment is left open, and the whole of it is in the books', async () => {
  const [order] = exchangesIn(readme).filter(({ command }) => command.includes('/deliver'));
  expect(JSON.parse(order?.shown ?? '{}')).toMatchObject({ status: 'delivered', released: '8000' });
  const { stdout } = await runInShell('curl -sS -H "Authorization: Bearer $KEY" -X POST "$API/v1/audit"');
  expect(JSON.parse(stdout)).toMatchObject({ ok: true });
});

it('the payout that is sent twice moves money once, as the README says', async () => {
  const payout = exchangesIn(readme).find(({ command }) => command.includes('/v1/payouts'));
  const wallet = exchangesIn(readme).find(({ command }) => command.endsWith('/v1/wallets/seller-42-usd"'));
  expect([payout, wallet]).not.toContain(undefined);
  const [again, after] = [await runInShell(payout?.command ?? ''), await runInShell(wallet?.command ?? '')];
  expect(steady(JSON.parse(again.stdout))).toEqual(steady(JSON.parse(payout?.shown ?? '')));
  expect(JSON.parse(after.stdout).posted).toBe(JSON.parse(wallet?.shown ?? '').posted);
});

it('the README begins with the two commands, and every page it links to is there', () => {
  expect(readme).toMatch(/```\nnpm start\nnpm test\n```/);
  const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, target = '']) => target);
  expect(links.length).toBeGreaterThan(5);
  expect(links.filter((target) => !existsSync(new URL(target, root)))).toEqual([]);
});

it('every setting that is read stands in the README, and every command it names exists', async () => {
  const { environmentValues } = await import('../../src/runtime/config-variables.ts');
  expect(Object.keys(environmentValues.shape).filter((name) => !readme.includes(`\`${name}\``))).toEqual([]);
  const { scripts } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
  const named = [...readme.matchAll(/npm (?:run )?([a-z]+)/g)].map(([, name = '']) => name);
  expect(named.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
});

/** Shell blocks that are followed by the JSON they answer with. */
function exchangesIn(page: string): { command: string; shown: string }[] {
  return [...page.matchAll(/```sh\n([^`]*)\n```\n```json\n([^`]*)\n```/g)].map(([, command = '', shown = '']) => ({
    command,
    shown,
  }));
}

function runInShell(command: string): Promise<{ stdout: string }> {
  const env = { ...process.env, API: place.apiUrl, KEY: place.key };
  return promisify(execFile)('bash', ['-euc', command], { env });
}

const VOLATILE = ['actor', 'extern_payment_id', 'request_id'];

/** Times, the key that acted, and the provider's own ids differ from run to run; a pkid does not. */
function steady(answer: unknown): unknown {
  return JSON.parse(JSON.stringify(answer), (name, value: unknown) => {
    const isVolatile = name.endsWith('_at') || VOLATILE.includes(name);
    return isVolatile && typeof value === 'string' ? '(differs)' : value;
  });
}
