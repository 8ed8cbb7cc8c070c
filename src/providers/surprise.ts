// What an adapter throws when a call gave no usable answer, always with the one thing that matters later: whether
// the provider may have taken the call. Also reads the error body that the providers here share, {"error": {...}}.

import { z } from 'zod';
import { PaymentError } from '../domain/errors.ts';

/** Enough for the timeline and for telling two errors apart; providers' texts have no bound of their own. */
const DETAIL_CHARACTERS_MAX = 300;
const SIGNATURE_CHARACTERS_MAX = 80;

/** The part of pino's logger that adapters use. */
export interface ProviderLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** The provider's own error, as far as it can be trusted to be its own. */
export interface Fault {
  readonly type: string;
  readonly code: string;
  readonly message: string;
}

const faultBody = z.object({
  error: z
    .object({ type: z.string().nullish(), code: z.string().nullish(), message: z.string().nullish() })
    .refine((error) => typeof error.type === 'string' || typeof error.code === 'string'),
});

interface Occasion {
  readonly provider: string;
  /** For logs, metrics and the timeline: "timeout", "reset", "http_503". */
  readonly reason: string;
  readonly httpStatus?: number;
  readonly cause?: unknown;
}

/** Certainly not taken: nothing happened at the provider, whatever the call was. */
export function notTaken({ provider, reason, httpStatus, cause }: Occasion): PaymentError {
  return new PaymentError('unavailable', {
    detail:
      `${provider} did not take the call (${reason}), so nothing happened there. It is repeated by itself; ` +
      'if this lasts, check the credentials, the base URL and the network.',
    cause,
    surprise: { type: 'not_taken', reason, httpStatus: httpStatus ?? null, storedError: null },
  });
}

/** Refused for being too fast, before anything was done. */
export function rateLimited(occasion: Occasion & { readonly retryAfterMs: number | undefined }): PaymentError {
  return new PaymentError('rate-limited', {
    detail: `${occasion.provider} asks to go slower and did not take the call. It is repeated; lower the rate.`,
    ...(occasion.retryAfterMs === undefined ? {} : { retryAfterMs: occasion.retryAfterMs }),
    surprise: { type: 'not_taken', reason: occasion.reason, httpStatus: occasion.httpStatus ?? 429, storedError: null },
  });
}

/** It may have been taken. Never a failure, and never a reason to use another key. */
export function uncertain(occasion: Occasion & { readonly storedError?: string }): PaymentError {
  const { provider, reason, httpStatus, storedError, cause } = occasion;
  return new PaymentError('uncertain', {
    detail: `${provider} gave no usable answer (${reason}) and may have taken the call. It is asked again by itself.`,
    cause,
    surprise: { type: 'uncertain', reason, httpStatus: httpStatus ?? null, storedError: storedError ?? null },
  });
}

/** Our key was used with another body: the first request may have moved money, so this is no failure either. */
export function keyConflict({ provider, reason, httpStatus, cause }: Occasion): PaymentError {
  return new PaymentError('uncertain', {
    detail:
      `${provider} knows our key from a request with another body, which may have moved money. ` +
      'Look the payment up at the provider and resolve the operation by hand.',
    cause,
    surprise: { type: 'key_conflict', reason, httpStatus: httpStatus ?? null, storedError: null },
  });
}

/** Trusts an answer only in the fields that are used; a body of another shape says nothing about the money. */
export function parseAnswer<Schema extends z.ZodType>(
  provider: string,
  schema: Schema,
  body: unknown,
): z.infer<Schema> {
  const result = schema.safeParse(body);
  if (!result.success) throw uncertain({ provider, reason: 'unexpected_body', cause: result.error });
  return result.data;
}

export function faultOf(body: unknown): Fault | null {
  const parsed = faultBody.safeParse(body);
  if (!parsed.success) return null;
  const { type, code, message } = parsed.data.error;
  return { type: type ?? '', code: code ?? '', message: message ?? '' };
}

/** The same text each time the provider replays the same stored error; request ids differ and are left out. */
export function storedErrorOf(status: number, fault: Fault): string {
  const message = providerText(fault.message)
    .replaceAll(/\breq_\w+/g, 'req_')
    .slice(0, SIGNATURE_CHARACTERS_MAX);
  return `${status}:${fault.type || fault.code}:${message}`;
}

/** A provider's words, bounded, on one line, and without anything that looks like a credential. */
export function providerText(text: string): string {
  return text
    .replaceAll(/\b(?:sk|rk|pk|whsec)_[\w*]+/g, '[secret]')
    .replaceAll(/[\p{Cc}\p{Cs}]+/gu, ' ')
    .slice(0, DETAIL_CHARACTERS_MAX)
    .trim();
}
