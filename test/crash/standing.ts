// How the operations of the crash bench stand in the database, all of them in a few statements.

import { sql } from 'kysely';
import type { App } from '../../src/app.ts';
import type { Pkid } from '../../src/domain/id.ts';

/** What every operation of these keys looks like now. */
export interface Standing {
  readonly pkid: Pkid;
  readonly status: string;
  readonly failureCode: string | null;
  /** The reason that the provider gave when it refused, in the first answer that says so. */
  readonly refusal: string | null;
  readonly reviewReason: string | null;
  readonly externId: string | null;
  readonly isResting: boolean;
  readonly isReturned: boolean;
  /** Of a pay-in: the names, ours and the provider's, of what gives it back. */
  readonly refunds: readonly string[];
  /** It is looked at again, but not soon. */
  readonly isPutOff: boolean;
}

/** Of payments and transfers, all in one statement. */
export async function readStandings({ db }: App, pkids: readonly Pkid[]): Promise<Map<Pkid, Standing>> {
  const payments = ['payin', 'payout', 'refund'].map((kind) => {
    const isPayin = kind === 'payin';
    // Of a pay-in whatever is done because of it is still to come to its end, too.
    const isBesideDone = sql`NOT EXISTS (SELECT FROM refund r WHERE r.payin_pkid = o.pkid AND r.final_at IS NULL)
      AND NOT EXISTS (SELECT FROM checkout c WHERE c.checkout_id = o.checkout_id AND c.due_at IS NOT NULL)`;
    const refunds = isPayin
      ? sql`ARRAY(
      SELECT unnest(ARRAY[pkid::text, extern_payment_id]) FROM refund r WHERE r.payin_pkid = o.pkid)`
      : NONE;
    return sql`
      SELECT o.pkid::text AS pkid, status, failure_code, review_reason, extern_payment_id,
        (final_at IS NOT NULL OR (NOT leased AND pendings + unknowns > 0))
          AND ${isPayin ? isBesideDone : sql`true`} AS is_resting,
        returned > 0 AS is_returned,
        status = 'in_process' AND NOT leased AND due_at > now() + interval '1.5 s' AS is_put_off,
        ${refunds} AS refunds,
        (SELECT c.reason FROM provider_call c WHERE c.pkid = o.pkid AND c.outcome = 'declined'
         ORDER BY c.answered_at, c.number LIMIT 1) AS refusal
      FROM ${sql.table(kind)} o JOIN unnest(${[...pkids]}::uuid[]) AS wanted (pkid) USING (pkid)`;
  });
  const { rows } = await sql<{
    pkid: Pkid;
    status: string;
    failure_code: string | null;
    review_reason: string | null;
    extern_payment_id: string | null;
    is_resting: boolean;
    is_returned: boolean;
    is_put_off: boolean;
    refunds: string[];
    refusal: string | null;
  }>`
    ${sql.join(payments, sql` UNION ALL `)}
    UNION ALL
    SELECT o.pkid::text, status, failure_code, NULL, NULL, final_at IS NOT NULL, false, false, ${NONE}, NULL
    FROM transfer o JOIN unnest(${[...pkids]}::uuid[]) AS wanted (pkid) USING (pkid)`.execute(db.sql);
  return new Map(
    rows.map((row) => [
      row.pkid,
      {
        pkid: row.pkid,
        status: row.status,
        failureCode: row.failure_code,
        refusal: row.refusal,
        reviewReason: row.review_reason,
        externId: row.extern_payment_id,
        isResting: row.is_resting,
        isReturned: row.is_returned,
        isPutOff: row.is_put_off,
        refunds: row.refunds,
      },
    ]),
  );
}

const NONE = sql`'{}'::text[]`;

export interface Open {
  /** Of whatever an event of a provider, or a delivery, still waits. */
  readonly pkids: ReadonlySet<string>;
  /** Of pay-ins, those whose dispute is decided. */
  readonly decided: ReadonlySet<string>;
}

export async function readOpen({ db }: App): Promise<Open> {
  const { rows } = await sql<{ pkid: string; is_decided: boolean }>`
    SELECT pkid::text, false AS is_decided FROM provider_event WHERE processed_at IS NULL AND pkid IS NOT NULL
    UNION SELECT pkid::text, false FROM delivery WHERE status = 'pending'
    UNION SELECT payin_pkid::text, false FROM delivery d JOIN refund r USING (pkid) WHERE d.status = 'pending'
    UNION SELECT payin_pkid::text, false FROM delivery d JOIN dispute p USING (pkid) WHERE d.status = 'pending'
    UNION SELECT payin_pkid::text, true FROM dispute WHERE status <> 'open'`.execute(db.sql);
  const ofKind = (isDecided: boolean) => rows.filter((row) => row.is_decided === isDecided).map(({ pkid }) => pkid);
  return { pkids: new Set(ofKind(false)), decided: new Set(ofKind(true)) };
}
