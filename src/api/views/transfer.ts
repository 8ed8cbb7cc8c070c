// A transfer as the API shows it.

import { z } from '@hono/zod-openapi';
import type { Transfer } from '../../domain/transfer.ts';
import { status } from '../fields.ts';
import { failureView, isoOrNull, presentFailure } from './operation.ts';

export const transferView = z
  .object({
    pkid: z.string(),
    semantic_key: z.string(),
    kind: z.literal('transfer'),
    status,
    from_wallet: z.string(),
    to_wallet: z.string(),
    amount: z.string(),
    currency: z.string(),
    failure: failureView,
    created_at: z.string(),
    updated_at: z.string(),
    final_at: z.string().nullable(),
    metadata: z.record(z.string(), z.unknown()),
  })
  .openapi('Transfer', {
    example: {
      pkid: '6f2c1f0e-6a6e-5a43-9c0a-0d3c1f7a9b11',
      semantic_key: 'transfer-2026-0001',
      kind: 'transfer',
      status: 'succeeded',
      from_wallet: 'seller-42-usd',
      to_wallet: 'seller-43-usd',
      amount: '1500',
      currency: 'USD',
      failure: null,
      created_at: '2026-01-31T12:00:00.000Z',
      updated_at: '2026-01-31T12:00:00.020Z',
      final_at: '2026-01-31T12:00:00.020Z',
      metadata: {},
    },
  });

export function presentTransfer(transfer: Transfer): z.input<typeof transferView> {
  return {
    pkid: transfer.pkid,
    semantic_key: transfer.semanticKey,
    kind: 'transfer',
    status: transfer.status,
    from_wallet: transfer.fromWallet,
    to_wallet: transfer.toWallet,
    amount: transfer.amountMinor.toString(),
    currency: transfer.currency,
    failure: presentFailure(transfer),
    created_at: transfer.createdAt.toISOString(),
    updated_at: transfer.updatedAt.toISOString(),
    final_at: isoOrNull(transfer.finalAt),
    metadata: { ...transfer.metadata },
  };
}
