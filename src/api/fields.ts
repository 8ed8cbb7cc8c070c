// The fields that several resources share, as schemas: what is accepted, what it is called in the document, and
// which error a violation is.

import { z } from '@hono/zod-openapi';
import { isPlatformWalletId } from '../domain/chart.ts';
import { ERRORS, type ErrorCode, PaymentError } from '../domain/errors.ts';
import { KEY_PATTERN } from '../domain/id.ts';
import { type Currency, parseAmount, parseCurrency, parseSignedAmount } from '../domain/money.ts';
import { isOwnKey } from '../domain/own-key.ts';
import { PROVIDERS } from '../domain/provider.ts';
import { STATUSES } from '../domain/state-machine.ts';
import { KEY_HINT, MISSING } from './validation.ts';

/** Long enough for a sentence or a URL, short enough for a list. */
const TEXT_MAX = 500;
const ACCOUNT_MAX = 255;
const WAIT_SECONDS_MAX = 30;
const KEY_SOURCE = KEY_PATTERN.source;
/** A wallet in an address: a person's, or a platform wallet such as "@provider:stripe:USD". */
const WALLET_PATTERN = /^@?[A-Za-z0-9][A-Za-z0-9._:-]{0,255}$/;
const PRINTABLE = /^[^\p{Cc}]+$/u;

/** Named by the caller, unique per kind for ever. */
export const semanticKey = z.string(`Send a string. ${KEY_HINT}`).regex(KEY_PATTERN, KEY_HINT).openapi({
  description: "The caller's name for one operation: its idempotency key. May come as the Idempotency-Key header.",
  example: 'payout-2026-0001',
});

/** The same for what remit makes under keys of its own as well: payouts, pay-ins and refunds. */
export const paymentKey = semanticKey.refine((key) => !isOwnKey(key), {
  message:
    'Keys of this form are kept for what remit does itself. Put something of your own in front, such as "shop-".',
});

/** An id that the caller chooses: `whose` it is. Platform ids begin with "@" and cannot be chosen. */
export function chosenId(whose: string) {
  return idOf({ detail: `Ids that begin with "@" are those of platform wallets, and this is ${whose}. ${KEY_HINT}` });
}

/** The wallet of a person, in whose place no platform wallet may stand. */
export const personsWallet = idOf({});

function idOf(refusal: { readonly detail?: string }) {
  return coded((value) => {
    if (typeof value !== 'string') throw invalid(`Send a string. ${KEY_HINT}`);
    if (isPlatformWalletId(value)) throw new PaymentError('wallet-not-allowed', refusal);
    if (!KEY_PATTERN.test(value)) throw invalid(KEY_HINT);
    return value;
  }).openapi({ type: 'string', pattern: KEY_SOURCE, example: 'seller-42' });
}

export const amount = coded(parseAmount).openapi({
  type: 'string',
  pattern: '^[1-9][0-9]{0,17}$',
  description: 'Minor units as a decimal string: "1500" is 15.00 USD.',
  example: '1500',
});

/** Our part of an order: unlike an amount it may be nothing. */
export const fee = coded((value) => (value === '0' ? 0n : parseAmount(value))).openapi({
  type: 'string',
  pattern: '^(0|[1-9][0-9]{0,17})$',
  description: 'Our commission in minor units, at most the amount. Without it: "0".',
  example: '150',
});

export const signedAmount = coded(parseSignedAmount).openapi({
  type: 'string',
  pattern: '^-?[1-9][0-9]{0,17}$',
  description: 'Minor units as a decimal string with an optional minus, not zero.',
  example: '-1500',
});

export const currency = coded((value): Currency => {
  if (typeof value !== 'string') throw new PaymentError('invalid-currency');
  return parseCurrency(value);
}).openapi({ type: 'string', pattern: '^[A-Z]{3}$', description: 'ISO 4217 code.', example: 'USD' });

/** An unknown one is 404, as an unknown wallet is. */
export const provider = coded((value) => {
  const found = PROVIDERS.find((name) => name === value);
  if (found !== undefined) return found;
  if (typeof value !== 'string') throw invalid('Send a string.');
  const detail = `There is no such provider. Use one of: ${PROVIDERS.join(', ')}.`;
  throw new PaymentError('not-found', { detail });
}).openapi({ type: 'string', enum: [...PROVIDERS], example: 'stripe' });

export const account = z
  .string()
  .min(1)
  .max(ACCOUNT_MAX)
  .refine((value) => PRINTABLE.test(value), 'Leave out control characters.')
  .openapi({ description: "The account's id at the provider.", example: 'acct_ok_1' });

export const text = z.string().min(1).max(TEXT_MAX).openapi({ example: 'Agreed by phone' });

export const externPaymentId = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/, 'Send 1 to 255 printable characters.')
  .openapi({ description: "The provider's id of the payment.", example: 'tr_1' });

export const metadata = z
  .record(z.string(), z.unknown())
  .default({})
  .openapi({
    type: 'object',
    description: "The caller's own fields, returned as they came.",
    example: { order: '77' },
  });

const TIME_HINT = 'Send an RFC 3339 time such as 2026-01-31T12:00:00Z.';

/** Of the years that are written with four digits and that the database has: there is none before 1. */
export const time = z.iso
  .datetime({ offset: true, error: TIME_HINT })
  .transform((value) => new Date(value))
  .refine((value) => value.getUTCFullYear() >= 1 && value.getUTCFullYear() <= 9999, TIME_HINT)
  .openapi({ type: 'string', format: 'date-time', example: '2026-01-31T12:00:00Z' });

/** In a query string; in milliseconds once parsed. */
export const wait = z
  .string()
  .regex(/^\d{1,3}(\.\d{1,3})?$/, `Send seconds, at most ${WAIT_SECONDS_MAX}.`)
  .transform(Number)
  .refine((seconds) => seconds <= WAIT_SECONDS_MAX, `Send seconds, at most ${WAIT_SECONDS_MAX}.`)
  .transform((seconds) => seconds * 1000)
  .optional()
  .openapi({
    type: 'number',
    minimum: 0,
    maximum: WAIT_SECONDS_MAX,
    description: 'Seconds to wait for the final state.',
    example: 10,
  });

export const status = z.enum(STATUSES);

/** Everything a filter or an address may name; what does not fit names nothing. */
export const walletId = z
  .string()
  .regex(WALLET_PATTERN, 'Send the id of a wallet.')
  .openapi({ type: 'string', example: 'seller-42-usd' });

export const filterId = z.string().regex(KEY_PATTERN, KEY_HINT).openapi({ example: 'seller-42' });
export const filterProvider = z.enum(PROVIDERS);

/** A field whose parser throws: the error's code becomes the code of the violation. */
function coded<Value>(parseValue: (value: unknown) => Value) {
  return z.unknown().transform((value, ctx): Value => {
    try {
      if (value === undefined) throw invalid(MISSING);
      return parseValue(value);
    } catch (error) {
      if (!(error instanceof PaymentError)) throw error;
      ctx.addIssue({ code: 'custom', message: messageOf(error), params: { code: error.code }, input: value });
      return z.NEVER;
    }
  });
}

function messageOf({ code, detail }: { code: ErrorCode; detail: string }): string {
  return detail === '' ? ERRORS[code].wayOut : detail;
}

function invalid(detail: string): PaymentError {
  return new PaymentError('validation-failed', { detail });
}
