// The sandbox remembers every payment that it answered, over stops, kills and a damaged file.

import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, expect, test } from 'vitest';
import { bank, createPayment, freshFile, hangUp, rows, start, stripeGet, stripePost, transfer, until } from './rig.ts';

const file = freshFile();
afterEach(() => writeFileSync(file.path, ''));
afterAll(() => file.remove());

test('everything is as it was after a stop and a start', async () => {
  const before = await start(file.path);
  const key = randomUUID();
  const refusedKey = randomUUID();
  const made = await transfer(before, { key, destination: 'acct_ok_1' });
  const refused = await transfer(before, { key: refusedKey, destination: 'acct_decline_1' });
  const payment = await createPayment(before, { key: randomUUID(), destination: 'acct_ok_1' });
  const book = before.book();
  const events = await stripeGet(before, '/v1/events');
  await before.close();
  const after = await start(file.path);
  expect(after.book()).toEqual(book);
  expect((await transfer(after, { key, destination: 'acct_ok_1' })).text).toBe(made.text);
  expect((await transfer(after, { key: refusedKey, destination: 'acct_decline_1' })).text).toBe(refused.text);
  const other = await transfer(after, { key, destination: 'acct_ok_1', amount: '7' });
  expect(other.json.error.type).toBe('idempotency_error');
  expect((await bank(after, 'GET', `/payments/${payment}`)).json.status).toBe('created');
  expect((await stripeGet(after, '/v1/events')).json).toEqual(events.json);
  const usd = (await stripeGet(after, '/v1/balance')).json.available.find(
    (one: { currency: string }) => one.currency === 'usd',
  );
  expect(usd.amount).toBe(10 ** 15 - 1500);
  expect(after.book()).toHaveLength(1);
  await after.close();
});

test('what was due while the sandbox was down happens after its start, once', async () => {
  const before = await start(file.path);
  const words = ['pending', 'pending_then_fail', 'bounce', 'hidden'];
  const operations = words.map((word) => ({ word, key: randomUUID() }));
  const call = ({ word, key }: { word: string; key: string }) => ({
    key,
    destination: `acct_${word}`,
  });
  await Promise.all(
    operations.map((one) => hangUp(before, one.key, (giveUp) => transfer(before, { ...call(one), giveUp }))),
  );
  await before.close();
  for (const _ of ['first', 'second']) {
    const after = await start(file.path);
    const directions = () => operations.map(({ key }) => rows(after, key).map((row) => row.direction));
    await until(directions, (seen) => seen[0]?.length === 1 && seen[2]?.length === 2);
    const answers = await until(
      () => Promise.all(operations.map((one) => transfer(after, call(one)))),
      (seen) => seen.every((answer) => answer.status !== 409),
    );
    expect(answers.map((answer) => answer.status)).toEqual([200, 400, 200, 200]);
    const events = await until(
      () => stripeGet(after, '/v1/events'),
      (seen) => seen.json.data.length === 4,
    );
    expect(events.json.data.map((event: { type: string }) => event.type).toSorted()).toEqual([
      'transfer.created',
      'transfer.created',
      'transfer.created',
      'transfer.reversed',
    ]);
    expect(directions()).toEqual([['out'], [], ['out', 'return'], ['out']]);
    await after.close();
  }
});

test.each(['{"at":1,"payment":{"id":"tr_', '{"at":1,"pay\n', '\0\0\0\0\0\0'])(
  'a torn last line is cut off and the rest stays: %j',
  async (torn) => {
    const before = await start(file.path);
    await transfer(before, { key: 'whole', destination: 'acct_ok' });
    await before.close();
    const goodBytes = statSync(file.path).size;
    appendFileSync(file.path, torn);
    const after = await start(file.path);
    expect(statSync(file.path).size).toBe(goodBytes);
    await transfer(after, { key: 'next', destination: 'acct_ok' });
    await after.close();
    const last = await start(file.path);
    expect(last.book().map((row) => row.key)).toEqual(['whole', 'next']);
    await last.close();
  },
);

test('a file that is damaged in its middle is refused, with what to do', async () => {
  writeFileSync(file.path, '{"at":1,"pay\n{"at":2}\n');
  await expect(start(file.path)).rejects.toThrow(/damaged after byte 0.*delete it/);
  writeFileSync(file.path, '');
  const repaired = await start(file.path);
  expect(repaired.book()).toEqual([]);
  await repaired.close();
});

test('one payment is one line, with its key, its object and its movement', async () => {
  const sandbox = await start(file.path);
  const key = randomUUID();
  await transfer(sandbox, { key, destination: 'acct_ok' });
  const lines = readFileSync(file.path, 'utf8').trimEnd().split('\n');
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    key: { name: `stripe:${key}` },
    payment: { key, status: 'paid' },
    row: { direction: 'out', amount: '1500' },
  });
  await sandbox.close();
});

test('a second sandbox on the same file takes over only when the first has let go', async () => {
  const first = await start(file.path);
  const second = start(file.path);
  await transfer(first, { key: 'of-the-first', destination: 'acct_ok' });
  await first.close();
  const taken = await second;
  expect(taken.book().map((row) => row.key)).toEqual(['of-the-first']);
  await taken.close();
});

test('every payment that was answered survives a kill -9', async () => {
  const script = `
    import { startSandbox } from ${JSON.stringify(new URL('../../src/sandbox/server.ts', import.meta.url).href)};
    const secrets = { stripe: 'whsec_1', demobank: 's' };
    const address = { port: 0, host: '127.0.0.1' };
    const options = { ...address, dataFile: process.argv[1], webhookUrl: null, webhookSecrets: secrets };
    console.log((await startSandbox(options)).url);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, file.path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const url = await new Promise<string>((resolve) =>
    child.stdout.once('data', (text: Buffer) => resolve(text.toString().trim())),
  );
  const answered: string[] = [];
  const client = async () => {
    for (;;) {
      const key = randomUUID();
      const body = 'amount=1&currency=usd&destination=acct_ok';
      const { status } = await stripePost({ url }, '/v1/transfers', { key, body });
      if (status !== 200) return;
      answered.push(key);
      if (answered.length === 300) child.kill('SIGKILL');
    }
  };
  await Promise.all(Array.from({ length: 16 }, client));
  child.kill('SIGKILL');
  await exited;
  const after = await start(file.path);
  const booked = new Map(after.book().map((row) => [row.key, row]));
  expect(answered.length).toBeGreaterThanOrEqual(300);
  expect(answered.filter((key) => !booked.has(key))).toEqual([]);
  expect(booked.size).toBe(after.book().length);
  await after.close();
});
