// Postings as rows: the wallets have the balances that postings and holds come to.

import { parsePlatformWalletId } from '../../src/domain/chart.ts';
import { derivedPkid, type Kind, type Pkid, pkidOf, postingIdOf } from '../../src/domain/id.ts';
import { DIGEST, type Insert, PROVIDER, THEN, USD } from './released-payment.ts';

export interface Posting {
  readonly kind: Kind;
  readonly key: string;
  readonly event: string;
  readonly step?: string;
  readonly lines: readonly (readonly [walletId: string, amount: number])[];
}

export interface Chapter {
  readonly rows: readonly Insert[];
  readonly postings: readonly Posting[];
}

export const AT_PROVIDER = `@provider:${PROVIDER}:USD`;
const SELLERS = ['ann', 'bob'];

export const pair = (from: string, to: string, amount: number) => [[from, -amount] as const, [to, amount] as const];
export const keptAs = (key: string, externId: string): Pkid =>
  derivedPkid(pkidOf('payin', key), `unapplied:${externId}`);

/** Wallets with the balances that the postings and the holds come to, and the postings with their entries. */
export function journalOf(postings: readonly Posting[], rows: readonly Insert[]): Insert[] {
  const posted = new Map(SELLERS.map((seller) => [seller, { balance: 0, seq: 0 }]));
  const written = postings.flatMap(({ kind, key, event, step = 'settle', lines }): Insert[] => {
    const pkid = pkidOf(kind, key);
    const posting_id = postingIdOf(pkid, step);
    const head = { posting_id, event, operation_kind: kind, operation_pkid: pkid, semantic_key: key, created_at: THEN };
    const entries = mergedByWallet(lines).map(([walletId, amount]): Insert => {
      const before = posted.get(walletId) ?? { balance: 0, seq: 0 };
      const after = { balance: before.balance + amount, seq: before.seq + 1 };
      posted.set(walletId, after);
      const line = { wallet_id: walletId, posting_id, currency: USD, amount, created_at: THEN };
      return ['entry', { ...line, seq: after.seq, balance_after: after.balance }];
    });
    return [['posting', head], ...entries];
  });
  const wallets = [...posted].map(([walletId, { balance, seq }]): Insert => {
    const held = rows.filter(
      ([table, row]) => table === 'hold' && row.wallet_id === walletId && row.status === 'active',
    );
    const sum = held.reduce((total, [, row]) => total + Number(row.amount), 0);
    return ['wallet', { ...walletHead(walletId), posted: balance, seq, held: sum, created_at: THEN }];
  });
  return [...wallets, ...written];
}

function mergedByWallet(lines: Posting['lines']): (readonly [string, number])[] {
  const sums = new Map<string, number>();
  for (const [walletId, amount] of lines) sums.set(walletId, (sums.get(walletId) ?? 0) + amount);
  return [...sums];
}

function walletHead(walletId: string) {
  if (!walletId.startsWith('@')) {
    return { wallet_id: walletId, owner_id: walletId, kind: 'seller', currency: USD, fingerprint: DIGEST };
  }
  const { ownerId, kind, allowNegative } = parsePlatformWalletId(walletId);
  return { wallet_id: walletId, owner_id: ownerId, kind, currency: USD, allow_negative: allowNegative };
}
