// What payouts, pay-ins and refunds show alike, with what the world took back after they succeeded.

import { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import type { Pkid } from '../../domain/id.ts';
import type { Payment } from '../../domain/payment.ts';
import { PROVIDERS } from '../../domain/provider.ts';
import type { Sql } from '../../runtime/db.ts';
import { failureView, isoOrNull, presentFailure } from './operation.ts';

const reversalView = z.object({ posting_id: z.string(), amount: z.string(), reason: z.string(), at: z.string() });

export const moneyShape = {
  amount: z.string(),
  currency: z.string(),
  provider: z.enum(PROVIDERS),
};

export const progressShape = {
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
};

/** A payment of 15.00 USD that succeeded at once, for the examples of the document. */
export const progressExample = {
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
};

type Reversal = z.input<typeof reversalView>;

export function presentMoney({ amountMinor, currency, provider }: Payment) {
  return { amount: amountMinor.toString(), currency, provider };
}

export function presentProgress(row: Payment, reversals: readonly Reversal[]) {
  const { arrival, reviewReason, reviewSince } = row;
  return {
    extern_payment_id: row.externPaymentId,
    arrival: arrival === null ? null : { status: arrival.status, expected_at: arrival.expectedAt },
    failure: presentFailure(row),
    review: reviewReason === null ? null : { reason: reviewReason, since: isoOrNull(reviewSince) ?? '' },
    waiting: row.waiting,
    reversals: [...reversals],
    attempts: row.attempt,
    confirmed_at: isoOrNull(row.confirmedAt),
    expires_at: isoOrNull(row.expiresAt),
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
    final_at: isoOrNull(row.finalAt),
    metadata: { ...row.metadata },
  };
}

/** A refund that came back is kept as unapplied money; what happened to the refund is that it returned. */
const REASONS: Readonly<Record<string, string>> = { 'unapplied.opened': 'refund.returned' };

/** Most payments never come back, so reversals are read only for those that did. */
export async function readReversals(
  rows: readonly Payment[],
  client: Sql,
): Promise<{ of(row: Payment): readonly Reversal[] }> {
  const pkids = rows.filter((row) => row.returnedMinor > 0n).map((row) => row.pkid);
  const byPkid = pkids.length === 0 ? new Map<Pkid, Reversal[]>() : await readPostings(pkids, client);
  return { of: ({ pkid }) => byPkid.get(pkid) ?? [] };
}

/** What a posting moved is the sum of what grew by it. */
async function readPostings(pkids: readonly Pkid[], client: Sql): Promise<ReadonlyMap<Pkid, Reversal[]>> {
  const { rows } = await sql<{ pkid: Pkid; posting_id: string; event: string; created_at: string; amount: string }>`
    SELECT p.operation_pkid AS pkid, p.posting_id, p.event, p.created_at,
           sum(e.amount) FILTER (WHERE e.amount > 0) AS amount
    FROM posting p JOIN entry e ON e.posting_id = p.posting_id
    WHERE p.operation_pkid = ANY(${[...pkids]}::uuid[]) AND p.operation_kind <> 'transfer'
      AND (p.reverses IS NOT NULL OR (p.operation_kind = 'refund' AND p.event = 'unapplied.opened'))
    GROUP BY p.operation_pkid, p.posting_id, p.event, p.created_at
    ORDER BY p.created_at, p.posting_id`.execute(client);
  const byPkid = new Map<Pkid, Reversal[]>();
  for (const { pkid, posting_id, event, created_at, amount } of rows) {
    const at = new Date(created_at).toISOString();
    const reversal = { posting_id, amount: String(amount), reason: REASONS[event] ?? event, at };
    byPkid.set(pkid, [...(byPkid.get(pkid) ?? []), reversal]);
  }
  return byPkid;
}
