// Access tokens: one sign-in for all calls, renewed before it ends, by one request however many calls wait for it.
// Whatever goes wrong in it, the call that wanted the token was not sent.

import { z } from 'zod';
import { PaymentError } from '../domain/errors.ts';
import type { ProviderName } from '../domain/provider.ts';
import type { HttpAnswer } from './http.ts';
import { notTaken, type ProviderLog, parseAnswer, providerText, uncertain } from './surprise.ts';

/** Calls that wait have deadlines of their own; this one only ends a sign-in that hangs. */
const SIGN_IN_TIMEOUT_MS = 10_000;
/** A call that starts with a token just before its end would meet a 401, which costs two requests more. */
const RENEWED_BEFORE_END_MS = 60_000;
/** Short-lived tokens are used for nine tenths of their life. */
const LIFE_PARTS = 10;
/** Longer promises are not believed: a token costs one request a day. */
const LIFE_SECONDS_MAX = 24 * 60 * 60;
const REFUSED_TOKEN = 'http_401';

/** Printable ASCII, so that it can stand in a header. */
const tokenText = z.string().regex(/^[\x21-\x7e]{1,8192}$/);
const grantBody = z.object({
  access_token: tokenText,
  token_type: z.string().regex(/^bearer$/i),
  expires_in: z.number().positive(),
  refresh_token: tokenText.nullish(),
});

export interface AccessTokens {
  /** A good token, or a surprise of the type "not taken". */
  get(signal: AbortSignal): Promise<string>;
  /** Drops a token that was refused, unless another took its place meanwhile. */
  forget(text: string): void;
}

interface AccountOptions {
  readonly provider: ProviderName;
  readonly log: ProviderLog;
  /** What a person has to look at when it is refused. */
  readonly wayOut: string;
}

interface Held {
  readonly text: string;
  readonly renewAtMs: number;
}

export function createAccessTokens({
  provider,
  log,
  wayOut,
  signIn,
  onRefreshToken,
}: AccountOptions & {
  readonly signIn: (signal: AbortSignal) => Promise<HttpAnswer>;
  /** A grant may bring what the next sign-in needs. */
  readonly onRefreshToken?: (text: string) => void;
}): AccessTokens {
  let held: Held | null = null;
  let renewal: Promise<Held> | null = null;

  async function renew(): Promise<Held> {
    const askedAtMs = performance.now();
    const answer = await signIn(AbortSignal.timeout(SIGN_IN_TIMEOUT_MS));
    if (answer.status >= 400) {
      const reason = providerText(answer.fault?.code ?? '') || `http_${answer.status}`;
      log.error({ provider, reason }, `The provider refuses the sign-in. ${wayOut}`);
      throw uncertain({ provider, reason, httpStatus: answer.status });
    }
    const grant = parseAnswer(provider, grantBody, answer.body);
    if (grant.refresh_token) onRefreshToken?.(grant.refresh_token);
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
        return (await within(renewal, { signal, provider })).text;
      } catch (cause) {
        throw asNotTaken(cause, provider);
      }
    },
    forget(text) {
      if (held?.text === text) held = null;
    },
  };
}

/** A token that the provider refuses means that the call was not taken, so it is made once more with a new one. */
export async function sendWithToken(
  tokens: AccessTokens,
  send: (token: string) => Promise<HttpAnswer>,
  { provider, log, wayOut, signal }: AccountOptions & { readonly signal: AbortSignal },
): Promise<HttpAnswer> {
  /** The refusal itself when the token was refused, which also forgets it. */
  async function attempt(): Promise<HttpAnswer | PaymentError> {
    const token = await tokens.get(signal);
    try {
      return await send(token);
    } catch (cause) {
      if (!isRefusedToken(cause)) throw cause;
      tokens.forget(token);
      return cause;
    }
  }

  const first = await attempt();
  if (!(first instanceof PaymentError)) return first;
  const second = await attempt();
  if (!(second instanceof PaymentError)) return second;
  log.error({ provider, reason: REFUSED_TOKEN }, `The provider refuses its own new token. ${wayOut}`);
  throw second;
}

/** A token that ends is no error; only the second refusal in a row is one. */
export function withoutEndedTokens(log: ProviderLog): ProviderLog {
  return {
    warn: (fields, message) => log.warn(fields, message),
    error(fields, message) {
      if (!('reason' in fields) || fields.reason !== REFUSED_TOKEN) log.error(fields, message);
    },
  };
}

/** A caller whose time is up goes; the renewal goes on for the others. */
function within<Result>(
  work: Promise<Result>,
  { signal, provider }: { signal: AbortSignal; provider: ProviderName },
): Promise<Result> {
  const ended = Promise.withResolvers<never>();
  const end = () => ended.reject(notTaken({ provider, reason: 'timeout' }));
  if (signal.aborted) end();
  signal.addEventListener('abort', end, { once: true });
  return Promise.race([work, ended.promise]).finally(() => signal.removeEventListener('abort', end));
}

function asNotTaken(cause: unknown, provider: ProviderName): unknown {
  if (!(cause instanceof PaymentError) || cause.surprise === undefined || cause.code === 'rate-limited') return cause;
  const { reason, httpStatus } = cause.surprise;
  const status = httpStatus === null ? {} : { httpStatus };
  return notTaken({ provider, reason: `sign_in_${reason}`, ...status, cause });
}

function isRefusedToken(cause: unknown): cause is PaymentError {
  return cause instanceof PaymentError && cause.surprise?.reason === REFUSED_TOKEN;
}
