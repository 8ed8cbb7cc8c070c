// The wallets of a run and what is put into them: known to the client that uses them and to the judge who counts them.

export const CURRENCY = 'USD';

interface Wallet {
  readonly walletId: string;
  readonly kind: 'seller' | 'buyer';
  readonly fundsMinor: bigint;
}

const MANY = 8;
const SHOPS = 4;

/** Uniform traffic and payouts. */
export const PLAIN: readonly string[] = Array.from({ length: MANY }, (_, index) => `w-${index}`);
/** On the debit side of a third of the transfers. */
export const HOT = 'hot';
/** Has money for `POOR_TRANSFERS` transfers of `POOR_AMOUNT`, whoever comes first. */
export const POOR = 'poor';
export const POOR_AMOUNT = 100n;
export const POOR_TRANSFERS = 6n;
/** Sellers of the checkouts; their wallets move by orders alone. */
export const SELLERS: readonly string[] = Array.from({ length: SHOPS }, (_, index) => `shop-${index}`);
/** Where some refunds go. */
export const BUYERS: readonly string[] = Array.from({ length: SHOPS }, (_, index) => `buyer-${index}`);

const PLENTY = 1_000_000_000n;

export const WALLETS: readonly Wallet[] = [
  ...PLAIN.map((walletId) => ({ walletId, kind: 'seller', fundsMinor: PLENTY }) as const),
  { walletId: HOT, kind: 'seller', fundsMinor: PLENTY },
  { walletId: POOR, kind: 'seller', fundsMinor: POOR_AMOUNT * POOR_TRANSFERS },
  ...SELLERS.map((walletId) => ({ walletId, kind: 'seller', fundsMinor: 0n }) as const),
  ...BUYERS.map((walletId) => ({ walletId, kind: 'buyer', fundsMinor: 0n }) as const),
];
