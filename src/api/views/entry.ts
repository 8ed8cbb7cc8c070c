// Entries of a wallet and its balance at a time, as the API shows them.

import { z } from '@hono/zod-openapi';
import { type RawBuilder, sql } from 'kysely';
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
  const timeOf = (time: Date) => sql`${time.toISOString()}::timestamptz`;
  const conditions = given([
    sql`e.wallet_id = ${walletId}`,
    cursor && sql`e.seq < ${cursor.id}::bigint`,
    created_gte && sql`e.seq >= ${firstSeqFrom(walletId, timeOf(created_gte))}`,
    created_lt && sql`e.seq < ${firstSeqFrom(walletId, timeOf(created_lt))}`,
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

/**
 * The place of the wallet's first entry from that time on. Entries are written under the wallet's lock with the time
 * read below it, so halving finds the place in twenty looks of a million. Their times run backwards only where the
 * server's clock was set back: of a time within such a step, entries may be missed or shown besides.
 */
function firstSeqFrom(walletId: string, time: RawBuilder<unknown>): RawBuilder<unknown> {
  const isBefore = sql`middle.created_at < ${time}`;
  return sql`(
    WITH RECURSIVE span (low, high) AS (
      SELECT 1::bigint, seq + 1 FROM wallet WHERE wallet_id = ${walletId}
      UNION ALL
      SELECT CASE WHEN ${isBefore} THEN (low + high) / 2 + 1 ELSE low END,
             CASE WHEN ${isBefore} THEN high ELSE (low + high) / 2 END
      FROM span LEFT JOIN LATERAL (
        SELECT created_at FROM entry WHERE wallet_id = ${walletId} AND seq = (low + high) / 2 LIMIT 1) middle ON true
      WHERE low < high)
    SELECT low FROM span WHERE low >= high)`;
}

/** The balance after the last entry until then, less what was held then. */
export async function readBalanceAt(
  client: Sql,
  { wallet, at }: { wallet: WalletIdentity; at: Date },
): Promise<z.input<typeof balanceView>> {
  const { walletId, currency } = wallet;
  const until = at.toISOString();
  const after = sql`${until}::timestamptz + interval '1 millisecond'`;
  const { rows } = await sql<{ posted: string | null; held: string | null }>`
    SELECT (SELECT balance_after FROM entry
            WHERE wallet_id = ${walletId} AND seq < ${firstSeqFrom(walletId, after)}
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
