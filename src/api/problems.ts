// From an error to what the caller reads: the one place where errors become HTTP. Causes are logged, never shown.

import { HTTPException } from 'hono/http-exception';
import { ERRORS, type ErrorCode, type FieldError, PaymentError } from '../domain/errors.ts';
import { databaseAway, isRetryable } from '../runtime/db.ts';

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  readonly request_id: string;
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
}

/** What 429 and 503 say when nobody knows better. */
const RETRY_AFTER_DEFAULT_MS = 1000;
const PROBLEM_TYPE = 'application/problem+json';

/** Every error of the program is a PaymentError; whatever else arrives here is a defect, or the database is away. */
export function asPaymentError(error: unknown): PaymentError {
  if (error instanceof PaymentError) return error;
  if (isRetryable(error)) return databaseAway(error);
  if (error instanceof HTTPException) return fromPage(error);
  return new PaymentError('internal', { cause: error });
}

/** What the pages' own guards throw: a form sent from another site, above all. */
function fromPage(error: HTTPException): PaymentError {
  if (error.status === 401) return new PaymentError('unauthorized', { cause: error });
  if (error.status === 404) return new PaymentError('not-found', { cause: error });
  if (error.status >= 500) return new PaymentError('internal', { cause: error });
  const detail = 'The page does not take this request. Send it from the page itself, or use the API.';
  return new PaymentError('forbidden', { cause: error, detail });
}

export function problemOf(error: PaymentError, requestId: string): Problem {
  const { code, errors } = error;
  const { title, status } = ERRORS[code];
  return {
    type: `/problems/${code}`,
    title,
    status,
    detail: detailOf(error),
    code,
    request_id: requestId,
    ...(errors !== undefined && { errors: errors.map(plain) }),
  };
}

export function problemResponse(error: PaymentError, requestId: string): Response {
  const problem = problemOf(error, requestId);
  const headers = new Headers({ 'Content-Type': PROBLEM_TYPE });
  if (error.location !== undefined) headers.set('Location', error.location);
  if (problem.status === 401) headers.set('WWW-Authenticate', 'Bearer realm="remit"');
  if (problem.status === 429 || problem.status === 503) {
    headers.set('Retry-After', String(Math.ceil((error.retryAfterMs ?? RETRY_AFTER_DEFAULT_MS) / 1000)));
  }
  return new Response(JSON.stringify(problem), { status: problem.status, headers });
}

/** What went wrong inside is for the log: the detail of an internal error names tables and invariants. */
function detailOf({ code, detail }: PaymentError): string {
  const { kind, explanation, wayOut } = ERRORS[code];
  return kind === 'internal' ? `${explanation} ${wayOut}` : detail;
}

function plain({ pointer, detail }: FieldError): { pointer: string; detail: string } {
  return { pointer, detail };
}
