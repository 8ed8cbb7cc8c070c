// Keys at the command line: whoever holds one, or sees its id, can end it, and no command says a key again.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keySaid, takeBootstrapKey } from '../../src/cli/bootstrap-key.ts';
import { createApiKey, ensureBootstrapKey, findApiKey, type NewApiKey, revokeApiKey } from '../../src/jobs/api-key.ts';
import { type Db, openDb } from '../../src/runtime/db.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { runCommand } from '../harness/command.ts';
import { createDatabase, type TestDatabase } from '../harness/postgres.ts';

let database: TestDatabase;
let db: Db;
beforeAll(async () => {
  database = await createDatabase();
  db = await openDb(database.url, { log: silentLogger() });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

const FIRST = `-h${'f'.repeat(41)}`;
const keys = (args: readonly string[], input?: string) =>
  runCommand(['keys', ...args], { env: { DATABASE_URL: database.url }, ...(input !== undefined && { input }) });
const isRevoked = async (keyId: string) => (await findApiKey(db, keyId))?.revokedAt != null;
const make = (name: string): Promise<NewApiKey> => createApiKey(db, { name, scopes: ['read', 'write'] });

test('the list shows each key with what it may do and whether it still may, and no value', async () => {
  const made = await keys(['create', '--scopes', 'read,write', '--name', 'shop\u001b[2J']);
  const key = made.stdout.trim();
  const keyId = (await findApiKey(db, key))?.keyId ?? 'none';
  expect(made.stderr).toContain(`revoke it with: npm run remit -- keys revoke ${keyId}`);
  const first = await ensureBootstrapKey(db, FIRST);
  const listed = await keys(['list']);
  expect(listed.code).toBe(0);
  expect(listed.stdout).toMatch(/^id +created +revoked +scopes +name *$/m);
  expect(listed.stdout).toMatch(new RegExp(`^${keyId}  \\S+Z  -  +read,write +shop\\?\\[2J$`, 'm'));
  expect(listed.stdout).toMatch(new RegExp(`^${first.keyId}  \\S+Z  -  +read,write,operate +bootstrap`, 'm'));
  expect(listed.stdout).not.toContain(key);
  expect(listed.stdout).not.toContain(FIRST);
  const { stdout } = await keys(['list', '--json']);
  expect(JSON.parse(stdout)).toContainEqual({
    key_id: keyId,
    name: 'shop\u001b[2J',
    scopes: ['read', 'write'],
    created_at: expect.stringMatching(/^\d{4}-.*Z$/),
    revoked_at: null,
  });
});

test('a start tells the id of the first key, the key itself once, and that it was revoked', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'remit-first-key-'));
  const start = async () => {
    const key = takeBootstrapKey({ bootstrapKey: null, dataDir });
    const known = await ensureBootstrapKey(db, key.text);
    return { key: key.text, keyId: known.keyId, said: keySaid(key, known) };
  };
  const [first, second] = [await start(), await start()];
  const file = join(dataDir, 'bootstrap-key');
  expect(first.said).toBe(`${first.key}  (id ${first.keyId}, kept in ${file})`);
  expect(second).toEqual({ ...first, said: `kept in ${file}  (id ${first.keyId})` });
  await revokeApiKey(db, first.keyId);
  expect((await start()).said).toMatch(new RegExp(`^kept in .*id ${first.keyId}, REVOKED: .*keys create`));
  writeFileSync(file, '');
  await expect(start()).rejects.toThrow(/holds no key.*delete the file/);
  rmSync(dataDir, { recursive: true });
});

describe('a key is revoked', () => {
  test('by the key itself, also one that looks like an option, and is not said back', async () => {
    const { keyId } = await ensureBootstrapKey(db, FIRST);
    const said = await keys(['revoke', FIRST]);
    expect(said).toMatchObject({ code: 0, stdout: expect.stringContaining(`Revoked ${keyId} (bootstrap)`) });
    expect(said.stdout + said.stderr).not.toContain(FIRST);
    expect(await isRevoked(keyId)).toBe(true);
    // As a start with the same value does.
    expect((await ensureBootstrapKey(db, FIRST)).revokedAt).toBeInstanceOf(Date);
  });

  test('by the key on the standard input, where no history keeps it', async () => {
    const { key, keyId } = await make('piped');
    const said = await keys(['revoke', '-'], `${key}\n`);
    expect(said).toMatchObject({ code: 0, stdout: expect.stringContaining(`Revoked ${keyId} (piped)`) });
    expect(said.stdout + said.stderr).not.toContain(key);
    expect(await isRevoked(keyId)).toBe(true);
  });

  test('by its id, and a second time without harm', async () => {
    const { keyId } = await make('by id');
    expect(await keys(['revoke', keyId.toUpperCase()])).toMatchObject({ code: 0 });
    expect(await isRevoked(keyId)).toBe(true);
    expect(await keys(['revoke', keyId])).toMatchObject({ code: 0, stdout: `${keyId} (by id) was revoked before.\n` });
  });

  test('and no other: what is unknown, or more than one word, ends nothing and is not said back', async () => {
    const { key, keyId } = await make('bystander');
    const unknown = await keys(['revoke', 'wrong-word-0123456789']);
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringMatching(/no such key.*keys list/) });
    const words = await keys(['revoke', key, 'wrong-word-0123456789']);
    expect(words).toMatchObject({ code: 2, stderr: expect.stringContaining('Give one key id, one key, or "-"') });
    expect(unknown.stderr + words.stderr).not.toMatch(new RegExp(`wrong-word|${key}`));
    expect(await isRevoked(keyId)).toBe(false);
  });
});
