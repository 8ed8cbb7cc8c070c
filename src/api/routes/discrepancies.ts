// Discrepancies: named differences between our books and the outside, closed by a person with a reason.

import { z } from '@hono/zod-openapi';
import type { Discrepancy } from '../../entities/discrepancy.ts';
import { closeDiscrepancy } from '../../jobs/discrepancy.ts';
import { endpoint, none } from '../endpoint.ts';
import { text } from '../fields.ts';

const discrepancyView = z
  .object({
    discrepancy_id: z.string(),
    reason: z.string(),
    provider: z.string().nullable(),
    semantic_key: z.string().nullable(),
    extern_payment_id: z.string().nullable(),
    amount: z.string().nullable(),
    currency: z.string().nullable(),
    detail: z.string(),
    opened_at: z.string(),
    closed_at: z.string().nullable(),
    closed_by: z.string().nullable(),
    closed_reason: z.string().nullable(),
  })
  .openapi('Discrepancy');

const close = endpoint({
  method: 'post',
  path: '/v1/discrepancies/{discrepancy_id}/resolve',
  tag: 'Operations',
  summary: 'Close a discrepancy that a person has looked into',
  scope: 'operate',
  params: z.strictObject({ discrepancy_id: z.uuid() }),
  query: none,
  body: z.strictObject({ reason: text }).openapi('DiscrepancyResolution'),
  answer: discrepancyView,
  statuses: { 200: 'It is closed. No money was moved by this.' },
  errors: ['not-found', 'invalid-state'],
  async handle({ params, body, caller }, api) {
    const closing = { discrepancyId: params.discrepancy_id, reason: body.reason, actor: caller.keyId };
    return { status: 200, body: presentDiscrepancy(await closeDiscrepancy(api.db, closing)) };
  },
});

function presentDiscrepancy(discrepancy: Discrepancy): z.input<typeof discrepancyView> {
  return {
    discrepancy_id: discrepancy.discrepancyId,
    reason: discrepancy.reason,
    provider: discrepancy.provider ?? null,
    semantic_key: discrepancy.semanticKey ?? null,
    extern_payment_id: discrepancy.externPaymentId ?? null,
    amount: discrepancy.amountMinor?.toString() ?? null,
    currency: discrepancy.currency ?? null,
    detail: discrepancy.detail,
    opened_at: discrepancy.openedAt.toISOString(),
    closed_at: discrepancy.closedAt?.toISOString() ?? null,
    closed_by: discrepancy.closedBy ?? null,
    closed_reason: discrepancy.closedReason ?? null,
  };
}

export const discrepancyRoutes = [close];
