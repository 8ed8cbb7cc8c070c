// What every request carries besides its body: an id for logs and answers, and the trace it belongs to. Every answer
// leaves with the id and the security headers, and leaves one line in the log.

import { randomUUID } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { createSparing } from '../runtime/sparing.ts';
import type { Caller } from './auth.ts';
import type { ApiOptions } from './options.ts';

export interface ContextEnv {
  /** `caller` is set for pages, which show what the key may do. */
  Variables: { requestId: string; route: string; caller: Caller; hasHeaders: boolean };
}

const REQUEST_ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
/** Of every answer. Pages that need more (documentation, board, console) set their own policy. */
export const SECURITY_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
} as const;

export function requestContext({ log, metrics }: Pick<ApiOptions, 'log' | 'metrics'>): MiddlewareHandler<ContextEnv> {
  const lines = createSparing((count) => log.info({ count }, 'requests answered without a line of their own'));
  return async (c, next) => {
    const startedAt = performance.now();
    const given = c.req.header('x-request-id');
    const requestId = given !== undefined && REQUEST_ID.test(given) ? given : randomUUID();
    c.set('requestId', requestId);
    await next();
    if (c.get('hasHeaders') !== true) addHeaders(c.res.headers, requestId);
    const durationMs = Math.round(performance.now() - startedAt);
    const line = {
      request_id: requestId,
      method: c.req.method,
      route: c.get('route') ?? null,
      status: c.res.status,
    };
    if (line.status >= 400 || lines.isDue()) log.info({ ...line, durationMs }, 'request');
    metrics?.request({ route: line.route ?? 'other', method: line.method, status: line.status, durationMs });
  };
}

/** What every answer of a route leaves with; as a plain record, which the server sends as it is. */
export function answerHeaders(requestId: string): Record<string, string> {
  return { ...SECURITY_HEADERS, 'X-Request-Id': requestId };
}

function addHeaders(headers: Headers, requestId: string): void {
  headers.set('X-Request-Id', requestId);
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) if (!headers.has(name)) headers.set(name, value);
}

/** Null when there is none, or none that the standard allows. */
export function traceparentOf(header: string | undefined): string | null {
  return header !== undefined && TRACEPARENT.test(header) ? header : null;
}
