// A token bucket for each API key: a burst of one second, then the configured rate.

import { PaymentError } from '../domain/errors.ts';

export type RateLimit = (keyId: string) => void;

interface Bucket {
  tokens: number;
  filledAt: number;
}

export function createRateLimit(perSecond: number | null): RateLimit {
  if (perSecond === null) return () => {};
  const capacity = Math.max(1, perSecond);
  const buckets = new Map<string, Bucket>();
  return (keyId) => {
    const now = performance.now();
    const bucket = buckets.get(keyId) ?? { tokens: capacity, filledAt: now };
    buckets.set(keyId, bucket);
    bucket.tokens = Math.min(capacity, bucket.tokens + ((now - bucket.filledAt) / 1000) * perSecond);
    bucket.filledAt = now;
    if (bucket.tokens < 1) {
      const retryAfterMs = Math.ceil(((1 - bucket.tokens) / perSecond) * 1000);
      const detail = `This key may send ${perSecond} requests a second. Wait as long as Retry-After says.`;
      throw new PaymentError('rate-limited', { retryAfterMs, detail });
    }
    bucket.tokens -= 1;
  };
}
