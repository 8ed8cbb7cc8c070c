// The first key's file in the data folder: `npm start` keeps the key there, and a load takes it from there.

import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KEY_GRAMMAR } from '../api/auth.ts';
import type { KnownApiKey } from '../jobs/api-key.ts';
import { type Config, ConfigError } from '../runtime/config.ts';

/** As long as the keys that the API makes. */
const KEY_BYTES = 32;

interface BootstrapKey {
  readonly text: string;
  /** What the start says about it: the key itself only when it was just made. */
  readonly shown: string;
  /** Where a new one is kept; empty for the others, which say so themselves. */
  readonly whereabouts: string;
}

/** The one that is given or kept, or a new one, which is kept from then on. */
export function takeBootstrapKey({
  bootstrapKey: given,
  dataDir,
}: Pick<Config, 'bootstrapKey' | 'dataDir'>): BootstrapKey {
  if (given !== null) return { text: given, shown: 'as given in REMIT_BOOTSTRAP_KEY', whereabouts: '' };
  const file = bootstrapKeyFile(dataDir);
  const kept = readBootstrapKey(file);
  if (kept !== null) return { text: kept, shown: `kept in ${file}`, whereabouts: '' };
  const text = randomBytes(KEY_BYTES).toString('base64url');
  writeFileSync(file, `${text}\n`, { mode: 0o600 });
  return { text, shown: text, whereabouts: `, kept in ${file}` };
}

/** Its id is what it is revoked by; once it is, whoever starts with it still should hear so. */
export function keySaid({ shown, whereabouts }: BootstrapKey, { keyId, revokedAt }: KnownApiKey): string {
  const state = revokedAt === null ? '' : ', REVOKED: "npm run remit -- keys create" makes another';
  return `${shown}  (id ${keyId}${whereabouts}${state})`;
}

export function bootstrapKeyFile(dataDir: string): string {
  return join(dataDir, 'bootstrap-key');
}

/** Null when there is none yet. Throws a ConfigError with the way out, and never says what stands in the file. */
export function readBootstrapKey(file: string): string | null {
  if (!existsSync(file)) return null;
  const key = readKey(file);
  if (KEY_GRAMMAR.test(key)) return key;
  throw new ConfigError([
    `${file} holds no key (up to 128 characters of A-Z a-z 0-9 _ -). Put the key back, or delete the file: the next ` +
      '"npm start" makes another key.',
  ]);
}

function readKey(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new ConfigError([
      `${file} cannot be read (${reason}). Let this user read it, or give the key in REMIT_BOOTSTRAP_KEY.`,
    ]);
  }
}
