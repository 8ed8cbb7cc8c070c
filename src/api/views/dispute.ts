// A dispute as the API shows it.

import { z } from '@hono/zod-openapi';
import type { Dispute } from '../../domain/dispute.ts';
import { DISPUTE_STATUSES, PROVIDERS } from '../../domain/provider.ts';
import type { Sql } from '../../runtime/db.ts';
import { isoOrNull } from './operation.ts';
import { readKeys } from './refund.ts';

export const disputeView = z
  .object({
    dispute_id: z.string(),
    payin: z.string().openapi({ description: 'The semantic_key of the disputed pay-in.' }),
    order_id: z.string().nullable().openapi({ description: 'Set when it was taken from one order alone.' }),
    provider: z.enum(PROVIDERS),
    amount: z.string(),
    currency: z.string(),
    fee: z.string().openapi({ description: 'What the provider charges for it.' }),
    status: z.enum(DISPUTE_STATUSES),
    evidence_due: z.string().nullable().openapi({ description: 'Until when the provider takes evidence.' }),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .openapi('Dispute', {
    example: {
      dispute_id: 'stripe:dp_1',
      payin: 'payin-2026-0001',
      order_id: 'order-77-1',
      provider: 'stripe',
      amount: '1500',
      currency: 'USD',
      fee: '1500',
      status: 'open',
      evidence_due: '2026-02-14T23:59:59.000Z',
      created_at: '2026-02-03T12:00:00.000Z',
      updated_at: '2026-02-03T12:00:00.000Z',
    },
  });

export type DisputeView = z.input<typeof disputeView>;

export async function presentDisputes(disputes: readonly Dispute[], client: Sql): Promise<DisputeView[]> {
  const keys = await readKeys('payin', { pkids: disputes.map((dispute) => dispute.payinPkid), client });
  return disputes.map((dispute) => ({
    dispute_id: dispute.disputeId,
    payin: keys.get(dispute.payinPkid) ?? '',
    order_id: dispute.orderId,
    provider: dispute.provider,
    amount: dispute.amountMinor.toString(),
    currency: dispute.currency,
    fee: dispute.feeMinor.toString(),
    status: dispute.status,
    evidence_due: isoOrNull(dispute.evidenceDue),
    created_at: dispute.createdAt.toISOString(),
    updated_at: dispute.updatedAt.toISOString(),
  }));
}
