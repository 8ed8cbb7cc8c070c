// A start that cannot work says so in plain words and with the way out, and leaves nothing running.

import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type Home, openHome, type Running } from '../harness/process.ts';
import { tell } from './story.ts';

let home: Home;
beforeAll(() => {
  home = openHome();
});
afterAll(() => home.close());

test('every bad value of the environment is reported at once, with its fix and without secrets', async () => {
  const bad = {
    PORT: 'eighty',
    HOST: 'not a host',
    DATABASE_URL: 'mysql://secret-user:secret-word@db/remit',
    REDIS_URL: 'http://:secret-word@redis',
    REMIT_BOOTSTRAP_KEY: 'secret-word',
    SANDBOX_PORT: '70000',
    STRIPE_SECRET_KEY: 'secret-word',
    LOG_LEVEL: 'loud',
    LOG_FORMAT: 'xml',
    RECONCILE_MS: '0',
    LEASE_MS: '1 minute',
    PROVIDER_TIMEOUT_MS: '-1',
    RATE_LIMIT_RPS: 'many',
    WEBHOOK_ALLOW_HOSTS: 'localhost',
    KEY_RETENTION_MS: '1.5',
    REMIT_UNSAFE_DURABILITY: 'yes',
  };
  const refused = await home.run(['all'], { ...bad, REMIT_BOOTSTRAP_KEYS: 'x' });
  expect(refused).toMatchObject({ code: 2, stdout: '' });
  const lines = refused.stderr.trimEnd().split('\n');
  const named = lines.map((line) => line.split(' ')[0]);
  expect(named.toSorted()).toEqual([...Object.keys(bad), 'REMIT_BOOTSTRAP_KEYS'].toSorted());
  for (const line of lines) expect(line).toMatch(/(Set|Rename) .+\.$/);
  expect(refused.stderr).not.toContain('secret-word');
});

test('a data folder that cannot be one is refused by its name', async () => {
  const refused = await home.run(['all'], { REMIT_DATA_DIR: import.meta.filename });
  expect(refused).toMatchObject({ code: 2, stdout: '' });
  expect(refused.stderr).toMatch(/^REMIT_DATA_DIR .+ cannot be used .+ Set it to a folder .+\.\n$/);
});

test('a lease too short for a provider call is refused, with values that fit', async () => {
  const refused = await home.run(['worker'], { LEASE_MS: '2000', PROVIDER_TIMEOUT_MS: '1500' });
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('Set LEASE_MS=3000 or more') });
});

describe('a wrong database password', () => {
  test.each(['all', 'migrate', 'audit', 'api', 'worker'])('ends "%s" with one clear line', async (command) => {
    const url = new URL(inject('postgresUrl'));
    url.password = 'wrong-word';
    // An address is enough for commands that would look for the sandbox first.
    const refused = await home.run([command], { DATABASE_URL: url.href, SANDBOX_PORT: '9' });
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    const plain = refused.stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
    expect(plain).toEqual([expect.stringMatching(/password authentication failed.*Check DATABASE_URL/)]);
    expect(refused.stderr).not.toContain('wrong-word');
    expect(refused.stderr).not.toContain('"stack"');
  });
});

test('a port that was asked for and is taken is an error that names the way out', async () => {
  const other = createServer();
  const port = await new Promise<number>((resolve) => {
    other.listen(0, '127.0.0.1', () => resolve(Number(Object(other.address()).port)));
  });
  const refused = await home.run(['all'], { PORT: String(port) });
  other.close();
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr.trimEnd().split('\n')).toEqual([
    `Port ${port} is taken. Stop what uses it, or set PORT to a free one.`,
  ]);
});

describe('a second start on the same data folder', () => {
  let first: Running;
  beforeAll(async () => {
    first = await home.start('all');
  });

  test('is refused in one clear line, and the first goes on unharmed', async () => {
    const refused = await home.run(['all']);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    const plain = refused.stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
    expect(plain).toEqual([
      expect.stringMatching(/(Stop it first|give this one another data folder|Set REMIT_DATA_DIR)/),
    ]);
    const story = tell(home);
    await story.wallet('still-here', '100');
    expect(await story.available('still-here')).toBe('100');
    expect(await story.book()).toEqual([]);
    expect(await first.end('SIGTERM')).toEqual({ code: 0, signal: null });
  }, 60_000);
});
