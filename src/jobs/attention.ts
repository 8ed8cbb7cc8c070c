// Everything that needs a person, in one place, with money and age: operations in review, open discrepancies, money
// that fits nothing, and operations that wait at a provider for longer than usual.

import { sql } from 'kysely';
import type { Provider } from '../domain/provider.ts';
import type { Db } from '../runtime/db.ts';

/** JSON as the API shows it; amounts are decimal strings of minor units. */
export interface Attention {
  readonly review: readonly Record<string, unknown>[];
  readonly discrepancies: readonly Record<string, unknown>[];
  readonly unapplied: readonly Record<string, unknown>[];
  readonly oldest_unfinished: readonly { kind: string; age_seconds: number; count: number }[];
  readonly stale: readonly Record<string, unknown>[];
}

/** What a page can show; the oldest come first, so nothing is hidden for ever. */
const ROWS_MAX = 200;

export async function readAttention(db: Db, providers: Iterable<Provider>): Promise<Attention> {
  const usual = [...providers].map(({ name, usualMs }) => ({ name, usualMs }));
  const [review, discrepancies, unapplied, oldest, stale] = await Promise.all([
    sql<Record<string, unknown>>`
      SELECT 'payout' AS kind, semantic_key, pkid, wallet_id, amount::text, currency, provider, extern_payment_id,
             review_reason AS reason, review_since AS since, attempt AS attempts,
             floor(extract(epoch FROM now() - review_since))::int AS age_seconds
      FROM payout WHERE review_reason IS NOT NULL ORDER BY review_since LIMIT ${ROWS_MAX}`.execute(db.sql),
    sql<Record<string, unknown>>`
      SELECT discrepancy_id, reason, provider, operation_kind AS kind, semantic_key, pkid, extern_payment_id,
             amount::text, currency, detail, opened_at AS opened_at,
             floor(extract(epoch FROM now() - opened_at))::int AS age_seconds
      FROM discrepancy d WHERE closed_at IS NULL ORDER BY d.opened_at LIMIT ${ROWS_MAX}`.execute(db.sql),
    sql<Record<string, unknown>>`
      SELECT wallet_id, currency, posted::text AS amount FROM wallet
      WHERE kind = 'unapplied' AND posted <> 0 ORDER BY wallet_id LIMIT ${ROWS_MAX}`.execute(db.sql),
    sql<{ kind: string; age_seconds: number; count: number }>`
      SELECT kind, floor(extract(epoch FROM now() - min(since)))::int AS age_seconds, count(*)::int AS count
      FROM (SELECT 'payout' AS kind, coalesce(confirmed_at, created_at) AS since FROM payout
            WHERE due_at IS NOT NULL AND confirmed_at IS NOT NULL
            UNION ALL SELECT 'transfer', created_at FROM transfer WHERE due_at IS NOT NULL) unfinished
      GROUP BY kind ORDER BY kind`.execute(db.sql),
    sql<Record<string, unknown>>`
      SELECT 'payout' AS kind, semantic_key, pkid, wallet_id, amount::text, currency, p.provider, extern_payment_id,
             confirmed_at AS since, attempt AS attempts, due_at AS next_look_at,
             floor(extract(epoch FROM now() - confirmed_at))::int AS age_seconds
      FROM payout p
      JOIN unnest(${usual.map(({ name }) => name)}::text[], ${usual.map(({ usualMs }) => usualMs)}::bigint[])
        AS u (provider, usual_ms) ON u.provider = p.provider
      WHERE due_at IS NOT NULL AND status = 'in_process' AND review_reason IS NULL
        AND confirmed_at < now() - make_interval(secs => u.usual_ms / 1000.0)
      ORDER BY confirmed_at LIMIT ${ROWS_MAX}`.execute(db.sql),
  ]);
  return {
    review: review.rows.map(withTimes),
    discrepancies: discrepancies.rows.map(withTimes),
    unapplied: unapplied.rows,
    oldest_unfinished: oldest.rows,
    stale: stale.rows.map(withTimes),
  };
}

const TIMES = ['since', 'opened_at', 'next_look_at'] as const;

/** RFC 3339 in UTC, as every other answer writes times. */
function withTimes(row: Record<string, unknown>): Record<string, unknown> {
  const times = TIMES.filter((name) => typeof row[name] === 'string');
  return { ...row, ...Object.fromEntries(times.map((name) => [name, new Date(String(row[name])).toISOString()])) };
}
