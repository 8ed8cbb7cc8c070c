// Runs lives in this process: each row at most once at a time, each kind under its limit. The queue's workers and
// reconcile both go through here, so that together they never do more than one of them may.

import type { Pkid } from '../domain/id.ts';

export type RunnableKind = 'payout' | 'transfer';

export interface Runner {
  /** Waits for its turn, then runs the life. Does nothing when that row runs here already. */
  run(kind: RunnableKind, pkid: Pkid): Promise<void>;
  /** Resolves when nothing runs and nothing waits. */
  idle(): Promise<void>;
}

export function createRunner(options: {
  lives: Readonly<Record<RunnableKind, (pkid: Pkid) => Promise<void>>>;
  concurrency: Readonly<Record<RunnableKind, number>>;
}): Runner {
  const { lives, concurrency } = options;
  const running = new Map<Pkid, Promise<void>>();
  const limits = { payout: createLimit(concurrency.payout), transfer: createLimit(concurrency.transfer) };

  async function turn(kind: RunnableKind, pkid: Pkid): Promise<void> {
    const { enter, leave } = limits[kind];
    await enter();
    try {
      await lives[kind](pkid);
    } finally {
      leave();
      running.delete(pkid);
    }
  }

  return {
    async run(kind, pkid) {
      if (running.has(pkid)) return;
      const run = turn(kind, pkid);
      running.set(pkid, run);
      await run;
    },
    async idle() {
      while (running.size > 0) await Promise.allSettled(running.values());
    },
  };
}

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
