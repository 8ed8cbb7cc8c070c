// The orderly end: stages close one after the other, each within its share of the grace time, whatever started it (a
// signal, a closed terminal, a dead parent). Nothing here is needed for safety: a killed process loses no money.
import type { Logger } from './logger.ts';
import { watchParent } from './parent.ts';

export type ShutdownOptions = { log: Pick<Logger, 'info' | 'warn' | 'error'>; graceMs: number };

export type Shutdown = {
  /** Stages close in the order in which they are added: what takes work first, what others stand on last. */
  add(name: string, close: () => Promise<void>): void;
  /** What the stages stand on, closed after all of them, the last one laid first. Lay it before it is ready. */
  addGround(name: string, close: () => Promise<void>): void;
  /** Closes everything, once; later calls wait for the same end. Sets the exit code, does not exit. */
  run(reason: string): Promise<void>;
  /** From now on SIGINT, SIGTERM, SIGHUP and the loss of the parent end the process in order. */
  onSignal(): void;
};

type Stage = { name: string; close: () => Promise<void>; reservedMs: number };

// A stage that hangs may not eat the time of those behind it. The ground is other processes: the database server needs
// about 100 ms, and on a busy machine a second.
const reservedForStageMs = 300;
const reservedForGroundMs = 1_000;
const stageMinMs = 100;
// npm and the terminal both pass on one Ctrl-C, some milliseconds apart; a person's second one comes later.
const sameKeypressMs = 400;

export function createShutdown({ log, graceMs }: ShutdownOptions): Shutdown {
  const stages: Stage[] = [];
  const ground: Stage[] = [];
  let ending: Promise<void> | null = null;

  const run = (reason: string): Promise<void> => {
    ending ??= closeAll({ stages: [...stages, ...ground.toReversed()], reason, log, graceMs });
    return ending;
  };

  return {
    add(name, close) {
      stages.push({ name, close, reservedMs: reservedForStageMs });
    },
    addGround(name, close) {
      ground.push({ name, close, reservedMs: reservedForGroundMs });
    },
    run,
    onSignal() {
      surviveClosedTerminal();
      const end = (reason: string) => void run(reason).finally(() => process.exit());
      listenToSignals(end);
      watchParent(() => end('parent ended'));
    },
  };
}

async function closeAll(options: { stages: readonly Stage[] } & ShutdownOptions & { reason: string }): Promise<void> {
  const { stages, reason, log, graceMs } = options;
  const endAt = performance.now() + graceMs;
  log.info({ reason }, 'stopping');
  for (const [index, { name, close }] of stages.entries()) {
    const reservedMs = stages.slice(index + 1).reduce((sum, later) => sum + later.reservedMs, 0);
    const limitMs = Math.max(stageMinMs, endAt - performance.now() - reservedMs);
    try {
      const closed = await within(close(), limitMs);
      // Work that did not end in time is safe: its rows are picked up again when their lease is over.
      if (!closed) log.warn({ reason: name }, 'did not close in time, going on without it');
    } catch (err) {
      process.exitCode = 1;
      log.error({ reason: name, err }, 'could not be closed');
    }
  }
  log.info({ reason }, 'stopped');
}

async function within(work: Promise<void>, limitMs: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), limitMs);
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

function listenToSignals(end: (reason: string) => void): void {
  let interruptedAt: number | null = null;
  process.on('SIGINT', () => {
    const now = performance.now();
    if (interruptedAt !== null && now - interruptedAt > sameKeypressMs) process.exit(130);
    interruptedAt ??= now;
    end('SIGINT');
  });
  process.on('SIGTERM', () => end('SIGTERM'));
  process.on('SIGHUP', () => end('SIGHUP'));
}

/** Writing to a terminal or pipe that is gone fails; that must cut no work and no orderly end short, nor be told. */
export function surviveClosedTerminal(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: Error & { code?: string }) => {
      if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
    });
  }
}
