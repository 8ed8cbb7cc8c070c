// Tipalti's sign-in: one bearer token for all calls, renewed before it ends, by one request however many calls wait.
// Whatever goes wrong here, the call that wanted the token was not sent.

import { z } from 'zod';
import { PaymentError } from '../domain/errors.ts';
import { createHttp } from './http.ts';
import { notTaken, type ProviderLog, parseAnswer, providerText, uncertain } from './surprise.ts';
import { tipaltiFaultOf } from './tipalti-wire.ts';

const PROVIDER = 'tipalti';
/** Calls that wait have deadlines of their own; this one only ends a sign-in that hangs. */
const RENEWAL_TIMEOUT_MS = 10_000;
/** A call that starts with a token just before its end would meet a 401, which costs two requests more. */
const RENEWED_BEFORE_END_MS = 60_000;
/** Short-lived tokens are used for nine tenths of their life. */
const LIFE_PARTS = 10;
/** Longer promises are not believed: a token costs one request a day. */
const LIFE_SECONDS_MAX = 24 * 60 * 60;

/** Printable ASCII, so that it can stand in a header. */
const tokenText = z.string().regex(/^[\x21-\x7e]{1,8192}$/);
const grantBody = z.object({
  access_token: tokenText,
  expires_in: z.number().positive(),
  token_type: z.string().regex(/^bearer$/i),
  refresh_token: tokenText.nullish(),
});

interface Tokens {
  /** A good token, or a surprise of the type "not taken". */
  get(signal: AbortSignal): Promise<string>;
  /** Drops a token that was refused, unless another took its place meanwhile. */
  forget(text: string): void;
}

export interface SignIn {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly refreshToken: string;
  readonly tokenUrl: string;
  readonly log: ProviderLog;
}

interface Held {
  readonly text: string;
  readonly renewAtMs: number;
}

export function createTokens({ clientId, clientSecret, refreshToken, tokenUrl, log }: SignIn): Tokens {
  const http = createHttp({ provider: PROVIDER, baseUrl: tokenUrl, log, faultOf: tipaltiFaultOf });
  // A grant may bring a new refresh token, and then the one before it may be void.
  let nextRefreshToken = refreshToken;
  let held: Held | null = null;
  let renewal: Promise<Held> | null = null;

  async function renew(): Promise<Held> {
    const askedAtMs = performance.now();
    const form = { grant_type: 'refresh_token', refresh_token: nextRefreshToken };
    const answer = await http.send({
      method: 'POST',
      path: '',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ ...form, client_id: clientId, client_secret: clientSecret }).toString(),
      signal: AbortSignal.timeout(RENEWAL_TIMEOUT_MS),
    });
    if (answer.status >= 400) {
      const reason = providerText(answer.fault?.code ?? '') || `http_${answer.status}`;
      log.error({ provider: PROVIDER, reason }, 'Tipalti refuses the sign-in. Check client, secret and refresh token.');
      throw uncertain({ provider: PROVIDER, reason, httpStatus: answer.status });
    }
    const grant = parseAnswer(PROVIDER, grantBody, answer.body);
    nextRefreshToken = grant.refresh_token ?? nextRefreshToken;
    const lifeMs = Math.min(grant.expires_in, LIFE_SECONDS_MAX) * 1000;
    const marginMs = Math.min(RENEWED_BEFORE_END_MS, lifeMs / LIFE_PARTS);
    held = { text: grant.access_token, renewAtMs: askedAtMs + lifeMs - marginMs };
    return held;
  }

  return {
    async get(signal) {
      if (held !== null && performance.now() < held.renewAtMs) return held.text;
      renewal ??= renew().finally(() => {
        renewal = null;
      });
      try {
        return (await within(renewal, signal)).text;
      } catch (cause) {
        throw asNotTaken(cause);
      }
    },
    forget(text) {
      if (held?.text === text) held = null;
    },
  };
}

/** A caller whose time is up goes; the renewal goes on for the others. */
function within<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const ended = Promise.withResolvers<never>();
  const end = () => ended.reject(notTaken({ provider: PROVIDER, reason: 'sign_in_timeout' }));
  if (signal.aborted) end();
  signal.addEventListener('abort', end, { once: true });
  return Promise.race([work, ended.promise]).finally(() => signal.removeEventListener('abort', end));
}

function asNotTaken(cause: unknown): unknown {
  if (!(cause instanceof PaymentError) || cause.surprise?.type !== 'uncertain') return cause;
  const { reason, httpStatus } = cause.surprise;
  const status = httpStatus === null ? {} : { httpStatus };
  return notTaken({ provider: PROVIDER, reason: `sign_in_${reason}`, ...status, cause });
}
