// The rows of deliveries: which are due, the claim of one for one attempt, and how the attempt ended. Each is one
// short transaction, and none is open while something is sent.

import { type RawBuilder, sql } from 'kysely';
import type { EventType, Subject, SubjectKind } from '../../domain/outgoing.ts';
import { type Db, isRetryable, type Tx } from '../../runtime/db.ts';

/** An unlocked look at a delivery that is due; null when there is nothing to do now. */
export interface DueDelivery {
  readonly endpointId: string;
  readonly eventId: string;
  readonly type: EventType;
  readonly sequence: number;
  readonly subject: Subject;
  /** Null before the first attempt. */
  readonly body: string | null;
}

/** What one attempt needs; the attempt's number is its fencing token. */
export interface Claim {
  readonly deliveryId: string;
  readonly attempt: number;
  readonly tries: number;
  readonly url: string;
  readonly body: string;
  /** The newest first. */
  readonly secrets: readonly Buffer[];
  /** The database's time of the claim. */
  readonly at: Date;
}

export type Claimed =
  | ({ readonly type: 'claimed' } & Claim)
  /** Not due any more, waiting for an earlier event of its subject, or another worker's. */
  | { readonly type: 'nothing' }
  /** Given up in this commit. */
  | { readonly type: 'failed'; readonly outcome: string; readonly next: string | null };

export type Ending =
  | { readonly status: 'delivered' | 'failed'; readonly outcome: string; readonly httpStatus: number | null }
  | { readonly status: 'pending'; readonly outcome: string; readonly httpStatus: number | null; retryMs: number };

/** The end of the event before it makes a delivery due; this is for the day that a process dies in between. */
const BLOCKED_MS = 60_000;
/** One round of reconcile takes this many of one endpoint, so that a full line leaves the others their turn. */
const DUE_PER_ENDPOINT_MAX = 16;

/** Oldest first, without locks: each one's own claim decides. */
export async function readDue(db: Db, limit: number): Promise<string[]> {
  const { rows } = await sql<{ delivery_id: string }>`
    SELECT due.delivery_id FROM webhook_endpoint e CROSS JOIN LATERAL (
      SELECT d.delivery_id, d.due_at FROM delivery d
      WHERE d.endpoint_id = e.endpoint_id AND d.due_at <= now() ORDER BY d.due_at LIMIT ${DUE_PER_ENDPOINT_MAX}
    ) due ORDER BY due.due_at LIMIT ${limit}`.execute(db.sql);
  return rows.map((row) => row.delivery_id);
}

export async function readDelivery(db: Db, deliveryId: string): Promise<DueDelivery | null> {
  const { rows } = await sql<{
    endpoint_id: string;
    event_id: string;
    type: EventType;
    kind: SubjectKind;
    pkid: string;
    semantic_key: string;
    sequence: number;
    body: string | null;
  }>`
    SELECT d.endpoint_id, v.event_id, v.type, v.kind, v.pkid, v.semantic_key, v.sequence, d.body
    FROM delivery d JOIN outgoing_event v ON v.event_id = d.event_id
    WHERE d.delivery_id = ${deliveryId}::uuid AND d.due_at <= clock_timestamp()`.execute(db.sql);
  const [row] = rows;
  if (row === undefined) return null;
  const { endpoint_id: endpointId, event_id: eventId, type, sequence, body, kind, pkid, semantic_key } = row;
  return { endpointId, eventId, type, sequence, body, subject: { kind, pkid, semanticKey: semantic_key } };
}

interface Claiming {
  readonly deliveryId: string;
  /** Stored by the first attempt; a later one is given what is stored. */
  readonly body: string;
  readonly leaseMs: number;
  readonly triesMax: number;
}

/** Takes a delivery for one attempt. Nothing can stand before the first event of a subject, so one statement does. */
export async function claimDelivery(db: Db, claiming: Claiming): Promise<Claimed> {
  const taken = await take(db.sql, claiming, { only: sql`d.sequence = 1` });
  return taken ?? db.transaction((tx) => claimInOrder(tx, claiming));
}

/**
 * The row is locked before anything is decided, and what stands before it is read only then: whoever ends that one
 * needs this lock too, so neither can miss the other.
 */
async function claimInOrder(tx: Tx, claiming: Claiming): Promise<Claimed> {
  const { deliveryId, triesMax } = claiming;
  const { rows } = await sql<{ tries: number; is_due: boolean }>`
    SELECT l.tries, l.due_at <= clock_timestamp() AS is_due FROM (
      SELECT tries, due_at FROM delivery WHERE delivery_id = ${deliveryId}::uuid AND status = 'pending' FOR UPDATE
    ) l`.execute(tx);
  const [row] = rows;
  if (row?.is_due !== true) return { type: 'nothing' };
  if (await isBlocked(tx, deliveryId)) {
    await putOff(tx, { deliveryId, byMs: BLOCKED_MS });
    return { type: 'nothing' };
  }
  const taken = await take(tx, claiming, { only: sql`true` });
  if (taken !== null) return taken;
  // Only workers that die while they send use up their tries without an end.
  const outcome = row.tries >= triesMax ? 'no_end' : ENDPOINT_DISABLED;
  const { next } = await end(tx, {
    mine: sql`true`,
    deliveryId,
    ending: { status: 'failed', outcome, httpStatus: null },
  });
  return { type: 'failed', outcome, next };
}

async function take(
  client: Db['sql'],
  { deliveryId, body, leaseMs, triesMax }: Claiming,
  { only }: { only: RawBuilder<unknown> },
): Promise<Claimed | null> {
  const { rows } = await sql<{
    attempt: number;
    tries: number;
    body: string;
    url: string;
    secret: Buffer;
    previous: Buffer | null;
    at: string;
  }>`
    UPDATE delivery d SET attempt = d.attempt + 1, tries = d.tries + 1, leased = true,
      body = coalesce(d.body, ${body}), last_attempt_at = date_trunc('milliseconds', clock_timestamp()),
      due_at = clock_timestamp() + make_interval(secs => ${leaseMs / 1_000})
    FROM webhook_endpoint e
    WHERE d.delivery_id = ${deliveryId}::uuid AND d.status = 'pending' AND d.due_at <= clock_timestamp()
      AND d.tries < ${triesMax} AND e.endpoint_id = d.endpoint_id AND e.status = 'enabled' AND ${only}
    RETURNING d.attempt, d.tries, d.body, d.last_attempt_at AS at, e.url, e.secret,
      CASE WHEN e.previous_until > clock_timestamp() THEN e.previous_secret END AS previous`.execute(client);
  const [row] = rows;
  if (row === undefined) return null;
  const { secret, previous, at, ...taken } = row;
  const secrets = previous === null ? [secret] : [secret, previous];
  return { type: 'claimed', deliveryId, ...taken, secrets, at: new Date(at) };
}

/** Writes the end of an attempt unless its lease was lost. Returns the subject's next delivery, which is due now. */
export async function endAttempt(
  db: Db,
  { deliveryId, attempt }: Pick<Claim, 'deliveryId' | 'attempt'>,
  ending: Ending,
): Promise<Ended> {
  const write = (client: Db['sql']) => end(client, { mine: sql`attempt = ${attempt} AND leased`, deliveryId, ending });
  try {
    return await write(db.sql);
  } catch (error) {
    // What is not written now is sent again when the lease is over.
    if (!isRetryable(error)) throw error;
    return db.transaction(write);
  }
}

interface Ended {
  readonly isWritten: boolean;
  readonly next: string | null;
}

/** One statement: the end itself, the first event of the subject that waits behind it, and the word of an endpoint. */
async function end(
  client: Db['sql'],
  { mine, deliveryId, ending }: { mine: RawBuilder<unknown>; deliveryId: string; ending: Ending },
): Promise<Ended> {
  const { status, outcome, httpStatus } = ending;
  const isFinal = status !== 'pending';
  const dueAt = isFinal ? sql`NULL` : sql`clock_timestamp() + make_interval(secs => ${ending.retryMs / 1_000})`;
  const finalAt = isFinal ? sql`date_trunc('milliseconds', clock_timestamp())` : sql`NULL`;
  const { rows } = await sql<{ written: number; next: string | null }>`
    WITH ended AS (
      UPDATE delivery SET status = ${status}, leased = false, due_at = ${dueAt}, final_at = ${finalAt},
        outcome = ${outcome}, http_status = ${httpStatus}::smallint,
        tries = tries - (${outcome === NOT_SENT}::boolean)::integer
      WHERE delivery_id = ${deliveryId}::uuid AND ${mine} RETURNING endpoint_id, pkid, sequence
    ), woken AS (
      UPDATE delivery SET due_at = clock_timestamp() WHERE status = 'pending' AND NOT leased AND delivery_id = (
        SELECT n.delivery_id FROM ended JOIN delivery n USING (endpoint_id, pkid)
        WHERE n.sequence > ended.sequence AND n.status = 'pending' AND ${isFinal}::boolean
        ORDER BY n.sequence LIMIT 1)
      RETURNING delivery_id
    ), left_us AS (
      UPDATE webhook_endpoint e SET status = 'disabled', disabled_reason = 'gone', enabled_since = NULL,
        updated_at = date_trunc('milliseconds', clock_timestamp())
      FROM ended WHERE e.endpoint_id = ended.endpoint_id AND e.status = 'enabled' AND ${outcome === GONE}::boolean
    )
    SELECT (SELECT count(*) FROM ended)::integer AS written, (SELECT delivery_id FROM woken) AS next`.execute(client);
  const [row] = rows;
  return { isWritten: row?.written === 1, next: row?.next ?? null };
}

/** "gone" is the endpoint's own last word (HTTP 410). */
export const GONE = 'gone';
/** Its worker was late, so that another one might send beside it; the try does not count. */
export const NOT_SENT = 'not_sent';
/** It was switched off while deliveries were on their way; they are not sent. */
export const ENDPOINT_DISABLED = 'endpoint_disabled';

/** Not attempted: it is looked at again later, and nothing is counted. */
export async function postpone(db: Db, deliveryId: string, byMs: number): Promise<void> {
  await putOff(db.sql, { deliveryId, byMs });
}

async function putOff(client: Db['sql'], { deliveryId, byMs }: { deliveryId: string; byMs: number }): Promise<void> {
  // One that is due and leased belonged to a worker that died.
  await sql`UPDATE delivery SET leased = false, due_at = clock_timestamp() + make_interval(secs => ${byMs / 1_000})
    WHERE delivery_id = ${deliveryId}::uuid AND due_at <= clock_timestamp()`.execute(client);
}

async function isBlocked(tx: Tx, deliveryId: string): Promise<boolean> {
  const { rows } = await sql`
    SELECT 1 FROM delivery d JOIN delivery b
      ON b.endpoint_id = d.endpoint_id AND b.pkid = d.pkid AND b.sequence < d.sequence AND b.status = 'pending'
    WHERE d.delivery_id = ${deliveryId}::uuid LIMIT 1`.execute(tx);
  return rows.length > 0;
}
