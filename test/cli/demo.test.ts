// The demo as a person runs it: a process of its own, on its own folder, with a shorter file.

import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
/** It has to wait for a provider's time-outs; half a minute on a quiet machine. */
const DEMO_TIMEOUT_MS = 150_000;

it('the demo plays the whole story, proves its claims, and leaves nothing behind', {
  timeout: DEMO_TIMEOUT_MS,
}, async () => {
  // A setting of the caller that must not reach a demo: it would fail at once with this database.
  const env = { ...process.env, DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' };
  const { stdout } = await run(['demo', '--rows', '100'], env);
  const claims = stdout.split('\n').filter((line) => line.startsWith('  ok  '));
  expect(stdout).not.toContain('NOT TRUE');
  expect(claims.length).toBeGreaterThanOrEqual(25);
  expect(stdout).not.toContain('\u001b[');
  for (const part of [
    'Idempotency-Replayed: true',
    '"code":"key-reused"',
    "the provider's own book has 1 payment for it",
    '"reason":"payout.returned"',
    'resolved_by_operator',
    '202 99 accepted, 1 refused',
    'seller-short-eur had money for 3 of its 5 lines, and 3 were paid',
    'the same file posted once more changes nothing',
    'the books are right',
    'no process and no folder is left',
  ]) {
    expect(stdout).toContain(part);
  }
  const folder = /on (\S*remit-demo-\w+);/.exec(stdout)?.[1] ?? '';
  expect(folder).not.toBe('');
  expect(readdirSync(tmpdir()).filter((name) => folder.endsWith(name))).toEqual([]);
});

it('a wrong number of rows is refused as wrong usage', async () => {
  const refused = await run(['demo', '--rows', '1001'], process.env).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('Use a whole number from 1 to 1000.') });
});

function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<{ stdout: string; stderr: string }> {
  return promisify(execFile)(process.execPath, [main, ...args], { env, timeout: DEMO_TIMEOUT_MS });
}
