// `remit keys`: API keys are made and revoked here; a key is shown once and kept only as a digest.

import { createApiKey, revokeApiKey, type Scope } from '../jobs/api-key.ts';
import { readConfig } from '../runtime/config.ts';
import type { Db } from '../runtime/db.ts';
import { createLogger } from '../runtime/logger.ts';
import { joinDatabase, openAnsweringDb } from './database.ts';

export async function createKey({ scopes, name }: { scopes: readonly Scope[]; name: string }): Promise<void> {
  const made = await withDb((db) => createApiKey(db, { name, scopes }));
  process.stdout.write(`${made.key}\n`);
  process.stderr.write(
    `Key ${made.keyId} (${scopes.join(', ')}). It is shown once; revoke it with: keys revoke ${made.keyId}\n`,
  );
}

export async function revokeKey(keyId: string): Promise<void> {
  const isRevoked = await withDb((db) => revokeApiKey(db, keyId));
  if (!isRevoked) throw new Error(`There is no live key ${keyId}. The id was printed when the key was made.`);
  process.stdout.write(`Revoked ${keyId}\n`);
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
