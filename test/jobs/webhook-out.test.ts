// The life of a delivery: at least once, in order, under one id with one body, whatever the endpoint does.

import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { payoutEvent, type Receiver, type Rig, startReceiver, startRig, verify } from './webhook-out-rig.ts';

let receiver: Receiver;
let rig: Rig;
beforeAll(async () => {
  receiver = await startReceiver();
  rig = await startRig({ allowHosts: [`127.0.0.1:${receiver.port}`] });
});
beforeEach(() => {
  receiver.received.length = 0;
  receiver.answer = (response) => response.writeHead(200).end();
});
afterEach(() => rig.clear());
afterAll(async () => {
  await rig.stop();
  await receiver.close();
});

const register = (events = ['*']) => rig.endpoints.create({ url: receiver.url, events });
const idsOf = (key: string) =>
  receiver.received.filter(({ body }) => body.data.semantic_key === key).map(({ headers }) => headers['webhook-id']);

describe('an event', () => {
  test('arrives once, signed so that the public library believes it, as the resource is', async () => {
    const { secret } = await register();
    const [deliveryId = ''] = await rig.emit([payoutEvent('one')]);
    await rig.open().deliver(deliveryId);
    const [message] = receiver.received;
    if (message === undefined) throw new Error('Nothing came.');
    expect(verify(message, secret)).toEqual({
      type: 'payout.succeeded',
      sequence: 1,
      data: { kind: 'payout', semantic_key: 'one', status: 'succeeded' },
    });
    expect(message.headers).toMatchObject({ 'content-type': 'application/json', 'user-agent': 'remit-webhooks/1' });
    expect(await rig.deliveries()).toMatchObject([
      {
        status: 'delivered',
        attempt: 1,
        outcome: 'delivered',
        httpStatus: 200,
        eventId: message.headers['webhook-id'],
      },
    ]);
    expect(rig.attempts).toMatchObject([{ result: 'delivered', outcome: 'delivered' }]);
    await rig.open().deliver(deliveryId);
    expect(receiver.received).toHaveLength(1);
  });

  test('that nobody subscribes to is not kept, and one that two want goes to both', async () => {
    const [one, two] = [await register(['payout.*']), await register(['payout.succeeded', 'transfer.*'])];
    expect(await rig.emit([payoutEvent('quiet', 'review.opened')])).toEqual([]);
    expect(await rig.emit([payoutEvent('both'), payoutEvent('both', 'payout.returned')])).toHaveLength(3);
    await rig.drain(rig.open());
    expect(await rig.deliveries({ endpointId: one.endpoint.endpointId })).toMatchObject([
      { sequence: 1 },
      { sequence: 2 },
    ]);
    expect(await rig.deliveries({ endpointId: two.endpoint.endpointId })).toMatchObject([{ sequence: 1 }]);
  });

  test('is told with the bytes of its first attempt, whatever became of the resource since', async () => {
    await register();
    receiver.answer = (response) => response.writeHead(receiver.received.length < 3 ? 500 : 204).end();
    let looks = 0;
    const render = async () => ({ semantic_key: 'bytes', looks: ++looks, text: 'ä€😀\u0000' });
    await rig.emit([payoutEvent('bytes')]);
    await rig.drain(rig.open({ render }));
    expect(receiver.received).toHaveLength(3);
    expect(new Set(receiver.received.map(({ raw }) => raw)).size).toBe(1);
    expect(new Set(idsOf('bytes')).size).toBe(1);
  });

  test('that cannot be rendered waits, and is sent once it can', async () => {
    await register();
    const [deliveryId = ''] = await rig.emit([payoutEvent('defect')]);
    const broken = rig.open({ render: () => Promise.reject(new Error('no such row')) });
    await expect(broken.deliver(deliveryId)).rejects.toMatchObject({ code: 'internal' });
    expect(await rig.open().due(10)).toEqual([]);
    await sql`UPDATE delivery SET due_at = now()`.execute(rig.ledger.db.sql);
    await rig.drain(rig.open());
    expect(receiver.received).toHaveLength(1);
  });
});

describe('an endpoint that is down for a while', () => {
  test('gets every event in the end, in order for each operation, each under one id', async () => {
    const { secret } = await register();
    const keys = ['first', 'second', 'third'];
    await rig.emit(keys.map((key) => payoutEvent(key, 'review.opened')));
    let refusals = 20;
    receiver.answer = (response) => response.writeHead(refusals-- > 0 ? 503 : 200).end();
    const out = rig.open();
    const draining = rig.drain(out);
    await rig.emit(keys.map((key) => payoutEvent(key, 'payout.succeeded')));
    await rig.emit(keys.map((key) => payoutEvent(key, 'payout.returned')));
    await draining;
    await rig.drain(out);
    expect(receiver.received.length).toBe(20 + 9);
    for (const message of receiver.received) verify(message, secret);
    for (const key of keys) {
      const told = receiver.received.filter(({ body }) => body.data.semantic_key === key);
      const sequences = told.map(({ body }) => body.sequence);
      expect(sequences).toEqual([...sequences].sort());
      expect([...new Set(sequences)]).toEqual([1, 2, 3]);
      expect(new Set(idsOf(key)).size).toBe(3);
    }
    expect((await rig.deliveries()).every(({ status }) => status === 'delivered')).toBe(true);
  });

  test('is not told of what came later before it has taken what came first', async () => {
    await register();
    const [first = '', second = ''] = await rig.emit([payoutEvent('order', 'review.opened'), payoutEvent('order')]);
    receiver.answer = (response) => response.writeHead(500).end();
    const out = rig.open({ ladderMs: [60_000] });
    await out.deliver(first);
    await out.deliver(second);
    expect(receiver.received.map(({ body }) => body.sequence)).toEqual([1]);
    expect(await out.due(10)).toEqual([]);
    receiver.answer = (response) => response.writeHead(200).end();
    await sql`UPDATE delivery SET due_at = now() WHERE delivery_id = ${first}::uuid`.execute(rig.ledger.db.sql);
    await out.deliver(first);
    expect(receiver.received.map(({ body }) => body.sequence)).toEqual([1, 1, 2]);
  });

  test('is given up at the end of the ladder, then hears the next event, and may be told again', async () => {
    const { endpoint } = await register();
    receiver.answer = (response, { body }) => response.writeHead(body.sequence === 1 ? 500 : 200).end();
    const [first = ''] = await rig.emit([payoutEvent('lost', 'review.opened'), payoutEvent('lost')]);
    const out = rig.open({ ladderMs: [1, 1] });
    await rig.drain(out);
    expect(await rig.deliveries()).toMatchObject([
      { status: 'failed', attempt: 3, outcome: 'http_500', httpStatus: 500, dueAt: null },
      { status: 'delivered', attempt: 1 },
    ]);
    expect(rig.attempts.map(({ result }) => result)).toEqual(['retry', 'retry', 'failed', 'delivered']);
    receiver.answer = (response) => response.writeHead(200).end();
    await rig.endpoints.resend({ endpointId: endpoint.endpointId, deliveryId: first });
    await rig.drain(out);
    expect(await rig.deliveries()).toMatchObject([{ status: 'delivered', attempt: 4 }, { status: 'delivered' }]);
    const messages = receiver.received.filter(({ body }) => body.sequence === 1);
    expect(messages).toHaveLength(4);
    expect(new Set(messages.map(({ raw, headers }) => raw + headers['webhook-id'])).size).toBe(1);
  });

  test('that answers 410 is disabled and hears nothing more until somebody enables it', async () => {
    const { endpoint } = await register();
    const { endpointId } = endpoint;
    receiver.answer = (response) => response.writeHead(410).end();
    const [first = '', second = ''] = await rig.emit([payoutEvent('gone'), payoutEvent('other')]);
    const out = rig.open();
    await out.deliver(first);
    await out.deliver(second);
    expect(receiver.received).toHaveLength(1);
    expect(await rig.endpoints.find(endpointId)).toMatchObject({ status: 'disabled', disabledReason: 'gone' });
    const outcomes = (await rig.deliveries()).map(({ status, outcome }) => `${status} ${outcome}`);
    expect(outcomes.sort()).toEqual(['failed endpoint_disabled', 'failed gone']);
    expect(await rig.emit([payoutEvent('later')])).toEqual([]);
    await expect(rig.endpoints.resend({ endpointId, deliveryId: first })).rejects.toMatchObject({
      code: 'invalid-state',
    });
    receiver.answer = (response) => response.writeHead(200).end();
    await rig.endpoints.enable(endpointId);
    await rig.endpoints.resend({ endpointId, deliveryId: first });
    await rig.drain(out);
    expect(receiver.received).toHaveLength(2);
  });
});

describe('a secret', () => {
  test('that was rotated signs beside the new one for a day, and then no more', async () => {
    const { endpoint, secret: before } = await register();
    const { secret: after } = await rig.endpoints.rotate(endpoint.endpointId);
    expect(after).not.toBe(before);
    const out = rig.open();
    await rig.emit([payoutEvent('rotating')]);
    await rig.drain(out);
    await sql`UPDATE webhook_endpoint SET previous_until = now() - interval '1 second'`.execute(rig.ledger.db.sql);
    await rig.emit([payoutEvent('rotated')]);
    await rig.drain(out);
    const [during, later] = receiver.received;
    if (during === undefined || later === undefined) throw new Error('Two messages were expected.');
    expect(during.headers['webhook-signature']?.split(' ')).toHaveLength(2);
    verify(during, before);
    verify(during, after);
    verify(later, after);
    expect(() => verify(later, before)).toThrow('No matching signature');
    expect(() => verify({ ...later, raw: `${later.raw} ` }, after)).toThrow('No matching signature');
  });

  test('stands in no log line and in no list', async () => {
    const { endpoint, secret } = await rig.endpoints.create({ url: `${receiver.url}?token=canary`, events: ['*'] });
    receiver.answer = (response) => response.writeHead(receiver.received.length < 2 ? 500 : 200).end();
    await rig.emit([payoutEvent('canary')]);
    await rig.drain(rig.open());
    const logged = rig.lines.join('');
    expect(logged).toContain('"outcome":"http_500"');
    const bare = secret.slice('whsec_'.length);
    for (const planted of [bare, 'token=canary', 'webhook-signature']) expect(logged).not.toContain(planted);
    expect(endpoint.secret.toString('base64')).toBe(bare);
    expect(endpoint.secret).toHaveLength(32);
  });
});
