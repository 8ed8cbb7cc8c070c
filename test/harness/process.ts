// remit as its users run it: child processes on a throw-away data folder, reached over HTTP, killed and stopped from
// outside. Whatever a test does to them, close() leaves no process and no folder behind, and so does a killed run.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { clusterPaths, isServing, readPostmaster } from '../../src/runtime/embedded-postgres/cluster.ts';
import { findEmbeddedPostgres } from '../../src/runtime/embedded-postgres.ts';
import { isRunning, pidsBelow, pidsGiven, readProcesses } from './process-table.ts';

export type Command = 'all' | 'api' | 'worker' | 'sandbox';
export type Env = Readonly<Record<string, string>>;
export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

export interface Running {
  readonly pid: number;
  /** Where its API listens; empty when it has none. */
  readonly url: string;
  /** What it has written so far. */
  stdout(): string;
  stderr(): string;
  readonly exited: Promise<Exit>;
  signal(name: NodeJS.Signals): void;
  /** Sends the signal and waits for the end. */
  end(name: NodeJS.Signals): Promise<Exit>;
  /** Its children that are of this program: the sandbox and the database server. */
  children(): { readonly sandbox: number | null; readonly postgres: number | null };
}

export interface Home {
  readonly folder: string;
  readonly key: string;
  /** Starts a command and waits until it says that it is ready. */
  start(command: Command, options?: { args?: readonly string[]; env?: Env }): Promise<Running>;
  /** The same without waiting: it has no address yet. */
  begin(command: Command): Running;
  /** Starts and waits in any other way, such as through a shell. */
  launch(file: string, args: readonly string[], env?: Env): Promise<Running>;
  /** Runs a command to its end. */
  run(args: readonly string[], env?: Env): Promise<Exit & { stdout: string; stderr: string }>;
  /** The API that was started last. */
  url(): string;
  sandboxUrl(): string;
  databaseUrl(): Promise<string>;
  postgresPid(): number | null;
  close(): Promise<void>;
}

export const root = fileURLToPath(new URL('../../', import.meta.url));
const main = join(root, 'src/main.mjs');
/** LEASE_MS is the grace after "not found" too, so an unknown payout is settled within seconds. */
const SHORT_TIMES = { LEASE_MS: '3000', PROVIDER_TIMEOUT_MS: '1200', RECONCILE_MS: '300' };
/** A first start makes a database; on a busy machine that may take a while. */
const READY_WITHIN_MS = 45_000;
/** What the program promises for its end. */
export const ENDS_WITHIN_MS = 10_000;

export function openHome(given: Env = {}): Home {
  const folder = mkdtempSync(join(tmpdir(), 'remit-scenario-'));
  const guard = guardOf(folder);
  const key = `scenario_${'k'.repeat(32)}`;
  const running = new Set<ChildProcess>();
  let url = '';

  function spawnHere(file: string, args: readonly string[], env: Env = {}): ChildProcess {
    const surroundings = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? folder, TMPDIR: tmpdir() };
    const own = { REMIT_DATA_DIR: folder, REMIT_BOOTSTRAP_KEY: key, PORT: '0', LOG_FORMAT: 'json', ...SHORT_TIMES };
    const child = spawn(file, [...args], {
      cwd: root,
      env: { ...surroundings, ...own, ...given, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    guard.watch(child);
    child.once('exit', () => running.delete(child));
    return child;
  }

  const home: Home = {
    folder,
    key,
    start: (command, { args = [], env } = {}) => home.launch(process.execPath, [main, command, ...args], env),
    begin: (command) => runningOf(spawnHere(process.execPath, [main, command])),
    async launch(file, args, env) {
      const ready = await whenReady(runningOf(spawnHere(file, args, env)));
      if (ready.url !== '') url = ready.url;
      return ready;
    },
    async run(args, env) {
      const { exited, stdout, stderr } = runningOf(spawnHere(process.execPath, [main, ...args], env));
      const exit = await exited;
      return { ...exit, stdout: stdout(), stderr: stderr() };
    },
    url: () => url,
    sandboxUrl: () => readFileSync(join(folder, 'sandbox.address'), 'utf8'),
    async databaseUrl() {
      const found = await findEmbeddedPostgres(folder);
      if (found === null) throw new Error('The embedded PostgreSQL of this folder does not run.');
      return found;
    },
    postgresPid: () => postgresPid(folder),
    async close() {
      await Promise.all([...running].map(endChild));
      await endStrays(folder);
      guard.dismiss();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return home;
}

async function whenReady(running: Running): Promise<Running> {
  const { exited, stdout, stderr } = running;
  let isGone = false;
  void exited.then(() => {
    isGone = true;
  });
  const isReady = () => isGone || /^(API|Worker|Sandbox) .*\n/m.test(stdout());
  await until('remit is ready', isReady, READY_WITHIN_MS).catch((cause: unknown) => {
    throw new Error(`remit was not ready in time:\n${stderr().slice(-2000)}`, { cause });
  });
  if (isGone) throw new Error(`remit ended at its start:\n${stderr().slice(-2000)}`);
  return { ...running, url: /^API +(http\S+)/m.exec(stdout())?.[1] ?? '' };
}

function runningOf(child: ChildProcess): Running {
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  const exited = exitOf(child);
  const pid = child.pid ?? 0;
  return {
    pid,
    url: '',
    stdout,
    stderr,
    exited,
    signal: (name) => void child.kill(name),
    async end(name) {
      child.kill(name);
      return exited;
    },
    children() {
      const below = pidsBelow(pid, readProcesses());
      const named = (pattern: RegExp) => below.find(({ command }) => pattern.test(command))?.pid ?? null;
      return { sandbox: named(/main\.mjs sandbox/), postgres: named(/bin\/postgres /) };
    },
  };
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  let text = '';
  stream?.on('data', (piece: Buffer) => {
    text += piece.toString('utf8');
  });
  return () => text;
}

async function exitOf(child: ChildProcess): Promise<Exit> {
  // Both are kept by the child itself, so nothing is lost when it has ended already.
  if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
  return { code: child.exitCode, signal: child.signalCode };
}

async function endChild(child: ChildProcess): Promise<void> {
  const gone = exitOf(child);
  child.kill('SIGCONT');
  child.kill('SIGTERM');
  const isLate = await Promise.race([gone.then(() => false), delay(ENDS_WITHIN_MS, true, { ref: false })]);
  if (isLate) child.kill('SIGKILL');
  await gone;
}

function postgresPid(folder: string): number | null {
  const paths = clusterPaths(folder);
  const postmaster = readPostmaster(paths);
  return postmaster !== null && isServing({ postmaster, paths }) ? postmaster.pid : null;
}

/** Processes of this folder that outlived the one that started them, as a killed one leaves its database server. */
async function endStrays(folder: string): Promise<void> {
  const strays = () => pidsGiven(`REMIT_DATA_DIR=${folder}`);
  // The sandbox needs a moment to notice that its parent is gone; nothing else should be here.
  const isQuiet = () => strays().length === 0;
  await until('the strays have ended', isQuiet, STRAYS_END_WITHIN_MS).catch(() => {
    for (const pid of strays()) process.kill(pid, 'SIGKILL');
  });
  const postgres = postgresPid(folder);
  if (postgres !== null) {
    process.kill(postgres, 'SIGINT');
    await until('the database server has ended', () => !isRunning(postgres), ENDS_WITHIN_MS);
  }
}

const STRAYS_END_WITHIN_MS = 3_000;

/** Polls until `look` gives something true, and returns that. */
export async function until<Found>(
  what: string,
  look: () => Found | Promise<Found>,
  limitMs: number,
): Promise<NonNullable<Found>> {
  const giveUpAt = performance.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found;
    if (performance.now() > giveUpAt) throw new Error(`Waited ${limitMs} ms in vain: ${what}.`);
    await delay(POLL_MS);
  }
}

const POLL_MS = 50;

export async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Ends what runs here also when the run itself is killed: its pipe to this process then closes. */
function guardOf(folder: string): { watch(child: ChildProcess): void; dismiss(): void } {
  const guard = spawn('/bin/sh', ['-c', GUARD_SCRIPT, 'sh', folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.unref();
  // The guard may be gone when the last child ends; that is no news.
  guard.stdin.on('error', () => {});
  return {
    watch(child) {
      guard.stdin.write(`+ ${child.pid}\n`);
      child.once('exit', () => guard.stdin.write(`- ${child.pid}\n`));
    },
    dismiss() {
      guard.kill('SIGKILL');
    },
  };
}

const GUARD_SCRIPT = `
pids=
while read -r sign pid; do
  rest=
  for one in $pids; do [ "$one" = "$pid" ] || rest="$rest $one"; done
  pids=$rest
  [ "$sign" = + ] && pids="$pids $pid"
done
for one in $pids; do kill -9 "$one"; done
read -r postmaster < "$1/postgres/postmaster.pid" && kill -QUIT "$postmaster" && while kill -0 "$postmaster"; do :; done
rm -rf "$1"
`;
