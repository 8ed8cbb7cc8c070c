// Postings with their entries, and the trial balance, as the API shows them.

import { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import type { Posting } from '../../entities/posting.ts';
import type { Sql } from '../../runtime/db.ts';
import { refView } from './entry.ts';
import { WALLET_KINDS } from './wallet.ts';

const lineView = z.object({
  wallet_id: z.string(),
  seq: z.int(),
  amount: z.string(),
  currency: z.string(),
  balance_after: z.string(),
});

export const postingView = z
  .object({
    posting_id: z.string(),
    event: z.string(),
    ref: refView,
    reverses: z.string().nullable().openapi({ description: 'The posting that it takes back.' }),
    created_at: z.string(),
    entries: z.array(lineView),
  })
  .openapi('Posting', {
    example: {
      posting_id: '0b7c3f0e-6a6e-5a43-9c0a-0d3c1f7a9b11',
      event: 'transfer',
      ref: { kind: 'transfer', semantic_key: 'transfer-2026-0001' },
      reverses: null,
      created_at: '2026-01-31T12:00:00.000Z',
      entries: [
        { wallet_id: 'seller-42-usd', seq: 3, amount: '-1500', currency: 'USD', balance_after: '148500' },
        { wallet_id: 'seller-43-usd', seq: 1, amount: '1500', currency: 'USD', balance_after: '1500' },
      ],
    },
  });

export const trialBalanceView = z
  .object({
    currency: z.string().nullable(),
    at: z.string(),
    data: z.array(z.object({ currency: z.string(), kind: z.string(), posted: z.string() })),
    total: z.string().openapi({ description: 'Always "0".' }),
  })
  .openapi('TrialBalance', {
    example: {
      currency: 'USD',
      at: '2026-01-31T12:00:00.000Z',
      data: [
        { currency: 'USD', kind: 'seller', posted: '1500' },
        { currency: 'USD', kind: 'equity', posted: '-1500' },
      ],
      total: '0',
    },
  });

export type PostingView = z.input<typeof postingView>;
type Line = z.input<typeof lineView>;

export async function presentPostings(postings: readonly Posting[], client: Sql): Promise<PostingView[]> {
  const lines = await readLines(
    postings.map((posting) => posting.postingId),
    client,
  );
  return postings.map((posting) => ({
    posting_id: posting.postingId,
    event: posting.event,
    ref: { kind: posting.operationKind, semantic_key: posting.semanticKey },
    reverses: posting.reverses ?? null,
    created_at: posting.createdAt.toISOString(),
    entries: lines.get(posting.postingId) ?? [],
  }));
}

/** The debited wallets first, as books are read. */
async function readLines(postingIds: readonly string[], client: Sql): Promise<ReadonlyMap<string, Line[]>> {
  const byPosting = new Map<string, Line[]>();
  if (postingIds.length === 0) return byPosting;
  const { rows } = await sql<
    Record<'posting_id' | 'wallet_id' | 'seq' | 'amount' | 'currency' | 'balance_after', string>
  >`
    SELECT posting_id, wallet_id, seq, amount, currency, balance_after FROM entry
    WHERE posting_id = ANY(${[...postingIds]}::uuid[]) ORDER BY amount, wallet_id`.execute(client);
  for (const { posting_id, wallet_id, seq, amount, currency, balance_after } of rows) {
    const line = {
      wallet_id,
      seq: Number(seq),
      amount: String(amount),
      currency,
      balance_after: String(balance_after),
    };
    byPosting.set(posting_id, [...(byPosting.get(posting_id) ?? []), line]);
  }
  return byPosting;
}

/** Every kind in every currency there is; of the journal when a time is given, else of the balances. */
export async function readTrialBalance(
  client: Sql,
  { currency, at }: { currency: string | null; at: Date | null },
): Promise<Pick<z.input<typeof trialBalanceView>, 'data' | 'total'>> {
  const ofCurrency = currency === null ? sql`` : sql`WHERE w.currency = ${currency}`;
  const sums =
    at === null
      ? sql`SELECT w.currency, w.kind, sum(w.posted) AS posted FROM wallet w ${ofCurrency} GROUP BY 1, 2`
      : sql`SELECT w.currency, w.kind, coalesce(sum(e.amount), 0) AS posted
            FROM wallet w
            LEFT JOIN entry e ON e.wallet_id = w.wallet_id AND e.created_at <= ${at.toISOString()}::timestamptz
            ${ofCurrency} GROUP BY 1, 2`;
  const { rows } = await sql<{ currency: string; kind: string; posted: string }>`
    ${sums} ORDER BY 1, 2`.execute(client);
  const posted = new Map(rows.map((row) => [`${row.currency} ${row.kind}`, String(row.posted)]));
  const currencies = currency === null ? [...new Set(rows.map((row) => row.currency))] : [currency];
  const data = currencies.flatMap((code) =>
    WALLET_KINDS.map((kind) => ({ currency: code, kind, posted: posted.get(`${code} ${kind}`) ?? '0' })),
  );
  const total = data.reduce((sum, row) => sum + BigInt(row.posted), 0n);
  return { data, total: total.toString() };
}
