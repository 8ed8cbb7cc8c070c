// Whoever registers an endpoint chooses where this host sends requests. However the place is written, and whatever its
// name becomes afterwards, none leads inside: not even a connection is tried.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createWebhookEndpoints } from '../../src/jobs/webhook-endpoint.ts';
import { createSend } from '../../src/jobs/webhook-out/send.ts';
import { createLookup, type Lookup } from '../../src/jobs/webhook-url.ts';
import { type Rig as ApiRig, isErrorOf, startRig as startApi } from '../api/rig.ts';
import { type Names, serveNames } from '../harness/name-server.ts';
import { payoutEvent, type Rig, startRig } from '../jobs/webhook-out-rig.ts';

const NAME = 'merchant.example.com';
const URL_OF_NAME = `https://${NAME}/hook`;
const PUBLIC = { a: [93, 184, 215, 14], aaaa: [] };
const v6 = (...tail: number[]) => [...Array(16 - tail.length).fill(0), ...tail];

/** What a name may become after it was registered. */
const INSIDE: readonly (readonly [string, Names[string]])[] = [
  ['loopback', { a: [127, 0, 0, 1], aaaa: [] }],
  ["the clouds' metadata", { a: [169, 254, 169, 254], aaaa: [] }],
  ['a private address', { a: [10, 0, 0, 1], aaaa: [] }],
  ['this host', { a: [0, 0, 0, 0], aaaa: [] }],
  ['loopback in IPv6', { a: [], aaaa: v6(1) }],
  ['loopback mapped into IPv6', { a: [], aaaa: v6(0xff, 0xff, 127, 0, 0, 1) }],
  ['metadata mapped into IPv6', { a: [], aaaa: v6(0xff, 0xff, 169, 254, 169, 254) }],
  ['loopback in the old embedding', { a: [], aaaa: v6(127, 0, 0, 1) }],
  ['metadata behind a translator', { a: [], aaaa: [0, 0x64, 0xff, 0x9b, ...v6(169, 254, 169, 254).slice(4)] }],
  ['6to4 of loopback', { a: [], aaaa: [0x20, 0x02, 127, 0, 0, 1, ...Array(10).fill(0)] }],
  ["a cloud's metadata in IPv6", { a: [], aaaa: [0xfd, 0, 0x0e, 0xc2, ...v6(0x02, 0x54).slice(4)] }],
  ['a public address and loopback beside it', { a: PUBLIC.a, aaaa: v6(1) }],
];

/** Ways to write a place inside. */
const WRITTEN = [
  ...['127.0.0.1', '127.1', '127.0.1', '2130706433', '0x7f000001', '0x7f.1', '0177.0.0.1', '017700000001', '0', '0x0'],
  ...['①②⑦.⓪.⓪.①', '127。0。0。1', '127.0.0.1.', '00000177.0.0.1', '1%32%37.0.0.1', '10.0.0.1', '0xa000001', '012.1'],
  ...['169.254.169.254', '2852039166', '0xa9fea9fe', '0251.0376.0251.0376', '169.16689662', '100.100.100.200'],
  ...['[::1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[0:0:0:0:0:ffff:a9fe:a9fe]', '[::127.0.0.1]'],
  ...['[64:ff9b::7f00:1]', '[2002:7f00:1::]', '[fe80::1]', '[fd00:ec2::254]', '[::ffff:0:127.0.0.1]'],
];

let names: Names;
let server: Awaited<ReturnType<typeof serveNames>>;
let lookup: Lookup;
/** Every address to which a connection was tried, on the port of https, which nothing else here uses. */
const tried: string[] = [];
const note = (message: unknown) => {
  const { socket }: { socket?: unknown } = Object(message);
  if (!(socket instanceof Socket)) return;
  socket.on('connectionAttempt', (address: string, port: number) => {
    if (port === 443) tried.push(address);
  });
};
beforeAll(async () => {
  names = { [NAME]: PUBLIC };
  server = await serveNames(names);
  lookup = createLookup({ servers: [server.address] });
  subscribe('net.client.socket', note);
});
afterEach(() => {
  tried.length = 0;
  names[NAME] = PUBLIC;
});
afterAll(async () => {
  unsubscribe('net.client.socket', note);
  await server.close();
});

it('a connection that is tried is seen, or the others would prove nothing', async () => {
  const address = { address: '127.0.0.1', family: 4 } as const;
  const checkUrl = async () => ({ type: 'allowed', url: new URL(URL_OF_NAME), addresses: [address] }) as const;
  const sent = await createSend({ checkUrl })(
    { url: URL_OF_NAME, headers: {}, body: '{}' },
    new AbortController().signal,
  );
  expect(sent.httpStatus).toBeNull();
  expect(tried).toEqual(['127.0.0.1']);
});

describe('a name that was public when it was registered and is now', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig({ allowHosts: [] });
  });
  afterEach(() => rig.clear());
  afterAll(() => rig.stop());

  it.each(INSIDE)(
    '%s is sent nothing, in the first attempt or a later one, and may not be enabled',
    async (_what, now) => {
      const endpoints = createWebhookEndpoints({ db: rig.ledger.db, allowHosts: [], enqueue: async () => {}, lookup });
      const { endpoint } = await endpoints.create({ url: URL_OF_NAME, events: ['*'] });
      const [deliveryId = ''] = await rig.emit([payoutEvent('rebound')]);
      names[NAME] = now;
      const askedBefore = server.asked.length;
      await rig.drain(rig.open({ lookup, ladderMs: [1] }));
      expect(await rig.deliveries()).toMatchObject([{ status: 'failed', attempt: 2, outcome: 'url_not_allowed' }]);
      // Once for each kind of address in each of the two attempts: nobody resolves the name again to connect.
      expect(server.asked.slice(askedBefore)).toEqual([NAME, NAME, NAME, NAME]);
      await endpoints.resend({ endpointId: endpoint.endpointId, deliveryId });
      await rig.drain(rig.open({ lookup, ladderMs: [] }));
      await endpoints.disable(endpoint.endpointId);
      await expect(endpoints.enable(endpoint.endpointId)).rejects.toMatchObject({ code: 'url-not-allowed' });
      expect(tried).toEqual([]);
    },
  );
});

describe('an endpoint', () => {
  let rig: ApiRig;
  let api: ApiRig['api'];
  beforeAll(async () => {
    rig = await startApi({}, { withWorkers: false });
    const { db } = rig.remit.app;
    api = rig.with({
      webhookEndpoints: createWebhookEndpoints({ db, allowHosts: [], enqueue: async () => {}, lookup }),
    });
  });
  afterAll(() => rig.stop());

  const register = (url: string) => rig.call('POST', '/v1/webhook-endpoints', { api, body: { url, events: ['*'] } });

  it.each(WRITTEN)('at https://%s/ is refused', async (host) => {
    expect(isErrorOf(await register(`https://${host}/hook`))).toEqual({ status: 422, code: 'url-not-allowed' });
    expect(tried).toEqual([]);
  });

  it.each(INSIDE)('whose name is %s is refused', async (_what, now) => {
    names[NAME] = now;
    expect(isErrorOf(await register(URL_OF_NAME))).toEqual({ status: 422, code: 'url-not-allowed' });
    expect(tried).toEqual([]);
  });

  it('at a public name is taken, and nothing is sent there for it', async () => {
    expect((await register(URL_OF_NAME)).status).toBe(201);
    expect(tried).toEqual([]);
  });
});
