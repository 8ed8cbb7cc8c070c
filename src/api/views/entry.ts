// Entries of a wallet and its balance at a time, as the API shows them.

import { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import type { WalletIdentity } from '../../ledger/wallet-directory.ts';
import type { Sql } from '../../runtime/db.ts';
import { badCursor, cut, given, mapPage, type Page, type PageRequest, whereAll } from '../pages.ts';

export const refView = z
  .object({ kind: z.string(), semantic_key: z.string() })
  .openapi({ description: 'The operation that caused it.' });

export const entryView = z
  .object({
    seq: z.int(),
    posting_id: z.string(),
    amount: z.string().openapi({ description: 'Signed minor units; + grows the wallet.' }),
    balance_after: z.string(),
    event: z.string(),
    ref: refView,
    created_at: z.string(),
  })
  .openapi('Entry', {
    example: {
      seq: 2,
      posting_id: '0b7c3f0e-6a6e-5a43-9c0a-0d3c1f7a9b11',
      amount: '-1500',
      balance_after: '148500',
      event: 'payout.succeeded',
      ref: { kind: 'payout', semantic_key: 'payout-2026-0001' },
      created_at: '2026-01-31T12:00:00.000Z',
    },
  });

export const balanceView = z
  .object({
    wallet_id: z.string(),
    currency: z.string(),
    at: z.string(),
    posted: z.string(),
    held: z.string(),
    available: z.string(),
  })
  .openapi('Balance');

interface RawEntry {
  seq: string;
  posting_id: string;
  amount: string;
  balance_after: string;
  event: string;
  operation_kind: string;
  semantic_key: string;
  created_at: string;
}

/** In the order of `seq`, which the wallet's lock made. */
export async function readEntries(
  client: Sql,
  { walletId, page }: { walletId: string; page: PageRequest },
): Promise<Page<z.input<typeof entryView>>> {
  const { cursor, limit, created_gte, created_lt } = page;
  if (cursor !== undefined && !/^\d{1,18}$/.test(cursor.id)) throw badCursor();
  const conditions = given([
    sql`e.wallet_id = ${walletId}`,
    cursor && sql`e.seq < ${cursor.id}::bigint`,
    created_gte && sql`e.created_at >= ${created_gte.toISOString()}::timestamptz`,
    created_lt && sql`e.created_at < ${created_lt.toISOString()}::timestamptz`,
  ]);
  const { rows } = await sql<RawEntry>`
    SELECT e.seq, e.posting_id, e.amount, e.balance_after, e.created_at, p.event, p.operation_kind, p.semantic_key
    FROM entry e JOIN posting p ON p.posting_id = e.posting_id ${whereAll(conditions)}
    ORDER BY e.seq DESC LIMIT ${limit + 1}`.execute(client);
  const cutPage = cut(rows, limit, (row) => ({ at: new Date(row.created_at).toISOString(), id: String(row.seq) }));
  return mapPage(cutPage, presentEntry);
}

function presentEntry(row: RawEntry): z.input<typeof entryView> {
  return {
    seq: Number(row.seq),
    posting_id: row.posting_id,
    amount: String(row.amount),
    balance_after: String(row.balance_after),
    event: row.event,
    ref: { kind: row.operation_kind, semantic_key: row.semantic_key },
    created_at: new Date(row.created_at).toISOString(),
  };
}

/** The balance after the last entry until then, less what was held then. */
export async function readBalanceAt(
  client: Sql,
  { wallet, at }: { wallet: WalletIdentity; at: Date },
): Promise<z.input<typeof balanceView>> {
  const { walletId, currency } = wallet;
  const until = at.toISOString();
  const { rows } = await sql<{ posted: string | null; held: string | null }>`
    SELECT (SELECT balance_after FROM entry
            WHERE wallet_id = ${walletId} AND created_at <= ${until}::timestamptz
            ORDER BY seq DESC LIMIT 1) AS posted,
           (SELECT sum(amount) FROM hold
            WHERE wallet_id = ${walletId} AND created_at <= ${until}::timestamptz
              AND (ended_at IS NULL OR ended_at > ${until}::timestamptz)) AS held`.execute(client);
  const posted = BigInt(rows[0]?.posted ?? 0);
  const held = BigInt(rows[0]?.held ?? 0);
  return {
    wallet_id: walletId,
    currency,
    at: until,
    posted: posted.toString(),
    held: held.toString(),
    available: (posted - held).toString(),
  };
}
