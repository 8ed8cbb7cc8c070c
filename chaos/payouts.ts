// Payouts through every provider that pays out, to destinations that make it answer, refuse, stumble or hide.

import type { Request } from './asking.ts';
import { CURRENCY } from './market.ts';
import type { Teller } from './teller.ts';

/** None that ends in review or never: whatever is left open at the end is then the processor's fault. */
const WORDS = [
  'ok',
  'ok',
  'ok',
  'decline',
  'insufficient',
  'error_before',
  'paid_then_500',
  'timeout_before',
  'paid_then_timeout',
  'paid_then_reset',
  'hidden',
  'html',
  'rate_limit',
  'slow',
  'pending',
  'pending_then_fail',
  'bounce',
] as const;

const DESTINATIONS = {
  stripe: (word: string, number: number) => `acct_${word}_${number}`,
  demobank: (word: string, number: number) => `account_${word}_${number}`,
  tipalti: (word: string, number: number) => `payee_${word}_${number}`,
  paypal: (word: string, number: number) => `seller_${word}_${number}@example.com`,
} as const;

export function payoutOf({ chance, number }: Teller, wallet: string, { confirm }: { confirm: boolean }): Request {
  const provider = chance.one('provider', ['stripe', 'demobank', 'tipalti', 'paypal'] as const);
  const key = `p-${number}`;
  const body = {
    semantic_key: key,
    wallet_id: wallet,
    amount: String(chance.whole('amount', 1_000, 99_000)),
    currency: CURRENCY,
    provider,
    destination: DESTINATIONS[provider](chance.one('word', WORDS), number),
    ...(confirm && { confirm }),
  };
  return { key, kind: 'payout', path: '/v1/payouts', body };
}
