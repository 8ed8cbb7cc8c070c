// The chart of platform wallets: how they are named, and which may go below zero. Their ids begin with "@", which
// no id of a user can, and end with the currency: "@provider:stripe:USD", "@equity:USD".

import { PaymentError } from './errors.ts';
import { type Currency, isCurrency } from './money.ts';

/** kind -> whether it is one per owner, and whether it may go below zero. */
const PLATFORM_KINDS = {
  /** Money at the provider; negative means that they owe us. */
  provider: { perOwner: true, allowNegative: true },
  /** A seller's money that is paid but not yet released. */
  pending: { perOwner: true, allowNegative: false },
  /** What a seller owes us; a check of the table keeps it from going above zero. */
  debt: { perOwner: true, allowNegative: true },
  /** Our commission. */
  fees: { perOwner: false, allowNegative: true },
  /** What a provider charged. */
  costs: { perOwner: true, allowNegative: true },
  /** Money that fits nothing yet. */
  unapplied: { perOwner: false, allowNegative: false },
  bank: { perOwner: false, allowNegative: true },
  /** The other side of adjustments. */
  equity: { perOwner: false, allowNegative: true },
} as const;

export type PlatformKind = keyof typeof PLATFORM_KINDS;

export interface PlatformWallet {
  readonly walletId: string;
  readonly ownerId: string;
  readonly kind: PlatformKind;
  readonly currency: Currency;
  readonly allowNegative: boolean;
}

const PLATFORM_OWNER = '@platform';

export function providerWalletId(provider: string, currency: Currency): string {
  return `@provider:${provider}:${currency}`;
}

export function pendingWalletId(seller: string, currency: Currency): string {
  return `@pending:${seller}:${currency}`;
}

export function debtWalletId(seller: string, currency: Currency): string {
  return `@debt:${seller}:${currency}`;
}

export function feesWalletId(currency: Currency): string {
  return `@fees:${currency}`;
}

export function costsWalletId(provider: string, currency: Currency): string {
  return `@costs:${provider}:${currency}`;
}

export function unappliedWalletId(currency: Currency): string {
  return `@unapplied:${currency}`;
}

export function bankWalletId(currency: Currency): string {
  return `@bank:${currency}`;
}

export function equityWalletId(currency: Currency): string {
  return `@equity:${currency}`;
}

export function isPlatformWalletId(walletId: string): boolean {
  return walletId.startsWith('@');
}

/** What a platform wallet's id says about it; an owner may itself contain ":". */
export function parsePlatformWalletId(walletId: string): PlatformWallet {
  const [kind = '', ...rest] = walletId.slice(1).split(':');
  const currency = rest.pop() ?? '';
  const ownerId = rest.join(':');
  if (!isPlatformKind(kind) || !isCurrency(currency)) throw notOfTheChart(walletId);
  const { perOwner, allowNegative } = PLATFORM_KINDS[kind];
  if (perOwner !== ownerId.length > 0) throw notOfTheChart(walletId);
  return { walletId, ownerId: perOwner ? ownerId : PLATFORM_OWNER, kind, currency, allowNegative };
}

function isPlatformKind(kind: string): kind is PlatformKind {
  return Object.hasOwn(PLATFORM_KINDS, kind);
}

function notOfTheChart(walletId: string): PaymentError {
  return new PaymentError('wallet-not-allowed', {
    detail: `"${walletId}" is not a platform wallet of the chart. Use a form such as "@provider:stripe:USD".`,
  });
}
