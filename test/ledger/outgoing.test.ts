// Events leave in the commit in which they happen, or not at all.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { uuidV5 } from '../../src/domain/id.ts';
import type { EventType, OutgoingEvent } from '../../src/domain/outgoing.ts';
import { createWebhookEndpoints } from '../../src/jobs/webhook-endpoint.ts';
import { outgoingTablesOf, writeOutgoing } from '../../src/ledger/outgoing.ts';
import type { Tx } from '../../src/runtime/db.ts';
import { statementsOf } from '../../src/runtime/statements.ts';
import { countOf, type Ledger, openLedger } from '../harness/ledger.ts';

let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger();
  const endpoints = createWebhookEndpoints({
    db: ledger.db,
    allowHosts: ['127.0.0.1:1'],
    enqueue: async () => undefined,
  });
  await endpoints.create({ url: 'http://127.0.0.1:1/a', events: ['*'] });
  await endpoints.create({ url: 'http://127.0.0.1:1/b', events: ['payout.succeeded'] });
});
afterAll(() => ledger.close());

const write = (tx: Tx, events: readonly OutgoingEvent[]) =>
  writeOutgoing(statementsOf(tx), { tables: outgoingTablesOf(ledger.db), events, now: new Date() });
const event = (semanticKey: string, type: EventType): OutgoingEvent => ({
  type,
  kind: 'payout',
  pkid: uuidV5('2f6d8a44-70f4-5a43-9c0a-0d3c1f7a9b11', semanticKey),
  semanticKey,
});

test('the events of a batch are numbered for each subject, across commits', async () => {
  const first = await ledger.db.transaction((tx) =>
    write(tx, [event('b', 'review.opened'), event('a', 'payout.succeeded'), event('b', 'payout.succeeded')]),
  );
  expect(new Set(first).size).toBe(5);
  await ledger.db.transaction((tx) => write(tx, [event('b', 'payout.returned'), event('a', 'payout.returned')]));
  const { rows } = await sql`
    SELECT semantic_key, type, sequence FROM outgoing_event ORDER BY semantic_key, sequence`.execute(ledger.db.sql);
  expect(rows).toEqual([
    { semantic_key: 'a', type: 'payout.succeeded', sequence: 1 },
    { semantic_key: 'a', type: 'payout.returned', sequence: 2 },
    { semantic_key: 'b', type: 'review.opened', sequence: 1 },
    { semantic_key: 'b', type: 'payout.succeeded', sequence: 2 },
    { semantic_key: 'b', type: 'payout.returned', sequence: 3 },
  ]);
  expect(await countOf(ledger, 'delivery')).toBe(7);
});

test('a commit that does not come about leaves no event', async () => {
  const before = await countOf(ledger, 'outgoing_event');
  const failing = ledger.db.transaction(async (tx) => {
    await write(tx, [event('undone', 'payout.succeeded')]);
    throw new Error('undone');
  });
  await expect(failing).rejects.toThrow('undone');
  expect(await countOf(ledger, 'outgoing_event')).toBe(before);
});

test('two events of one subject never share a place, whoever forgets to lock it', async () => {
  await ledger.db.transaction((tx) => write(tx, [event('unlocked', 'payout.succeeded')]));
  const second = sql`
    INSERT INTO outgoing_event SELECT gen_random_uuid(), 'payout.returned', kind, pkid, semantic_key, sequence, now()
    FROM outgoing_event WHERE semantic_key = 'unlocked'`.execute(ledger.db.sql);
  await expect(second).rejects.toThrow('outgoing_event_in_order');
});

test('no event reads nothing and writes nothing', async () => {
  expect(await ledger.db.transaction((tx) => write(tx, []))).toEqual([]);
});
