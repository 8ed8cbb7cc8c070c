// What every call to Stripe has in common: the client over our own way out, one deadline for all requests of a call,
// and which of its errors are a final no.

import Stripe from 'stripe';
import { PaymentError } from '../../domain/errors.ts';
import { isPkid, type Pkid } from '../../domain/id.ts';
import type { Answer, CallLimits } from '../../domain/provider.ts';
import { createHttp, type Http } from '../http.ts';
import { notTaken, type ProviderLog, providerText, uncertain } from '../surprise.ts';

export const PROVIDER = 'stripe';
/** Stripe's largest page. */
export const PAGE_ITEMS_MAX = 100;
const STRIPE_URL = 'https://api.stripe.com';

/** The SDK makes an invalid request of every 400 and 404, so the type is read as Stripe wrote it. */
const FINAL_TYPES = new Set<string>(['card_error', 'invalid_request_error']);
const FINAL_STATUSES = new Set([400, 402, 404]);
/** What a refusal of an object says with 404. Without it a 404 speaks of the address, which proves nothing. */
const MISSING_CODE = 'resource_missing';

/** What the nouns of this adapter share. */
export interface StripeAccess {
  readonly stripe: Stripe;
  readonly keyRetentionMs: number;
  readonly log: ProviderLog;
}

type ClientConfig = NonNullable<ConstructorParameters<typeof Stripe>[1]>;

interface ClientOptions {
  readonly secretKey: string;
  /** Null is Stripe itself. */
  readonly baseUrl: string | null;
  readonly log: ProviderLog;
}

export function createClient({ secretKey, baseUrl, log }: ClientOptions): Stripe {
  const http = createHttp({ provider: PROVIDER, baseUrl: baseUrl ?? STRIPE_URL, log });
  return new Stripe(secretKey, {
    httpClient: transportOver(http),
    maxNetworkRetries: 0,
    telemetry: false,
  });
}

/** The SDK's requests go the way of all others here; an answer that was parsed there is not parsed again. */
function transportOver(http: Http): NonNullable<ClientConfig['httpClient']> {
  return {
    getClientName: () => 'remit',
    async makeRequest(_host, _port, path, method, headers, body, _protocol, timeoutMs) {
      const deadline = new AbortController();
      const timer = setTimeout(() => deadline.abort(), timeoutMs);
      try {
        const answer = await http.send({
          method: method === 'POST' ? 'POST' : 'GET',
          path,
          headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
          ...(method === 'POST' ? { body } : {}),
          signal: deadline.signal,
        });
        return {
          getStatusCode: () => answer.status,
          getHeaders: () => (answer.requestId === null ? {} : { 'request-id': answer.requestId }),
          getRawResponse: () => answer,
          toStream: () => answer.text,
          toJSON: async () => answer.body,
        };
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

export interface Bound {
  readonly timeout: number;
  readonly maxNetworkRetries: 0;
}

/**
 * What is left of the one deadline that all requests of a call share. The SDK takes whole milliseconds, and
 * replaces what it does not like by 80 seconds.
 */
export function boundsOf({ timeoutMs }: CallLimits): () => Bound {
  const endsAt = performance.now() + timeoutMs;
  return () => {
    const timeout = Math.floor(endsAt - performance.now());
    if (!(timeout > 0)) throw notTaken({ provider: PROVIDER, reason: 'deadline_before_send' });
    return { timeout, maxNetworkRetries: 0 };
  };
}

export type StripeRefusal = InstanceType<typeof Stripe.errors.StripeError>;

/** Final for this body and key: Stripe looked at the request and said no. */
export function isRefusal(cause: unknown): cause is StripeRefusal {
  if (!(cause instanceof Stripe.errors.StripeError)) return false;
  if (!FINAL_STATUSES.has(cause.statusCode ?? 0) || !FINAL_TYPES.has(cause.rawType ?? '')) return false;
  return cause.statusCode !== 404 || cause.code === MISSING_CODE;
}

/** Stripe knows no object of that id. */
export function isMissing(cause: unknown): boolean {
  return cause instanceof Stripe.errors.StripeError && cause.code === MISSING_CODE;
}

export type Declined = Extract<Answer, { type: 'declined' }>;

export function declinedBy(cause: unknown): Declined {
  if (!isRefusal(cause)) throw surpriseOf(cause);
  const code = cause.code === 'balance_insufficient' ? 'provider_insufficient_funds' : 'declined';
  return { type: 'declined', code, detail: declineText(cause.message), externId: null, isOpen: false };
}

/** A decline in Stripe's own words, where it has any. */
export function declineText(message: string | null | undefined): string {
  return providerText(message ?? '') || 'Declined by Stripe.';
}

/** What our own way out threw comes back inside the SDK's connection error. */
export function surpriseOf(cause: unknown): PaymentError {
  if (cause instanceof PaymentError) return cause;
  if (!(cause instanceof Stripe.errors.StripeError)) {
    return uncertain({ provider: PROVIDER, reason: 'unexpected_error', cause });
  }
  if (cause.detail instanceof PaymentError) return cause.detail;
  const httpStatus = cause.statusCode === undefined ? {} : { httpStatus: cause.statusCode };
  return uncertain({ provider: PROVIDER, reason: 'unexpected_error', ...httpStatus, cause });
}

/** What Stripe carries of ours on each payment, so that an answer can prove to be about this one. */
export function marksOf({ pkid, semanticKey }: { readonly pkid: Pkid; readonly semanticKey: string }) {
  return { pkid, semantic_key: semanticKey };
}

/** Metadata can be edited in Stripe's dashboard, the transfer group cannot; both must look like ours to count. */
export function pkidIn(...candidates: readonly unknown[]): Pkid | null {
  for (const candidate of candidates) {
    if (typeof candidate === 'string' && isPkid(candidate)) return candidate;
  }
  return null;
}

/** Every kind of payment here is one call. */
export async function noSecondStage(): Promise<Answer> {
  throw new PaymentError('internal', { detail: 'A Stripe payment has one stage. Report this with the request_id.' });
}
