// The keys under which remit itself makes operations: refunds and pay-ins made in a provider's dashboard, what a
// cancelled checkout gives back, and unapplied money that is sent back. A caller's own operation under such a key would
// stand in their way, and nothing could be booked.

import type { Pkid } from './id.ts';
import { PROVIDERS } from './provider.ts';

const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const OWN_KEY = new RegExp(`^(?:ext:(?:${PROVIDERS.join('|')}):|(?:cancel|unapplied):${UUID})`);

/** Only these forms: a caller's "cancel:order-1" is as good a key as any. */
export function isOwnKey(semanticKey: string): boolean {
  return OWN_KEY.test(semanticKey);
}

/** The key of an operation that somebody made at the provider: within the grammar, whatever its ids look like. */
export function externalKey(provider: string, externId: string, suffix = ''): string {
  const key = `ext:${provider}:${externId.replaceAll(/[^A-Za-z0-9._:-]/g, '-')}`;
  return `${key.slice(0, KEY_LENGTH_MAX - suffix.length)}${suffix}`;
}

const KEY_LENGTH_MAX = 128;

/** What is left of an order of a cancelled checkout; the same amount may be left again when a refund has failed. */
export function compensationKey(order: { pkid: Pkid; refundedMinor: bigint; leftMinor: bigint }): string {
  return `cancel:${order.pkid}:${order.refundedMinor}:${order.leftMinor}`;
}

/** Unapplied money on its way back; a try that failed stays failed, and the next one has a number. */
export function unappliedKey(unappliedId: Pkid, attempt: number): string {
  return attempt === 1 ? `unapplied:${unappliedId}` : `unapplied:${unappliedId}:${attempt}`;
}
