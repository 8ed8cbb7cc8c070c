// PayPal's amounts: decimal text in whole units, with the decimals that PayPal takes. The book counts in the minor
// units of ISO 4217, and forints and Taiwan dollars have two decimals there and none here.

const NO_DECIMALS = new Set(['HUF', 'JPY', 'TWD']);
const CURRENCIES = new Set(
  `AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF ILS JPY MXN MYR NOK NZD PHP PLN SEK SGD THB TWD USD`.split(' '),
);

export const PAYPAL_CURRENCIES: readonly string[] = [...CURRENCIES];

export type Parsed = { minor: bigint } | { issue: string; description: string };

export function parseAmount({ value, currency }: { value: string; currency: string }): Parsed {
  if (!CURRENCIES.has(currency)) {
    return {
      issue: 'CURRENCY_NOT_SUPPORTED',
      description: `PayPal does not support ${currency}. Use another currency.`,
    };
  }
  const [, whole = '', decimals = ''] = /^([0-9]{1,15})(?:\.([0-9]+))?$/.exec(value) ?? [];
  if (whole === '') {
    return { issue: 'INVALID_PARAMETER_VALUE', description: `"${value}" is no amount. Send digits with a point.` };
  }
  if (NO_DECIMALS.has(currency) && decimals !== '') {
    return { issue: 'DECIMALS_NOT_SUPPORTED', description: `${currency} has no decimals here. Send whole units.` };
  }
  if (decimals.length > 2) {
    return { issue: 'DECIMAL_PRECISION', description: `${currency} has two decimals. Send no more.` };
  }
  const minor = BigInt(whole + decimals.padEnd(isoDecimals(currency), '0'));
  if (minor > 0n) return { minor };
  return { issue: 'CANNOT_BE_ZERO_OR_NEGATIVE', description: 'The amount must be greater than zero. Send more.' };
}

export function amountText({ minor, currency }: { minor: bigint; currency: string }): string {
  const isNegative = minor < 0n;
  const scale = isoDecimals(currency);
  const digits = String(isNegative ? -minor : minor).padStart(scale + 1, '0');
  const whole = digits.slice(0, digits.length - scale);
  const text = NO_DECIMALS.has(currency) ? whole : `${whole}.${digits.slice(digits.length - scale)}`;
  return isNegative ? `-${text}` : text;
}

function isoDecimals(currency: string): number {
  return currency === 'JPY' ? 0 : 2;
}
