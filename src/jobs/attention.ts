// Everything that needs a person, in one place, with money and age: operations in review, open discrepancies, money
// that fits nothing, and operations that wait at a provider for longer than usual.

import { type RawBuilder, sql } from 'kysely';
import { PAYMENT_KINDS, type PaymentKind, type Provider } from '../domain/provider.ts';
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
  const usual = [...providers].flatMap((provider) =>
    PAYMENT_KINDS.flatMap((kind) => {
      const usualMs = provider[kind]?.usualMs;
      return usualMs === undefined ? [] : [{ kind, name: provider.name, usualMs }];
    }),
  );
  const kindsOf = (columns: (kind: PaymentKind) => RawBuilder<unknown>) =>
    sql.join(PAYMENT_KINDS.map(columns), sql` UNION ALL `);
  const [review, discrepancies, unapplied, oldest, stale] = await Promise.all([
    sql<Record<string, unknown>>`
      SELECT *, floor(extract(epoch FROM now() - since))::int AS age_seconds FROM (
        ${kindsOf(
          (kind) => sql`(${paymentFields(kind)}, review_reason AS reason, review_since AS since
          FROM ${sql.table(kind)} WHERE review_reason IS NOT NULL ORDER BY review_since LIMIT ${ROWS_MAX})`,
        )}
      ) all_kinds ORDER BY since LIMIT ${ROWS_MAX}`.execute(db.sql),
    sql<Record<string, unknown>>`
      SELECT discrepancy_id, reason, provider, operation_kind AS kind, semantic_key, pkid, extern_payment_id,
             amount::text, currency, detail, opened_at AS opened_at,
             floor(extract(epoch FROM now() - opened_at))::int AS age_seconds
      FROM discrepancy d WHERE closed_at IS NULL ORDER BY d.opened_at LIMIT ${ROWS_MAX}`.execute(db.sql),
    sql<Record<string, unknown>>`
      SELECT unapplied_id, reason, provider, extern_payment_id, operation_kind AS kind, semantic_key, pkid,
             amount::text, currency, refund_pkid IS NOT NULL AS is_being_refunded, opened_at,
             floor(extract(epoch FROM now() - opened_at))::int AS age_seconds
      FROM unapplied u WHERE resolved_at IS NULL ORDER BY u.opened_at LIMIT ${ROWS_MAX}`.execute(db.sql),
    sql<{ kind: string; age_seconds: number; count: number }>`
      SELECT kind, floor(extract(epoch FROM now() - min(since)))::int AS age_seconds, count(*)::int AS count
      FROM (${kindsOf(
        (kind) => sql`SELECT ${sql.lit(kind)} AS kind, confirmed_at AS since FROM ${sql.table(kind)}
              WHERE due_at IS NOT NULL AND confirmed_at IS NOT NULL`,
      )}
            UNION ALL SELECT 'transfer', created_at FROM transfer WHERE due_at IS NOT NULL) unfinished
      GROUP BY kind ORDER BY kind`.execute(db.sql),
    sql<Record<string, unknown>>`
      SELECT s.*, floor(extract(epoch FROM now() - since))::int AS age_seconds FROM (
        ${kindsOf(
          (kind) => sql`(${paymentFields(kind)}, confirmed_at AS since, due_at AS next_look_at
          FROM ${sql.table(kind)} WHERE due_at IS NOT NULL AND status = 'in_process' AND review_reason IS NULL)`,
        )}
      ) s
      JOIN unnest(${usual.map(({ kind }) => kind)}::text[], ${usual.map(({ name }) => name)}::text[],
                  ${usual.map(({ usualMs }) => usualMs)}::bigint[]) AS u (kind, provider, usual_ms)
        USING (kind, provider)
      WHERE since < now() - make_interval(secs => u.usual_ms / 1000.0)
      ORDER BY since LIMIT ${ROWS_MAX}`.execute(db.sql),
  ]);
  return {
    review: review.rows.map(withTimes),
    discrepancies: discrepancies.rows.map(withTimes),
    unapplied: unapplied.rows.map(withTimes),
    oldest_unfinished: oldest.rows,
    stale: stale.rows.map(withTimes),
  };
}

/** What every kind shows of itself; a refund and a pay-in name a wallet only when one is meant. */
function paymentFields(kind: PaymentKind): RawBuilder<unknown> {
  return sql`SELECT ${sql.lit(kind)} AS kind, semantic_key, pkid, wallet_id, amount::text, currency, provider,
    extern_payment_id, attempt AS attempts`;
}

const TIMES = ['since', 'opened_at', 'next_look_at'] as const;

/** RFC 3339 in UTC, as every other answer writes times. */
function withTimes(row: Record<string, unknown>): Record<string, unknown> {
  const times = TIMES.filter((name) => typeof row[name] === 'string');
  return { ...row, ...Object.fromEntries(times.map((name) => [name, new Date(String(row[name])).toISOString()])) };
}
