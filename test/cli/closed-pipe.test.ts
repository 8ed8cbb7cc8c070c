// A reader that goes away, as behind `| head`, is nobody's fault: no command answers it with a stack trace.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runUnread } from '../harness/command.ts';
import { createDatabase, type TestDatabase } from '../harness/postgres.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());

test('what prints and ends, ends as ever, without a word', async () => {
  const env = { DATABASE_URL: database.url };
  const commands = [['--help'], ['openapi'], ['keys', 'list'], ['audit', '--json']];
  const ended = await Promise.all(commands.map((args) => runUnread('stdout', args, { env })));
  expect(ended).toEqual(commands.map(() => ({ code: 0, heard: '' })));
});

test('an error that nobody reads still has its exit code', async () => {
  const wrong = ['statement', 'nofile.txt', '--provider', 'stripe', '--kind', 'payout'];
  expect(await runUnread('stderr', wrong)).toEqual({ code: 2, heard: '' });
});

test('a demo that nobody reads is over, and leaves nothing behind', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'remit-unread-'));
  expect(await runUnread('stderr', ['demo'], { env: { TMPDIR: folder } })).toEqual({ code: 1, heard: '' });
  const left = readdirSync(folder).filter((name) => name.startsWith('remit-demo-'));
  rmSync(folder, { recursive: true, force: true });
  expect(left).toEqual([]);
});
