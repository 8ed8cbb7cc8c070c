// The embedded database's folder: made once with initdb, its password file, and what postmaster.pid says of its server.
import { spawnSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { canReach, type PostgresBinaries, type ServerUser, serverUserForRoot } from './binaries.ts';
import { EmbeddedPostgresError } from './error.ts';

/** The superuser only sets up and stops; the program itself connects as the owner of its one database. */
export const adminRole = 'remit_admin';
export const ownerRole = 'remit';
export const databaseName = 'remit';

export type ClusterPaths = { dataDir: string; cluster: string; passwordFile: string; logFile: string };

export type Postmaster = { pid: number; port: number; status: string; text: string };

export function clusterPaths(dataDir: string): ClusterPaths {
  const real = existsSync(dataDir) ? realpathSync(dataDir) : dataDir;
  return {
    dataDir: real,
    cluster: join(real, 'postgres'),
    passwordFile: join(real, 'postgres-password'),
    logFile: join(real, 'postgres.log'),
  };
}

export function makeDataFolder(dataDir: string): ClusterPaths {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o711 });
  } catch (cause) {
    throw folderError({ dataDir, cause });
  }
  return clusterPaths(dataDir);
}

/** Who must run this cluster: its owner when it exists already, since PostgreSQL insists on that. */
export function serverUserFor({ dataDir, cluster }: ClusterPaths): ServerUser {
  const self = process.getuid?.();
  const made = statSync(cluster, { throwIfNoEntry: false });
  if (made === undefined || self === undefined || made.uid === self) {
    if (self !== 0 || made === undefined) return serverUserForRoot();
  } else if (self !== 0) {
    throw new EmbeddedPostgresError(
      `The database in ${cluster} belongs to another user (${made.uid}, we are ${self}). ` +
        `Start as that user, run chown -R on ${dataDir}, or set REMIT_DATA_DIR to another folder.`,
    );
  }
  if (made.uid !== 0) return { uid: made.uid, gid: made.gid };
  throw new EmbeddedPostgresError(
    `The database in ${cluster} belongs to root, and PostgreSQL does not run as root. ` +
      `Run chown -R postgres ${cluster}, or set REMIT_DATA_DIR to another folder.`,
  );
}

/** Opens our own data folder to the server's user (passage only); folders above it are not ours to open. */
export function letServerIn({ dataDir, user }: { dataDir: string; user: ServerUser }): void {
  if (user === undefined) return;
  const mode = statSync(dataDir).mode & 0o7777;
  if ((mode & 0o001) === 0) chmodSync(dataDir, mode | 0o001);
  if (canReach({ folder: dataDir, user })) return;
  const closed = foldersAbove(dataDir).filter((folder) => !canReach({ folder, user }));
  throw new EmbeddedPostgresError(
    `The database would run as user ${user.uid}, who cannot get into ${dataDir}. ` +
      `Run chmod o+x ${closed.at(0) ?? dataDir}, or set REMIT_DATA_DIR to a folder outside it, such as /var/lib/remit.`,
  );
}

function foldersAbove(folder: string): string[] {
  const above = dirname(folder);
  return above === folder ? [folder] : [...foldersAbove(above), folder];
}

/** The one secret on disk. Made by whoever comes first: a link cannot replace a file that is there already. */
export function readOrMakePassword({ passwordFile, cluster }: ClusterPaths): string {
  const found = readPassword(passwordFile);
  if (found !== null) return found;
  if (existsSync(cluster)) {
    throw new EmbeddedPostgresError(
      `${passwordFile} is missing, and without it the database in ${cluster} cannot be opened. ` +
        'Put the file back from your backup, or move the data folder away to begin with an empty one.',
    );
  }
  const draft = `${passwordFile}.${process.pid}`;
  writeFileSync(draft, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 });
  try {
    linkSync(draft, passwordFile);
  } catch (error) {
    if (!existsSync(passwordFile)) throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  return readPassword(passwordFile) ?? readOrMakePassword({ ...clusterPaths(dirname(passwordFile)), passwordFile });
}

export function readPassword(passwordFile: string): string | null {
  try {
    return readFileSync(passwordFile, 'utf8').trim();
  } catch (cause) {
    if (!existsSync(passwordFile)) return null;
    throw new EmbeddedPostgresError(
      `Cannot read ${passwordFile}. Start as the user who owns it, or set REMIT_DATA_DIR to another folder.`,
      { cause },
    );
  }
}

/** The owner's password follows from the superuser's, and tells nothing about it. */
export function ownerPassword(adminPassword: string): string {
  return createHmac('sha256', adminPassword).update(ownerRole).digest('hex');
}

type ClusterOptions = { paths: ClusterPaths; user: ServerUser; binaries: PostgresBinaries; password: string };

/** Makes the cluster aside and moves it in place whole: killed half-way, nothing is left that looks like a database. */
export function makeCluster({ paths, user, binaries, password }: ClusterOptions): void {
  if (existsSync(join(paths.cluster, 'PG_VERSION'))) return;
  clearAbandonedDrafts(paths.dataDir);
  const draft = mkdtempSync(join(paths.dataDir, `postgres-draft-${process.pid}-`));
  try {
    const passwordFile = join(draft, 'password');
    writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
    if (user !== undefined) for (const path of [passwordFile, draft]) chownSync(path, user.uid, user.gid);
    runInitdb({ initdb: binaries.initdb, folder: join(draft, 'cluster'), passwordFile, user });
    renameSync(join(draft, 'cluster'), paths.cluster);
  } catch (error) {
    // Another process that started at the same moment finished first, with the same password.
    if (!existsSync(join(paths.cluster, 'PG_VERSION'))) throw error;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

function runInitdb(options: { initdb: string; folder: string; passwordFile: string; user: ServerUser }): void {
  const { initdb, folder, passwordFile, user } = options;
  const args = ['-D', folder, '-U', adminRole, `--pwfile=${passwordFile}`, '--auth=scram-sha-256'];
  args.push('--locale=C', '--encoding=UTF8', '--no-sync', '--no-instructions');
  const made = spawnSync(initdb, args, { ...user, cwd: dirname(folder), encoding: 'utf8', env: {} });
  if (made.status === 0) return;
  const said = `${made.stderr ?? ''}${made.error?.message ?? ''}`.trim();
  throw folderError({ dataDir: dirname(dirname(folder)), cause: new Error(said) });
}

function clearAbandonedDrafts(dataDir: string): void {
  for (const name of readdirSync(dataDir)) {
    const pid = /^postgres-draft-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(dataDir, name), { recursive: true, force: true });
  }
}

export function folderError({ dataDir, cause }: { dataDir: string; cause: unknown }): EmbeddedPostgresError {
  const said = cause instanceof Error ? cause.message : String(cause);
  if (/ENOSPC|No space left/i.test(said)) {
    return new EmbeddedPostgresError(
      `The disk that holds ${dataDir} is full. Free some space (about 100 MB for a new database), ` +
        'or set REMIT_DATA_DIR to a folder on another disk.',
      { cause },
    );
  }
  if (/EACCES|EPERM|EROFS|denied|not permitted|[Rr]ead-only/.test(said)) {
    return new EmbeddedPostgresError(
      `No permission to write in ${dataDir}. Give it to this user with chown, or set REMIT_DATA_DIR to another folder.`,
      { cause },
    );
  }
  return new EmbeddedPostgresError(
    `The embedded PostgreSQL could not be set up in ${dataDir}: ${said || 'no reason given'}. ` +
      'Mend that, set REMIT_DATA_DIR to another folder, or set DATABASE_URL to a PostgreSQL 15 or newer.',
    { cause },
  );
}

/** What the server last wrote about itself; null when there is no file or it is still being written. */
export function readPostmaster({ cluster }: ClusterPaths): Postmaster | null {
  try {
    const text = readFileSync(join(cluster, 'postmaster.pid'), 'utf8');
    const lines = text.split('\n').map((line) => line.trim());
    const pid = Number(lines[0]);
    if (!Number.isSafeInteger(pid) || pid === 0) return null;
    return { pid: Math.abs(pid), port: Number(lines[3] ?? 0), status: lines[7] ?? 'starting', text };
  } catch {
    return null;
  }
}

/** Whether that process really is the server of this folder: after a crash its number may belong to anybody. */
export function isServing({ postmaster, paths }: { postmaster: Postmaster; paths: ClusterPaths }): boolean {
  if (!isAlive(postmaster.pid)) return false;
  if (process.platform === 'linux') {
    try {
      // The server's working folder is its cluster, also after somebody renamed a folder above it.
      const works = statSync(`/proc/${postmaster.pid}/cwd`);
      const ours = statSync(paths.cluster);
      if (works.dev !== ours.dev || works.ino !== ours.ino) return false;
      return /postgres/.test(readlinkSync(`/proc/${postmaster.pid}/exe`));
    } catch {
      return commandLine(postmaster.pid).includes(paths.cluster);
    }
  }
  if (process.platform === 'win32') return true;
  return commandLine(postmaster.pid).includes(paths.cluster);
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout ?? '';
  }
}

/**
 * Takes away the lock file of a server that is gone but whose number another process has now (PostgreSQL itself would
 * refuse to start). Renamed first and compared, so that the file of a server started meanwhile is put back.
 */
export function removeStaleLock({ postmaster, paths }: { postmaster: Postmaster; paths: ClusterPaths }): void {
  const lock = join(paths.cluster, 'postmaster.pid');
  const aside = `${lock}.${process.pid}`;
  try {
    renameSync(lock, aside);
    if (readFileSync(aside, 'utf8') === postmaster.text) rmSync(aside);
    else renameSync(aside, lock);
  } catch {
    // Somebody else took it away first.
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
