// A payee as the API shows it.

import { z } from '@hono/zod-openapi';
import { PAYEE_STATUSES, PROVIDERS } from '../../domain/provider.ts';
import type { Payee } from '../../entities/payee.ts';

export const payeeView = z
  .object({
    payee_id: z.string(),
    owner_id: z.string(),
    provider: z.enum(PROVIDERS),
    account: z.string(),
    status: z.enum(PAYEE_STATUSES),
    blocked_reason: z.string().nullable(),
    onboarding_url: z.string().nullable(),
    created_at: z.string(),
    metadata: z.record(z.string(), z.unknown()),
  })
  .openapi('Payee', {
    example: {
      payee_id: 'payee-42',
      owner_id: 'seller-42',
      provider: 'stripe',
      account: 'acct_ok_1',
      status: 'payable',
      blocked_reason: null,
      onboarding_url: null,
      created_at: '2026-01-31T12:00:00.000Z',
      metadata: {},
    },
  });

export function presentPayee(payee: Payee): z.input<typeof payeeView> {
  return {
    payee_id: payee.payeeId,
    owner_id: payee.ownerId,
    provider: payee.provider,
    account: payee.account,
    status: payee.status,
    blocked_reason: payee.blockedReason ?? null,
    onboarding_url: payee.onboardingUrl ?? null,
    created_at: payee.createdAt.toISOString(),
    metadata: payee.metadata,
  };
}
