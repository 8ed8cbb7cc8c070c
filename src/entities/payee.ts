// An account outside that an owner's payouts may go to.

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { PayeeStatus, ProviderName } from '../domain/provider.ts';

export const PayeeEntity = defineEntity({
  name: 'Payee',
  tableName: 'payee',
  properties: {
    // The caller's id.
    payeeId: p.text().fieldName('payee_id').primary(),
    // The owner whose wallets may pay to it.
    ownerId: p.text().fieldName('owner_id'),
    // Where the account is.
    provider: p.text().$type<ProviderName>().fieldName('provider'),
    // The account's id at the provider.
    account: p.text().fieldName('account'),
    // payable once the provider lets it receive money.
    status: p.text().$type<PayeeStatus>().fieldName('status'),
    // Why it may not receive money.
    blockedReason: p.text().fieldName('blocked_reason').nullable(),
    // Where its owner completes what the provider asks for.
    onboardingUrl: p.text().fieldName('onboarding_url').nullable(),
    // When the provider was asked for that; an answer to an older question changes nothing.
    askedAt: p.datetime().fieldName('asked_at').nullable(),
    // Of the request that made it.
    fingerprint: p.blob().$type<Buffer>().fieldName('fingerprint'),
    // The caller's own fields.
    metadata: p.json<Record<string, unknown>>().fieldName('metadata'),
    // When we wrote it.
    createdAt: p.datetime().fieldName('created_at'),
  },
});

export type Payee = InferEntity<typeof PayeeEntity>;
