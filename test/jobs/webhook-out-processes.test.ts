// Several of our own processes at once, and those that die, stop, or wake up too late: an event is lost by none.

import { once } from 'node:events';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createWebhookEndpoints } from '../../src/jobs/webhook-endpoint.ts';
import { IMPATIENT, payoutEvent, type Receiver, type Rig, startReceiver, startRig, verify } from './webhook-out-rig.ts';

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

describe('our own processes', () => {
  test('that take up one delivery all at once send it once', async () => {
    await register();
    const [deliveryId = ''] = await rig.emit([payoutEvent('race')]);
    const senders = [rig.open(), rig.open({}, await rig.ledger.openTeller())];
    await Promise.all(Array.from({ length: 20 }, (_, at) => senders[at % 2]?.deliver(deliveryId)));
    expect(receiver.received).toHaveLength(1);
    expect(await rig.deliveries()).toMatchObject([{ status: 'delivered', attempt: 1 }]);
  });

  test('that all take up everything, at a host that fails often, keep the order of each operation', async () => {
    await register();
    const senders = [rig.open(), rig.open({}, await rig.ledger.openTeller())];
    const keys = Array.from({ length: 12 }, (_, at) => `busy-${at}`);
    let count = 0;
    receiver.answer = (response) => response.writeHead(count++ % 3 === 0 ? 500 : 200).end();
    for (const type of ['review.opened', 'payout.succeeded', 'payout.returned'] as const) {
      await rig.emit(keys.map((key) => payoutEvent(key, type)));
    }
    await Promise.all(senders.map((sender) => rig.drain(sender)));
    for (const key of keys) {
      const told = receiver.received.filter(({ body }) => body.data.semantic_key === key);
      const sequences = told.map(({ body }) => body.sequence);
      expect(sequences).toEqual([...sequences].sort());
      expect([...new Set(sequences)]).toEqual([1, 2, 3]);
    }
    // As many as were refused came a second time, and no other.
    const refused = rig.attempts.filter(({ result }) => result === 'retry').length;
    expect(receiver.received).toHaveLength(keys.length * 3 + refused);
  });

  test('one of which dies between the answer and its last write, send again under the same id', async () => {
    const { secret } = await register();
    const [deliveryId = ''] = await rig.emit([payoutEvent('crash')]);
    const dying = await rig.ledger.openTeller();
    receiver.answer = (response) => void dying.db.close().then(() => response.writeHead(200).end());
    await expect(rig.open({ leaseMs: 300 }, dying).deliver(deliveryId)).rejects.toThrow();
    expect(await rig.deliveries()).toMatchObject([{ status: 'pending', leased: true, attempt: 1 }]);
    receiver.answer = (response) => response.writeHead(200).end();
    await rig.drain(rig.open());
    expect(receiver.received).toHaveLength(2);
    for (const message of receiver.received) verify(message, secret);
    expect(new Set(receiver.received.map(({ raw, headers }) => raw + headers['webhook-id'])).size).toBe(1);
    expect(await rig.deliveries()).toMatchObject([{ status: 'delivered', attempt: 2 }]);
  });

  test('one of which loses its lease while it waits, change nothing that the other has written', async () => {
    await register();
    const [deliveryId = ''] = await rig.emit([payoutEvent('slow')]);
    const arrived = Promise.withResolvers<() => void>();
    receiver.answer = (response) => arrived.resolve(() => response.writeHead(500).end());
    const slow = rig.open({ leaseMs: 200 }).deliver(deliveryId);
    const answerAtLast = await arrived.promise;
    receiver.answer = (response) => response.writeHead(200).end();
    await rig.drain(rig.open());
    answerAtLast();
    await slow;
    expect(await rig.deliveries()).toMatchObject([{ status: 'delivered', attempt: 2, outcome: 'delivered' }]);
    expect(rig.attempts.map(({ outcome }) => outcome)).toEqual(['delivered', 'lease_lost']);
  });

  test('that stop end what hangs, and it is sent later', async () => {
    await register();
    const [deliveryId = ''] = await rig.emit([payoutEvent('stop')]);
    const arrived = Promise.withResolvers<void>();
    receiver.answer = () => arrived.resolve();
    const out = rig.open();
    const hanging = out.deliver(deliveryId);
    await arrived.promise;
    await out.close(0);
    await hanging;
    expect(await rig.deliveries()).toMatchObject([{ status: 'pending', outcome: 'shutdown', leased: false }]);
    await out.deliver(deliveryId);
    expect(receiver.received).toHaveLength(1);
  });

  test('that die in every attempt do not try for ever', async () => {
    await register();
    const [deliveryId = ''] = await rig.emit([payoutEvent('deadly')]);
    await sql`UPDATE delivery SET tries = ${IMPATIENT.length + 1}, attempt = 51`.execute(rig.ledger.db.sql);
    await rig.open().deliver(deliveryId);
    expect(await rig.deliveries()).toMatchObject([{ status: 'failed', outcome: 'no_end' }]);
    expect(receiver.received).toEqual([]);
  });

  test('that are too late to send do not hold it against the endpoint', async () => {
    await register();
    const late = rig.open({ leaseMs: 0, ladderMs: [] });
    const deliveryIds = await rig.emit(Array.from({ length: 11 }, (_, at) => payoutEvent(`late-${at}`)));
    for (const deliveryId of deliveryIds.slice(0, 5)) await late.deliver(deliveryId);
    await Promise.all(deliveryIds.slice(5).map((deliveryId) => late.deliver(deliveryId)));
    expect(rig.attempts.map(({ outcome }) => outcome)).toEqual(deliveryIds.map(() => 'not_sent'));
    expect(receiver.received).toEqual([]);
    // Nor against the delivery: its only try is still to come.
    expect(await rig.deliveries()).toEqual(
      deliveryIds.map(() => expect.objectContaining({ status: 'pending', tries: 0, leased: false })),
    );
    await rig.drain(rig.open({ ladderMs: [] }));
    expect(receiver.received).toHaveLength(11);
  });

  test('keep an endpoint that hangs from taking the places of one that does not', async () => {
    const hanging = await startReceiver();
    const arrived: Promise<unknown>[] = [];
    hanging.answer = (_response, _received, request) => void arrived.push(once(request.socket, 'close'));
    const allowHosts = [`127.0.0.1:${hanging.port}`, `127.0.0.1:${receiver.port}`];
    const endpoints = createWebhookEndpoints({ db: rig.ledger.db, allowHosts, enqueue: async () => undefined });
    await endpoints.create({ url: hanging.url, events: ['payout.failed'] });
    await endpoints.create({ url: receiver.url, events: ['payout.succeeded'] });
    const out = rig.open({ allowHosts, timeoutMs: 100, ladderMs: [60_000] });
    const stuck = await rig.emit(Array.from({ length: 30 }, (_, at) => payoutEvent(`stuck-${at}`, 'payout.failed')));
    const known = stuck.slice(0, 5);
    await Promise.all(known.map((deliveryId) => out.deliver(deliveryId)));
    await rig.emit(Array.from({ length: 30 }, (_, at) => payoutEvent(`quick-${at}`)));
    const due = await out.due(40);
    expect(due.filter((deliveryId) => stuck.includes(deliveryId)).length).toBeLessThan(20);
    await Promise.all(stuck.map((deliveryId) => out.deliver(deliveryId)));
    expect(hanging.received.length).toBeLessThanOrEqual(known.length + 2);
    await Promise.all((await out.due(100)).map((deliveryId) => out.deliver(deliveryId)));
    expect(receiver.received.length).toBeGreaterThanOrEqual(16);
    await hanging.close();
  });
});
