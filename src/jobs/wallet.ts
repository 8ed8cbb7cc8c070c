// The life of a wallet: it is made once and never ends. Its balance is the journal's business.

import { sql } from 'kysely';
import { PaymentError } from '../domain/errors.ts';
import { fingerprintOf } from '../domain/fingerprint.ts';
import type { Currency } from '../domain/money.ts';
import type { Wallet } from '../entities/wallet.ts';
import { readClock } from '../ledger/reads.ts';
import type { Intake } from '../ledger/step.ts';
import { parseRow, type Table, tableOf } from '../ledger/table.ts';
import { insertNew } from '../ledger/table-writes.ts';
import type { Db, Tx } from '../runtime/db.ts';
import { statementsOf } from '../runtime/statements.ts';

export interface WalletRequest {
  readonly walletId: string;
  readonly ownerId: string;
  readonly kind: 'seller' | 'buyer';
  readonly currency: Currency;
  readonly metadata: Record<string, unknown>;
}

export type WalletLife = ReturnType<typeof createWalletLife>;

export function createWalletLife({ db }: { db: Db }) {
  const table = tableOf<Wallet>(db, 'Wallet');
  return {
    /** Makes the wallet, or compares with the one that has this id. An owner has one per kind and currency. */
    async request(request: WalletRequest): Promise<Intake<Wallet>> {
      const fingerprint = fingerprintOf({ ...request });
      return db.transaction(async (tx) => {
        const row = newWallet({ request, fingerprint, now: await readClock(statementsOf(tx)) });
        const inserted = await insertNew(statementsOf(tx), table, [row]);
        if (inserted.size > 0) return { type: 'created', row };
        const existing = await readByIdentity(tx, table, request);
        if (existing === null) throw new PaymentError('unavailable', { retryAfterMs: 1000 });
        if (existing.walletId !== request.walletId) throw ownedAlready(existing);
        const isEqual = existing.fingerprint?.equals(fingerprint) ?? false;
        return { type: isEqual ? 'replayed' : 'key_reused', row: existing };
      });
    },
  };
}

/** The wallet with this id if there is one, else the one that its owner has. */
async function readByIdentity(tx: Tx, table: Table<Wallet>, request: WalletRequest): Promise<Wallet | null> {
  const { walletId, ownerId, kind, currency } = request;
  const { rows } = await sql<Record<string, unknown>>`
    SELECT * FROM wallet
    WHERE wallet_id = ${walletId} OR (owner_id = ${ownerId} AND kind = ${kind} AND currency = ${currency})
    ORDER BY wallet_id = ${walletId} DESC LIMIT 1`.execute(tx);
  const [raw] = rows;
  return raw === undefined ? null : parseRow(table, raw);
}

function newWallet({ request, fingerprint, now }: { request: WalletRequest; fingerprint: Buffer; now: Date }): Wallet {
  const balance = { postedMinor: 0n, heldMinor: 0n, seq: 0n, allowNegative: false };
  return { ...request, ...balance, fingerprint, createdAt: now };
}

function ownedAlready({ walletId, ownerId, kind, currency }: Wallet): PaymentError {
  return new PaymentError('invalid-state', {
    detail: `The owner "${ownerId}" has a ${kind} wallet in ${currency}: "${walletId}". Use that one.`,
  });
}

/** The wallet into which a refund of this order may go. Throws not-found when the buyer has none in its currency. */
export async function buyersWallet(db: Db, { checkoutId, currency }: { checkoutId: string; currency: Currency }) {
  const { rows } = await sql<{ buyer_id: string; wallet_id: string | null }>`
    SELECT c.buyer_id, w.wallet_id FROM checkout c
    LEFT JOIN wallet w ON w.owner_id = c.buyer_id AND w.kind = 'buyer' AND w.currency = ${currency}
    WHERE c.checkout_id = ${checkoutId}`.execute(db.sql);
  const [found] = rows;
  if (found?.wallet_id) return found.wallet_id;
  const detail =
    `The buyer "${found?.buyer_id ?? ''}" has no wallet in ${currency}. ` +
    'Create one with POST /v1/wallets (kind "buyer"), or refund to the payer.';
  throw new PaymentError('not-found', { detail });
}

/** A seller's wallet by its owner. Throws not-found when there is none in that currency. */
export async function sellersWallet(db: Db, sellerId: string, currency: Currency): Promise<string> {
  const { rows } = await sql<{ wallet_id: string }>`
    SELECT wallet_id FROM wallet
    WHERE owner_id = ${sellerId} AND kind = 'seller' AND currency = ${currency}`.execute(db.sql);
  const [found] = rows;
  if (found !== undefined) return found.wallet_id;
  const detail =
    `The seller "${sellerId}" has no wallet in ${currency}. ` +
    'Create one with POST /v1/wallets (kind "seller", owner_id the seller).';
  throw new PaymentError('not-found', { detail });
}
