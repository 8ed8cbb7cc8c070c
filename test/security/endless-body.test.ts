// A body that is huge, never ends, or comes in drips costs next to nothing: who may not send it is told before any of
// it is read, and of who may, no more is read than the limit.

import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BATCH_BYTES_MAX, BODY_BYTES_MAX, WEBHOOK_BYTES_MAX } from '../../src/api/body.ts';
import { type Listener, listen } from '../../src/api/listen.ts';
import { PROVIDERS } from '../../src/domain/provider.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { type Rig, startRig } from '../api/rig.ts';
import { namedDoors } from './doors.ts';

const CHUNK = new TextEncoder().encode('x'.repeat(16 * 1024));
const REQUEST_MS_MAX = 600;

let rig: Rig;
let full: string;
let scopeless: ReadonlyMap<string, string>;
beforeAll(async () => {
  rig = await startRig({}, { withWorkers: false });
  full = await rig.key(['read', 'write', 'operate']);
  scopeless = new Map([
    ['read', await rig.key(['write'])],
    ['write', await rig.key(['read'])],
    ['operate', await rig.key(['read', 'write'])],
  ]);
});
afterAll(() => rig.stop());

/** Sends a body without an end, and tells how many bytes of it were asked for. */
async function sendEndless(
  address: string,
  { key, api = rig.api, headers = {} }: { key?: string; api?: Rig['api']; headers?: Record<string, string> },
) {
  let bytes = 0;
  const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    bytes += CHUNK.length;
    controller.enqueue(CHUNK);
  };
  const given = key === undefined ? {} : { Authorization: `Bearer ${key}` };
  const response = await api.request(address, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...given, ...headers },
    body: new ReadableStream({ pull }, { highWaterMark: 0 }),
    duplex: 'half',
  });
  await response.text();
  return { status: response.status, bytes };
}

describe.each(namedDoors.filter(([, { method }]) => method === 'POST'))('an endless body at %s', (_name, door) => {
  const { address, batchOf, endpoint } = door;
  const bytesMax = batchOf === null ? BODY_BYTES_MAX : BATCH_BYTES_MAX;

  it('is not touched without a key, without the scope, above the rate, or when its length is announced', async () => {
    expect(await sendEndless(address, {})).toEqual({ status: 401, bytes: 0 });
    const other = scopeless.get(endpoint.scope) ?? '';
    expect(await sendEndless(address, { key: other })).toEqual({ status: 403, bytes: 0 });
    const api = rig.with({ config: { ...rig.remit.app.config, rateLimitRps: 0.001 } });
    await rig.call('GET', '/v1/wallets', { key: full, api });
    expect(await sendEndless(address, { key: full, api })).toEqual({ status: 429, bytes: 0 });
    const headers = { 'Content-Length': String(bytesMax + 1) };
    expect(await sendEndless(address, { key: full, headers })).toEqual({ status: 413, bytes: 0 });
  });

  it('is read up to the limit and no further', async () => {
    const { status, bytes } = await sendEndless(address, { key: full });
    expect(status).toBe(413);
    expect(bytes).toBeLessThanOrEqual(bytesMax + CHUNK.length);
  });
});

it.each(PROVIDERS)('an endless webhook of %s is read up to 1 MiB and no further', async (provider) => {
  const { status, bytes } = await sendEndless(`/webhooks/${provider}`, {});
  expect(status).toBe(413);
  expect(bytes).toBeLessThanOrEqual(WEBHOOK_BYTES_MAX + CHUNK.length);
});

describe('on a connection', () => {
  const lines: string[] = [];
  let listener: Listener;
  beforeAll(async () => {
    const destination = { write: (line: string) => void lines.push(line) };
    const api = rig.with({ log: createLogger({ level: 'trace', format: 'json', destination }) });
    listener = await listen({ host: '127.0.0.1', port: 0, portAsked: true, requestMsMax: REQUEST_MS_MAX });
    listener.serve((request) => api.fetch(request));
  });
  afterAll(() => listener.close());

  function open(path: string, key: string | null): { socket: Socket; closed: Promise<string> } {
    const socket = connect(listener.port, '127.0.0.1');
    const authorization = key === null ? '' : `Authorization: Bearer ${key}\r\n`;
    const type = 'Content-Type: application/json\r\nTransfer-Encoding: chunked';
    socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\n${authorization}${type}\r\n\r\n`);
    const closed = new Promise<string>((resolve) => {
      let answer = '';
      socket.on('data', (data) => {
        answer += data.toString();
      });
      // The server ends it while we still send.
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(answer));
    });
    return { socket, closed };
  }

  it.each([
    ['without a key', '/v1/transfers', null, 401],
    ['above the limit', '/v1/transfers', 'full', 413],
    ['of a webhook', '/webhooks/stripe', null, 413],
  ])('a body %s that goes on for ever ends with the connection', async (_what, path, key, status) => {
    const { socket, closed } = open(path, key === null ? null : full);
    const chunk = Buffer.concat([Buffer.from(`${CHUNK.length.toString(16)}\r\n`), CHUNK, Buffer.from('\r\n')]);
    const more = () => {
      while (socket.writable && socket.write(chunk));
    };
    socket.on('drain', more);
    more();
    expect(await closed).toContain(`HTTP/1.1 ${status} `);
  });

  it.each([
    ['/v1/transfers', 'full'],
    ['/webhooks/stripe', null],
  ])('a body at %s that comes in drips is cut off in time', async (path, key) => {
    const { socket, closed } = open(path, key === null ? null : full);
    const dripping = setInterval(() => socket.write('1\r\n \r\n'), 20);
    const startedAt = performance.now();
    expect(await closed).toContain('HTTP/1.1 408 ');
    clearInterval(dripping);
    expect(performance.now() - startedAt).toBeGreaterThan(REQUEST_MS_MAX / 2);
  });

  it.each([
    ['/v1/transfers', 'full'],
    ['/webhooks/stripe', null],
  ])('a caller at %s who hangs up halfway is no alarm and no fault of the database', async (path, key) => {
    lines.length = 0;
    const { socket } = open(path, key === null ? null : full);
    socket.write('5\r\nhello\r\n', () => socket.destroy());
    await expect.poll(() => lines.length, { timeout: 5_000 }).toBe(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'info', status: 400 });
  });
});
