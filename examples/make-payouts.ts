// Writes the example file: node examples/make-payouts.ts > examples/payouts-1000.csv
// The same rows every time, so that the file in the repository can be checked against this program.

import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';

const ROWS = 1_000;
const COLUMNS = ['semantic_key', 'wallet_id', 'amount', 'currency', 'provider', 'destination'];

/** Smallest and largest amount in minor units, and the step between amounts. HUF in whole forints, as banks take it. */
const CURRENCIES = [
  { code: 'USD', share: 34, from: 500, to: 250_000, step: 1 },
  { code: 'EUR', share: 24, from: 500, to: 220_000, step: 1 },
  { code: 'GBP', share: 12, from: 500, to: 190_000, step: 1 },
  { code: 'JPY', share: 12, from: 800, to: 350_000, step: 1 },
  { code: 'KWD', share: 10, from: 2_000, to: 700_000, step: 10 },
  { code: 'HUF', share: 8, from: 150_000, to: 8_000_000, step: 100 },
];

/** What the sandbox makes of a line, by its place in each hundred. Every other line simply works. */
const WORDS: Readonly<Record<number, string>> = {
  3: 'decline',
  28: 'decline',
  53: 'decline',
  78: 'decline',
  6: 'paid_then_500',
  39: 'paid_then_500',
  73: 'paid_then_500',
  9: 'error_before',
  47: 'error_before',
  86: 'error_before',
  14: 'rate_limit',
  64: 'rate_limit',
  17: 'paid_then_reset',
  67: 'paid_then_reset',
  22: 'insufficient',
  25: 'paid_then_timeout',
  33: 'timeout_before',
  36: 'html',
  42: 'slow',
  56: 'pending',
  59: 'pending_then_fail',
  61: 'hidden',
  81: 'bounce',
  92: 'error_stored',
};

interface Line {
  readonly word: string | undefined;
  readonly currency: string;
}

const PROVIDERS = {
  stripe: {
    share: 45,
    destination: (name: string) => `acct_${name}`,
    // Stripe knows no pending transfer, so a late refusal is a matter for the bank.
    isAble: ({ word }: Line) => word !== 'pending_then_fail',
  },
  paypal: {
    share: 20,
    destination: (name: string) => `seller_${name}@example.com`,
    // PayPal keeps no error under a key: sent again, such a line would be paid.
    isAble: ({ word, currency }: Line) => currency !== 'KWD' && word !== 'error_stored',
  },
  tipalti: { share: 20, destination: (name: string) => `payee_${name}`, isAble: () => true },
  demobank: { share: 15, destination: (name: string) => `account_${name}`, isAble: () => true },
};
const providerNames = ['stripe', 'paypal', 'tipalti', 'demobank'] as const;

/** Lines of one wallet that is not funded for all of them; their amounts are equal, so that the number is certain. */
const SHORT_PLACES = [11, 31, 51, 71, 91];
const SHORT_LINE = { wallet_id: 'seller-short-eur', amount: '2500', currency: 'EUR', provider: 'stripe' };
/** Lines that the API refuses: Stripe pays Kuwaiti dinars in steps of 0.010 only. In every third hundred. */
const REFUSED_PLACE = 88;
const SELLERS = 12;

export function payoutsCsv(rows = ROWS): string {
  const lines = Array.from({ length: rows }, (_, index) => lineOf(index + 1).join(','));
  return `${[COLUMNS.join(','), ...lines].join('\n')}\n`;
}

function lineOf(number: number): string[] {
  const place = number % 100;
  const key = `run-2026-11:line-${String(number).padStart(4, '0')}`;
  const account = String(1_000 + number);
  if (SHORT_PLACES.includes(place)) {
    const { wallet_id, amount, currency, provider } = SHORT_LINE;
    return [key, wallet_id, amount, currency, provider, `acct_${account}`];
  }
  if (place === REFUSED_PLACE && Math.floor(number / 100) % 3 === 0) {
    return [key, 'seller-01-kwd', String(1_235 + number * 10), 'KWD', 'stripe', `acct_${account}`];
  }
  const currency = currencyAt(draw(number, 'currency'));
  const seller = String(1 + Math.floor(draw(number, 'seller') * SELLERS)).padStart(2, '0');
  const word = WORDS[place];
  const provider = providerAt(number, { word, currency: currency.code });
  const wallet = `seller-${seller}-${currency.code.toLowerCase()}`;
  const destination = PROVIDERS[provider].destination([...(word === undefined ? [] : [word]), account].join('_'));
  return [key, wallet, amountOf(number, currency), currency.code, provider, destination];
}

type ProviderName = keyof typeof PROVIDERS;

/** The shares are of one hundred; what a provider cannot do goes to the bank. */
function providerAt(number: number, { word, currency }: { word: string | undefined; currency: string }): ProviderName {
  const drawn = draw(number, 'provider') * 100;
  const [name = 'demobank'] = providerNames.filter((_, index) => drawn < shareUpTo(index));
  const isAble = PROVIDERS[name].isAble({ word, currency });
  return isAble ? name : 'demobank';
}

function shareUpTo(index: number): number {
  return providerNames.slice(0, index + 1).reduce((sum, name) => sum + PROVIDERS[name].share, 0);
}

function currencyAt(drawn: number): (typeof CURRENCIES)[number] {
  let left = drawn * CURRENCIES.reduce((sum, { share }) => sum + share, 0);
  const found = CURRENCIES.find(({ share }) => {
    left -= share;
    return left < 0;
  });
  if (found === undefined) throw new Error('The shares do not cover the draw. Check CURRENCIES.');
  return found;
}

/** Small amounts are more common than large ones. */
function amountOf(number: number, { from, to, step }: (typeof CURRENCIES)[number]): string {
  const steps = Math.floor((draw(number, 'amount') ** 3 * (to - from)) / step);
  return String(from + steps * step);
}

/** From 0 up to 1, and for ever the same. */
function draw(number: number, what: string): number {
  return Number.parseInt(createHash('sha256').update(`${what}:${number}`).digest('hex').slice(0, 12), 16) / 2 ** 48;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(payoutsCsv());
