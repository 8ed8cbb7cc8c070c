// Tipalti's notifications: believed only after Tipalti has said that the very same bytes came from there.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { refCodeOf } from '../../src/providers/tipalti/reference.ts';
import { closedUrl } from './local-server.ts';
import { errorFrom } from './outcome.ts';
import {
  LIMITS,
  openSandbox,
  orderTo,
  payoutsOf,
  type Scripted,
  serveScript,
  tipaltiAt,
  until,
} from './tipalti-rig.ts';

const receivedAt = new Date('2026-11-22T12:00:00Z');
const { pkid } = orderTo('seller_1');
const refCode = refCodeOf(pkid);
const open: Scripted[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

async function serve(script: Parameters<typeof serveScript>[0]): Promise<Scripted> {
  const server = await serveScript(script);
  open.push(server);
  return server;
}

async function parseAt(ipnUrl: string, body: string | Buffer) {
  return tipaltiAt('http://127.0.0.1:9', { ipnUrl }).parseWebhook(Buffer.from(body), {}, receivedAt);
}

async function verifiedBy(body: string) {
  return parseAt((await serve({ proof: [[200, 'VERIFIED']] })).url, body);
}

describe('what the sandbox sends', () => {
  const received: Buffer[] = [];
  const receiver = createServer(async (request, response) => {
    received.push(Buffer.concat(await request.toArray()));
    response.end();
  });
  let sandbox: Awaited<ReturnType<typeof openSandbox>>;

  beforeAll(async () => {
    receiver.listen(0, '127.0.0.1');
    await once(receiver, 'listening');
    const address = receiver.address();
    if (address === null || typeof address === 'string') throw new Error('The receiver got no port.');
    sandbox = await openSandbox(`http://127.0.0.1:${address.port}`);
  });
  afterAll(async () => {
    await sandbox.close();
    receiver.closeAllConnections();
    receiver.close();
  });

  async function receivedAbout(order: ReturnType<typeof orderTo>, type: string): Promise<Buffer> {
    const isIt = (raw: Buffer) => raw.includes(refCodeOf(order.pkid)) && raw.includes(`type=${type}&`);
    const found = await until(
      () => received.find(isIt),
      (raw) => raw !== undefined,
    );
    if (found === undefined) throw new Error('Nothing came.');
    return found;
  }

  test('is a hint at our payout, with the payment and the time', async () => {
    const order = orderTo('hook_ok_1');
    const provider = tipaltiAt(sandbox.url);
    const answer = await payoutsOf(provider).send(order, LIMITS);
    const raw = await receivedAbout(order, 'completed');
    const event = await provider.parseWebhook(raw, {}, receivedAt);
    expect(event).toEqual({
      eventId: expect.stringMatching(/^ipn_[0-9a-f]+$/),
      type: 'completed',
      subject: 'payout',
      externId: answer.type === 'succeeded' ? answer.externId : '',
      pkid: order.pkid,
      occurredAt: new Date(Number(new URLSearchParams(raw.toString()).get('c_date')) * 1000),
    });
    expect(await provider.parseWebhook(raw, {}, receivedAt)).toEqual(event);
  });

  test('tells money that came back', async () => {
    const order = orderTo('hook_bounce_2');
    const provider = tipaltiAt(sandbox.url);
    await payoutsOf(provider).send(order, LIMITS);
    const event = await provider.parseWebhook(await receivedAbout(order, 'error'), {}, receivedAt);
    expect(event).toMatchObject({ type: 'error', subject: 'payout', pkid: order.pkid });
  });

  test.each<[string, (text: string) => string]>([
    ['another amount', (text) => text.replace('15.00', '15.01')],
    ['another payment', (text) => text.replace(/payment_id=tpp_/, 'payment_id=tpp_0')],
    ['a field more', (text) => `${text}&note=x`],
  ])('with %s is forged', async (_name, change) => {
    const order = orderTo('hook_ok_3');
    const provider = tipaltiAt(sandbox.url);
    await payoutsOf(provider).send(order, LIMITS);
    const forged = change((await receivedAbout(order, 'completed')).toString());
    const error = await errorFrom(Promise.resolve(provider.parseWebhook(Buffer.from(forged), {}, receivedAt)));
    expect([error.code, error.status]).toEqual(['invalid-signature', 401]);
  });
});

describe('what Tipalti says of the bytes', () => {
  const body = `type=completed&ref_code=${refCode}&payment_id=tpp_1&note=a%20b+c&note=%C3%A4`;

  test('is asked with exactly those that came, and believed', async () => {
    const server = await serve({ proof: [[200, 'VERIFIED\n']] });
    expect(await parseAt(server.url, body)).toMatchObject({ pkid, externId: 'tpp_1', occurredAt: receivedAt });
    expect(server.asked).toMatchObject([{ what: 'proof', url: '/notif/ipn.aspx', body }]);
  });

  test.each<[string, number, string, string]>([
    ['no', 200, 'INVALID', 'invalid-signature'],
    ['nothing', 200, '', 'unavailable'],
    ['something else', 200, '{"verified":true}', 'unavailable'],
    ['yes with an error', 500, 'VERIFIED', 'unavailable'],
    ['yes from elsewhere', 302, 'VERIFIED', 'unavailable'],
    ['to go slower', 429, '', 'unavailable'],
    ['that it knows no such page', 404, '{"code":"NotFound"}', 'unavailable'],
  ])('%s', async (_name, status, text, code) => {
    const error = await errorFrom(parseAt((await serve({ proof: [[status, text]] })).url, body));
    expect(error.code).toBe(code);
    expect(error.surprise).toBeUndefined();
    if (code === 'unavailable')
      expect([error.status, error.detail]).toEqual([503, expect.stringMatching(/Send it again/)]);
  });

  test('is awaited a bounded time, and without it the notification has to come again', async () => {
    expect((await errorFrom(parseAt(await closedUrl(), body))).code).toBe('unavailable');
    const silent = await serve({ proof: [(request) => void request.resume()] });
    expect((await errorFrom(parseAt(silent.url, body))).code).toBe('unavailable');
  });

  test('is asked for a bounded number of notifications at once', async () => {
    const gate = Promise.withResolvers<void>();
    const server = await serve({
      proof: [(_request, response) => void gate.promise.then(() => response.end('VERIFIED'))],
    });
    const provider = tipaltiAt('http://127.0.0.1:9', { ipnUrl: server.url });
    const parse = () => Promise.resolve(provider.parseWebhook(Buffer.from(body), {}, receivedAt));
    const waiting = Array.from({ length: 16 }, parse);
    expect((await errorFrom(parse())).code).toBe('unavailable');
    gate.resolve();
    expect((await Promise.all(waiting)).length).toBe(16);
    expect(await parse()).toMatchObject({ pkid });
  });

  test.each<[string, string | Buffer]>([
    ['no form', '{"type":"completed"}'],
    ['nothing', ''],
    ['no type', `ref_code=${refCode}`],
    ['a type that is no word', 'type=<script>'],
    ['bytes that are no text', Buffer.from([...Buffer.from('type=completed&a='), 0xff])],
    ['far too much', `type=completed&a=${'a'.repeat(16 * 1024)}`],
  ])('is not asked about %s', async (_name, raw) => {
    const server = await serve({ proof: [[200, 'VERIFIED']] });
    expect((await errorFrom(parseAt(server.url, raw))).code).toBe('invalid-signature');
    expect(server.asked).toEqual([]);
  });
});

describe('a verified notification', () => {
  test.each<[string, object]>([
    [`type=deferred&ref_code=${refCode}&payment_id=tpp_1`, { subject: 'payout', externId: 'tpp_1', pkid }],
    [`type=new_type&ref_code=${refCode}`, { subject: 'payout', externId: null, pkid }],
    ['type=completed&ref_code=invoice+7&payment_id=tpp_1', { subject: 'payout', externId: 'tpp_1', pkid: null }],
    ['type=completed', { subject: null, externId: null, pkid: null }],
    ['type=payee_details_changed&payee_id=seller_1', { subject: 'payee', externId: 'seller_1', pkid: null }],
    ['type=payments_group_approved&payment_id=g_1', { subject: null, externId: null, pkid: null }],
    ['type=bill_updated&payment_id=b_1', { subject: null, externId: null, pkid: null }],
    ['type=completed&payment_id=tpp%00', { subject: null, externId: null, pkid: null }],
  ])('%s', async (body, expected) => {
    expect(await verifiedBy(body)).toMatchObject(expected);
  });

  test('without an id of its own has one that follows from its bytes', async () => {
    const body = `type=completed&ref_code=${refCode}&payment_id=tpp_1`;
    const [one, again, other] = await Promise.all([body, body, `${body}&c_date=1`].map(verifiedBy));
    expect(one?.eventId).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(again?.eventId).toBe(one?.eventId);
    expect(other?.eventId).not.toBe(one?.eventId);
  });

  test('with a time that cannot be read happened when it came', async () => {
    const times = ['', '10/16/2018 1:35:10 AM', '99999999999'];
    const events = await Promise.all(times.map((time) => verifiedBy(`type=completed&c_date=${time}`)));
    expect(events.map(({ occurredAt }) => occurredAt)).toEqual(times.map(() => receivedAt));
  });
});
