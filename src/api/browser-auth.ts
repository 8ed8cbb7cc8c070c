// Pages for people: HTTP basic auth with an API key as the password, and a session made from it, so that the browser
// need not send the key again. A session ends with its key, after some hours, or with this process.

import { randomBytes } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { PaymentError } from '../domain/errors.ts';
import type { Scope } from '../jobs/api-key.ts';
import { type Caller, type KeyRing, requireScope } from './auth.ts';
import { problemResponse } from './problems.ts';
import type { ContextEnv } from './request-context.ts';

const COOKIE = 'remit_session';
const SESSION_SECONDS = 8 * 3600;
const SESSION_BYTES = 32;
/** More people than look at one process; the oldest sessions end first. */
const SESSIONS_MAX = 1000;

interface Session {
  readonly key: string;
  readonly endsAt: number;
}

export type BrowserAuth = (scope: Scope) => MiddlewareHandler<ContextEnv>;

export function createBrowserAuth(keys: KeyRing): BrowserAuth {
  const sessions = new Map<string, Session>();

  async function fromSession(token: string | undefined): Promise<Caller | null> {
    const session = token === undefined ? undefined : sessions.get(token);
    if (session === undefined || session.endsAt < performance.now()) return null;
    return keys.recognise(session.key);
  }

  function begin(key: string): string {
    const token = randomBytes(SESSION_BYTES).toString('base64url');
    sessions.set(token, { key, endsAt: performance.now() + SESSION_SECONDS * 1000 });
    const [oldest] = sessions.keys();
    if (sessions.size > SESSIONS_MAX && oldest !== undefined) sessions.delete(oldest);
    return token;
  }

  return (scope) => async (c, next) => {
    const known = await fromSession(getCookie(c, COOKIE));
    if (known !== null) {
      requireScope(known, scope);
      c.set('caller', known);
      return next();
    }
    const key = passwordOf(c.req.header('authorization'));
    const caller = key === null ? null : await keys.recognise(key);
    if (key === null || caller === null) {
      const answer = problemResponse(new PaymentError('unauthorized', { detail: HINT }), c.get('requestId'));
      answer.headers.set('WWW-Authenticate', 'Basic realm="remit", charset="UTF-8"');
      return answer;
    }
    requireScope(caller, scope);
    c.set('caller', caller);
    // A proxy that ends TLS says so; a forged header only costs its sender the session.
    const isSecure = c.req.url.startsWith('https:') || c.req.header('x-forwarded-proto') === 'https';
    const options = {
      httpOnly: true,
      sameSite: 'Strict',
      path: '/',
      secure: isSecure,
      maxAge: SESSION_SECONDS,
    } as const;
    await next();
    // Set last, so that it stays whatever response the page has made.
    setCookie(c, COOKIE, begin(key), options);
    return undefined;
  };
}

const HINT = 'This page asks for an API key: send any user name, and the key as the password.';

function passwordOf(header: string | undefined): string | null {
  const [, encoded] = /^Basic +([A-Za-z0-9+/=]+) *$/i.exec(header ?? '') ?? [];
  if (encoded === undefined) return null;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? null : text.slice(colon + 1);
}
