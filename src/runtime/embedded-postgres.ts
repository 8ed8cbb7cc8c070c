// The PostgreSQL that comes with the program: started on first use, taken over when it already runs, restarted after a
// crash. It stands in its own process group, so that Ctrl-C reaches us first and we stop it last.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, fstatSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { totalmem } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { findBinaries, type PostgresBinaries, type ServerUser } from './embedded-postgres/binaries.ts';
import {
  type ClusterPaths,
  clusterPaths,
  databaseName,
  folderError,
  isServing,
  letServerIn,
  makeCluster,
  makeDataFolder,
  ownerPassword,
  ownerRole,
  type Postmaster,
  readOrMakePassword,
  readPassword,
  readPostmaster,
  removeStaleLock,
  serverUserFor,
} from './embedded-postgres/cluster.ts';
import { EmbeddedPostgresError } from './embedded-postgres/error.ts';
import { ensureDatabase, knock } from './embedded-postgres/login.ts';
import type { Logger } from './logger.ts';

export { EmbeddedPostgresError } from './embedded-postgres/error.ts';

export type EmbeddedPostgres = {
  url: string;
  port: number;
  /** True when the server ran already; it is then somebody else's to stop, unless the caller knows better. */
  adopted: boolean;
  stop(): Promise<void>;
};

export type EmbeddedPostgresOptions = {
  dataDir: string;
  /** Tests only: fsync and synchronous_commit off, a power cut may then lose or break everything. */
  unsafe?: boolean;
  log: Pick<Logger, 'info' | 'warn'>;
};

// The first start takes about a second; replaying the log of a long crash on a slow disk takes the rest.
const startTimeoutMs = 60_000;
const pollMs = 25;
// A fast shutdown takes some 25 ms; a server that does not answer in this time is cut off and replays its log later.
const fastStopMs = 4_000;
const immediateStopMs = 2_000;
// 64 payouts, 256 transfers and the web at once share pools; the rest is for several processes and for people.
const connectionsMax = 300;
const buffersMinMb = 128;
const buffersMaxMb = 2_048;
const logKeptBytes = 10 * 1024 * 1024;
const logTailLines = 12;

export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const dataDir = options.dataDir;
  try {
    return await reachServer(options);
  } catch (error) {
    throw error instanceof EmbeddedPostgresError ? error : folderError({ dataDir, cause: error });
  }
}

/** The address of the server that runs on this data folder now, or null. Starts and changes nothing. */
export async function findEmbeddedPostgres(dataDir: string): Promise<string | null> {
  const paths = clusterPaths(dataDir);
  const password = readPassword(paths.passwordFile);
  const postmaster = readPostmaster(paths);
  if (password === null || postmaster === null || !isServing({ postmaster, paths })) return null;
  const answer = await knock({ port: postmaster.port, password, paths });
  return answer === 'welcome' ? ownerUrl({ port: postmaster.port, password }) : null;
}

/** Looks again until a server of this folder lets us in: whoever loses a race to start it finds the winner's. */
async function reachServer({ dataDir, unsafe = false, log }: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const paths = makeDataFolder(dataDir);
  const user = serverUserFor(paths);
  letServerIn({ dataDir: paths.dataDir, user });
  const password = readOrMakePassword(paths);
  const giveUpAt = performance.now() + startTimeoutMs;
  let binaries: PostgresBinaries | null = null;
  let own: Launched | null = null;
  try {
    while (performance.now() < giveUpAt) {
      const postmaster = readPostmaster(paths);
      if (postmaster !== null && isServing({ postmaster, paths })) {
        if ((await tryToEnter({ postmaster, paths, password })) === 'in') {
          await ensureDatabase({ port: postmaster.port, password });
          const adopted = own?.child.pid !== postmaster.pid;
          log.info({ port: postmaster.port }, adopted ? 'embedded PostgreSQL adopted' : 'embedded PostgreSQL started');
          own = null;
          return serverHandle({ postmaster, paths, password, adopted, binaries });
        }
      } else if (own === null || hasExited(own.child)) {
        if (own !== null) refuseIfHopeless(paths, own);
        if (postmaster !== null) removeStaleLock({ postmaster, paths });
        binaries ??= findBinaries(user);
        makeCluster({ paths, user, binaries, password });
        own = await launch({ paths, user, binaries, unsafe });
      }
      await delay(pollMs);
    }
  } finally {
    // Only a start that failed leaves its server here: without a login nobody could use or stop it.
    if (own !== null) await endChild(own.child);
  }
  throw new EmbeddedPostgresError(
    `The embedded PostgreSQL was not ready after ${startTimeoutMs / 1000} s. Its log ends:\n` +
      `${logTail(paths, own?.logFrom ?? 0)}\n` +
      `Read ${paths.logFile}, wait and start again, or set DATABASE_URL to a PostgreSQL 15 or newer.`,
  );
}

async function tryToEnter(options: { postmaster: Postmaster; paths: ClusterPaths; password: string }) {
  const { postmaster, paths, password } = options;
  const answer = await knock({ port: postmaster.port, password, paths });
  if (answer === 'welcome') return 'in';
  if (answer === 'not_yet') return 'later';
  // The file may be a moment older than the server: only the one it names now can be judged.
  if (readPostmaster(paths)?.pid !== postmaster.pid) return 'later';
  throw new EmbeddedPostgresError(
    `The PostgreSQL on ${paths.cluster} (process ${postmaster.pid}, port ${postmaster.port}) does not accept ` +
      `the password in ${paths.passwordFile}. Put the right file back, or stop that server ` +
      `(kill -INT ${postmaster.pid}) and set REMIT_DATA_DIR to another folder.`,
  );
}

/** The log is appended to, so what this start wrote begins at `logFrom`. */
type Launched = { child: ChildProcess; logFrom: number };

type LaunchOptions = { paths: ClusterPaths; user: ServerUser; binaries: PostgresBinaries; unsafe: boolean };

async function launch({ paths, user, binaries, unsafe }: LaunchOptions): Promise<Launched> {
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(await freePort()),
    unix_socket_directories: '',
    max_connections: String(connectionsMax),
    jit: 'off',
    shared_buffers: `${buffersMb()}MB`,
    // After a checkpoint whole pages are logged again, so few of them; the disk holds this much more.
    max_wal_size: '2GB',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...(unsafe ? { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' } : {}),
  };
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const log = openLog(paths);
  const logFrom = fstatSync(log).size;
  try {
    const child = spawn(binaries.postgres, ['-D', paths.cluster, ...args], {
      ...user,
      cwd: process.platform === 'win32' ? paths.cluster : '/',
      // Variables such as PGPORT or PGDATA of the surroundings must not change this server.
      env: {},
      detached: true,
      stdio: ['ignore', log, log],
    });
    // A failed spawn shows as a child without a number, which counts as one that has ended.
    child.on('error', () => {});
    child.unref();
    return { child, logFrom };
  } finally {
    closeSync(log);
  }
}

// A sixteenth of the memory: the indexes that five million entries are added to at random would not stay in
// PostgreSQL's default of 128 MB. What small books do not fill is never taken.
function buffersMb(): number {
  const bytes = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  return Math.round(Math.min(Math.max(bytes / 2 ** 24, buffersMinMb), buffersMaxMb));
}

async function endChild(child: ChildProcess): Promise<void> {
  if (hasExited(child)) return;
  child.kill('SIGINT');
  await until({ condition: () => hasExited(child), limitMs: fastStopMs });
}

function hasExited(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

// What a server says when another is still on its way out or in, or was quicker: trying again settles it.
const passing = /pre-existing shared memory block|lock file "postmaster.pid"|Address already in use|could not bind/i;

function refuseIfHopeless(paths: ClusterPaths, { child, logFrom }: Launched): void {
  const tail = logTail(paths, logFrom);
  if (passing.test(tail)) return;
  const disk = /No space left/i.test(tail) ? 'Free some space on the disk' : `Read ${paths.logFile}`;
  throw new EmbeddedPostgresError(
    `The embedded PostgreSQL ended at once (${child.signalCode ?? child.exitCode ?? 'not started'}). Its log ends:\n` +
      `${tail}\n${disk}, then start again; or set DATABASE_URL to a PostgreSQL 15 or newer.`,
  );
}

function openLog({ logFile }: ClusterPaths): number {
  const size = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
  if (size > logKeptBytes) renameSync(logFile, `${logFile}.1`);
  return openSync(logFile, 'a', 0o600);
}

function logTail({ logFile }: ClusterPaths, from: number): string {
  try {
    const written = readFileSync(logFile).subarray(from).toString('utf8');
    return written.trimEnd().split('\n').slice(-logTailLines).join('\n');
  } catch {
    return '(no log)';
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

function ownerUrl({ port, password }: { port: number; password: string }): string {
  return `postgres://${ownerRole}:${ownerPassword(password)}@127.0.0.1:${port}/${databaseName}`;
}

type HandleOptions = {
  postmaster: Postmaster;
  paths: ClusterPaths;
  password: string;
  adopted: boolean;
  binaries: PostgresBinaries | null;
};

function serverHandle({ postmaster, paths, password, adopted, binaries }: HandleOptions): EmbeddedPostgres {
  const isGone = () => !isServing({ postmaster, paths });
  let stopping: Promise<void> | null = null;
  const stopOnce = async () => {
    for (const [signal, limitMs] of [
      ['SIGINT', fastStopMs],
      ['SIGQUIT', immediateStopMs],
    ] as const) {
      if (isGone()) return;
      send({ signal, pid: postmaster.pid, binaries });
      if (await until({ condition: isGone, limitMs })) return;
    }
    throw new EmbeddedPostgresError(
      `The embedded PostgreSQL (process ${postmaster.pid}) does not stop. End it with kill -QUIT ${postmaster.pid}.`,
    );
  };
  return {
    url: ownerUrl({ port: postmaster.port, password }),
    port: postmaster.port,
    adopted,
    stop() {
      stopping ??= stopOnce();
      return stopping;
    },
  };
}

/** SIGINT is PostgreSQL's fast shutdown, SIGQUIT its immediate one. Windows has no signals; its own tool sends them. */
function send(options: { signal: 'SIGINT' | 'SIGQUIT'; pid: number; binaries: PostgresBinaries | null }): void {
  const { signal, pid, binaries } = options;
  if (process.platform === 'win32') {
    const pgCtl = (binaries ?? findBinaries(undefined)).pgCtl;
    spawnSync(pgCtl, ['kill', signal.slice('SIG'.length), String(pid)], { stdio: 'ignore' });
    return;
  }
  try {
    process.kill(pid, signal);
  } catch {
    // It ended between the look and the signal.
  }
}

async function until({ condition, limitMs }: { condition: () => boolean; limitMs: number }): Promise<boolean> {
  const giveUpAt = performance.now() + limitMs;
  while (performance.now() < giveUpAt) {
    if (condition()) return true;
    await delay(pollMs);
  }
  return condition();
}
