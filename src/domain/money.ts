// Money: bigint minor units with an ISO 4217 currency. The only place that makes or combines amounts.
// The table is our own because Intl disagrees with ISO 4217 on the minor units of many currencies.

import { PaymentError } from './errors.ts';

export type Currency = string & { readonly __brand: 'Currency' };

export interface Money {
  /** Minor units (cents for USD, yen for JPY, fils for KWD). */
  readonly amountMinor: bigint;
  readonly currency: Currency;
}

// ISO 4217 list one (active codes), by number of decimals of the minor unit.
const CODES_BY_DECIMALS = {
  0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF',
  2: `AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF
    CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG
    HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR
    MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD
    SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD
    XCG YER ZAR ZMW ZWG`,
  3: 'BHD IQD JOD KWD LYD OMR TND',
  4: 'CLF UYW',
} as const;

const DECIMALS: ReadonlyMap<string, number> = new Map(
  Object.entries(CODES_BY_DECIMALS).flatMap(([decimals, codes]) =>
    codes.split(/\s+/).map((code) => [code, Number(decimals)] as const),
  ),
);

/** 18 digits always fit a PostgreSQL bigint, with room for sums. */
const AMOUNT = /^(0|[1-9][0-9]{0,17})$/;
const SIGNED_AMOUNT = /^(0|-?[1-9][0-9]{0,17})$/;

export function isCurrency(code: string): code is Currency {
  return DECIMALS.has(code);
}

export function parseCurrency(code: string): Currency {
  if (!isCurrency(code)) {
    throw new PaymentError('invalid-currency', {
      detail: `"${code.slice(0, 8)}" is not an ISO 4217 currency. Send an upper-case code such as "USD".`,
    });
  }
  return code;
}

export function decimalsOf(currency: Currency): number {
  const decimals = DECIMALS.get(currency);
  if (decimals === undefined) throw new PaymentError('internal', { detail: `No decimals known for ${currency}.` });
  return decimals;
}

/** A decimal string of minor units, greater than zero. */
export function parseAmount(text: unknown): bigint {
  if (typeof text !== 'string' || !AMOUNT.test(text) || text === '0') throw invalidAmount();
  return BigInt(text);
}

/** As parseAmount, but the sign may be negative (adjustments). */
export function parseSignedAmount(text: unknown): bigint {
  if (typeof text !== 'string' || !SIGNED_AMOUNT.test(text) || text === '0') throw invalidSignedAmount();
  return BigInt(text);
}

/** Text for people: 1500n USD is "15.00 USD", 1500n JPY is "1500 JPY". */
export function formatMoney({ amountMinor, currency }: Money): string {
  return `${formatMajor({ amountMinor, currency })} ${currency}`;
}

/** Text for callers: the amount as the API takes it, and what it is worth: 330n KWD is `"330" (0.330 KWD)`. */
export function formatAdvice(money: Money): string {
  return `"${money.amountMinor}" (${formatMoney(money)})`;
}

/** Exact decimal text in major units, as some providers want it. */
export function formatMajor({ amountMinor, currency }: Money): string {
  const decimals = decimalsOf(currency);
  const sign = amountMinor < 0n ? '-' : '';
  const digits = (amountMinor < 0n ? -amountMinor : amountMinor).toString().padStart(decimals + 1, '0');
  if (decimals === 0) return sign + digits;
  return `${sign}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

export function sameMoney(left: Money, right: Money): boolean {
  return left.amountMinor === right.amountMinor && left.currency === right.currency;
}

function invalidAmount(): PaymentError {
  return new PaymentError('invalid-amount', {
    detail:
      'An amount is a decimal string of minor units, 1 to 18 digits, without sign, zero in front, or fraction. ' +
      'Send "1500" for 15.00 USD.',
  });
}

function invalidSignedAmount(): PaymentError {
  return new PaymentError('invalid-amount', {
    detail:
      'This amount is a decimal string of minor units, 1 to 18 digits, not zero, perhaps with a minus, without zero ' +
      'in front or fraction. Send "1500" to add 15.00 USD, "-1500" to take them.',
  });
}
