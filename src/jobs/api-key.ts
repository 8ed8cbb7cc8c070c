// API keys: 32 random bytes, shown once. The database keeps their SHA-256, which is enough to recognise them and
// useless to whoever reads it.

import { hash, randomBytes, randomUUID } from 'node:crypto';
import { type RawBuilder, sql } from 'kysely';
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

/** What is kept of a key; the key itself is not. */
export interface KnownApiKey {
  readonly keyId: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly createdAt: Date;
  /** Null while it is accepted. */
  readonly revokedAt: Date | null;
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

/** Oldest first, the revoked ones too: keys are made by hand, so they are few. */
export function listApiKeys(db: Db): Promise<KnownApiKey[]> {
  return selectKeys(db, sql`true`);
}

/** By its id, or by the key itself: who found a leaked key knows nothing else of it. Null when there never was one. */
export async function findApiKey(db: Db, idOrKey: string): Promise<KnownApiKey | null> {
  const isIt = sql`key_id::text = ${idOrKey.toLowerCase()} OR hash = ${hashOfKey(idOrKey)}`;
  const [known = null] = await selectKeys(db, isIt);
  return known;
}

/** From now on (one second for caches) the key is refused. Says whether there was such a live key. */
export async function revokeApiKey(db: Db, keyId: string): Promise<boolean> {
  const { numAffectedRows } = await sql`
    UPDATE api_key SET revoked_at = date_trunc('milliseconds', clock_timestamp())
    WHERE key_id::text = ${keyId} AND revoked_at IS NULL`.execute(db.sql);
  return numAffectedRows === 1n;
}

/** Makes the given key known with all scopes when it is absent. A revoked one stays revoked. */
export async function ensureBootstrapKey(db: Db, key: string): Promise<KnownApiKey> {
  await insertKey(db, { key, name: BOOTSTRAP_NAME, scopes: SCOPES });
  const known = await findApiKey(db, key);
  if (known === null) throw new PaymentError('internal', { detail: 'The first key was not stored. Start again.' });
  return known;
}

export function hashOfKey(key: string): Buffer {
  return hash('sha256', key, 'buffer');
}

async function selectKeys(db: Db, condition: RawBuilder<unknown>): Promise<KnownApiKey[]> {
  const { rows } = await sql<{ id: string; name: string; scopes: string[]; created: string; revoked: string | null }>`
    SELECT key_id AS id, name, scopes, created_at AS created, revoked_at AS revoked
    FROM api_key WHERE ${condition} ORDER BY created_at, key_id`.execute(db.sql);
  return rows.map(({ id, name, scopes, created, revoked }) => ({
    keyId: id,
    name,
    scopes,
    createdAt: new Date(created),
    revokedAt: revoked === null ? null : new Date(revoked),
  }));
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
