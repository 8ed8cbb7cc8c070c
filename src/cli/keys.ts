// `remit keys`: API keys are made and revoked here; a key is shown once and kept only as a digest.

import { text } from 'node:stream/consumers';
import { createApiKey, type ListedApiKey, listApiKeys, revokeApiKey, type Scope } from '../jobs/api-key.ts';
import { readConfig } from '../runtime/config.ts';
import type { Db } from '../runtime/db.ts';
import { createLogger } from '../runtime/logger.ts';
import { joinDatabase, openAnsweringDb } from './database.ts';

export async function createKey({ scopes, name }: { scopes: readonly Scope[]; name: string }): Promise<void> {
  const made = await withDb((db) => createApiKey(db, { name, scopes }));
  process.stdout.write(`${made.key}\n`);
  process.stderr.write(`Key ${made.keyId} (${scopes.join(', ')}). It is shown once. To end it:\n`);
  process.stderr.write(`npm run remit -- keys revoke ${made.keyId}\n`);
}

/** `named`: the key's id, or the key itself, which is never printed back; "-" reads it from standard input. */
export async function revokeKey(named: string): Promise<void> {
  const given = named === FROM_STDIN ? (await text(process.stdin)).trim() : named;
  const keyId = await withDb((db) => revokeApiKey(db, given));
  if (keyId === null)
    throw new Error('No live key has this id or is this key. See all ids with: npm run remit -- keys list');
  process.stdout.write(`Revoked ${keyId}\n`);
}

const FROM_STDIN = '-';

export async function listKeys(): Promise<void> {
  const keys = await withDb(listApiKeys);
  const lines = [['key_id', 'name', 'scopes', 'created', 'revoked'], ...keys.map(cellsOf)];
  const [first = []] = lines;
  const widths = first.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  for (const line of lines)
    process.stdout.write(
      `${line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    );
}

function cellsOf({ keyId, name, scopes, createdAt, revokedAt }: ListedApiKey): string[] {
  return [keyId, name, scopes.join(','), createdAt.toISOString(), revokedAt?.toISOString() ?? '-'];
}

async function withDb<Result>(work: (db: Db) => Promise<Result>): Promise<Result> {
  const config = readConfig();
  const log = createLogger({ level: config.logLevel, format: config.logFormat, destination: process.stderr });
  const database = await joinDatabase(config, log);
  const db = await openAnsweringDb(database.url, log);
  try {
    return await work(db);
  } finally {
    await db.close();
    await database.close();
  }
}
