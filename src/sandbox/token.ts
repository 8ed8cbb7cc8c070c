// Access tokens of the providers that have them. A token carries its own times and a digest, so that nothing has to be
// remembered and it lives on over a restart; `POST /_sandbox/tokens` shortens new ones and voids old ones.
import { hash } from 'node:crypto';
import type { World } from './world.ts';

export type Token = { text: string; expiresInSeconds: number };

export function issueToken(world: World, { provider, lifeMs }: { provider: string; lifeMs: number }): Token {
  // Later than every voided one, also within the same millisecond.
  const issuedAt = Math.max(world.now(), world.settings.tokens.voidBefore + 1);
  const ms = world.settings.tokens.ms ?? lifeMs;
  const times = `${issuedAt.toString(36)}-${(issuedAt + ms).toString(36)}`;
  return { text: `A21AA-${times}-${digestOf(provider, times)}`, expiresInSeconds: Math.ceil(ms / 1000) };
}

export function isTokenGood(world: World, { provider, text }: { provider: string; text: string }): boolean {
  const [, issued = '', expires = '', digest] = /^A21AA-([0-9a-z]+)-([0-9a-z]+)-([0-9a-f]+)$/.exec(text) ?? [];
  if (digest !== digestOf(provider, `${issued}-${expires}`)) return false;
  const issuedAt = Number.parseInt(issued, 36);
  return Number.parseInt(expires, 36) > world.now() && issuedAt > world.settings.tokens.voidBefore;
}

function digestOf(provider: string, times: string): string {
  return hash('sha256', `sandbox ${provider} ${times}`, 'hex').slice(0, 32);
}
