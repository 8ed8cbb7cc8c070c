// Amounts as PayPal writes them: exact decimal text in whole units. Forints and Taiwan dollars have two decimals in
// ISO 4217 and none at PayPal. Source: developer.paypal.com/api/rest/reference/currency-codes.

import { type Currency, decimalsOf, formatAdvice, formatMajor, isCurrency, type Money } from '../../domain/money.ts';
import type { PaymentKind } from '../../domain/provider.ts';

const CURRENCIES = new Set<string>(
  'AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF ILS JPY MXN MYR NOK NZD PHP PLN SEK SGD THB TWD USD'.split(' '),
);
const NO_DECIMALS = new Set<string>(['HUF', 'JPY', 'TWD']);
/** Orders take 15 digits before the point. */
const WHOLE_MAX = 10n ** 15n - 1n;
/** PayPal's default for one payout; for other currencies it names no figure. */
const PAYOUT_USD_MINOR_MAX = 2_000_000n;

const DECIMAL = /^(-?)([0-9]{1,16})(?:\.([0-9]{1,6}))?$/;

type Wire = { readonly value: string; readonly refusal: null } | { readonly value: null; readonly refusal: string };

/** The text that PayPal wants, or why there is none, as advice to the caller. */
export function toWire(money: Money): Wire {
  const { amountMinor, currency } = money;
  if (!CURRENCIES.has(currency)) {
    return refused(`PayPal does not take ${currency}. Choose another provider, or another currency.`);
  }
  const step = stepOf(currency);
  const unit = 10n ** BigInt(decimalsOf(currency));
  const whole = amountMinor / unit;
  // Before the steps, so that no advice names an amount that is refused in turn.
  if (whole > WHOLE_MAX) {
    const most = formatAdvice({ amountMinor: (WHOLE_MAX + 1n) * unit - step, currency });
    return refused(`PayPal takes at most ${most} at once. Send that or less: split the amount.`);
  }
  if (amountMinor % step !== 0n) {
    const below = amountMinor - (amountMinor % step);
    const nearest = formatAdvice({ amountMinor: below === 0n ? step : below, currency });
    return refused(`PayPal takes ${currency} without decimals. Send ${nearest}.`);
  }
  return { value: step === 1n ? formatMajor(money) : whole.toString(), refusal: null };
}

/** As toWire, with the limits of one kind of payment. */
export function refusalOf(kind: PaymentKind, money: Money): string | null {
  const { refusal } = toWire(money);
  if (refusal !== null) return refusal;
  if (kind === 'payout' && money.currency === 'USD' && money.amountMinor > PAYOUT_USD_MINOR_MAX) {
    const most = formatAdvice({ amountMinor: PAYOUT_USD_MINOR_MAX, currency: money.currency });
    return `PayPal pays out at most ${most} at once. Send that or less: split the amount.`;
  }
  return null;
}

/** Null when the currency is unknown or the amount is no whole number of our minor units. May be negative. */
export function fromWire({ value, currency }: { value: string; currency: string }): Money | null {
  if (!isCurrency(currency)) return null;
  const [, sign = '', whole = '', fraction = ''] = DECIMAL.exec(value) ?? [];
  const decimals = decimalsOf(currency);
  if (whole === '' || !/^0*$/.test(fraction.slice(decimals))) return null;
  const digits = BigInt(whole + fraction.slice(0, decimals).padEnd(decimals, '0'));
  return { amountMinor: sign === '-' ? -digits : digits, currency };
}

/** The smallest difference between two amounts that PayPal takes, in our minor units. */
function stepOf(currency: Currency): bigint {
  return NO_DECIMALS.has(currency) ? 10n ** BigInt(decimalsOf(currency)) : 1n;
}

function refused(refusal: string): Wire {
  return { value: null, refusal };
}
