// The inbox in trouble: a crowd of events of which one is refused, and a crowd while the database is away.

import { sql } from 'kysely';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createInbox, type ReceivedEvent } from '../../src/jobs/webhook-in/rows.ts';
import { openDb } from '../../src/runtime/db.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { type Ledger, openLedger } from '../harness/ledger.ts';

const CROWD = 50;
const LEASE_MS = 1_000;
/** Nobody listens there. */
const NOWHERE = 'postgres://remit@127.0.0.1:9/remit';
let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger();
});
afterAll(() => ledger.close());

test('an event that the database refuses is refused alone', async () => {
  const inbox = createInbox({ db: ledger.db, log: silentLogger(), leaseMs: LEASE_MS });
  const crowd = Array.from({ length: CROWD }, (_, index) => eventOf(index, index === 7 ? 'no JSON' : '{}'));
  const answers = await Promise.allSettled(crowd.map((event) => inbox.store(event)));
  const refused = answers.flatMap(({ status }, index) => (status === 'rejected' ? [index] : []));
  expect(refused).toEqual([7]);
  expect(await inbox.claim({ provider: 'stripe', eventId: 'evt_7' })).toBeNull();
  expect(await inbox.claim({ provider: 'stripe', eventId: 'evt_8' })).toMatchObject({ type: 'transfer.created' });
});

test('while the database is away a whole crowd is told so at once, and nothing counts as refused', async () => {
  const lines: string[] = [];
  const db = await openDb(NOWHERE, { log: silentLogger() });
  const inbox = createInbox({ db, log: pino({}, { write: (line) => lines.push(line) }), leaseMs: LEASE_MS });
  const answers = await Promise.allSettled(
    Array.from({ length: CROWD }, (_, index) => inbox.store(eventOf(index, '{}'))),
  );
  for (const answer of answers) expect(answer).toMatchObject({ reason: { kind: 'unavailable' } });
  expect(lines).toEqual([]);
  await db.close();
});

test('a claim leaves an event to its owner for half a lease at least, and writes only where less is left', async () => {
  const leaseMs = 60_000;
  const inbox = createInbox({ db: ledger.db, log: silentLogger(), leaseMs });
  const event = eventOf(1_000, '{}');
  await inbox.store(event);
  const storedDue = await dueInMs(event);
  expect(await inbox.claim(event)).toMatchObject({ type: 'transfer.created' });
  expect(await dueInMs(event)).toBeLessThanOrEqual(storedDue);
  await sql`UPDATE provider_event SET due_at = clock_timestamp() + interval '29 s'
    WHERE event_id = ${event.eventId}`.execute(ledger.db.sql);
  expect(await inbox.claim(event)).toMatchObject({ type: 'transfer.created' });
  expect(await dueInMs(event)).toBeGreaterThan(leaseMs / 2);
  await inbox.finish({ ...event, outcome: 'ignored', pkid: null });
  expect(await inbox.claim(event)).toBeNull();
});

test.each([
  ['a moment ago', '1 s', 60_000],
  ['three minutes ago', '3 min', 90_000],
  ['hours ago', '5 h', 600_000],
])(
  'an event that came %s and cannot be applied rests for a lease, or half of its age, within ten minutes',
  async (_when, age, rest) => {
    const inbox = createInbox({ db: ledger.db, log: silentLogger(), leaseMs: 60_000 });
    const event = eventOf(2_000 + rest, '{}');
    await inbox.store(event);
    await sql`UPDATE provider_event SET due_at = clock_timestamp(), received_at = clock_timestamp() - ${age}::interval
    WHERE event_id = ${event.eventId}`.execute(ledger.db.sql);
    expect(await inbox.claim(event)).toMatchObject({ type: 'transfer.created' });
    expect(Math.abs((await dueInMs(event)) - 60_000)).toBeLessThan(2_000);
    await inbox.rest(event);
    expect(Math.abs((await dueInMs(event)) - rest)).toBeLessThan(2_000);
  },
);

async function dueInMs({ eventId }: ReceivedEvent): Promise<number> {
  const { rows } = await sql<{ due_ms: number }>`
    SELECT extract(epoch FROM due_at - clock_timestamp())::float8 * 1000 AS due_ms
    FROM provider_event WHERE event_id = ${eventId}`.execute(ledger.db.sql);
  return rows[0]?.due_ms ?? Number.NaN;
}

function eventOf(number: number, body: string): ReceivedEvent {
  const eventId = `evt_${number}`;
  const said = { type: 'transfer.created', subject: 'payout', externId: `tr_${number}`, pkid: null } as const;
  return { provider: 'stripe', eventId, body, ...said, occurredAt: new Date() };
}
