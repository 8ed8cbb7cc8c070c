// Money that fits nothing, as the API shows it.

import { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import { PROVIDERS } from '../../domain/provider.ts';
import { type Unapplied, unappliedMinor } from '../../entities/unapplied.ts';
import type { Sql } from '../../runtime/db.ts';
import { refView } from './entry.ts';
import { isoOrNull } from './operation.ts';
import { readKeys } from './refund.ts';

export const UNAPPLIED_STATUSES = ['open', 'returning', 'resolved'] as const;
type UnappliedStatus = (typeof UNAPPLIED_STATUSES)[number];

export const unappliedView = z
  .object({
    unapplied_id: z.string(),
    status: z.enum(UNAPPLIED_STATUSES).openapi({ description: 'returning: a refund sends it back to its payer.' }),
    reason: z.string().openapi({ description: 'Why it fits nothing.' }),
    ref: refView,
    provider: z.enum(PROVIDERS),
    extern_payment_id: z.string(),
    amount: z.string(),
    currency: z.string(),
    opened_at: z.string(),
    refund: z.string().nullable().openapi({ description: 'The semantic_key of the refund that sends it back.' }),
    applied_to: z.string().nullable().openapi({ description: 'The wallet that got it.' }),
    resolved_at: z.string().nullable(),
    resolved_by: z.string().nullable().openapi({ description: 'The id of the API key, or "refund".' }),
    resolved_reason: z.string().nullable(),
  })
  .openapi('Unapplied', {
    example: {
      unapplied_id: '5c1f0e2b-6a6e-5a43-9c0a-0d3c1f7a9b11',
      status: 'open',
      reason: 'late',
      ref: { kind: 'payin', semantic_key: 'payin-2026-0001' },
      provider: 'stripe',
      extern_payment_id: 'pi_1',
      amount: '1500',
      currency: 'USD',
      opened_at: '2026-01-31T12:00:00.000Z',
      refund: null,
      applied_to: null,
      resolved_at: null,
      resolved_by: null,
      resolved_reason: null,
    },
  });

export type UnappliedView = z.input<typeof unappliedView>;

export async function presentUnapplied(rows: readonly Unapplied[], client: Sql): Promise<UnappliedView[]> {
  const keys = await readKeys('refund', { pkids: rows.flatMap((row) => row.refundPkid ?? []), client });
  return rows.map((row) => ({
    unapplied_id: row.unappliedId,
    status: statusOf(row),
    reason: row.reason,
    ref: { kind: row.operationKind, semantic_key: row.semanticKey },
    provider: row.provider,
    extern_payment_id: row.externPaymentId,
    amount: unappliedMinor(row).toString(),
    currency: row.currency,
    opened_at: row.openedAt.toISOString(),
    refund: row.refundPkid ? (keys.get(row.refundPkid) ?? null) : null,
    applied_to: row.appliedTo ?? null,
    resolved_at: isoOrNull(row.resolvedAt ?? null),
    resolved_by: row.resolvedBy ?? null,
    resolved_reason: row.resolvedReason ?? null,
  }));
}

function statusOf({ resolvedAt, refundPkid }: Unapplied): UnappliedStatus {
  if (resolvedAt) return 'resolved';
  return refundPkid ? 'returning' : 'open';
}

/** statusOf as an expression over a row of unapplied. */
export const unappliedStatusSql = sql<string>`CASE
  WHEN resolved_at IS NOT NULL THEN 'resolved' WHEN refund_pkid IS NOT NULL THEN 'returning' ELSE 'open' END`;
