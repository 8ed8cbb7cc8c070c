// One POST to an endpoint: to the addresses that were checked and nowhere else, within one deadline, following nothing,
// and reading no more of the answer than it must.

import { type ClientRequestArgs, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Address, CheckUrl } from '../webhook-url.ts';
import { GONE } from './rows.ts';

export interface Sent {
  /** delivered, gone, or why not: "http_503", "redirect", "timeout", "refused", "tls", "url_not_allowed", ... */
  readonly outcome: string;
  readonly httpStatus: number | null;
}

export type Send = (
  message: { readonly url: string; readonly headers: Readonly<Record<string, string>>; readonly body: string },
  /** Ends the attempt early, at a shutdown. */
  signal: AbortSignal,
) => Promise<Sent>;

export const DELIVERED = 'delivered';

/** From the resolver's question to the end of the answer. */
export const SEND_TIMEOUT_MS = 15_000;
/** An answer has nothing to tell but its status; reading some of it lets the other side finish its sentence. */
const ANSWER_BYTES_MAX = 16 * 1024;
const USER_AGENT = 'remit-webhooks/1';

export function createSend(options: { checkUrl: CheckUrl; timeoutMs?: number }): Send {
  const { checkUrl, timeoutMs = SEND_TIMEOUT_MS } = options;
  return async ({ url, headers, body }, signal) => {
    const ending = new AbortController();
    const timer = setTimeout(() => ending.abort('timeout'), timeoutMs);
    const stop = () => ending.abort('shutdown');
    signal.addEventListener('abort', stop);
    // It may have come before anybody listened.
    if (signal.aborted) stop();
    try {
      // Checked at every attempt, because a name may have got another address since.
      const checked = await checkUrl(url);
      if (checked.type === 'refused') return { outcome: checked.reason, httpStatus: null };
      const httpStatus = await post(checked, { headers, body, signal: ending.signal });
      return { outcome: outcomeOf(httpStatus), httpStatus };
    } catch (error) {
      return { outcome: ending.signal.aborted ? String(ending.signal.reason) : reasonOf(error), httpStatus: null };
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
  };
}

/** The status, once the answer is read or cut: the status alone decides. */
function post(
  { url, addresses }: { url: URL; addresses: readonly Address[] },
  message: { headers: Readonly<Record<string, string>>; body: string; signal: AbortSignal },
): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const { signal, body } = message;
  let status: number | null = null;
  let bytes = 0;
  const end = (error: unknown) => (status === null ? reject(error) : resolve(status));
  const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      'User-Agent': USER_AGENT,
      ...message.headers,
    },
    signal,
    // A connection that is kept could lead to an address that is no longer allowed.
    agent: false,
    lookup: always(addresses),
  });
  request.on('error', end);
  request.on('close', () => end(new Error('The connection was closed before an answer came.')));
  request.on('response', (response) => {
    status = response.statusCode ?? 0;
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > ANSWER_BYTES_MAX) request.destroy();
    });
    // An answer that breaks off is an error of its own, which would end the process if nobody listened.
    response.on('error', end);
  });
  request.end(body);
  return promise;
}

/** Answers every question about the name with the addresses that were checked; Node tries them in turn. */
function always(addresses: readonly Address[]): NonNullable<ClientRequestArgs['lookup']> {
  return (_hostname, options, callback) => {
    const [first] = addresses;
    if (options.all === true) callback(null, [...addresses]);
    else callback(null, first?.address ?? '', first?.family);
  };
}

function outcomeOf(status: number): string {
  if (status >= 200 && status < 300) return DELIVERED;
  if (status === 410) return GONE;
  return status >= 300 && status < 400 ? 'redirect' : `http_${status}`;
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (code in REASONS) return REASONS[code] ?? 'broken_answer';
  if (/CERT|TLS|SSL|SIGNATURE|SELF_SIGNED|EPROTO/.test(code)) return 'tls';
  return code.startsWith('HPE_') ? 'broken_answer' : 'reset';
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  ETIMEDOUT: 'timeout',
};
