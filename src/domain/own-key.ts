// The keys under which remit itself makes operations: refunds and pay-ins made in a provider's dashboard, what a
// cancelled checkout gives back, and unapplied money that is sent back. A caller's own operation under such a key would
// stand in their way, and nothing could be booked.

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
