// Runs lives in this process: each row at most once at a time, each kind under its limit. The queue's workers and
// reconcile both go through here, so that together they never do more than one of them may.

import type { Logger } from 'pino';
import type { OperationKind, Pkid } from '../domain/id.ts';
import type { JobData } from '../runtime/queue.ts';
import { createRunLog, type RunCause, type RunReport } from './run-log.ts';

export interface Runner {
  /**
   * Waits for its turn, then runs the life. Does nothing when that row runs here already. What its job has told of the
   * row may spare a look at it, and is nothing to rely on.
   */
  run(kind: OperationKind, pkid: Pkid, cause: RunCause, told?: JobData): Promise<void>;
  /** Resolves when that row does not run here, or after `atMostMs`. */
  ended(pkid: Pkid, atMostMs: number): Promise<void>;
  /** Resolves when nothing runs and nothing waits. */
  idle(): Promise<void>;
}

export function createRunner(options: {
  lives: Readonly<Record<OperationKind, (pkid: Pkid, told?: JobData) => Promise<RunReport | null>>>;
  concurrency: Readonly<Record<OperationKind, number>>;
  log: Logger;
}): Runner {
  const { lives, concurrency, log } = options;
  const tell = createRunLog(log);
  const running = new Map<Pkid, Promise<void>>();
  const limits = {
    payin: createLimit(concurrency.payin),
    payout: createLimit(concurrency.payout),
    refund: createLimit(concurrency.refund),
    transfer: createLimit(concurrency.transfer),
  } as const satisfies Record<OperationKind, unknown>;

  async function turn(kind: OperationKind, pkid: Pkid, cause: RunCause, told?: JobData): Promise<void> {
    const { enter, leave } = limits[kind];
    await enter();
    const startedAt = performance.now();
    try {
      const report = await lives[kind](pkid, told);
      if (report === null) return;
      tell(report, { kind, pkid, cause, durationMs: Math.round(performance.now() - startedAt) });
    } finally {
      leave();
      running.delete(pkid);
    }
  }

  return {
    run(kind, pkid, cause, told) {
      if (running.has(pkid)) return DONE;
      const run = turn(kind, pkid, cause, told);
      running.set(pkid, run);
      return run;
    },
    async ended(pkid, atMostMs) {
      const run = running.get(pkid);
      if (run === undefined) return;
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, atMostMs);
      // How it ends is told to whoever started it.
      await Promise.race([run.catch(() => undefined), late.promise]);
      clearTimeout(timer);
    },
    async idle() {
      while (running.size > 0) await Promise.allSettled(running.values());
    },
  };
}

const DONE = Promise.resolve();

/** A counter of free places with a line in front. */
function createLimit(places: number): { enter(): Promise<void>; leave(): void } {
  let free = places;
  const line: (() => void)[] = [];
  return {
    async enter() {
      if (free > 0) {
        free -= 1;
        return;
      }
      await new Promise<void>((resolve) => line.push(resolve));
    },
    leave() {
      const next = line.shift();
      if (next === undefined) free += 1;
      else next();
    },
  };
}
