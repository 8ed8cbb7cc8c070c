// Who a wallet belongs to and in which currency: facts that never change, so they may be remembered.

import { sql } from 'kysely';
import type { Currency } from '../domain/money.ts';
import type { WalletKind } from '../entities/wallet.ts';
import type { Db } from '../runtime/db.ts';
import { createLoader } from './loader.ts';

export interface WalletIdentity {
  readonly walletId: string;
  readonly ownerId: string;
  readonly kind: WalletKind;
  readonly currency: Currency;
}

export interface WalletDirectory {
  find(walletId: string): Promise<WalletIdentity | null>;
}

/** About 20 MB of identities; the oldest are forgotten first and read again when needed. */
const REMEMBERED_MAX = 100_000;

export function createWalletDirectory(db: Db): WalletDirectory {
  const known = new Map<string, WalletIdentity>();
  const loader = createLoader<string, WalletIdentity>(async (walletIds) => {
    const { rows } = await sql<{ wallet_id: string; owner_id: string; kind: WalletKind; currency: Currency }>`
      SELECT wallet_id, owner_id, kind, currency FROM wallet
      WHERE wallet_id = ANY(${[...walletIds]}::text[])`.execute(db.sql);
    return new Map(
      rows.map(({ wallet_id, owner_id, kind, currency }) => [
        wallet_id,
        { walletId: wallet_id, ownerId: owner_id, kind, currency },
      ]),
    );
  });
  return {
    async find(walletId) {
      const remembered = known.get(walletId);
      if (remembered !== undefined) return remembered;
      const identity = await loader.load(walletId);
      if (identity === null) return null;
      known.set(walletId, identity);
      const [oldest] = known.keys();
      if (known.size > REMEMBERED_MAX && oldest !== undefined) known.delete(oldest);
      return identity;
    },
  };
}
