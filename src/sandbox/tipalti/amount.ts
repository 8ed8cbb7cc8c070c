// Tipalti's amounts: decimal numbers in major units, read from and written to the text itself so that no digit is lost
// to floating point.

declare global {
  // Node 24 has it; the type library does not know it yet.
  interface JSON {
    rawJSON(text: string): unknown;
  }
}

const ZERO_DECIMALS = 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF'.split(' ');
const THREE_DECIMALS = 'BHD IQD JOD KWD LYD OMR TND'.split(' ');
const DIGITS_MAX = 18; // what the processor's own amounts are bounded by

/** Minor units of a number's source text, or null where the currency has no such amount. */
export function minorUnits({ text, currency }: { text: string; currency: string }): string | null {
  const [, whole = '', fraction = ''] = /^(0|[1-9][0-9]*)(?:\.([0-9]+))?$/.exec(text) ?? [];
  const decimals = decimalsOf(currency);
  if (whole === '' || /[1-9]/.test(fraction.slice(decimals))) return null;
  const minor = (whole + fraction.slice(0, decimals).padEnd(decimals, '0')).replace(/^0+/, '');
  return minor === '' || minor.length > DIGITS_MAX ? null : minor;
}

/** What JSON.stringify writes as a number with every digit of the amount. */
export function jsonNumber({ amount, currency }: { amount: string; currency: string }): unknown {
  return JSON.rawJSON(majorUnits({ amount, currency }));
}

export function majorUnits({ amount, currency }: { amount: string; currency: string }): string {
  const decimals = decimalsOf(currency);
  const digits = amount.replace('-', '').padStart(decimals + 1, '0');
  const sign = amount.startsWith('-') ? '-' : '';
  return decimals === 0 ? sign + digits : `${sign}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/** The source text of each number called `amount`, in the order in which the text holds them. */
export function amountTexts(json: string): string[] {
  const texts: string[] = [];
  // The third argument is newer than the type library, too.
  JSON.parse(json, (...[key, value, context]: unknown[]) => {
    if (key === 'amount' && typeof value === 'number') texts.push(sourceOf(context));
    return value;
  });
  return texts;
}

function sourceOf(context: unknown): string {
  return typeof context === 'object' && context && 'source' in context ? String(context.source) : '';
}

function decimalsOf(currency: string): number {
  if (ZERO_DECIMALS.includes(currency)) return 0;
  return THREE_DECIMALS.includes(currency) ? 3 : 2;
}
