// What a provider's own list can show: the kinds of payment that the provider has at all, and what its ids say of
// theirs. A list that was filed under a wrong name would tell of money that nobody misses.

import { KINDS_OF, PAYMENT_KINDS, type ProviderName } from './provider.ts';

export const STATEMENT_KINDS = [...PAYMENT_KINDS, 'dispute'] as const;
export type StatementKind = (typeof STATEMENT_KINDS)[number];

/** What a list is called. */
export interface StatementName {
  readonly provider: ProviderName;
  readonly kind: StatementKind;
}

/** Who takes pay-ins has disputes about them too. */
export function kindsListed(provider: ProviderName): readonly StatementKind[] {
  const kinds = KINDS_OF[provider];
  return kinds.includes('payin') ? [...kinds, 'dispute'] : kinds;
}

/** Stripe's ids begin with what they name, by its own words: a transfer there is a payout here. */
const STRIPE_BEGINNINGS: Readonly<Record<StatementKind, readonly string[]>> = {
  payin: ['pi_'],
  payout: ['tr_'],
  refund: ['re_', 'pyr_'],
  dispute: ['dp_', 'du_'],
};

/** How every id of such a list begins; empty where ids say nothing. */
export function beginningsOf({ provider, kind }: StatementName): readonly string[] {
  return provider === 'stripe' ? STRIPE_BEGINNINGS[kind] : [];
}

/** What an id says by itself that it names; null where it says nothing. */
export function nameIn(externId: string): StatementName | null {
  const kind = STATEMENT_KINDS.find((known) => STRIPE_BEGINNINGS[known].some((word) => externId.startsWith(word)));
  return kind === undefined ? null : { provider: 'stripe', kind };
}
