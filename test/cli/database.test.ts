// A start while PostgreSQL is away: it is waited for, for a bounded time and with one line; what waiting cannot cure is
// told at once.

import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { openAnsweringDb } from '../../src/cli/database.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { runCommand } from '../harness/command.ts';
import { createEmptyDatabase } from '../harness/postgres.ts';
import { freePort, openHome, until } from '../harness/process.ts';

const LONG_MS = 20_000;
let lines: string[];
let log: ReturnType<typeof createLogger>;
beforeEach(() => {
  lines = [];
  const destination = new PassThrough();
  destination.on('data', (line: Buffer) => lines.push(line.toString()));
  log = createLogger({ level: 'info', format: 'json', destination });
});
const fronts: Server[] = [];
afterEach(() => {
  for (const front of fronts.splice(0)) front.close();
});

describe('a database that does not answer at the start', () => {
  test('is waited for, with one line that says so, and used as soon as it answers', async () => {
    const front = await openFront({ hangsUp: 3 });
    const db = await openAnsweringDb(urlAt(front.port), log, { waitMs: LONG_MS });
    await db.close();
    expect(front.left()).toBe(0);
    expect(lines).toEqual([expect.stringMatching(/terminated.*waited for, 20 s at most.*or check DATABASE_URL/)]);
  });

  test('is given up when the time is over, in words that end with the way out', async () => {
    const away = openAnsweringDb(urlAt(await freePort()), log, { waitMs: 400 });
    await expect(away).rejects.toThrow(
      /^Cannot reach the database: .*ECONNREFUSED.*\. Start it, or check DATABASE_URL\.$/,
    );
  });

  test('is told at once to a command that only asks', async () => {
    const away = openAnsweringDb(urlAt(await freePort(), 'localhost'), log);
    await expect(away).rejects.toThrow(/ECONNREFUSED/);
    expect(lines).toEqual([]);
  });

  test('is told at once where waiting cannot help, as with a wrong password', async () => {
    const url = new URL(inject('postgresUrl'));
    url.password = 'wrong-word';
    const begun = performance.now();
    await expect(openAnsweringDb(url.href, log, { waitMs: LONG_MS })).rejects.toThrow(
      /password.*Check DATABASE_URL\.$/,
    );
    expect(performance.now() - begun).toBeLessThan(LONG_MS);
    expect(lines).toEqual([]);
  });
});

test.each([
  { args: ['keys', 'list'] },
  { args: ['keys', 'create', '--scopes', 'read'] },
  { args: ['keys', 'revoke', 'a-key-that-was-never-made'] },
  { args: ['audit'] },
  { args: ['statement', '-', '--provider', 'stripe', '--kind', 'payout'], input: 'tr_1' },
])('$args on a database that nobody has migrated say so, and how to', async ({ args, input = '' }) => {
  const database = await createEmptyDatabase();
  try {
    const { code, stderr } = await runCommand(args, { env: { DATABASE_URL: database.url }, input });
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^The database has no tables of remit.* npm run remit -- migrate \(.*\)\n$/),
    });
  } finally {
    await database.drop();
  }
});

test('a worker that waits for its database at the start can be told to end', async () => {
  const port = await freePort();
  const home = openHome({ DATABASE_URL: urlAt(port), SANDBOX_PORT: '9' });
  try {
    const worker = home.begin('worker');
    await until('the wait is told', () => worker.stderr().includes('waited for'), LONG_MS);
    expect(await worker.end('SIGTERM')).toEqual({ code: 0, signal: null });
  } finally {
    await home.close();
  }
});

function urlAt(port: number, host = '127.0.0.1'): string {
  const url = new URL(inject('postgresUrl'));
  url.host = `${host}:${port}`;
  return url.href;
}

/** In front of the real server: ends so many connections without a word, and passes on those that come after. */
async function openFront({ hangsUp }: { hangsUp: number }): Promise<{ port: number; left(): number }> {
  const { hostname, port } = new URL(inject('postgresUrl'));
  let left = hangsUp;
  const front = createServer((client) => {
    if (left > 0) {
      left -= 1;
      client.destroy();
      return;
    }
    const upstream = connect({ host: hostname, port: Number(port) });
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
    client.pipe(upstream).pipe(client);
  });
  fronts.push(front);
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  return { port: Number(Object(front.address()).port), left: () => left };
}
