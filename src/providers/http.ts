// The only way out to a provider: one request, one deadline, one bound on the body, and the line between "not taken"
// and "unknown". A failure before the connection stood is not taken; everything after it may have been.

import type { ClientRequest } from 'node:http';
import { PaymentError } from '../domain/errors.ts';
import type { ProviderName } from '../domain/provider.ts';
import { CONNECT_TIMEOUT, openRequest, readText, sendRequest } from './http-request.ts';
import {
  type Fault,
  faultOf,
  keyConflict,
  notTaken,
  type ProviderLog,
  rateLimited,
  storedErrorOf,
  uncertain,
} from './surprise.ts';

/** A page of 100 transfers is about 100 KiB; more than this is not an answer to what we ask. */
const BODY_BYTES_MAX = 1024 * 1024;
/** A provider that says "come back tomorrow" is asked again after an hour all the same. */
const RETRY_AFTER_MS_MAX = 60 * 60 * 1000;
/** What a gateway says while the provider behind it is away: kept under no key, so an outage proves nothing. */
const EDGE_STATUSES = new Set([502, 503, 504]);

// The certificate is checked before the request is written, so with these no byte of it has left. Other TLS errors
// (a broken record, an alert) can also end a connection in use, and stay uncertain.
const CERTIFICATE_CODES = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REVOKED',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);
const RESET_CODES = new Set(['ECONNRESET', 'EPIPE']);
const KEY_IN_USE_CODES = new Set(['idempotency_key_in_use', 'key_in_use']);

export interface HttpCall {
  readonly method: 'GET' | 'POST';
  /** With its query, relative to the base URL. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The deadline of the whole call, body included. */
  readonly signal: AbortSignal;
  /** Codes of conflicts (409) that are an answer to this call rather than a surprise. */
  readonly conflicts?: readonly string[];
  /** The answer is plain text; it still has to be a 2xx. */
  readonly isText?: boolean;
}

/** What the provider itself said: 2xx with JSON, or a 4xx with its own error body. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly fault: Fault | null;
  readonly text: string;
  readonly requestId: string | null;
}

export interface Http {
  /** Answers, or throws a PaymentError with a surprise. */
  send(call: HttpCall): Promise<HttpAnswer>;
  /** The same for an SDK that wants a fetch: host and scheme of its URL give way to the base URL. */
  fetch: typeof fetch;
}

interface HttpOptions {
  readonly provider: ProviderName;
  /** May carry a path prefix. */
  readonly baseUrl: string;
  readonly log: ProviderLog;
  /** Reads the provider's own errors, where they look otherwise than {"error": {...}}. */
  readonly faultOf?: (body: unknown) => Fault | null;
}

export function createHttp({ provider, baseUrl, log, faultOf: readFault = faultOf }: HttpOptions): Http {
  const base = baseUrl.replace(/\/+$/, '');

  async function send(call: HttpCall): Promise<HttpAnswer> {
    const request = requestOf(call);
    let status: number | undefined;
    try {
      const response = await sendRequest(request, call.body);
      status = response.statusCode ?? 0;
      const text = await readText(response, { bytesMax: BODY_BYTES_MAX });
      const body = text === null ? undefined : jsonOf(text);
      const requestId = textOf(response.headers['request-id']);
      const answer = { status, body, fault: readFault(body), text: text ?? '', requestId };
      return judge({ provider, call, answer, retryAfter: textOf(response.headers['retry-after']), log });
    } catch (cause) {
      throw surpriseOf({ provider, cause, signal: call.signal, status });
    }
  }

  /** Whatever keeps the request from being built keeps it from being sent. */
  function requestOf({ method, path, headers, signal }: HttpCall): ClientRequest {
    if (signal.aborted) throw notTaken({ provider, reason: 'deadline_before_send' });
    try {
      return openRequest(new URL(base + path), { method, headers, signal });
    } catch (cause) {
      throw notTaken({ provider, reason: 'unsendable', cause });
    }
  }

  const fetchForSdk: typeof fetch = async (input, init) => {
    const signal = init?.signal;
    if (!signal) throw notTaken({ provider, reason: 'no_deadline' });
    const url = new URL(input instanceof Request ? input.url : input);
    const answer = await send({
      method: init?.method === 'POST' ? 'POST' : 'GET',
      path: url.pathname + url.search,
      headers: Object.fromEntries(new Headers(init?.headers)),
      ...(typeof init?.body === 'string' ? { body: init.body } : {}),
      signal,
    });
    const headers = answer.requestId === null ? {} : { 'request-id': answer.requestId };
    return new Response(answer.text, { status: answer.status, headers });
  };

  return { send, fetch: fetchForSdk };
}

interface Judged {
  readonly provider: ProviderName;
  readonly call: HttpCall;
  readonly answer: HttpAnswer;
  readonly retryAfter: string | null;
  readonly log: ProviderLog;
}

function judge({ provider, call, answer, retryAfter, log }: Judged): HttpAnswer {
  const { status, body, fault } = answer;
  const reason = `http_${status}`;
  if (status === 401 || status === 403) {
    log.error({ provider, reason }, 'The provider refuses our credentials. Check its secret key.');
    throw notTaken({ provider, reason, httpStatus: status });
  }
  if (status === 429 && fault?.code === 'lock_timeout') {
    throw uncertain({ provider, reason: 'lock_timeout', httpStatus: status });
  }
  if (status === 429) {
    throw rateLimited({ provider, reason, httpStatus: status, retryAfterMs: retryAfterMsOf(retryAfter) });
  }
  if (fault !== null && (fault.type === 'idempotency_error' || fault.code === 'key_reused')) {
    log.error({ provider, reason: 'key_conflict' }, 'The provider knows our key with another body. Look it up there.');
    throw keyConflict({ provider, reason: 'key_conflict', httpStatus: status });
  }
  if (status === 409 && fault !== null && call.conflicts?.includes(fault.code)) return answer;
  if (status === 409 && fault !== null && KEY_IN_USE_CODES.has(fault.code)) {
    throw uncertain({ provider, reason: 'key_in_use', httpStatus: status });
  }
  if (status >= 500 && !EDGE_STATUSES.has(status) && fault !== null) {
    throw uncertain({ provider, reason, httpStatus: status, storedError: storedErrorOf(status, fault) });
  }
  if (status >= 500 || status === 408 || status === 409 || status === 424 || status < 200) {
    throw uncertain({ provider, reason, httpStatus: status });
  }
  if (status >= 300 && status < 400) throw uncertain({ provider, reason: 'redirect', httpStatus: status });
  if (call.isText && status < 300) return answer;
  // A 404 page of some proxy on the way is no statement of the provider, least of all "there is no such payment".
  if (typeof body !== 'object' || body === null || (status >= 400 && fault === null)) {
    throw uncertain({ provider, reason: 'unreadable_body', httpStatus: status });
  }
  return answer;
}

function textOf(header: string | string[] | undefined): string | null {
  return typeof header === 'string' ? header : null;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

interface Failure {
  readonly provider: ProviderName;
  readonly cause: unknown;
  readonly signal: AbortSignal;
  /** Known when the failure came while the body was read. */
  readonly status: number | undefined;
}

function surpriseOf({ provider, cause, signal, status }: Failure): unknown {
  if (cause instanceof PaymentError || !(cause instanceof Error)) return cause;
  const httpStatus = status === undefined ? {} : { httpStatus: status };
  const before = status === undefined ? reasonNotTaken(cause) : null;
  if (before !== null) return notTaken({ provider, reason: before, cause });
  if (signal.aborted) return uncertain({ provider, reason: 'timeout', ...httpStatus, cause });
  return uncertain({ provider, reason: reasonUncertain(codeOf(cause)), ...httpStatus, cause });
}

/** The connection never stood, so the request was never written. Null when that is not certain. */
function reasonNotTaken(failure: Error): string | null {
  // Several addresses of one host were tried, and none could be reached.
  if (failure instanceof AggregateError) {
    const reasons = failure.errors.map((error) => (error instanceof Error ? reasonNotTaken(error) : null));
    return reasons.length > 0 && reasons.every((reason) => reason !== null) ? (reasons[0] ?? null) : null;
  }
  const code = codeOf(failure);
  const syscall = 'syscall' in failure ? failure.syscall : null;
  if (syscall === 'getaddrinfo') return 'dns';
  if (code === CONNECT_TIMEOUT) return 'connect_timeout';
  if (CERTIFICATE_CODES.has(code)) return 'certificate';
  if (syscall === 'connect') return code === 'ECONNREFUSED' ? 'refused' : 'unreachable';
  return null;
}

function reasonUncertain(code: string): string {
  if (code === 'ETIMEDOUT') return 'timeout';
  return RESET_CODES.has(code) ? 'reset' : 'broken_answer';
}

function codeOf(failure: Error): string {
  return 'code' in failure && typeof failure.code === 'string' ? failure.code : '';
}

/** Seconds only: the other form is a date, and whose clock it was is not known. */
function retryAfterMsOf(header: string | null): number | undefined {
  if (header === null || !/^[0-9]{1,9}$/.test(header)) return undefined;
  return Math.min(Number(header) * 1000, RETRY_AFTER_MS_MAX);
}
