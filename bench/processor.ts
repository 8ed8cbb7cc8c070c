// The processor under test: remit's own commands in processes of their own, with the settings of a normal start. What
// they log goes to a file, as a service's log would.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import manifest from '../package.json' with { type: 'json' };

export interface Processor {
  readonly pid: number;
  /** Where its API listens; empty for a worker. */
  readonly url: string;
  stop(): Promise<void>;
}

/** A start takes a second or two; on a machine that is busy with other things, much longer. */
const START_TIMEOUT_MS = 180_000;
/** It ends itself within ten seconds. */
const STOP_TIMEOUT_MS = 15_000;
/** Reconcile must not do the queue's work: a backlog may be put in for longer than the usual minute. */
export const LEASE_MS = 180_000;
const LOG_SHOWN = 2_000;

export interface ProcessorOptions {
  readonly command: 'all' | 'worker';
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** For node itself, such as --cpu-prof. */
  readonly nodeArguments?: readonly string[];
}

export async function startProcessor(options: ProcessorOptions): Promise<Processor> {
  const { command, folder, env, nodeArguments = [] } = options;
  const logFile = join(folder, `${command}.log`);
  const log = openSync(logFile, 'a');
  const main = fileURLToPath(new URL('../src/main.mjs', import.meta.url));
  const child = spawn(process.execPath, [...usualNodeArguments(), ...nodeArguments, main, command], {
    env: { ...surroundings(), PORT: '0', LOG_FORMAT: 'json', LEASE_MS: String(LEASE_MS), ...env },
    stdio: ['ignore', 'pipe', log],
  });
  closeSync(log);
  const exited = once(child, 'exit');
  const ready = await Promise.race([
    readyLine(child),
    exited.then(() => null),
    new Promise<null>((resolve) => setTimeout(() => resolve(null), START_TIMEOUT_MS).unref()),
  ]);
  if (ready === null || child.pid === undefined) {
    await stop(child, exited);
    throw new Error(`remit ${command} did not start. It said:\n${readFileSync(logFile, 'utf8').slice(-LOG_SHOWN)}`);
  }
  const url = /http:\S+/.exec(ready)?.[0] ?? '';
  return { pid: child.pid, url, stop: () => stop(child, exited) };
}

/** What `npm start` hands to node. */
function usualNodeArguments(): string[] {
  return manifest.scripts.start.split(' ').filter((word) => word.startsWith('--'));
}

/** None of the caller's settings: a key of a real provider must not reach a bench. */
function surroundings(): NodeJS.ProcessEnv {
  const { PATH, HOME, SystemRoot } = process.env;
  return { PATH, HOME, SystemRoot, TMPDIR: tmpdir() };
}

async function readyLine(child: ChildProcess): Promise<string | null> {
  if (child.stdout === null) return null;
  for await (const line of createInterface({ input: child.stdout })) {
    if (!/^(API|Worker) /.test(line)) continue;
    // Read on, or the process would block once the pipe is full.
    child.stdout.resume();
    return line;
  }
  return null;
}

async function stop(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await exited;
  clearTimeout(late);
}
