// The inbox of the providers' events: stored once, claimed for a lease, finished. They come in crowds, so what is asked
// for while a statement is under way shares the next one.

import { sql } from 'kysely';
import type { Logger } from 'pino';
import type { Pkid } from '../../domain/id.ts';
import type { ProviderEvent, ProviderName } from '../../domain/provider.ts';
import { createGroupCommit, type GroupItem } from '../../ledger/group-commit.ts';
import { createLoader } from '../../ledger/loader.ts';
import { type Db, databaseAway, isRetryable } from '../../runtime/db.ts';

export interface StoredEvent {
  readonly provider: ProviderName;
  readonly eventId: string;
}

export interface ReceivedEvent extends StoredEvent, ProviderEvent {
  /** JSON that PostgreSQL can hold. */
  readonly body: string;
}

export interface ClaimedEvent extends StoredEvent {
  readonly type: string;
  readonly subject: ProviderEvent['subject'];
  readonly pkid: Pkid | null;
  readonly externId: string | null;
}

export interface FinishedEvent extends StoredEvent {
  readonly outcome: 'applied' | 'hinted' | 'no_effect' | 'unmatched' | 'ignored';
  /** Of the payment that it turned out to speak of; kept where the event did not say so itself. */
  readonly pkid: Pkid | null;
}

interface Storing extends GroupItem {
  readonly event: ReceivedEvent;
  readonly resolve: (isNew: boolean) => void;
}

/** Well below the hour after which a person is told of an event that waits. */
const REST_MAX_S = 600;

export function createInbox({ db, log, leaseMs }: { db: Db; log: Logger; leaseMs: number }) {
  // An event that the database refuses is found by halves, and refused alone.
  const storing = createGroupCommit<Storing>({
    log,
    onBatch: () => undefined,
    async commit(items) {
      const received = new Map(items.map(({ event }) => [nameOf(event), event]));
      const stored = await insertEvents(db, [...received.values()], leaseMs).catch((error: unknown) => {
        // Then nobody's event is guilty: all are told at once, and the provider delivers them again.
        throw isRetryable(error) ? databaseAway(error) : error;
      });
      // Of equal ones only the first is new.
      for (const { event, resolve } of items) resolve(stored.delete(nameOf(event)));
      return [];
    },
  });
  const claims = createLoader<StoredEvent, ClaimedEvent>((events) => claimEvents(db, events, leaseMs));
  const endings = createLoader<FinishedEvent, true>((events) => finishEvents(db, events));

  return {
    /** Whether it is new here; it is due after a lease, should its job be lost. */
    store(event: ReceivedEvent): Promise<boolean> {
      const { promise, resolve, reject } = Promise.withResolvers<boolean>();
      const locks = { pkid: nameOf(event), alsoLocks: [], walletIds: [] };
      storing.submit({ event, isIntake: true, ...locks, resolve, reject });
      return promise;
    },

    /**
     * Null when it is finished. For half a lease at least reconcile leaves it alone: a slow provider is not asked
     * twice, and failing events crowd no round. What was stored a moment ago has most of its first lease left.
     */
    claim: (event: StoredEvent): Promise<ClaimedEvent | null> => claims.load(event),

    async finish(event: FinishedEvent): Promise<void> {
      await endings.load(event);
    },

    /**
     * Looking failed, mostly because the provider is away: the event rests for half of the time that it has been here,
     * from a lease to ten minutes, or all events of a long outage would be asked about once a lease.
     */
    async rest({ provider, eventId }: StoredEvent): Promise<void> {
      await sql`UPDATE provider_event
        SET due_at = clock_timestamp() + greatest(make_interval(secs => ${leaseMs / 1000}), least(
          (clock_timestamp() - received_at) / 2, make_interval(secs => ${REST_MAX_S})))
        WHERE provider = ${provider} AND event_id = ${eventId} AND processed_at IS NULL`.execute(db.sql);
    },

    /** Not finished: it is looked at again after a rest, and not before that time of the database's. */
    async postpone(
      { provider, eventId }: StoredEvent,
      { restMs, notBefore }: { restMs: number; notBefore: Date | null },
    ): Promise<void> {
      await sql`UPDATE provider_event
        SET due_at = greatest(clock_timestamp() + make_interval(secs => ${restMs / 1000}), ${notBefore}::timestamptz)
        WHERE provider = ${provider} AND event_id = ${eventId} AND processed_at IS NULL`.execute(db.sql);
    },
  };
}

interface RawClaim extends RawName {
  readonly type: string;
  readonly subject: ProviderEvent['subject'];
  readonly pkid: Pkid | null;
  readonly extern_id: string | null;
  readonly is_due: boolean;
}

interface RawName {
  readonly provider: ProviderName;
  readonly event_id: string;
}

/** Names of providers have no space in them. */
export function nameOf({ provider, eventId }: StoredEvent): string {
  return `${provider} ${eventId}`;
}

/** Returns the names of those that were not there. */
async function insertEvents(db: Db, events: readonly ReceivedEvent[], leaseMs: number): Promise<Set<string>> {
  const { rows } = await sql<RawName>`
    INSERT INTO provider_event
      (provider, event_id, type, subject, extern_payment_id, pkid, body, occurred_at, received_at, due_at)
    SELECT provider, event_id, type, subject, extern_id, pkid, body::jsonb, occurred_at, clock_timestamp(),
           clock_timestamp() + make_interval(secs => ${leaseMs / 1000})
    FROM unnest(${events.map(({ provider }) => provider)}::text[], ${events.map(({ eventId }) => eventId)}::text[],
                ${events.map(({ type }) => type)}::text[], ${events.map(({ subject }) => subject)}::text[],
                ${events.map(({ externId }) => externId)}::text[], ${events.map(({ pkid }) => pkid)}::uuid[],
                ${events.map(({ body }) => body)}::text[],
                ${events.map(({ occurredAt }) => occurredAt.toISOString())}::timestamptz[])
         AS u (provider, event_id, type, subject, extern_id, pkid, body, occurred_at)
    ORDER BY provider, event_id
    ON CONFLICT DO NOTHING RETURNING provider, event_id`.execute(db.sql);
  return new Set(rows.map(({ provider, event_id }) => nameOf({ provider, eventId: event_id })));
}

async function claimEvents(
  db: Db,
  events: readonly StoredEvent[],
  leaseMs: number,
): Promise<ReadonlyMap<StoredEvent, ClaimedEvent>> {
  const { rows } = await sql<RawClaim>`
    SELECT e.provider, e.event_id, e.type, e.subject, e.pkid, e.extern_payment_id AS extern_id,
           e.due_at < clock_timestamp() + make_interval(secs => ${leaseMs / 2000}) AS is_due
    FROM provider_event e WHERE ${isAmong(events, 'e')} AND e.processed_at IS NULL`.execute(db.sql);
  const due = rows.filter(({ is_due }) => is_due).map(({ provider, event_id: eventId }) => ({ provider, eventId }));
  if (due.length > 0) await extendLeases(db, due, leaseMs);
  const claimed = new Map(
    rows.map(({ provider, event_id: eventId, type, subject, pkid, extern_id: externId }) => {
      const event = { provider, eventId, type, subject, pkid, externId };
      return [nameOf(event), event];
    }),
  );
  return new Map(
    events.flatMap((event) => {
      const found = claimed.get(nameOf(event));
      return found === undefined ? [] : [[event, found] as const];
    }),
  );
}

async function extendLeases(db: Db, events: readonly StoredEvent[], leaseMs: number): Promise<void> {
  await sql`
    WITH open AS (${openEvents(events)})
    UPDATE provider_event e SET due_at = clock_timestamp() + make_interval(secs => ${leaseMs / 1000})
    FROM open WHERE e.provider = open.provider AND e.event_id = open.event_id`.execute(db.sql);
}

async function finishEvents(db: Db, events: readonly FinishedEvent[]): Promise<ReadonlyMap<FinishedEvent, true>> {
  // Applied twice at once, it ends as one of the two says; the statement takes one row of each event.
  const once = [...new Map(events.map((event) => [nameOf(event), event])).values()];
  await sql`
    WITH open AS (${openEvents(once)})
    UPDATE provider_event e
    SET processed_at = clock_timestamp(), outcome = u.outcome, due_at = NULL, pkid = coalesce(e.pkid, u.pkid)
    FROM open, unnest(${once.map(({ provider }) => provider)}::text[], ${once.map(({ eventId }) => eventId)}::text[],
                      ${once.map(({ outcome }) => outcome)}::text[], ${once.map(({ pkid }) => pkid)}::uuid[])
               AS u (provider, event_id, outcome, pkid)
    WHERE e.provider = open.provider AND e.event_id = open.event_id
      AND e.provider = u.provider AND e.event_id = u.event_id`.execute(db.sql);
  return new Map(events.map((event) => [event, true]));
}

/** Those that are not finished, locked in one order, because other processes take events by the crowd too. */
function openEvents(events: readonly StoredEvent[]) {
  return sql`
    SELECT o.provider, o.event_id FROM provider_event o
    WHERE ${isAmong(events, 'o')} AND o.processed_at IS NULL
    ORDER BY o.provider, o.event_id FOR UPDATE`;
}

function isAmong(events: readonly StoredEvent[], table: 'e' | 'o') {
  return sql`(${sql.ref(`${table}.provider`)}, ${sql.ref(`${table}.event_id`)}) IN (
      SELECT provider, event_id FROM unnest(${events.map(({ provider }) => provider)}::text[],
                           ${events.map(({ eventId }) => eventId)}::text[]) AS u (provider, event_id))`;
}
