// Amounts as Tipalti writes them: JSON numbers in major units. They are read from and written as their own text,
// because a number in between would round them.

import { type Currency, decimalsOf, formatAdvice, formatMajor, isCurrency, type Money } from '../../domain/money.ts';

/** Tipalti's interface calls an amount a double, and a double holds any 15 decimal digits exactly, but not more. */
const AMOUNT_MINOR_MAX = 999_999_999_999_999n;
/** What the rest of remit keeps an amount in. */
const DIGITS_MAX = 18;
/** Units of account and codes of funds: no bank account is held in them, and some have four decimals. */
const NOT_PAID_OUT = new Set('BOV CHE CHW CLF COU MXV USN UYI UYW XAD'.split(' '));
const DECIMAL = /^(-?)(0|[1-9][0-9]{0,30})(?:\.([0-9]{1,30}))?$/;

/** Why Tipalti cannot pay this, as advice to the caller; null when it can. */
export function refusalOf(money: Money): string | null {
  const { amountMinor, currency } = money;
  if (NOT_PAID_OUT.has(currency)) {
    return `Tipalti does not pay in ${currency}. Choose another provider, or a wallet in another currency.`;
  }
  if (amountMinor <= AMOUNT_MINOR_MAX) return null;
  const most = formatAdvice({ amountMinor: AMOUNT_MINOR_MAX, currency });
  return `Tipalti takes at most ${most} at once. Send that or less: split the amount.`;
}

/** The number as it has to stand in the body, with every digit. */
export function toWire(money: Money): string {
  return formatMajor(money);
}

/** Null when the currency is unknown, or the amount is no whole number of its minor units. */
export function fromWire({ amount, currency }: { amount: string; currency: string }): Money | null {
  if (!isCurrency(currency)) return null;
  const amountMinor = minorOf(amount, currency);
  return amountMinor === null ? null : { amountMinor, currency };
}

/** Parses JSON and leaves each number called "amount" as the text it was written in. */
export function parseExact(json: string): unknown {
  // The third argument is newer than the type library.
  return JSON.parse(json, (...[name, value, context]: unknown[]) =>
    name === 'amount' && typeof value === 'number' ? sourceOf(context) : value,
  );
}

function minorOf(text: string, currency: Currency): bigint | null {
  const [, sign = '', whole = '', fraction = ''] = DECIMAL.exec(text) ?? [];
  const decimals = decimalsOf(currency);
  if (whole === '' || /[1-9]/.test(fraction.slice(decimals))) return null;
  const minor = BigInt(whole + fraction.slice(0, decimals).padEnd(decimals, '0'));
  if (minor.toString().length > DIGITS_MAX) return null;
  return sign === '-' ? -minor : minor;
}

function sourceOf(context: unknown): unknown {
  return typeof context === 'object' && context !== null && 'source' in context ? context.source : undefined;
}
