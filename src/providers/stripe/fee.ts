// What Stripe charged for a payment, as its line of the balance says.

import { z } from 'zod';
import type { Fee } from '../../domain/provider.ts';
import { fromWire } from './amount.ts';

/** A dispute that was won gives its fee back, so the figure may be negative. */
export const balanceLine = z.object({
  id: z.string().regex(/^txn_[A-Za-z0-9_-]{1,250}$/),
  object: z.literal('balance_transaction'),
  fee: z.number().refine(Number.isSafeInteger),
  currency: z.string().regex(/^[a-z]{3}$/),
});
type BalanceLine = z.infer<typeof balanceLine>;

/** An id where it was not asked to be expanded, null while there is no line yet. */
export const balanceLineOrId = z.union([balanceLine, z.string(), z.null()]).optional();

/** In the currency of our balance, which may be another than the payer's. Null when nothing was charged. */
export function feeOf(line: BalanceLine | string | null | undefined): Fee | null {
  if (typeof line !== 'object' || line === null || line.fee <= 0) return null;
  const money = fromWire({ amount: line.fee, currency: line.currency });
  return money === null ? null : { externId: line.id, money };
}
