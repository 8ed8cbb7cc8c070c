// One call to Square through the official SDK over our own fetch: an answer of the expected shape, a refusal that
// Square means, or a surprise that is thrown.

import type { SquareClient, SquareError } from 'square';
import { z } from 'zod';
import { PaymentError } from '../../domain/errors.ts';
import type { CallLimits } from '../../domain/provider.ts';
import { createHttp } from '../http.ts';
import { type Fault, keyConflict, notTaken, type ProviderLog, parseAnswer, uncertain } from '../surprise.ts';

export const PROVIDER = 'square';
const SQUARE_URL = 'https://connect.squareup.com';

/** Square looked at the request and said no. Other categories speak of its own trouble, or of our credentials. */
const FINAL_CATEGORIES = new Set(['PAYMENT_METHOD_ERROR', 'REFUND_ERROR', 'INVALID_REQUEST_ERROR']);
/** In whatever category they come, these say that another request is or was under way. */
const UNCERTAIN_CODES = new Set([
  'CONFLICT',
  'GATEWAY_TIMEOUT',
  'RATE_LIMITED',
  'REFUND_ALREADY_PENDING',
  'REQUEST_TIMEOUT',
  'TEMPORARY_ERROR',
  'VERSION_MISMATCH',
]);

const problemBody = z.object({
  errors: z
    .array(
      z.object({
        category: z.string().min(1),
        code: z.string().min(1),
        detail: z.string().nullish(),
        field: z.string().nullish(),
      }),
    )
    .min(1),
});

/** A definite no, and nothing happened because of this request. */
export interface Refusal {
  readonly httpStatus: number;
  readonly category: string;
  readonly code: string;
  readonly detail: string;
  /** The field of the request that Square complains of, where it names one. */
  readonly field: string | null;
  /** May carry the payment or the refund that failed. */
  readonly body: unknown;
}

type Said<Value> =
  | { readonly value: Value; readonly refusal: null }
  | { readonly value: null; readonly refusal: Refusal };

/** Options of the SDK for each request of one call to the port. */
export interface Bounds {
  readonly abortSignal: AbortSignal;
  readonly timeoutInSeconds: number;
  readonly maxRetries: 0;
}

export interface SquareLine {
  ask<Schema extends z.ZodType>(
    schema: Schema,
    call: (client: SquareClient) => PromiseLike<unknown>,
  ): Promise<Said<z.infer<Schema>>>;
}

interface LineOptions {
  readonly accessToken: string;
  /** Null is Square itself. */
  readonly baseUrl: string | null;
  readonly live: boolean;
  readonly log: ProviderLog;
}

export function createSquareLine({ accessToken, baseUrl, live, log }: LineOptions): SquareLine {
  const http = createHttp({ provider: PROVIDER, baseUrl: baseUrl ?? SQUARE_URL, log, faultOf: squareFaultOf });
  let opening: ReturnType<typeof open> | null = null;

  async function open() {
    const sdk = await import('square');
    // Our fetch puts its own base URL in place of the SDK's.
    const options = { token: accessToken, baseUrl: SQUARE_URL, maxRetries: 0, fetch: http.fetch };
    return { client: new sdk.SquareClient(options), isFault: isFaultOf(sdk) };
  }

  async function ask<Schema extends z.ZodType>(
    schema: Schema,
    call: (client: SquareClient) => PromiseLike<unknown>,
  ): Promise<Said<z.infer<Schema>>> {
    opening ??= open();
    const { client, isFault } = await opening;
    let body: unknown;
    try {
      body = await call(client);
    } catch (cause) {
      return { value: null, refusal: refusalOf(cause, { isFault, log }) };
    }
    return { value: parseAnswer(PROVIDER, schema, body), refusal: null };
  }

  // The SDK has thousands of files: who has no account there does not wait for them, who has does not at a payment.
  if (live) opening = open();
  return { ask };
}

type IsFault = (cause: unknown) => cause is SquareError;

function isFaultOf({ SquareError: Fault }: typeof import('square')): IsFault {
  return (cause) => cause instanceof Fault;
}

/** One deadline for all requests that a call to the port needs. */
export function boundsOf({ timeoutMs }: CallLimits): Bounds {
  if (!(timeoutMs > 0)) throw notTaken({ provider: PROVIDER, reason: 'deadline_before_send' });
  const abortSignal = AbortSignal.timeout(Math.ceil(timeoutMs));
  return { abortSignal, timeoutInSeconds: Math.ceil(timeoutMs) / 1000, maxRetries: 0 };
}

/** Whether Square says that there is no such object. A 404 that does not name it speaks of the address. */
export function isMissing({ httpStatus, code, detail }: Refusal, externId: string): boolean {
  return httpStatus === 404 && code === 'NOT_FOUND' && detail.includes(externId);
}

/** A refusal where none can be a statement about the money. */
export function unexpected({ httpStatus, code }: Refusal, reason = 'unexpected_error'): PaymentError {
  return uncertain({ provider: PROVIDER, reason, httpStatus, cause: new Error(code) });
}

/** Square's own error, in the form in which the line of all providers reads them. */
function squareFaultOf(body: unknown): Fault | null {
  const first = problemBody.safeParse(body).data?.errors[0];
  return first === undefined ? null : { type: first.category, code: first.code, message: first.detail ?? '' };
}

/** Throws whatever is no definite no. What our own fetch threw comes back inside the SDK's error. */
function refusalOf(cause: unknown, { isFault, log }: { isFault: IsFault; log: ProviderLog }): Refusal {
  if (cause instanceof PaymentError) throw cause;
  if (!isFault(cause)) {
    // The SDK fails in its own ways over numbers and texts that it did not expect.
    throw uncertain({ provider: PROVIDER, reason: 'unexpected_body', cause });
  }
  if (cause.cause instanceof PaymentError) throw cause.cause;
  const httpStatus = cause.statusCode ?? 0;
  const body = typeof cause.body === 'string' ? jsonOf(cause.body) : cause.body;
  const errors = problemBody.safeParse(body).data?.errors ?? [];
  const [first] = errors;
  if (errors.some(({ code }) => code === 'IDEMPOTENCY_KEY_REUSED')) {
    log.error(
      { provider: PROVIDER, reason: 'key_conflict' },
      'Square knows our key with another body. Look it up there.',
    );
    throw keyConflict({ provider: PROVIDER, reason: 'key_conflict', httpStatus, cause });
  }
  const busy = errors.find(({ code }) => UNCERTAIN_CODES.has(code));
  if (busy !== undefined) {
    throw uncertain({ provider: PROVIDER, reason: busy.code.toLowerCase(), httpStatus, cause });
  }
  if (first === undefined || !errors.every(({ category }) => FINAL_CATEGORIES.has(category))) {
    throw uncertain({ provider: PROVIDER, reason: 'unexpected_error', httpStatus, cause });
  }
  const { category, code, detail, field } = first;
  return { httpStatus, category, code, detail: detail ?? '', field: field ?? null, body };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
