// Amounts as Square writes them: integers of the smallest unit of ISO 4217, so yen without decimals and dinars with
// three. The SDK carries them as bigint both ways.

import type { Square } from 'square';
import { z } from 'zod';
import { formatAdvice, isCurrency, type Money } from '../../domain/money.ts';
import { isSquareCurrency } from './currency.ts';

/** The SDK would write more, but what reads JSON numbers on the way is exact up to 2^53 - 1 only. */
const WIRE_AMOUNT_MAX = BigInt(Number.MAX_SAFE_INTEGER);
/** Square's minimum for cards: 0.01, or 1 yen. */
const WIRE_AMOUNT_MIN = 1n;

type SquareMoney = { readonly amount: bigint; readonly currency: Square.Currency };
type Wire =
  | { readonly money: SquareMoney; readonly refusal: null }
  | { readonly money: null; readonly refusal: string };

/** What Square is asked to move, or why it cannot be, as advice to the caller. */
export function toSquare({ amountMinor, currency }: Money): Wire {
  if (!isSquareCurrency(currency)) {
    return refused(`Square does not take ${currency}. Choose another provider, or another currency.`);
  }
  if (amountMinor < WIRE_AMOUNT_MIN) {
    const least = formatAdvice({ amountMinor: WIRE_AMOUNT_MIN, currency });
    return refused(`Square takes at least ${least}. Send that or more.`);
  }
  if (amountMinor > WIRE_AMOUNT_MAX) {
    const most = formatAdvice({ amountMinor: WIRE_AMOUNT_MAX, currency });
    return refused(`Square takes at most ${most} at once. Send that or less: split the amount.`);
  }
  return { money: { amount: amountMinor, currency }, refusal: null };
}

/** Money in an answer, as the SDK reads it. */
export const squareMoney = z
  .object({ amount: z.bigint().nonnegative(), currency: z.string().refine(isCurrency) })
  .transform(({ amount, currency }): Money => ({ amountMinor: amount, currency }));

function refused(refusal: string): Wire {
  return { money: null, refusal };
}
