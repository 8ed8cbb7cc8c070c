// PayPal's sign-in: one access token for all calls, renewed before it ends, by one request however many calls wait.
// Whatever goes wrong here, the call that wanted the token was not sent.

import { z } from 'zod';
import { PaymentError } from '../domain/errors.ts';
import { createHttp } from './http.ts';
import { PROVIDER, paypalFaultOf } from './paypal-problem.ts';
import { notTaken, type ProviderLog, parseAnswer, providerText, uncertain } from './surprise.ts';

/** Calls that wait have deadlines of their own; this one only ends a sign-in that hangs. */
const SIGN_IN_TIMEOUT_MS = 10_000;
/** A call that starts with a token just before its end would meet a 401, which costs two requests more. */
const RENEWED_BEFORE_END_MS = 60_000;
/** Short-lived tokens are used for nine tenths of their life. */
const LIFE_PARTS = 10;
/** PayPal's tokens live nine hours; longer promises are not believed, because a token costs one request a day. */
const LIFE_SECONDS_MAX = 24 * 60 * 60;

const grantBody = z.object({
  /** Printable ASCII, so that it can stand in a header. */
  access_token: z.string().regex(/^[\x21-\x7e]{1,8192}$/),
  token_type: z.string().regex(/^bearer$/i),
  expires_in: z.number().positive(),
});

export interface SignIn {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly baseUrl: string;
  readonly log: ProviderLog;
}

export interface Tokens {
  /** A good token, or a surprise of the type "not taken". */
  get(signal: AbortSignal): Promise<string>;
  /** Drops a token that was refused, unless another took its place meanwhile. */
  forget(text: string): void;
}

interface Held {
  readonly text: string;
  readonly renewAtMs: number;
}

export function createTokens({ clientId, clientSecret, baseUrl, log }: SignIn): Tokens {
  const http = createHttp({ provider: PROVIDER, baseUrl, log, faultOf: paypalFaultOf });
  const authorization = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`;
  let held: Held | null = null;
  let renewal: Promise<Held> | null = null;

  async function renew(): Promise<Held> {
    const askedAtMs = performance.now();
    const answer = await http.send({
      method: 'POST',
      path: '/v1/oauth2/token',
      headers: { authorization, accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
      body: 'grant_type=client_credentials',
      signal: AbortSignal.timeout(SIGN_IN_TIMEOUT_MS),
    });
    if (answer.status >= 400) {
      const reason = providerText(answer.fault?.code ?? '') || `http_${answer.status}`;
      log.error({ provider: PROVIDER, reason }, 'PayPal refuses the sign-in. Check its client id and secret.');
      throw uncertain({ provider: PROVIDER, reason, httpStatus: answer.status });
    }
    const grant = parseAnswer(PROVIDER, grantBody, answer.body);
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
  const end = () => ended.reject(notTaken({ provider: PROVIDER, reason: 'timeout' }));
  if (signal.aborted) end();
  signal.addEventListener('abort', end, { once: true });
  return Promise.race([work, ended.promise]).finally(() => signal.removeEventListener('abort', end));
}

function asNotTaken(cause: unknown): unknown {
  if (!(cause instanceof PaymentError) || cause.surprise === undefined || cause.code === 'rate-limited') return cause;
  const { reason, httpStatus } = cause.surprise;
  const status = httpStatus === null ? {} : { httpStatus };
  return notTaken({ provider: PROVIDER, reason: `sign_in_${reason}`, ...status, cause });
}
