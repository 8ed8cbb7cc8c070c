// A payout: money from a person's wallet to an account outside, through a provider.

import type { Payment } from './payment.ts';

export interface Payout extends Payment {
  readonly walletId: string;
  readonly payeeId: string | null;
  readonly destination: string | null;
}
