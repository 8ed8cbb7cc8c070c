// A database that may lose what it said it kept is refused at the start, whichever of its settings makes it so.

import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type Db, openDb, refuseUnsafeDatabase } from '../../src/runtime/db.ts';
import { clusterPaths, readPostmaster } from '../../src/runtime/embedded-postgres/cluster.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/runtime/embedded-postgres.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { openHome } from '../harness/process.ts';
import { until } from '../harness/until.ts';

const log = silentLogger();
const SETTINGS = ['fsync', 'synchronous_commit', 'full_page_writes'] as const;

describe('a database', () => {
  let folder: string;
  let server: EmbeddedPostgres;
  let db: Db;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'remit-unsafe-'));
    server = await startEmbeddedPostgres({ dataDir: folder, log });
    db = await openDb(server.url, { log });
  });
  afterAll(async () => {
    await db.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test('that is as durable as it comes is taken', async () => {
    await expect(refuseUnsafeDatabase(db, { unsafeDurability: false })).resolves.toBeUndefined();
  });

  test.each(SETTINGS)('with %s off is refused, with the way out, unless it is for tests', async (setting) => {
    await set(setting, 'off');
    const refused = refuseUnsafeDatabase(db, { unsafeDurability: false });
    await expect(refused).rejects.toThrow(new RegExp(`lose committed money: ${setting} is off\\. Set it to "on"`));
    await expect(refuseUnsafeDatabase(db, { unsafeDurability: true })).resolves.toBeUndefined();
    await set(setting, 'on');
    await expect(refuseUnsafeDatabase(db, { unsafeDurability: false })).resolves.toBeUndefined();
  });

  /** As an administrator does it: in the file, and a reload. */
  async function set(setting: string, value: string): Promise<void> {
    const paths = clusterPaths(folder);
    appendFileSync(join(paths.cluster, 'postgresql.auto.conf'), `${setting} = ${value}\n`);
    process.kill(readPostmaster(paths)?.pid ?? 0, 'SIGHUP');
    const shown = async () => {
      const { rows } = await sql<{ shown: string }>`SELECT current_setting(${setting}) AS shown`.execute(db.sql);
      return rows[0]?.shown;
    };
    await until(shown, (now) => now === value);
  }
});

test('a worker does not start on such a database, and says why in one line', async () => {
  const home = openHome({ DATABASE_URL: inject('postgresUrl'), SANDBOX_PORT: '9' });
  try {
    const refused = await home.run(['worker']);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    const said = refused.stderr.trimEnd().split('\n').at(-1);
    expect(said).toMatch(/lose committed money: fsync, synchronous_commit, full_page_writes is off\. Set it .+\.$/);
  } finally {
    await home.close();
  }
});
