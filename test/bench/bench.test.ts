// A tiny run of the real bench, in processes of its own, on the run's PostgreSQL, which keeps nothing in a power cut.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, inject, it } from 'vitest';

const main = fileURLToPath(new URL('../../bench/main.ts', import.meta.url));
/** It starts three processes, on a busy machine. */
const BENCH_TIMEOUT_MS = 120_000;

const options = ['--json', '--seconds', '1', '--rounds', '1', '--backlog', '300', '--backend', 'postgres'];

it('measures every name it is asked for, on filled books that stay right, and says that nothing is durable', {
  timeout: BENCH_TIMEOUT_MS,
}, async () => {
  const only = ['--only', 'drain_uniform,http_batch,list_ms,statement_ms', '--prefill', '3500', '--unsafe'];
  const { code, stdout, stderr } = await run([...options, ...only]);
  expect({ code, stderr }).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/fsync off, synchronous_commit off/),
  });
  const rows = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(rows.map(({ name }) => name)).toEqual(['drain_uniform', 'http_batch', 'list_ms', 'statement_ms']);
  for (const row of rows) {
    expect(row).toMatchObject({
      backend: 'postgres',
      cores: expect.any(Number),
      unsafe: true,
      unit: expect.any(String),
    });
    expect(row.value).toBeGreaterThan(0);
  }
  const [drain, , lists] = rows;
  expect(drain.ratio).toBeCloseTo(drain.value / drain.baseline, 1);
  expect(lists.p99_ms).toBeGreaterThanOrEqual(lists.p50_ms);
});

it('refuses a database that may lose commits', { timeout: BENCH_TIMEOUT_MS }, async () => {
  const { code, stdout, stderr } = await run(options);
  expect({ code, stdout, stderr }).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringMatching(/fsync.*--unsafe/),
  });
});

async function run(args: readonly string[]) {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, DATABASE_URL: inject('postgresUrl') };
  return promisify(execFile)(process.execPath, [main, ...args], { env }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
}
