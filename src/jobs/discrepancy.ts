// Discrepancies are opened where evidence contradicts the books, and closed by a person who has looked.

import { sql } from 'kysely';
import { PaymentError } from '../domain/errors.ts';
import type { Pkid } from '../domain/id.ts';
import type { Discrepancy } from '../entities/discrepancy.ts';
import { parseRow, tableOf } from '../ledger/table.ts';
import type { Db } from '../runtime/db.ts';

/** Closing changes no money; a correction is an adjustment or a resolved operation. Throws not-found, invalid-state. */
export async function closeDiscrepancy(
  db: Db,
  closing: { readonly discrepancyId: string; readonly reason: string; readonly actor: string },
): Promise<Discrepancy> {
  const { discrepancyId, reason, actor } = closing;
  const { rows } = await sql<Record<string, unknown>>`
    UPDATE discrepancy
    SET closed_at = date_trunc('milliseconds', clock_timestamp()), closed_by = ${actor}, closed_reason = ${reason}
    WHERE discrepancy_id = ${discrepancyId}::uuid AND closed_at IS NULL RETURNING *`.execute(db.sql);
  const [closed] = rows;
  if (closed !== undefined) return parseRow(tableOf<Discrepancy>(db, 'Discrepancy'), closed);
  const earlier = await findDiscrepancy(db, discrepancyId);
  // The same words again are a repeat of the same request, whose answer may have been lost.
  if (earlier.closedReason === reason && earlier.closedBy === actor) return earlier;
  throw new PaymentError('invalid-state', {
    detail: `It is closed already. GET /v1/discrepancies/${discrepancyId} says by whom and why; nothing is left to do.`,
  });
}

/** Open or closed. Throws not-found. */
export async function findDiscrepancy(db: Db, discrepancyId: string): Promise<Discrepancy> {
  const { rows } = await sql<Record<string, unknown>>`
    SELECT * FROM discrepancy WHERE discrepancy_id = ${discrepancyId}::uuid`.execute(db.sql);
  const [row] = rows;
  if (row !== undefined) return parseRow(tableOf<Discrepancy>(db, 'Discrepancy'), row);
  const detail = 'There is no such discrepancy. GET /v1/discrepancies?status=open lists the open ones.';
  throw new PaymentError('not-found', { detail });
}

/**
 * A person's verdict on an operation answers what was open about it by then; where they decided on one payment of the
 * provider, only what was open about that one.
 */
export async function closeDiscrepanciesOf(
  db: Db,
  closing: {
    readonly pkid: Pkid;
    readonly reason: string;
    readonly actor: string;
    readonly openedUntil?: Date | null;
    readonly externId?: string;
  },
): Promise<void> {
  const { pkid, reason, actor, openedUntil = null, externId = null } = closing;
  await sql`
    UPDATE discrepancy
    SET closed_at = date_trunc('milliseconds', clock_timestamp()), closed_by = ${actor}, closed_reason = ${reason}
    WHERE pkid = ${pkid}::uuid AND closed_at IS NULL
      AND opened_at <= coalesce(${openedUntil?.toISOString() ?? null}::timestamptz, 'infinity')
      AND (${externId}::text IS NULL OR extern_payment_id = ${externId})`.execute(db.sql);
}
