// A wallet as the API shows it, with what is pending for its owner and what its owner owes.

import { z } from '@hono/zod-openapi';
import { type RawBuilder, sql } from 'kysely';
import type { Wallet, WalletKind } from '../../entities/wallet.ts';
import { parseRow, type Table } from '../../ledger/table.ts';
import type { Sql } from '../../runtime/db.ts';
import { given, type PageRequest, whereAll } from '../pages.ts';

/** People's first, then the platform's. */
export const WALLET_KINDS = [
  'seller',
  'buyer',
  'provider',
  'pending',
  'debt',
  'fees',
  'costs',
  'unapplied',
  'bank',
  'equity',
] as const satisfies readonly WalletKind[];

export const walletView = z
  .object({
    wallet_id: z.string(),
    owner_id: z.string(),
    kind: z.string(),
    currency: z.string(),
    posted: z.string().openapi({ description: 'Settled balance in minor units.' }),
    held: z.string().openapi({ description: 'Reserved for operations that are not final.' }),
    available: z.string().openapi({ description: 'Posted minus held.' }),
    pending: z.string().openapi({ description: 'Paid for a seller, not yet released.' }),
    debt: z.string().openapi({ description: 'What a seller owes, never negative.' }),
    created_at: z.string(),
    metadata: z.record(z.string(), z.unknown()),
  })
  .openapi('Wallet', {
    example: {
      wallet_id: 'seller-42-usd',
      owner_id: 'seller-42',
      kind: 'seller',
      currency: 'USD',
      posted: '150000',
      held: '1500',
      available: '148500',
      pending: '0',
      debt: '0',
      created_at: '2026-01-31T12:00:00.000Z',
      metadata: {},
    },
  });

export type WalletView = z.input<typeof walletView>;

export interface WalletWithAside {
  readonly wallet: Wallet;
  readonly pendingMinor: bigint;
  readonly debtMinor: bigint;
}

export function presentWallet({ wallet, pendingMinor, debtMinor }: WalletWithAside): WalletView {
  return {
    wallet_id: wallet.walletId,
    owner_id: wallet.ownerId,
    kind: wallet.kind,
    currency: wallet.currency,
    posted: wallet.postedMinor.toString(),
    held: wallet.heldMinor.toString(),
    available: (wallet.postedMinor - wallet.heldMinor).toString(),
    pending: pendingMinor.toString(),
    debt: debtMinor.toString(),
    created_at: wallet.createdAt.toISOString(),
    metadata: wallet.metadata,
  };
}

/** Newest first. One statement, so that money on its way between two wallets is not seen in both or in neither. */
export async function readWallets(
  client: Sql,
  { table, where, page }: { table: Table<Wallet>; where: readonly RawBuilder<unknown>[]; page: PageRequest },
): Promise<WalletWithAside[]> {
  const { cursor, limit } = page;
  const after = cursor && sql`(w.created_at, w.wallet_id) < (${cursor.at}::timestamptz, ${cursor.id}::text)`;
  const since = page.created_gte && sql`w.created_at >= ${page.created_gte.toISOString()}::timestamptz`;
  const before = page.created_lt && sql`w.created_at < ${page.created_lt.toISOString()}::timestamptz`;
  const conditions = given([...where, after, since, before]);
  // The names of these platform wallets are those of the chart.
  const { rows } = await sql<Record<string, unknown>>`
    SELECT w.*, p.posted AS pending_posted, d.posted AS debt_posted
    FROM wallet w
    LEFT JOIN wallet p ON w.kind = 'seller' AND p.wallet_id = '@pending:' || w.owner_id || ':' || w.currency
    LEFT JOIN wallet d ON w.kind IN ('seller', 'buyer') AND d.wallet_id = '@debt:' || w.owner_id || ':' || w.currency
    ${whereAll(conditions)}
    ORDER BY w.created_at DESC, w.wallet_id DESC LIMIT ${limit + 1}`.execute(client);
  return rows.map((raw) => ({
    wallet: parseRow(table, raw),
    pendingMinor: BigInt(String(raw.pending_posted ?? 0)),
    debtMinor: -BigInt(String(raw.debt_posted ?? 0)),
  }));
}
