// Who calls, and what the key may do. Keys are recognised by their SHA-256, and what the database says of one is
// believed for at most a second, so that a revoked key is refused everywhere within that time.

import { sql } from 'kysely';
import { PaymentError } from '../domain/errors.ts';
import { hashOfKey, SCOPES, type Scope } from '../jobs/api-key.ts';
import { createLoader } from '../ledger/loader.ts';
import type { Db } from '../runtime/db.ts';

export interface Caller {
  readonly keyId: string;
  readonly scopes: readonly Scope[];
}

export interface KeyRing {
  /** Null for an unknown or revoked key. */
  recognise(key: string): Promise<Caller | null>;
}

const BELIEVED_MS = 1000;
/** Unknown keys are remembered too; the bound keeps guesses from filling the memory. */
const REMEMBERED_MAX = 10_000;
/** The grammar of bootstrap keys; ours are 43 characters of it. */
export const KEY_GRAMMAR = /^[A-Za-z0-9_-]{1,128}$/;
const BEARER = /^Bearer +(\S+) *$/i;

export function createKeyRing(db: Db): KeyRing {
  const known = new Map<string, { caller: Caller | null; until: number }>();
  const loader = createLoader<string, Caller>(async (hashes) => {
    const { rows } = await sql<{ key_id: string; hash: string; scopes: string[] | string }>`
      SELECT key_id, encode(hash, 'hex') AS hash, to_json(scopes) AS scopes FROM api_key
      WHERE hash = ANY(${hashes.map((hash) => Buffer.from(hash, 'hex'))}::bytea[]) AND revoked_at IS NULL
    `.execute(db.sql);
    return new Map(rows.map((row) => [row.hash, { keyId: row.key_id, scopes: scopesOf(row.scopes) }]));
  });
  return {
    async recognise(key) {
      if (!KEY_GRAMMAR.test(key)) return null;
      const hash = hashOfKey(key).toString('hex');
      const remembered = known.get(hash);
      const askedAt = performance.now();
      if (remembered !== undefined && askedAt < remembered.until) return remembered.caller;
      const caller = await loader.load(hash);
      if (known.size >= REMEMBERED_MAX) known.clear();
      // Counted from the question, because the answer may be as old as that.
      known.set(hash, { caller, until: askedAt + BELIEVED_MS });
      return caller;
    },
  };
}

export async function authenticate(keys: KeyRing, authorization: string | undefined): Promise<Caller> {
  const [, key] = BEARER.exec(authorization ?? '') ?? [];
  const caller = key === undefined ? null : await keys.recognise(key);
  if (caller === null) throw new PaymentError('unauthorized');
  return caller;
}

export function requireScope(caller: Caller, scope: Scope): void {
  if (caller.scopes.includes(scope)) return;
  throw new PaymentError('forbidden', {
    detail: `This needs the scope "${scope}"; the key has: ${caller.scopes.join(', ')}. Use a key that has it.`,
  });
}

function scopesOf(value: string[] | string): Scope[] {
  const names: unknown = typeof value === 'string' ? JSON.parse(value) : value;
  return SCOPES.filter((scope) => Array.isArray(names) && names.includes(scope));
}
