// From the body of a payout to what its life is asked: who may send it there, and what an expiry may be.

import { z } from '@hono/zod-openapi';
import { pkidOf } from '../domain/id.ts';
import type { PayoutRequest } from '../jobs/payout.ts';
import type { Caller } from './auth.ts';
import type { Api } from './context.ts';
import { refuseExpiry } from './expiry.ts';
import { account, amount, chosenId, currency, metadata, paymentKey, personsWallet, provider, time } from './fields.ts';
import { requireForDestination, requireForSandbox } from './where-money-starts.ts';

export const payoutBody = z
  .strictObject({
    semantic_key: paymentKey,
    wallet_id: personsWallet,
    amount,
    currency,
    provider,
    payee_id: chosenId('the id of a payee').optional().openapi({ description: "A payee of the wallet's owner." }),
    destination: account.optional().openapi({
      description: 'A free account instead of a payee; needs the scope `operate` unless the provider is the sandbox.',
    }),
    confirm: z.boolean().default(false).openapi({ description: 'True also confirms it.' }),
    expires_at: time.optional(),
    metadata,
  })
  .superRefine(({ payee_id, destination }, ctx) => {
    if ((payee_id === undefined) !== (destination === undefined)) return;
    ctx.addIssue({ code: 'custom', path: ['payee_id'], message: 'Send either payee_id or destination.' });
  })
  .openapi('NewPayout');

export async function payoutRequestOf(
  body: z.output<typeof payoutBody>,
  { caller, traceparent, api }: { caller: Caller; traceparent: string | null; api: Api },
): Promise<PayoutRequest> {
  if (body.destination !== undefined) requireForDestination(body.provider, { caller, api });
  requireForSandbox(body.provider, { caller, api });
  await refuseBadExpiry(body, api);
  return {
    semanticKey: body.semantic_key,
    walletId: body.wallet_id,
    amountMinor: body.amount,
    currency: body.currency,
    provider: body.provider,
    payeeId: body.payee_id ?? null,
    destination: body.destination ?? null,
    expiresAt: body.expires_at ?? null,
    metadata: body.metadata,
    traceparent,
    confirm: body.confirm,
  };
}

/** A replay may well come after the expiry of what it repeats. */
async function refuseBadExpiry({ semantic_key, expires_at }: z.output<typeof payoutBody>, api: Api): Promise<void> {
  if (expires_at === undefined) return;
  if ((await api.payouts.find(pkidOf('payout', semantic_key))) !== null) return;
  refuseExpiry(expires_at, { withinMs: null });
}
