// API keys: 32 random bytes, shown once. The database keeps their SHA-256, which is enough to recognise them and
// useless to whoever reads it.

import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { PaymentError } from '../domain/errors.ts';
import type { Db } from '../runtime/db.ts';

export const SCOPES = ['read', 'write', 'operate'] as const;
export type Scope = (typeof SCOPES)[number];

export interface NewApiKey {
  readonly keyId: string;
  /** Shown once, never stored. */
  readonly key: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
}

const KEY_BYTES = 32;
const BOOTSTRAP_NAME = 'bootstrap';

export async function createApiKey(
  db: Db,
  { name, scopes }: { name: string; scopes: readonly Scope[] },
): Promise<NewApiKey> {
  if (scopes.length === 0) {
    const detail = `A key needs at least one scope. Name some of: ${SCOPES.join(', ')}.`;
    throw new PaymentError('validation-failed', { detail });
  }
  const key = randomBytes(KEY_BYTES).toString('base64url');
  const keyId = await insertKey(db, { key, name, scopes });
  return { keyId, key, name, scopes };
}

/** From now on (one second for caches) the key is refused. Says whether there was such a live key. */
export async function revokeApiKey(db: Db, keyId: string): Promise<boolean> {
  const { numAffectedRows } = await sql`
    UPDATE api_key SET revoked_at = date_trunc('milliseconds', clock_timestamp())
    WHERE key_id::text = ${keyId} AND revoked_at IS NULL`.execute(db.sql);
  return numAffectedRows === 1n;
}

/** Makes the given key known with all scopes when it is absent. A revoked one stays revoked. */
export async function ensureBootstrapKey(db: Db, key: string): Promise<void> {
  await insertKey(db, { key, name: BOOTSTRAP_NAME, scopes: SCOPES });
}

export function hashOfKey(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

async function insertKey(
  db: Db,
  { key, name, scopes }: { key: string; name: string; scopes: readonly Scope[] },
): Promise<string> {
  const keyId = randomUUID();
  await sql`
    INSERT INTO api_key (key_id, name, hash, scopes, created_at)
    VALUES (${keyId}, ${name}, ${hashOfKey(key)}, ${[...scopes]}::text[],
            date_trunc('milliseconds', clock_timestamp()))
    ON CONFLICT DO NOTHING`.execute(db.sql);
  return keyId;
}
