// Amounts as Stripe writes them: integers whose decimals are those of ISO 4217, with Stripe's exceptions.
// Source: docs.stripe.com/currencies.

import { PaymentError } from '../../domain/errors.ts';
import { type Currency, decimalsOf, formatAdvice, isCurrency, type Money } from '../../domain/money.ts';
import type { PaymentKind } from '../../domain/provider.ts';

/** Stripe takes at most eight digits in one amount. */
const WIRE_AMOUNT_MAX = 99_999_999n;

const ZERO_DECIMALS = new Set('BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF'.split(' '));
/** Without decimals in the world, but for old times' sake with two on the wire: 5 ISK is sent as 500. */
const TWO_DECIMALS_ON_WIRE = new Set(['ISK', 'UGX']);
/** With three decimals on the wire, of which the last must be 0. */
const THREE_DECIMALS = new Set(['BHD', 'JOD', 'KWD', 'OMR', 'TND']);
/** Funds codes and units of account, and three-decimal currencies that Stripe does not know. */
const NOT_AT_STRIPE = new Set('BOV CHE CHW CLF COU IQD LYD MXV USN UYI UYW'.split(' '));

/** Bank payouts of these go by whole units, so a transfer of a fraction could not leave the account it went to. */
const WHOLE_PAYOUTS = new Set(['HUF', 'TWD']);
/** The least that a buyer can be charged, in our minor units; of other currencies Stripe publishes none. */
const PAYIN_MIN: ReadonlyMap<string, bigint> = new Map(
  Object.entries({
    30: 'GBP',
    50: 'AUD BRL CAD CHF EUR INR JPY NZD SGD USD',
    100: 'BGN',
    200: 'AED MYR PLN RON',
    250: 'DKK',
    300: 'NOK SEK',
    400: 'HKD',
    1000: 'MXN THB',
    1500: 'CZK',
    17500: 'HUF',
  }).flatMap(([least, codes]) => codes.split(' ').map((code) => [code, BigInt(least)] as const)),
);

type Wire = { readonly amount: number; readonly refusal: null } | { readonly amount: null; readonly refusal: string };

/** What a call that moves money says of it. Money that Stripe cannot move is never sent. */
export function wireOf(money: Money, kind: PaymentKind): { amount: number; currency: string } {
  const { amount, refusal } = toWire(money, kind);
  if (refusal !== null) throw new PaymentError('provider-not-able', { detail: refusal });
  return { amount, currency: money.currency.toLowerCase() };
}

export function refusalOf(money: Money, kind: PaymentKind): string | null {
  return toWire(money, kind).refusal;
}

/** The integer that Stripe wants, or why there is none, as advice to the caller. */
export function toWire(money: Money, kind: PaymentKind): Wire {
  const { amountMinor, currency } = money;
  if (NOT_AT_STRIPE.has(currency)) {
    return refused(`Stripe does not move ${currency}. Choose another provider, or another currency.`);
  }
  const step = stepOf(currency, kind);
  const wire = scaled({ amount: amountMinor, from: decimalsOf(currency), to: wireDecimalsOf(currency) });
  // Before the steps, so that no advice names an amount that is refused in turn.
  if (wire > WIRE_AMOUNT_MAX) {
    const most = scaled({ amount: WIRE_AMOUNT_MAX, from: wireDecimalsOf(currency), to: decimalsOf(currency) });
    const words = formatAdvice({ amountMinor: most - (most % step), currency });
    return refused(`Stripe moves at most ${words} at once. Send that or less: split the amount.`);
  }
  const least = kind === 'payin' ? (PAYIN_MIN.get(currency) ?? 0n) : 0n;
  if (amountMinor < least) {
    const words = formatAdvice({ amountMinor: least, currency });
    return refused(`Stripe charges a buyer at least ${words}. Send that or more, or choose another provider.`);
  }
  if (amountMinor % step !== 0n) {
    const below = amountMinor - (amountMinor % step);
    const nearest = formatAdvice({ amountMinor: below === 0n ? step : below, currency });
    const steps = formatAdvice({ amountMinor: step, currency });
    return refused(`Stripe moves ${currency} in steps of ${steps}. Send ${nearest}.`);
  }
  return { amount: Number(wire), refusal: null };
}

/** Null when the currency is unknown or the amount is no whole number of our minor units. */
export function fromWire({ amount, currency }: { amount: number; currency: string }): Money | null {
  const code = currency.toUpperCase();
  if (!isCurrency(code)) return null;
  const wire = BigInt(amount);
  const amountMinor = scaled({ amount: wire, from: wireDecimalsOf(code), to: decimalsOf(code) });
  if (scaled({ amount: amountMinor, from: decimalsOf(code), to: wireDecimalsOf(code) }) !== wire) return null;
  return { amountMinor, currency: code };
}

function wireDecimalsOf(currency: Currency): number {
  if (ZERO_DECIMALS.has(currency)) return 0;
  return TWO_DECIMALS_ON_WIRE.has(currency) ? 2 : decimalsOf(currency);
}

/** The smallest difference between two amounts that Stripe takes, in our minor units. */
function stepOf(currency: Currency, kind: PaymentKind): bigint {
  if (kind === 'payout' && WHOLE_PAYOUTS.has(currency)) return 10n ** BigInt(decimalsOf(currency));
  if (THREE_DECIMALS.has(currency)) return 10n;
  return 10n ** BigInt(Math.max(0, decimalsOf(currency) - wireDecimalsOf(currency)));
}

function scaled({ amount, from, to }: { amount: bigint; from: number; to: number }): bigint {
  return to >= from ? amount * 10n ** BigInt(to - from) : amount / 10n ** BigInt(from - to);
}

function refused(refusal: string): Wire {
  return { amount: null, refusal };
}
