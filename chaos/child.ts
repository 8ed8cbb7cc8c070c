// One process of the run: started until it says that it is ready, killed, paused, and started again when it ends by
// itself, as a supervisor in production would. What it says goes to a file of its own.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Guard } from './guard.ts';

export interface Recipe {
  readonly name: string;
  readonly command: string;
  readonly args: () => readonly string[];
  readonly env: () => Readonly<Record<string, string>>;
  /** Where its file of output goes. */
  readonly logs: string;
  readonly guard: Guard;
  /** What it says on stdout when it works. */
  readonly ready: RegExp;
  /** Runs after it is ready, each time. */
  readonly onReady?: () => Promise<void>;
  /** An end with code 0 is what it is for. */
  readonly mayEnd?: boolean;
}

export interface Child {
  readonly name: string;
  /** Resolves when it is ready, however often it had to be tried. */
  start(): Promise<void>;
  /** SIGKILL, and waits for the end. It stays down until `start`. */
  kill(): Promise<void>;
  signal(name: 'SIGSTOP' | 'SIGCONT' | 'SIGTERM'): void;
  isUp(): boolean;
  /** How often it ended although nobody killed it. */
  ends(): readonly string[];
  /** Resolves at an end with code 0, where that is allowed. */
  readonly done: Promise<void>;
}

/** A start on a busy machine that is being broken takes long; a start that takes longer is tried again. */
const READY_WITHIN_MS = 90_000;
const AGAIN_AFTER_MS = 300;

export function childOf(recipe: Recipe): Child {
  const log = createWriteStream(join(recipe.logs, `${recipe.name}.log`), { flags: 'a' });
  const ends: string[] = [];
  const finished = Promise.withResolvers<void>();
  let child: ChildProcess | null = null;
  let isWanted = false;
  let isReady = false;
  let starting: Promise<void> | null = null;

  function spawnOnce(): ChildProcess {
    const made = spawn(recipe.command, [...recipe.args()], {
      env: { PATH: process.env.PATH ?? '', ...recipe.env() },
      stdio: ['ignore', 'pipe', 'pipe'],
      // Ctrl-C is for the run, which then ends its processes in its own order.
      detached: true,
    });
    made.on('error', () => undefined);
    recipe.guard.watch(made);
    made.stdout.pipe(log, { end: false });
    made.stderr.pipe(log, { end: false });
    made.once('exit', (code, signal) => onExit(made, { code, signal }));
    return made;
  }

  function onExit(made: ChildProcess, { code, signal }: { code: number | null; signal: string | null }): void {
    if (child !== made) return;
    child = null;
    isReady = false;
    if (!isWanted) return;
    if (recipe.mayEnd === true && code === 0) {
      isWanted = false;
      finished.resolve();
      return;
    }
    ends.push(`${recipe.name} ended by itself (${signal ?? code}) at ${new Date().toISOString()}`);
    void wait(AGAIN_AFTER_MS).then(() => start());
  }

  async function tryStart(): Promise<boolean> {
    child ??= spawnOnce();
    const made = child;
    const isUp = await Promise.race([
      said(made, recipe.ready),
      once(made, 'exit').then(() => false),
      wait(READY_WITHIN_MS, false, { ref: false }),
    ]);
    if (!isUp && child === made) {
      child = null;
      made.kill('SIGKILL');
    }
    return isUp;
  }

  async function startUntilReady(): Promise<void> {
    isWanted = true;
    while (isWanted && !isReady) {
      isReady = await tryStart();
      if (!isReady && isWanted) await wait(AGAIN_AFTER_MS);
    }
    if (isReady) await recipe.onReady?.();
  }

  function start(): Promise<void> {
    if (isReady) return Promise.resolve();
    starting ??= startUntilReady().finally(() => {
      starting = null;
    });
    return starting;
  }

  return {
    name: recipe.name,
    start,
    async kill() {
      isWanted = false;
      isReady = false;
      const made = child;
      child = null;
      if (made !== null && made.exitCode === null && made.signalCode === null) {
        const gone = once(made, 'exit');
        made.kill('SIGKILL');
        await gone;
      }
      await starting;
    },
    signal: (name) => void child?.kill(name),
    isUp: () => isReady,
    ends: () => ends,
    done: finished.promise,
  };
}

async function said(child: ChildProcess, pattern: RegExp): Promise<boolean> {
  let text = '';
  const { promise, resolve } = Promise.withResolvers<boolean>();
  child.stdout?.on('data', (piece: Buffer) => {
    text = `${text}${piece}`.slice(-2_000);
    if (pattern.test(text)) resolve(true);
  });
  return promise;
}
