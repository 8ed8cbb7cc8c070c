// A payout as the API shows it, with what the world took back after it succeeded.

import { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import type { Pkid } from '../../domain/id.ts';
import type { Payout } from '../../domain/payout.ts';
import { PROVIDERS } from '../../domain/provider.ts';
import type { Sql } from '../../runtime/db.ts';
import { status } from '../fields.ts';
import { failureView, isoOrNull, presentFailure } from './operation.ts';

const reversalView = z.object({ posting_id: z.string(), amount: z.string(), reason: z.string(), at: z.string() });

export const payoutView = z
  .object({
    pkid: z.string(),
    semantic_key: z.string(),
    kind: z.literal('payout'),
    status,
    wallet_id: z.string(),
    amount: z.string(),
    currency: z.string(),
    provider: z.enum(PROVIDERS),
    payee_id: z.string().nullable(),
    destination: z.string().nullable(),
    extern_payment_id: z.string().nullable(),
    arrival: z
      .object({ status: z.string(), expected_at: z.string().nullable() })
      .nullable()
      .openapi({ description: "Its way to the beneficiary's bank, where the provider tells." }),
    failure: failureView,
    review: z
      .object({ reason: z.string(), since: z.string() })
      .nullable()
      .openapi({ description: 'Set while a person must look.' }),
    waiting: z.enum(['provider_funds']).nullable(),
    reversals: z.array(reversalView).openapi({ description: 'What came back after success; the status stays.' }),
    attempts: z.int(),
    confirmed_at: z.string().nullable(),
    expires_at: z.string().nullable(),
    created_at: z.string(),
    updated_at: z.string(),
    final_at: z.string().nullable(),
    metadata: z.record(z.string(), z.unknown()),
  })
  .openapi('Payout', {
    example: {
      pkid: '3b3e6a4e-6a6e-5a43-9c0a-0d3c1f7a9b11',
      semantic_key: 'payout-2026-0001',
      kind: 'payout',
      status: 'succeeded',
      wallet_id: 'seller-42-usd',
      amount: '1500',
      currency: 'USD',
      provider: 'stripe',
      payee_id: 'payee-42',
      destination: null,
      extern_payment_id: 'tr_1',
      arrival: null,
      failure: null,
      review: null,
      waiting: null,
      reversals: [],
      attempts: 1,
      confirmed_at: '2026-01-31T12:00:00.000Z',
      expires_at: null,
      created_at: '2026-01-31T12:00:00.000Z',
      updated_at: '2026-01-31T12:00:00.250Z',
      final_at: '2026-01-31T12:00:00.250Z',
      metadata: {},
    },
  });

export type PayoutView = z.input<typeof payoutView>;
type Reversal = z.input<typeof reversalView>;

export async function presentPayout(payout: Payout, client: Sql): Promise<PayoutView> {
  const [view] = await presentPayouts([payout], client);
  if (view === undefined) throw new TypeError('One payout in, one out.');
  return view;
}

/** Most payouts never come back, so the reversals are read only for those that did. */
export async function presentPayouts(payouts: readonly Payout[], client: Sql): Promise<PayoutView[]> {
  const returned = payouts.filter((payout) => payout.returnedMinor > 0n).map((payout) => payout.pkid);
  const reversals = returned.length === 0 ? new Map<Pkid, Reversal[]>() : await readReversals(returned, client);
  return payouts.map((payout) => present(payout, reversals.get(payout.pkid) ?? []));
}

async function readReversals(pkids: readonly Pkid[], client: Sql): Promise<ReadonlyMap<Pkid, Reversal[]>> {
  const { rows } = await sql<{ pkid: Pkid; posting_id: string; event: string; created_at: string; amount: string }>`
    SELECT p.operation_pkid AS pkid, p.posting_id, p.event, p.created_at, e.amount
    FROM posting p
    JOIN payout o ON o.pkid = p.operation_pkid
    JOIN entry e ON e.posting_id = p.posting_id AND e.wallet_id = o.wallet_id
    WHERE p.operation_pkid = ANY(${[...pkids]}::uuid[]) AND p.reverses IS NOT NULL
    ORDER BY p.created_at, p.posting_id`.execute(client);
  const byPkid = new Map<Pkid, Reversal[]>();
  for (const { pkid, posting_id, event, created_at, amount } of rows) {
    const at = new Date(created_at).toISOString();
    byPkid.set(pkid, [...(byPkid.get(pkid) ?? []), { posting_id, amount: String(amount), reason: event, at }]);
  }
  return byPkid;
}

function present(payout: Payout, reversals: Reversal[]): PayoutView {
  const { arrival, reviewReason, reviewSince } = payout;
  return {
    pkid: payout.pkid,
    semantic_key: payout.semanticKey,
    kind: 'payout',
    status: payout.status,
    wallet_id: payout.walletId,
    amount: payout.amountMinor.toString(),
    currency: payout.currency,
    provider: payout.provider,
    payee_id: payout.payeeId,
    destination: payout.destination,
    extern_payment_id: payout.externPaymentId,
    arrival: arrival === null ? null : { status: arrival.status, expected_at: arrival.expectedAt },
    failure: presentFailure(payout),
    review: reviewReason === null ? null : { reason: reviewReason, since: isoOrNull(reviewSince) ?? '' },
    waiting: payout.waiting,
    reversals,
    attempts: payout.attempt,
    confirmed_at: isoOrNull(payout.confirmedAt),
    expires_at: isoOrNull(payout.expiresAt),
    created_at: payout.createdAt.toISOString(),
    updated_at: payout.updatedAt.toISOString(),
    final_at: isoOrNull(payout.finalAt),
    metadata: { ...payout.metadata },
  };
}
