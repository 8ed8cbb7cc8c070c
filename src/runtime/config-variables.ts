// What each environment variable may be and how to mend it: one row per variable, used by config.ts only.
import { z } from 'zod';

const portText = wholeNumber({ min: 0, max: 65_535 });
// A day is far beyond any sensible interval and well below the longest delay a timer can take (24.8 days).
const intervalMaxMs = 86_400_000;
// What can stand in a header: printable ASCII, without the comma that separates the parts of a list.
const credentialText = /^[!-+\--~]{1,4096}$/;

export const environmentValues = z.object({
  PORT: portText.optional(),
  HOST: z
    .string()
    .regex(/^[A-Za-z0-9._:-]+$/)
    .default('127.0.0.1'),
  DATABASE_URL: urlOf(['postgres:', 'postgresql:']).optional(),
  REDIS_URL: urlOf(['redis:', 'rediss:']).optional(),
  REMIT_DATA_DIR: z
    .string()
    .refine((path) => !path.includes('\0'))
    .default('.data'),
  REMIT_BOOTSTRAP_KEY: z
    .string()
    .regex(/^[A-Za-z0-9_-]{32,128}$/)
    .optional(),
  SANDBOX_PORT: portText.optional(),
  STRIPE_SECRET_KEY: listOf(/^(sk|rk)_[A-Za-z0-9_]+$/),
  STRIPE_WEBHOOK_SECRET: listOf(/^whsec_[A-Za-z0-9_+/=-]+$/),
  STRIPE_CONNECT_WEBHOOK_SECRET: listOf(/^whsec_[A-Za-z0-9_+/=-]+$/),
  STRIPE_BASE_URL: providerUrl().optional(),
  STRIPE_RPS: rate().optional(),
  PAYPAL_CLIENT_ID: credential().optional(),
  PAYPAL_CLIENT_SECRET: listOf(credentialText),
  PAYPAL_WEBHOOK_ID: identifier().optional(),
  PAYPAL_BASE_URL: providerUrl().optional(),
  PAYPAL_RPS: rate().optional(),
  SQUARE_ACCESS_TOKEN: listOf(credentialText),
  SQUARE_WEBHOOK_SIGNATURE_KEY: listOf(credentialText),
  SQUARE_NOTIFICATION_URL: urlOf(['http:', 'https:']).optional(),
  SQUARE_LOCATION_ID: identifier().optional(),
  SQUARE_BASE_URL: providerUrl().optional(),
  SQUARE_RPS: rate().optional(),
  TIPALTI_CLIENT_ID: credential().optional(),
  TIPALTI_CLIENT_SECRET: listOf(credentialText),
  TIPALTI_REFRESH_TOKEN: listOf(credentialText),
  TIPALTI_PAYER: z
    .string()
    .regex(/^[^\p{Cc}]{1,255}$/u)
    .optional(),
  TIPALTI_BASE_URL: providerUrl().optional(),
  TIPALTI_AUTH_URL: providerUrl().optional(),
  TIPALTI_IPN_URL: providerUrl().optional(),
  TIPALTI_RPS: rate().optional(),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  LOG_FORMAT: z.enum(['pretty', 'json']).optional(),
  RECONCILE_MS: wholeNumber({ min: 10, max: intervalMaxMs }).default(5_000),
  LEASE_MS: wholeNumber({ min: 100, max: intervalMaxMs }).default(60_000),
  PROVIDER_TIMEOUT_MS: wholeNumber({ min: 10, max: intervalMaxMs }).default(20_000),
  RATE_LIMIT_RPS: rate().optional(),
  WEBHOOK_ALLOW_HOSTS: listOf(/^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):\d{1,5}$/),
  KEY_RETENTION_MS: wholeNumber({ min: 1, max: 366 * intervalMaxMs }).optional(),
  AFTER_RESTORE: yesOrNo(),
  REMIT_UNSAFE_DURABILITY: yesOrNo(),
});

export type EnvironmentValues = z.infer<typeof environmentValues>;
type VariableName = keyof EnvironmentValues;

const secretNames: ReadonlySet<string> = new Set([
  'DATABASE_URL',
  'REDIS_URL',
  'REMIT_BOOTSTRAP_KEY',
  'STRIPE_SECRET_KEY',
  'STRIPE_WEBHOOK_SECRET',
  'STRIPE_CONNECT_WEBHOOK_SECRET',
  'PAYPAL_CLIENT_ID',
  'PAYPAL_CLIENT_SECRET',
  'SQUARE_ACCESS_TOKEN',
  'SQUARE_WEBHOOK_SIGNATURE_KEY',
  'TIPALTI_CLIENT_ID',
  'TIPALTI_CLIENT_SECRET',
  'TIPALTI_REFRESH_TOKEN',
]);

const rateFix = 'Set requests per second as a number above 0 and at most 100000, or leave it out.';
const credentialFix = 'Set printable characters without spaces';
const addressFix = (own: string) =>
  `Set an https:// address without user, query or fragment (http:// only for this machine), or none for ${own}.`;

const fixes: Readonly<Record<VariableName, string>> = {
  PORT: 'Set a port from 1 to 65535 (0 takes any free one), or leave it out for 3000.',
  HOST: 'Set a host name or IP address to listen on, such as 127.0.0.1 or 0.0.0.0.',
  DATABASE_URL: 'Set postgres://user:password@host:5432/database, or leave it out for the embedded PostgreSQL.',
  REDIS_URL: 'Set redis://host:6379 (rediss:// for TLS), or leave it out to run the queue on PostgreSQL.',
  REMIT_DATA_DIR: 'Set the path of a folder, or leave it out for .data.',
  REMIT_BOOTSTRAP_KEY: 'Set 32 to 128 characters of A-Z a-z 0-9 _ -, or leave it out to have one generated.',
  SANDBOX_PORT: 'Set a port from 1 to 65535, or leave it out for the next free one.',
  STRIPE_SECRET_KEY: 'Set a key that begins with sk_ or rk_, or leave it out to use the sandbox.',
  STRIPE_WEBHOOK_SECRET: 'Set signing secrets that begin with whsec_, separated by commas.',
  STRIPE_CONNECT_WEBHOOK_SECRET: 'Set signing secrets that begin with whsec_, separated by commas.',
  STRIPE_BASE_URL: addressFix('api.stripe.com'),
  STRIPE_RPS: rateFix,
  PAYPAL_CLIENT_ID: `${credentialFix}, or leave it out to use the sandbox.`,
  PAYPAL_CLIENT_SECRET: `${credentialFix}, the one in use first, old ones after a comma.`,
  PAYPAL_WEBHOOK_ID: 'Set the id of your webhook at PayPal: letters, digits, _ and -.',
  PAYPAL_BASE_URL: addressFix('api-m.paypal.com'),
  PAYPAL_RPS: rateFix,
  SQUARE_ACCESS_TOKEN: `${credentialFix}, the one in use first, old ones after a comma.`,
  SQUARE_WEBHOOK_SIGNATURE_KEY: `${credentialFix}, several separated by commas.`,
  SQUARE_NOTIFICATION_URL: 'Set the address of your webhook subscription, letter by letter as Square has it.',
  SQUARE_LOCATION_ID: 'Set the id of your location at Square: letters, digits, _ and -.',
  SQUARE_BASE_URL: addressFix('connect.squareup.com'),
  SQUARE_RPS: rateFix,
  TIPALTI_CLIENT_ID: `${credentialFix}, or leave it out to use the sandbox.`,
  TIPALTI_CLIENT_SECRET: `${credentialFix}, the one in use first, old ones after a comma.`,
  TIPALTI_REFRESH_TOKEN: `${credentialFix}, the one in use first, old ones after a comma.`,
  TIPALTI_PAYER: "Set the payer's name at Tipalti: 1 to 255 characters on one line.",
  TIPALTI_BASE_URL: addressFix('api-p.tipalti.com'),
  TIPALTI_AUTH_URL: addressFix('sso.tipalti.com'),
  TIPALTI_IPN_URL: addressFix('console.tipalti.com'),
  TIPALTI_RPS: rateFix,
  LOG_LEVEL: 'Set one of trace, debug, info, warn, error, fatal, silent.',
  LOG_FORMAT: 'Set pretty or json.',
  RECONCILE_MS: 'Set whole milliseconds from 10 to 86400000, or leave it out for 5000.',
  LEASE_MS: 'Set whole milliseconds from 100 to 86400000, or leave it out for 60000.',
  PROVIDER_TIMEOUT_MS: 'Set whole milliseconds from 10 to 86400000, or leave it out for 20000.',
  RATE_LIMIT_RPS: 'Set requests per second as a number above 0 and at most 100000, or leave it out for no limit.',
  WEBHOOK_ALLOW_HOSTS: 'Set host:port pairs separated by commas, such as 127.0.0.1:4000.',
  KEY_RETENTION_MS: 'Set whole milliseconds, 1 or more, or leave it out.',
  AFTER_RESTORE: 'Set 1 after a restore, until everything was looked for at the providers, or leave it out.',
  REMIT_UNSAFE_DURABILITY: 'Set 1 to allow it, or leave it out.',
};

/** One line for each variable whose value does not fit, naming the value unless it is a secret. */
export function badValues(given: Readonly<Record<string, string | undefined>>): Map<string, string> {
  const parsed = environmentValues.safeParse(given);
  const names = new Set(parsed.error?.issues.map((issue) => issue.path[0]));
  const lines = Object.entries(fixes).filter(([name]) => names.has(name));
  return new Map(
    lines.map(([name, fix]) => {
      // An address may carry a password.
      const isSecret = secretNames.has(name) || given[name]?.includes('@') === true;
      const shown = isSecret ? '' : ` ${JSON.stringify(given[name])}`;
      return [name, `${name}${shown} is not valid. ${fix}`];
    }),
  );
}

// Two slips of the finger; a third would start to catch names that are simply other variables.
const typoDistanceMax = 2;

/** A misspelt setting would be ignored in silence, so names close to one of ours are refused. */
export function misspeltNames(names: readonly string[]): string[] {
  return names
    .filter((name) => /^(REMIT|STRIPE|PAYPAL|SQUARE|TIPALTI)_/.test(name) && !(name in fixes))
    .flatMap((name) => {
      const meant = Object.keys(fixes).find((known) => isMeant({ name, known }));
      return meant === undefined ? [] : [`${name} is not a setting. Did you mean ${meant}? Rename or remove it.`];
    });
}

/** A slip of the pen, or the beginning of the real name. */
function isMeant({ name, known }: { name: string; known: string }): boolean {
  return known.startsWith(`${name}_`) || editDistance({ from: name, to: known }) <= typoDistanceMax;
}

function editDistance({ from, to }: { from: string; to: string }): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let line = 1; line <= from.length; line += 1) {
    const next = [line];
    for (let column = 1; column <= to.length; column += 1) {
      const swap = (row[column - 1] ?? 0) + (from[line - 1] === to[column - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

function wholeNumber({ min, max }: { min: number; max: number }) {
  return z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .refine((value) => value >= min && value <= max);
}

function rate() {
  return z
    .string()
    .regex(/^\d{1,6}(\.\d{1,3})?$/)
    .transform(Number)
    .refine((value) => value > 0 && value <= 100_000);
}

function yesOrNo() {
  return z
    .enum(['0', '1'])
    .default('0')
    .transform((text) => text === '1');
}

function urlOf(protocols: readonly string[]) {
  return z.string().refine((text) => {
    const url = URL.parse(text);
    return url !== null && url.hostname !== '' && protocols.includes(url.protocol);
  });
}

/** Paths are put behind it, so it ends with one. Credentials never travel in the clear beyond this machine. */
function providerUrl() {
  return z.string().refine((text) => {
    const url = URL.parse(text);
    if (url === null || url.username + url.password + url.search + url.hash !== '') return false;
    return url.protocol === 'https:' || (url.protocol === 'http:' && isLocalUrl(text));
  });
}

function credential() {
  return z.string().regex(credentialText);
}

function identifier() {
  return z.string().regex(/^[A-Za-z0-9_-]{1,255}$/);
}

function listOf(item: RegExp) {
  return z
    .string()
    .default('')
    .transform((text) =>
      text
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== ''),
    )
    .refine((parts) => parts.every((part) => item.test(part)));
}

export function isLocalUrl(text: string): boolean {
  const hostname = URL.parse(text)?.hostname ?? '';
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
