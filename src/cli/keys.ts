// `remit keys`: API keys are made, listed and revoked here; a key is shown once and kept only as a digest.

import { text } from 'node:stream/consumers';
import { createApiKey, findApiKey, listApiKeys, revokeApiKey, type Scope } from '../jobs/api-key.ts';
import { withDatabase } from './database.ts';
import { UsageError } from './usage-error.ts';

const REVOKE_FORM = 'Give one key id, one key, or "-" and the key on the standard input.';

export async function createKey({ scopes, name }: { scopes: readonly Scope[]; name: string }): Promise<void> {
  const made = await withDatabase((db) => createApiKey(db, { name, scopes }));
  process.stdout.write(`${made.key}\n`);
  const ended = `npm run remit -- keys revoke ${made.keyId}`;
  process.stderr.write(`Key ${made.keyId} (${scopes.join(', ')}). It is shown once; revoke it with: ${ended}\n`);
}

export async function listKeys({ json = false }: { json?: boolean }): Promise<void> {
  const keys = await withDatabase(listApiKeys);
  const rows = keys.map(({ keyId, name, scopes, createdAt, revokedAt }) => ({
    key_id: keyId,
    name,
    scopes,
    created_at: createdAt.toISOString(),
    revoked_at: revokedAt?.toISOString() ?? null,
  }));
  process.stdout.write(json ? `${JSON.stringify(rows)}\n` : tableText(rows));
}

/** By id, or by the key itself, which is never said back: what is shown may be kept in a log. */
export async function revokeKey(given: readonly string[]): Promise<void> {
  const [one, ...more] = given;
  if (one === undefined || more.length > 0) throw new UsageError(`These are several words. ${REVOKE_FORM}`);
  const named = one === '-' ? (await text(process.stdin)).trim() : one;
  if (named === '' || /\s/.test(named)) throw new UsageError(`The input is not one key. ${REVOKE_FORM}`);
  const answer = await withDatabase(async (db) => {
    const key = await findApiKey(db, named);
    if (key === null) throw new Error('There is no such key. The keys and their ids: npm run remit -- keys list');
    const said = `${key.keyId} (${visible(key.name)})`;
    const isRevoked = await revokeApiKey(db, key.keyId);
    return isRevoked ? `Revoked ${said}. It is refused within a second.` : `${said} was revoked before.`;
  });
  process.stdout.write(`${answer}\n`);
}

interface Row {
  readonly key_id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly created_at: string;
  readonly revoked_at: string | null;
}

/** The name stands last, because it may be of any length. */
function tableText(rows: readonly Row[]): string {
  const lines = [
    ['id', 'created', 'revoked', 'scopes', 'name'],
    ...rows.map((row) => [row.key_id, row.created_at, row.revoked_at ?? '-', row.scopes.join(','), visible(row.name)]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  return lines.map((cells) => `${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')}\n`).join('');
}

/** A name is anybody's text; the terminal is not to act on it. */
function visible(name: string): string {
  return name.replaceAll(/\p{C}/gu, '?');
}
