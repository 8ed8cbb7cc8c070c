// One attempt at an endpoint that means no good, or is broken: what we send, where to, and how long we listen.

import { once } from 'node:events';
import { createServer as createSecureServer } from 'node:https';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createWebhookEndpoints } from '../../src/jobs/webhook-endpoint.ts';
import { createSend } from '../../src/jobs/webhook-out/send.ts';
import { createUrlCheck, type Lookup } from '../../src/jobs/webhook-url.ts';
import { certificate } from '../../src/sandbox/paypal/certificate.ts';
import { emptyState } from '../../src/sandbox/state.ts';
import { closedUrl, serveRaw, serveText } from '../providers/local-server.ts';
import { payoutEvent, type Receiver, type Rig, startReceiver, startRig } from './webhook-out-rig.ts';

let receiver: Receiver;
beforeAll(async () => {
  receiver = await startReceiver();
});
beforeEach(() => {
  receiver.received.length = 0;
  receiver.answer = (response) => response.writeHead(200).end();
});
afterAll(() => receiver.close());

const never = new AbortController().signal;
const MESSAGE = { headers: { 'webhook-id': 'evt' }, body: '{"n":1}' };

function attempt(url: string, { timeoutMs = 5_000, lookup }: { timeoutMs?: number; lookup?: Lookup } = {}) {
  const { hostname, port, protocol } = new URL(url);
  const standard = protocol === 'https:' ? 443 : 80;
  const allowHosts = [`${hostname}:${port === '' ? standard : port}`];
  const checkUrl = createUrlCheck({ allowHosts, ...(lookup !== undefined && { lookup }) });
  return createSend({ checkUrl, timeoutMs })({ url, ...MESSAGE }, never);
}

describe('an answer', () => {
  test.each([
    { status: 200, outcome: 'delivered' },
    { status: 204, outcome: 'delivered' },
    { status: 299, outcome: 'delivered' },
    { status: 304, outcome: 'redirect' },
    { status: 400, outcome: 'http_400' },
    { status: 404, outcome: 'http_404' },
    { status: 410, outcome: 'gone' },
    { status: 429, outcome: 'http_429' },
    { status: 500, outcome: 'http_500' },
    { status: 503, outcome: 'http_503' },
  ])('of $status counts as $outcome', async ({ status, outcome }) => {
    receiver.answer = (response) => response.writeHead(status).end();
    expect(await attempt(receiver.url)).toEqual({ outcome, httpStatus: status });
  });

  test.each([301, 302, 303, 307, 308])('of %s is a failure, and nobody goes where it points', async (status) => {
    const elsewhere = await serveText(200, 'secret place');
    receiver.answer = (response) => response.writeHead(status, { Location: elsewhere.url }).end();
    expect(await attempt(receiver.url)).toEqual({ outcome: 'redirect', httpStatus: status });
    expect(elsewhere.seen).toEqual([]);
    await elsewhere.close();
  });

  test('that never comes is cut after the bound', async () => {
    receiver.answer = () => undefined;
    expect(await attempt(receiver.url, { timeoutMs: 150 })).toEqual({ outcome: 'timeout', httpStatus: null });
  });

  test('whose body never ends is read for 16 KiB and no further', async () => {
    let written = 0;
    const closed = Promise.withResolvers<void>();
    receiver.answer = (response, _received, request) => {
      request.socket.on('close', () => closed.resolve());
      response.writeHead(200);
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(1_024))) written += 1_024;
      };
      response.on('drain', more);
      more();
    };
    expect(await attempt(receiver.url)).toEqual({ outcome: 'delivered', httpStatus: 200 });
    await closed.promise;
    // What lies between is in the buffers of two sockets, not in ours.
    expect(written).toBeLessThan(16 * 1_024 * 1_024);
  });

  test('whose body stands still counts by its status', async () => {
    receiver.answer = (response) => void response.writeHead(503).write('half');
    expect(await attempt(receiver.url, { timeoutMs: 150 })).toEqual({ outcome: 'http_503', httpStatus: 503 });
  });

  test.each([
    { what: 'is no HTTP', said: 'what do you want\r\n\r\n', outcome: 'broken_answer' },
    {
      what: 'switches protocols',
      said: 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n',
      outcome: 'reset',
    },
    { what: 'has headers without end', said: `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}`, outcome: 'broken_answer' },
  ])('that $what is a failure', async ({ said, outcome }) => {
    const server = await serveRaw((socket) => socket.once('data', () => socket.write(said)));
    expect(await attempt(server.url)).toEqual({ outcome, httpStatus: null });
    await server.close();
  });

  test('that is a reset, or nobody at all, is a failure', async () => {
    const server = await serveRaw((socket) => socket.once('data', () => socket.resetAndDestroy()));
    expect(await attempt(server.url)).toEqual({ outcome: 'reset', httpStatus: null });
    await server.close();
    expect(await attempt(await closedUrl())).toEqual({ outcome: 'refused', httpStatus: null });
  });

  test('from a host whose certificate nobody vouches for is not asked for', async () => {
    const seen: string[] = [];
    const server = createSecureServer(selfSigned(), (request, response) => {
      seen.push(request.url ?? '');
      response.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    expect(await attempt(`https://127.0.0.1:${port}/`)).toEqual({ outcome: 'tls', httpStatus: null });
    expect(seen).toEqual([]);
    server.close();
  });
});

describe('the connection', () => {
  let rig: Rig;
  const name = 'merchant.test';
  beforeAll(async () => {
    rig = await startRig({ allowHosts: [`${name}:${receiver.port}`] });
  });
  afterEach(() => rig.clear());
  afterAll(() => rig.stop());

  test('goes to the address that was checked, also when the name has another one a moment later', async () => {
    const answers = ['127.0.0.1', '127.0.0.99', '127.0.0.99'];
    let asked = 0;
    const lookup: Lookup = async () => [{ address: answers[asked++] ?? '' }];
    const sent = await attempt(`http://${name}:${receiver.port}/hook`, { lookup });
    expect(sent).toEqual({ outcome: 'delivered', httpStatus: 200 });
    expect(asked).toBe(1);
    expect(receiver.received[0]?.headers).toMatchObject({ host: `${name}:${receiver.port}`, 'webhook-id': 'evt' });
  });

  test('is made with the next address where the first one does not answer', async () => {
    const lookup: Lookup = async () => [{ address: '::1' }, { address: '127.0.0.1' }];
    const sent = await attempt(`http://${name}:${receiver.port}/hook`, { lookup });
    expect(sent).toEqual({ outcome: 'delivered', httpStatus: 200 });
  });

  test('is not made any more once the process stops', async () => {
    const checkUrl = createUrlCheck({ allowHosts: [`127.0.0.1:${receiver.port}`] });
    const sent = await createSend({ checkUrl })({ url: receiver.url, ...MESSAGE }, AbortSignal.abort());
    expect(sent).toEqual({ outcome: 'shutdown', httpStatus: null });
    expect(receiver.received).toEqual([]);
  });

  test('is not made when the name has moved inside since it was registered', async () => {
    let address = '93.184.215.14';
    const lookup: Lookup = async () => [{ address }];
    const outside = { db: rig.ledger.db, allowHosts: [], enqueue: async () => undefined, lookup };
    await createWebhookEndpoints(outside).create({ url: 'https://rebinding.test/hook', events: ['*'] });
    address = '127.0.0.1';
    await rig.emit([payoutEvent('rebinding')]);
    const out = rig.open({ allowHosts: [], lookup, ladderMs: [1, 1] });
    await rig.drain(out);
    expect(await rig.deliveries()).toMatchObject([{ status: 'failed', attempt: 3, outcome: 'url_not_allowed' }]);
  });

  test('is not made while the name has no address, and is made when it has one again', async () => {
    let isUp = false;
    const lookup: Lookup = async () => (isUp ? [{ address: '127.0.0.1' }] : []);
    const allowHosts = [`${name}:${receiver.port}`];
    const known = createWebhookEndpoints({
      db: rig.ledger.db,
      allowHosts,
      enqueue: async () => undefined,
      lookup: async () => [{ address: '127.0.0.1' }],
    });
    await known.create({ url: `http://${name}:${receiver.port}/hook`, events: ['*'] });
    const [deliveryId = ''] = await rig.emit([payoutEvent('dns')]);
    const out = rig.open({ allowHosts, lookup });
    await out.deliver(deliveryId);
    expect(await rig.deliveries()).toMatchObject([{ status: 'pending', outcome: 'dns' }]);
    isUp = true;
    await rig.drain(out);
    expect(receiver.received).toHaveLength(1);
  });
});

/** A certificate that no authority has signed, with its key. */
function selfSigned(): { cert: string; key: string } {
  const { pem, key } = certificate({
    state: emptyState(),
    settings: {
      faults: { seed: 0, rates: [], latencyMs: 0 },
      webhooks: { duplicate: 0, drop: 0, delayMs: 0, shuffle: false },
      retentionMs: null,
      fees: {},
      abandonMs: 0,
      tokens: { ms: null, voidBefore: 0 },
    },
    inFlight: new Set(),
    now: () => Date.now(),
    url: () => '',
    commit: () => undefined,
    countCall: () => 0,
  });
  return { cert: pem, key: String(key.export({ type: 'pkcs8', format: 'pem' })) };
}
