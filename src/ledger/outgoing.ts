// Events leave in the commit in which they happen: an event for each that somebody subscribes to, and a delivery for
// each endpoint that does. The sending is another story (jobs/webhook-out.ts).

import { uuidV5 } from '../domain/id.ts';
import { isSubscribed, type OutgoingEvent } from '../domain/outgoing.ts';
import type { Delivery } from '../entities/delivery.ts';
import type { RecordedEvent } from '../entities/outgoing-event.ts';
import type { Db } from '../runtime/db.ts';
import type { Statements } from '../runtime/statements.ts';
import { arrayLiteral } from './array-literal.ts';
import { type Table, tableOf } from './table.ts';
import { insertAll } from './table-writes.ts';

export interface OutgoingTables {
  readonly outgoingEvent: Table<RecordedEvent>;
  readonly delivery: Table<Delivery>;
}

export function outgoingTablesOf(db: Db): OutgoingTables {
  return {
    outgoingEvent: tableOf<RecordedEvent>(db, 'OutgoingEvent'),
    delivery: tableOf<Delivery>(db, 'Delivery'),
  };
}

export interface Outgoing {
  readonly events: readonly RecordedEvent[];
  readonly deliveries: readonly Delivery[];
}

/**
 * The caller holds the locks of the events' subjects, which is what makes their sequence gapless; a caller that does
 * not meets the unique key.
 */
export async function planOutgoing(
  statements: Statements,
  { events, now, endpoints }: { events: readonly OutgoingEvent[]; now: Date; endpoints: readonly Subscription[] },
): Promise<{ outgoing: Outgoing; deliveryIds: string[] }> {
  const wanted = events.filter((event) => endpoints.some(({ patterns }) => isSubscribed(patterns, event.type)));
  if (wanted.length === 0) return { outgoing: { events: [], deliveries: [] }, deliveryIds: [] };
  const recorded = inSequence(wanted, { last: await readSequences(statements, wanted), now });
  const deliveries = recorded.flatMap((event) =>
    endpoints
      .filter(({ patterns }) => isSubscribed(patterns, event.type))
      .map(({ endpointId }) => newDelivery(event, endpointId)),
  );
  return { outgoing: { events: recorded, deliveries }, deliveryIds: deliveries.map(({ deliveryId }) => deliveryId) };
}

export function insertOutgoing(
  statements: Statements,
  tables: OutgoingTables,
  { events, deliveries }: Outgoing,
): Promise<void>[] {
  return [insertAll(statements, tables.outgoingEvent, events), insertAll(statements, tables.delivery, deliveries)];
}

/** Both, for a transaction that has nothing else to do. Returns the ids of the new deliveries. */
export async function writeOutgoing(
  statements: Statements,
  { tables, events, now }: { tables: OutgoingTables; events: readonly OutgoingEvent[]; now: Date },
): Promise<string[]> {
  if (events.length === 0) return [];
  const endpoints = await readSubscriptions(statements);
  const { outgoing, deliveryIds } = await planOutgoing(statements, { events, now, endpoints });
  await Promise.all(insertOutgoing(statements, tables, outgoing));
  return deliveryIds;
}

export interface Subscription {
  readonly endpointId: string;
  readonly patterns: readonly string[];
}

/** Read in the transaction of the events: what was committed before it has its events delivered. */
export async function readSubscriptions(statements: Statements): Promise<Subscription[]> {
  const { rows } = await statements.run<RawSubscription>(`SELECT endpoint_id, events FROM ${ENABLED}`);
  return rows.map(parseSubscription);
}

/** The same with the database's clock, in one statement: every commit that settles something asks for both. */
export async function readClockAndSubscriptions(
  statements: Statements,
): Promise<{ now: Date; endpoints: Subscription[] }> {
  const { rows } = await statements.run<{ now: string; endpoints: RawSubscription[] | null }>(
    `SELECT clock_timestamp() AS now, (
       SELECT json_agg(json_build_object('endpoint_id', endpoint_id, 'events', events)) FROM ${ENABLED}) AS endpoints`,
    [],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('The database did not tell the time. Try again.');
  return { now: new Date(row.now), endpoints: (row.endpoints ?? []).map(parseSubscription) };
}

const ENABLED = `webhook_endpoint WHERE status = 'enabled'`;

interface RawSubscription {
  readonly endpoint_id: string;
  readonly events: string[];
}

function parseSubscription(row: RawSubscription): Subscription {
  return { endpointId: row.endpoint_id, patterns: row.events };
}

async function readSequences(statements: Statements, events: readonly OutgoingEvent[]): Promise<Map<string, number>> {
  const pkids = [...new Set(events.map((event) => event.pkid))];
  const { rows } = await statements.run<{ pkid: string; last: number }>(
    'SELECT pkid, max(sequence) AS last FROM outgoing_event WHERE pkid = ANY($1::uuid[]) GROUP BY pkid',
    [arrayLiteral('uuid', pkids)],
  );
  return new Map(rows.map((row) => [row.pkid, Number(row.last)]));
}

/** Several events of one subject may leave in one commit; they keep the order in which they were told. */
function inSequence(
  events: readonly OutgoingEvent[],
  { last, now }: { last: Map<string, number>; now: Date },
): RecordedEvent[] {
  return events.map(({ type, kind, pkid, semanticKey }) => {
    const sequence = (last.get(pkid) ?? 0) + 1;
    last.set(pkid, sequence);
    return { eventId: uuidV5(pkid, `event:${sequence}`), type, kind, pkid, semanticKey, sequence, createdAt: now };
  });
}

function newDelivery(event: RecordedEvent, endpointId: string): Delivery {
  const { eventId, pkid, sequence, createdAt } = event;
  return {
    deliveryId: uuidV5(eventId, endpointId),
    eventId,
    endpointId,
    pkid,
    sequence,
    status: 'pending',
    attempt: 0,
    tries: 0,
    leased: false,
    dueAt: createdAt,
    body: null,
    outcome: null,
    httpStatus: null,
    lastAttemptAt: null,
    finalAt: null,
    createdAt,
  };
}
