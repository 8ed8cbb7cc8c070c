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

/** From now on (one second for caches) the key is refused. `named`: its id, or itself. Null: no such key is live. */
export async function revokeApiKey(db: Db, named: string): Promise<string | null> {
  const { rows } = await sql<{ key_id: string }>`
    UPDATE api_key SET revoked_at = date_trunc('milliseconds', clock_timestamp())
    WHERE (key_id::text = ${named} OR hash = ${hashOfKey(named)}) AND revoked_at IS NULL
    RETURNING key_id::text`.execute(db.sql);
  return rows[0]?.key_id ?? null;
}

export interface ListedApiKey {
  readonly keyId: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly createdAt: Date;
  readonly revokedAt: Date | null;
}

/** Oldest first, the revoked ones too. */
export async function listApiKeys(db: Db): Promise<ListedApiKey[]> {
  const { rows } = await sql<{
    key_id: string;
    name: string;
    scopes: string[];
    created_at: string;
    revoked_at: string | null;
  }>`SELECT key_id::text, name, to_json(scopes) AS scopes, created_at::text, revoked_at::text
     FROM api_key ORDER BY created_at, key_id`.execute(db.sql);
  return rows.map(({ key_id: keyId, name, scopes, created_at: createdAt, revoked_at: revokedAt }) => ({
    keyId,
    name,
    scopes,
    createdAt: new Date(createdAt),
    revokedAt: revokedAt === null ? null : new Date(revokedAt),
  }));
}

/** Makes the given key known with all scopes when it is absent, and returns its id. A revoked one stays revoked. */
export async function ensureBootstrapKey(db: Db, key: string): Promise<string> {
  await insertKey(db, { key, name: BOOTSTRAP_NAME, scopes: SCOPES });
  const { rows } = await sql<{ key_id: string }>`
    SELECT key_id::text FROM api_key WHERE hash = ${hashOfKey(key)}`.execute(db.sql);
  return rows[0]?.key_id ?? '';
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
