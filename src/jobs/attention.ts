// Everything that needs a person, in one place, with money and age: operations in review, open discrepancies, money
// that fits nothing, disputes to answer, endpoints that hear nothing, events of providers that could not be applied,
// and operations that wait for longer than usual.

import { type RawBuilder, sql } from 'kysely';
import { PAYMENT_KINDS, type PaymentKind, type Provider } from '../domain/provider.ts';
import type { Db } from '../runtime/db.ts';

type Rows = readonly Record<string, unknown>[];

/** JSON as the API shows it; amounts are decimal strings of minor units. */
export interface Attention {
  readonly review: Rows;
  readonly discrepancies: Rows;
  readonly unapplied: Rows;
  readonly disputes: Rows;
  readonly webhook_endpoints: Rows;
  readonly provider_events: Rows;
  readonly oldest_unfinished: readonly { kind: string; age_seconds: number; count: number }[];
  readonly stale: Rows;
}

/** What a page can show; the oldest come first, so nothing is hidden for ever. */
const ROWS_MAX = 200;
/** An event is applied within seconds. A provider that was away for so long has told nobody what it is about. */
const EVENT_WAITS_MAX_S = 3_600;

export async function readAttention(db: Db, providers: Iterable<Provider>): Promise<Attention> {
  const read = async (query: RawBuilder<Record<string, unknown>>) => (await query.execute(db.sql)).rows.map(withTimes);
  const [review, discrepancies, unapplied, disputes, endpoints, events, unfinished, stale] = await Promise.all([
    read(inReview()),
    read(openDiscrepancies()),
    read(openUnapplied()),
    read(openDisputes()),
    read(unheardEndpoints()),
    read(unappliedEvents()),
    oldestUnfinished().execute(db.sql),
    read(waitingLong(providers)),
  ]);
  const oldest = unfinished.rows;
  return {
    review,
    discrepancies,
    unapplied,
    disputes,
    webhook_endpoints: endpoints,
    provider_events: events,
    oldest_unfinished: oldest,
    stale,
  };
}

function inReview(): RawBuilder<Record<string, unknown>> {
  const kinds = ofEachKind(
    (kind) => sql`(${paymentFields(kind)}, review_reason AS reason, review_since AS since
      FROM ${sql.table(kind)} WHERE review_reason IS NOT NULL ORDER BY review_since LIMIT ${ROWS_MAX})`,
  );
  return sql`SELECT r.*, ${ageSince('since')} FROM (${kinds}) r ORDER BY since LIMIT ${ROWS_MAX}`;
}

function openDiscrepancies(): RawBuilder<Record<string, unknown>> {
  return sql`
    SELECT discrepancy_id, reason, provider, operation_kind AS kind, semantic_key, pkid, extern_payment_id,
           amount::text, currency, detail, opened_at AS opened_at, ${ageSince('opened_at')}
    FROM discrepancy d WHERE closed_at IS NULL ORDER BY d.opened_at LIMIT ${ROWS_MAX}`;
}

function openUnapplied(): RawBuilder<Record<string, unknown>> {
  return sql`
    SELECT unapplied_id, reason, provider, extern_payment_id, operation_kind AS kind, semantic_key, pkid,
           amount::text, currency, refund_pkid IS NOT NULL AS is_being_refunded, opened_at, ${ageSince('opened_at')}
    FROM unapplied u WHERE resolved_at IS NULL ORDER BY u.opened_at LIMIT ${ROWS_MAX}`;
}

/** A person may give evidence until it is due; the most urgent come first. */
function openDisputes(): RawBuilder<Record<string, unknown>> {
  return sql`
    SELECT dispute_id, provider, order_id, amount::text, currency, evidence_due, created_at AS opened_at,
           ${ageSince('created_at')}
    FROM dispute WHERE status = 'open' ORDER BY evidence_due NULLS LAST, created_at LIMIT ${ROWS_MAX}`;
}

/** The platform's web app does not hear what it asked to hear. */
function unheardEndpoints(): RawBuilder<Record<string, unknown>> {
  return sql`
    SELECT e.endpoint_id, e.url, e.status, e.disabled_reason AS reason, f.failed, f.since, ${ageSince('f.since')}
    FROM webhook_endpoint e
    JOIN (SELECT endpoint_id, count(*)::int AS failed, min(created_at) AS since FROM delivery
          WHERE status = 'failed' GROUP BY endpoint_id) f USING (endpoint_id)
    ORDER BY f.since LIMIT ${ROWS_MAX}`;
}

/** Until one is applied the books lack what it tells of, such as a dispute, and nothing else says so. */
function unappliedEvents(): RawBuilder<Record<string, unknown>> {
  return sql`
    SELECT provider, event_id, type, extern_payment_id, pkid, received_at AS since, due_at AS next_look_at,
           ${ageSince('received_at')}
    FROM provider_event e
    WHERE due_at IS NOT NULL AND e.received_at < now() - make_interval(secs => ${EVENT_WAITS_MAX_S})
    ORDER BY e.received_at LIMIT ${ROWS_MAX}`;
}

/** What waits for its buyer is nobody's to look after until the time that the buyer was given is over. */
function oldestUnfinished(): RawBuilder<{ kind: string; age_seconds: number; count: number }> {
  const payments = ofEachKind(
    (kind) => sql`SELECT ${sql.lit(kind)} AS kind,
        ${kind === 'payin' ? SINCE_OF_PAYIN : sql`confirmed_at`} AS since FROM ${sql.table(kind)}
      WHERE due_at IS NOT NULL AND confirmed_at IS NOT NULL`,
  );
  return sql`
    SELECT kind, floor(extract(epoch FROM now() - min(since)))::int AS age_seconds, count(*)::int AS count
    FROM (${payments} UNION ALL SELECT 'transfer', created_at FROM transfer_due JOIN transfer USING (pkid)) unfinished
    WHERE since <= now() GROUP BY kind ORDER BY kind`;
}

const SINCE_OF_PAYIN = sql`CASE WHEN next_action IS NULL THEN confirmed_at ELSE coalesce(expires_at, confirmed_at) END`;

function waitingLong(providers: Iterable<Provider>): RawBuilder<Record<string, unknown>> {
  const usual = [...providers].flatMap((provider) =>
    PAYMENT_KINDS.flatMap((kind) => {
      const usualMs = provider[kind]?.usualMs;
      return usualMs === undefined ? [] : [{ kind, name: provider.name, usualMs }];
    }),
  );
  const waiting = ofEachKind(
    (kind) => sql`(${paymentFields(kind)}, confirmed_at AS since, due_at AS next_look_at
      FROM ${sql.table(kind)} WHERE due_at IS NOT NULL AND status = 'in_process' AND review_reason IS NULL)`,
  );
  return sql`
    SELECT w.*, ${ageSince('since')} FROM (${waiting}) w
    JOIN unnest(${usual.map(({ kind }) => kind)}::text[], ${usual.map(({ name }) => name)}::text[],
                ${usual.map(({ usualMs }) => usualMs)}::bigint[]) AS u (kind, provider, usual_ms)
      USING (kind, provider)
    WHERE since < now() - make_interval(secs => u.usual_ms / 1000.0)
    ORDER BY since LIMIT ${ROWS_MAX}`;
}

function ofEachKind(select: (kind: PaymentKind) => RawBuilder<unknown>): RawBuilder<unknown> {
  return sql.join(PAYMENT_KINDS.map(select), sql` UNION ALL `);
}

/** What every kind shows of itself; a refund and a pay-in name a wallet only when one is meant. */
function paymentFields(kind: PaymentKind): RawBuilder<unknown> {
  return sql`SELECT ${sql.lit(kind)} AS kind, semantic_key, pkid, wallet_id, amount::text, currency, provider,
    extern_payment_id, attempt AS attempts`;
}

function ageSince(column: string): RawBuilder<unknown> {
  return sql`floor(extract(epoch FROM now() - ${sql.ref(column)}))::int AS age_seconds`;
}

const TIMES = ['since', 'opened_at', 'next_look_at', 'evidence_due'] as const;

/** RFC 3339 in UTC, as every other answer writes times. */
function withTimes(row: Record<string, unknown>): Record<string, unknown> {
  const times = TIMES.filter((name) => typeof row[name] === 'string');
  return { ...row, ...Object.fromEntries(times.map((name) => [name, new Date(String(row[name])).toISOString()])) };
}
