// The signature scheme of Stripe and Demobank webhooks: "t=<unix>,v1=<hex>[,v1=<hex>]", where v1 is
// HMAC-SHA256(secret, t + "." + raw body). Odd input is an invalid signature, never an exception of another kind.

import { createHmac, timingSafeEqual } from 'node:crypto';
import { PaymentError } from '../domain/errors.ts';

/** Stripe's own default, inclusive; the future is bounded as well, because a stolen secret must not sign ahead. */
const TOLERANCE_SECONDS = 300;
/** A rotation has two signatures; the bounds keep a hostile header from buying work. */
const SIGNATURES_MAX = 16;
const HEADER_CHARACTERS_MAX = 4096;

interface SignedDelivery {
  readonly raw: Buffer;
  /** The value of the signature header; undefined when it was not sent. */
  readonly header: string | undefined;
  /** Any of these may have signed, so that secrets can be rotated. */
  readonly secrets: readonly string[];
  readonly receivedAt: Date;
}

/** Returns the signed time in seconds; throws invalid-signature or stale-timestamp. */
export function verifySignature({ raw, header, secrets, receivedAt }: SignedDelivery): number {
  const { timestamp, signatures } = partsOf(header ?? '');
  if (timestamp === null || !isSigned({ raw, timestamp, signatures, secrets })) {
    throw new PaymentError('invalid-signature');
  }
  const signedAt = Number(timestamp);
  const age = Math.floor(receivedAt.getTime() / 1000) - signedAt;
  if (Math.abs(age) > TOLERANCE_SECONDS) throw new PaymentError('stale-timestamp');
  return signedAt;
}

/** Header names reach us in any case. */
export function headerOf(headers: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
}

/** The body of a delivery whose signature holds; what is no JSON then is the provider's mistake. */
export function signedJson(raw: Buffer): unknown {
  try {
    return JSON.parse(raw.toString('utf8'));
  } catch (cause) {
    throw new PaymentError('malformed-json', { cause });
  }
}

interface Parts {
  readonly timestamp: string | null;
  readonly signatures: readonly string[];
}

function partsOf(header: string): Parts {
  if (header.length > HEADER_CHARACTERS_MAX) return { timestamp: null, signatures: [] };
  const pairs = header.split(',').map((part) => {
    const at = part.indexOf('=');
    return { scheme: part.slice(0, Math.max(at, 0)).trim(), value: part.slice(at + 1).trim() };
  });
  const times = pairs.filter(({ scheme }) => scheme === 't').map(({ value }) => value);
  const [timestamp] = times;
  const signatures = pairs.filter(({ scheme }) => scheme === 'v1').map(({ value }) => value);
  if (timestamp === undefined || times.length > 1 || !/^[0-9]{1,12}$/.test(timestamp)) {
    return { timestamp: null, signatures: [] };
  }
  return { timestamp, signatures: signatures.slice(0, SIGNATURES_MAX) };
}

interface Claim {
  readonly raw: Buffer;
  readonly timestamp: string;
  readonly signatures: readonly string[];
  readonly secrets: readonly string[];
}

/** Compares every pair, without stopping at a match, so that the time taken tells nothing. */
function isSigned({ raw, timestamp, signatures, secrets }: Claim): boolean {
  let matched = false;
  for (const secret of secrets.filter((text) => text !== '')) {
    const expected = Buffer.from(createHmac('sha256', secret).update(`${timestamp}.`).update(raw).digest('hex'));
    for (const signature of signatures) {
      const given = Buffer.from(signature);
      if (given.length === expected.length && timingSafeEqual(given, expected)) matched = true;
    }
  }
  return matched;
}
