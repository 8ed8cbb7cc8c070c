// Amounts as Stripe writes them: integers whose decimals are those of ISO 4217, with Stripe's exceptions.
// Source: docs.stripe.com/currencies.

import { type Currency, decimalsOf, formatMoney, isCurrency, type Money } from '../domain/money.ts';

/** Stripe takes at most eight digits in one amount. */
const WIRE_AMOUNT_MAX = 99_999_999n;

const ZERO_DECIMALS = new Set('BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF'.split(' '));
/** Without decimals in the world, but for old times' sake with two on the wire: 5 ISK is sent as 500. */
const TWO_DECIMALS_ON_WIRE = new Set(['ISK', 'UGX']);
/** With three decimals on the wire, of which the last must be 0. */
const THREE_DECIMALS = new Set(['BHD', 'JOD', 'KWD', 'OMR', 'TND']);
/** Funds codes and units of account, and three-decimal currencies that Stripe does not know. */
const NOT_AT_STRIPE = new Set('BOV CHE CHW CLF COU IQD LYD MXV USN UYI UYW'.split(' '));

type Wire = { readonly amount: number; readonly refusal: null } | { readonly amount: null; readonly refusal: string };

/** The integer that Stripe wants, or why there is none, as advice to the caller. */
export function toWire(money: Money): Wire {
  const { currency } = money;
  if (NOT_AT_STRIPE.has(currency)) {
    return refused(`Stripe does not pay in ${currency}. Choose another provider, or a wallet in another currency.`);
  }
  const step = stepOf(currency);
  if (money.amountMinor % step !== 0n) {
    const below = money.amountMinor - (money.amountMinor % step);
    const nearest = formatMoney({ amountMinor: below === 0n ? step : below, currency });
    const steps = formatMoney({ amountMinor: step, currency });
    return refused(`Stripe pays ${currency} in steps of ${steps}. Send ${nearest}.`);
  }
  const wire = scaled({ amount: money.amountMinor, from: decimalsOf(currency), to: wireDecimalsOf(currency) });
  if (wire > WIRE_AMOUNT_MAX) {
    const most = scaled({ amount: WIRE_AMOUNT_MAX, from: wireDecimalsOf(currency), to: decimalsOf(currency) });
    const amountMinor = most - (most % step);
    return refused(`Stripe moves at most ${formatMoney({ amountMinor, currency })} at once. Split the amount.`);
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
function stepOf(currency: Currency): bigint {
  if (THREE_DECIMALS.has(currency)) return 10n;
  return 10n ** BigInt(Math.max(0, decimalsOf(currency) - wireDecimalsOf(currency)));
}

function scaled({ amount, from, to }: { amount: bigint; from: number; to: number }): bigint {
  return to >= from ? amount * 10n ** BigInt(to - from) : amount / 10n ** BigInt(from - to);
}

function refused(refusal: string): Wire {
  return { amount: null, refusal };
}
