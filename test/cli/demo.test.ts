// The demo as a person runs it: a process of its own, with a shorter file, in a temporary folder of this test's own.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

const main = fileURLToPath(new URL('../../src/main.mjs', import.meta.url));
/** It has to wait for a provider's time-outs; half a minute on a quiet machine. */
const DEMO_TIMEOUT_MS = 150_000;

let folder: string;
let env: NodeJS.ProcessEnv;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'remit-demo-test-'));
  // PostgreSQL runs as a user of its own when we are root, and has to get through here.
  chmodSync(folder, 0o755);
  env = { ...process.env, TMPDIR: folder };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('the demo plays the whole story, proves its claims, and leaves nothing behind', {
  timeout: DEMO_TIMEOUT_MS,
}, async () => {
  // A setting of the caller that must not reach a demo: it would fail at once with this database.
  const { stdout } = await run(['demo', '--rows', '100'], { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' });
  const claims = stdout.split('\n').filter((line) => line.startsWith('  ok  '));
  expect(stdout).not.toContain('NOT TRUE');
  expect(claims.length).toBeGreaterThanOrEqual(70);
  expect(stdout).not.toContain('\u001b[');
  for (const part of [
    'the shop sends the buyer to next_action.url',
    'ann-usd: available 0, debt 8000',
    'dee-usd: available 4500, pending 0',
    'the book says 10800 JPY',
    'Idempotency-Replayed: true',
    '"code":"key-reused"',
    "the provider's own book has 1 payment for it",
    '"reason":"payout.returned"',
    'resolved_by_operator',
    '202 99 accepted, 1 refused',
    'seller-short-eur had money for 3 of its 5 lines, and 3 were paid',
    'the same file posted once more changes nothing',
    'the web app was told of all 100 ends',
    'balances agree to the smallest unit',
    'a message that somebody else made up is not believed',
    'the books are right',
    'no process and no folder is left',
  ]) {
    expect(stdout).toContain(part);
  }
  expect(stdout).toContain(`on ${join(folder, 'remit-demo-')}`);
  expect(demoFolders()).toEqual([]);
});

it('a demo that is ended while it starts leaves nothing behind, and has proven nothing', async () => {
  const demo = spawn(process.execPath, [main, 'demo'], { stdio: ['ignore', 'ignore', 'pipe'], env });
  const exited = once(demo, 'exit');
  await once(demo.stderr, 'data');
  expect(demoFolders()).toHaveLength(1);
  demo.kill('SIGTERM');
  const [code] = await exited;
  expect(code).not.toBe(0);
  expect(demoFolders()).toEqual([]);
});

it('a wrong number of rows is refused as wrong usage', async () => {
  const refused = await run(['demo', '--rows', '1001'], {}).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('Use a whole number from 1 to 1000.') });
});

/** What a demo may have left; PostgreSQL's unpacked binaries, kept for the next start, are none of it. */
function demoFolders(): string[] {
  return readdirSync(folder).filter((name) => name.startsWith('remit-demo-'));
}

function run(args: readonly string[], own: NodeJS.ProcessEnv): Promise<{ stdout: string; stderr: string }> {
  return promisify(execFile)(process.execPath, [main, ...args], { env: { ...env, ...own }, timeout: DEMO_TIMEOUT_MS });
}
