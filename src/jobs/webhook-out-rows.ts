// The rows of deliveries: which are due, the claim of one for one attempt, and how the attempt ended. Each is one
// short transaction, and none is open while something is sent.

import { sql } from 'kysely';
import type { EventType, Subject, SubjectKind } from '../domain/outgoing.ts';
import type { Db, Tx } from '../runtime/db.ts';

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

interface LockedRow {
  readonly attempt: number;
  readonly tries: number;
  readonly sequence: number;
  readonly is_due: boolean;
  readonly now: string;
}

/**
 * Takes a delivery for one attempt. The row is locked before anything is decided, and what was sent before it is read
 * only then: whoever ends the event before needs this lock too, so neither can miss the other.
 */
export async function claimDelivery(
  db: Db,
  { deliveryId, body, leaseMs, triesMax }: { deliveryId: string; body: string; leaseMs: number; triesMax: number },
): Promise<Claimed> {
  return db.transaction(async (tx) => {
    const { rows } = await sql<LockedRow>`
      SELECT l.attempt, l.tries, l.sequence, l.due_at <= clock_timestamp() AS is_due, clock_timestamp() AS now
      FROM (SELECT attempt, tries, sequence, due_at FROM delivery
            WHERE delivery_id = ${deliveryId}::uuid AND status = 'pending' FOR UPDATE) l`.execute(tx);
    const [row] = rows;
    if (row?.is_due !== true) return { type: 'nothing' };
    if (row.sequence > 1 && (await isBlocked(tx, deliveryId))) {
      await putOff(tx, { deliveryId, byMs: BLOCKED_MS });
      return { type: 'nothing' };
    }
    const endpoint = await readEndpoint(tx, deliveryId);
    if (endpoint.status === 'disabled') return giveUp(tx, deliveryId, ENDPOINT_DISABLED);
    // Only workers that die while they send come this far without an end.
    if (row.tries >= triesMax) return giveUp(tx, deliveryId, 'no_end');
    const claimed = await sql<{ attempt: number; tries: number; body: string }>`
      UPDATE delivery SET attempt = attempt + 1, tries = tries + 1, leased = true, body = coalesce(body, ${body}),
        last_attempt_at = ${row.now}::timestamptz,
        due_at = ${row.now}::timestamptz + make_interval(secs => ${leaseMs / 1_000})
      WHERE delivery_id = ${deliveryId}::uuid RETURNING attempt, tries, body`.execute(tx);
    const [taken] = claimed.rows;
    if (taken === undefined) return { type: 'nothing' };
    const { url, secrets } = endpoint;
    return { type: 'claimed', deliveryId, ...taken, url, secrets, at: new Date(row.now) };
  });
}

/** Writes the end of an attempt unless its lease was lost. Returns the subject's next delivery, which is due now. */
export async function endAttempt(
  db: Db,
  claim: Pick<Claim, 'deliveryId' | 'attempt'>,
  ending: Ending,
): Promise<{ isWritten: boolean; next: string | null }> {
  const { deliveryId, attempt } = claim;
  return db.transaction(async (tx) => {
    const mine = sql`delivery_id = ${deliveryId}::uuid AND attempt = ${attempt} AND leased`;
    const { status, outcome, httpStatus } = ending;
    const told = sql`leased = false, outcome = ${outcome}, http_status = ${httpStatus}::smallint`;
    if (ending.status === 'pending') {
      const { numAffectedRows } = await sql`
        UPDATE delivery SET ${told}, due_at = clock_timestamp() + make_interval(secs => ${ending.retryMs / 1_000})
        WHERE ${mine}`.execute(tx);
      return { isWritten: numAffectedRows === 1n, next: null };
    }
    const { numAffectedRows } = await sql`
      UPDATE delivery SET ${told}, status = ${status}, due_at = NULL,
        final_at = date_trunc('milliseconds', clock_timestamp())
      WHERE ${mine}`.execute(tx);
    if (numAffectedRows !== 1n) return { isWritten: false, next: null };
    if (outcome === GONE) await disableGone(tx, deliveryId);
    return { isWritten: true, next: await wakeNext(tx, deliveryId) };
  });
}

/** "gone" is the endpoint's own last word (HTTP 410). */
export const GONE = 'gone';
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

async function readEndpoint(tx: Tx, deliveryId: string): Promise<{ status: string; url: string; secrets: Buffer[] }> {
  const { rows } = await sql<{ status: string; url: string; secret: Buffer; previous: Buffer | null }>`
    SELECT e.status, e.url, e.secret,
           CASE WHEN e.previous_until > clock_timestamp() THEN e.previous_secret END AS previous
    FROM delivery d JOIN webhook_endpoint e ON e.endpoint_id = d.endpoint_id
    WHERE d.delivery_id = ${deliveryId}::uuid`.execute(tx);
  const [row] = rows;
  if (row === undefined) throw new Error('A delivery without an endpoint. Run the audit.');
  const { status, url, secret, previous } = row;
  return { status, url, secrets: previous === null ? [secret] : [secret, previous] };
}

async function giveUp(tx: Tx, deliveryId: string, outcome: string): Promise<Claimed> {
  await sql`UPDATE delivery SET status = 'failed', leased = false, due_at = NULL, outcome = ${outcome},
      http_status = NULL, final_at = date_trunc('milliseconds', clock_timestamp())
    WHERE delivery_id = ${deliveryId}::uuid`.execute(tx);
  return { type: 'failed', outcome, next: await wakeNext(tx, deliveryId) };
}

/** The first event of the subject that waits behind the one that ended. */
async function wakeNext(tx: Tx, deliveryId: string): Promise<string | null> {
  const { rows } = await sql<{ delivery_id: string }>`
    UPDATE delivery SET due_at = clock_timestamp() WHERE status = 'pending' AND NOT leased AND delivery_id = (
      SELECT n.delivery_id FROM delivery d JOIN delivery n
        ON n.endpoint_id = d.endpoint_id AND n.pkid = d.pkid AND n.sequence > d.sequence AND n.status = 'pending'
      WHERE d.delivery_id = ${deliveryId}::uuid ORDER BY n.sequence LIMIT 1)
    RETURNING delivery_id`.execute(tx);
  return rows[0]?.delivery_id ?? null;
}

async function disableGone(tx: Tx, deliveryId: string): Promise<void> {
  await sql`UPDATE webhook_endpoint e SET status = 'disabled', disabled_reason = 'gone', enabled_since = NULL,
      updated_at = date_trunc('milliseconds', clock_timestamp())
    FROM delivery d WHERE d.delivery_id = ${deliveryId}::uuid AND e.endpoint_id = d.endpoint_id
      AND e.status = 'enabled'`.execute(tx);
}
