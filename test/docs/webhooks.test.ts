// The page about webhooks says what the program does: its types, its pauses, and lines that really verify.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { startDemoProcess } from '../../src/cli/demo-process.ts';
import { EVENT_TYPES, RETRY_LADDER_MS } from '../../src/domain/outgoing.ts';
import { newSecret, showSecret, signedHeaders } from '../../src/jobs/webhook-signature.ts';

const page = readFileSync(new URL('../../docs/webhooks.md', import.meta.url), 'utf8');

test('the page names every type of event, and no other', () => {
  const rows = page.split('\n').filter((line) => /^\| `\w+\.\w+`/.test(line));
  const named = rows.flatMap((row) => [...row.matchAll(/`(\w+\.\w+)`/g)].map(([, type]) => type));
  expect(named.sort()).toEqual([...EVENT_TYPES].sort());
});

test('the page names every pause between attempts', () => {
  const units = [
    { name: 'h', ms: 3_600_000 },
    { name: 'min', ms: 60_000 },
    { name: 's', ms: 1_000 },
  ];
  const pauses = RETRY_LADDER_MS.map((step) => {
    const unit = units.find(({ ms }) => step >= ms);
    return `${step / (unit?.ms ?? 1)} ${unit?.name}`;
  });
  expect(page).toContain(`after ${pauses.join(', ')}, each`);
});

test('the lines that verify a message believe ours and nobody else', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'remit-verify-'));
  try {
    const file = join(folder, 'verify.mjs');
    writeFileSync(file, /```js\n([^`]*(?:`[^`]+`[^`]*)*?)```/.exec(page)?.[1] ?? '');
    const { isFromRemit } = await import(pathToFileURL(file).href);
    const [secret, other] = [newSecret(), newSecret()];
    const message = { id: 'evt', at: new Date(), body: '{"sequence":1}', secrets: [secret, other] };
    const headers = signedHeaders(message);
    expect(isFromRemit(showSecret(secret), headers, message.body)).toBe(true);
    expect(isFromRemit(showSecret(other), headers, message.body)).toBe(true);
    expect(isFromRemit(showSecret(newSecret()), headers, message.body)).toBe(false);
    expect(isFromRemit(showSecret(secret), headers, `${message.body} `)).toBe(false);
    expect(isFromRemit(showSecret(secret), { ...headers, 'webhook-id': 'other' }, message.body)).toBe(false);
    const old = signedHeaders({ ...message, at: new Date(Date.now() - 600_000) });
    expect(isFromRemit(showSecret(secret), old, message.body)).toBe(false);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('who pastes the first commands hears of the first transfer', async () => {
  expect(page).toContain('WEBHOOK_ALLOW_HOSTS=127.0.0.1:4000 npm start');
  const port = await freePort();
  const [receiver = '', commands = ''] = [...page.matchAll(/```sh\n([^`]*)```/g)].map(([, text = '']) =>
    text.replaceAll('4000', String(port)),
  );
  const listener = spawn('bash', ['-ec', receiver], { stdio: ['ignore', 'pipe', 'inherit'] });
  const remit = startDemoProcess({ webhookHosts: [`127.0.0.1:${port}`] });
  try {
    const { apiUrl, key } = await remit.ready;
    await promisify(execFile)('bash', ['-euc', commands], { env: { ...process.env, API: apiUrl, KEY: key } });
    const [line] = await once(createInterface({ input: listener.stdout }), 'line');
    expect(String(line)).toMatch(/^[0-9a-f-]{36} \{"type":"transfer.succeeded","sequence":1,.*"first-message"/);
  } finally {
    listener.kill();
    await remit.stop();
  }
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('There is no free port.');
  return address.port;
}
