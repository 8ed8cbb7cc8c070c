// Finished jobs that nobody will look at any more, removed from a queue on PostgreSQL by one process at a time. BullMQ
// would do it inside every finish, where two that remove the same rows in different orders end in a deadlock, and where
// each one sorts all jobs that are kept.

import type { Queue } from 'bullmq';
import { type QueueLog, sparingWarning } from './backend.ts';

/** The newest so many of one state, and none that finished longer ago than so many seconds: BullMQ's own words. */
interface Kept {
  readonly count: number;
  readonly age: number;
}

type FinishedQueue = Pick<Queue, 'getJobs' | 'clean'>;

/** At the backend's thousand jobs a second this is some thousand rows, which one statement removes in little time. */
const TRIM_EVERY_MS = 5000;
/** More than one interval can bring; what is left over waits for the next. */
const TRIM_MAX = 20_000;

export interface Trimmer {
  /** Resolves when nothing is removed any more. */
  stop(): Promise<void>;
}

export function startTrimmer(options: {
  readonly queues: readonly FinishedQueue[];
  readonly kept: { readonly completed: Kept; readonly failed: Kept };
  /** Runs the work unless another process is at it. */
  readonly alone: (work: () => Promise<void>) => Promise<void>;
  readonly log: QueueLog;
}): Trimmer {
  const { queues, kept, alone, log } = options;
  const warn = sparingWarning(log, { source: 'queue', message: 'old jobs were not removed; tried again by itself' });
  let last: Promise<void> = Promise.resolve();
  const trim = () =>
    alone(async () => {
      for (const queue of queues) {
        await trimState(queue, 'completed', kept.completed);
        await trimState(queue, 'failed', kept.failed);
      }
    });
  const timer = setInterval(() => {
    last = last.then(trim).catch(warn);
  }, TRIM_EVERY_MS);
  timer.unref();

  return {
    stop() {
      clearInterval(timer);
      return last;
    },
  };
}

async function trimState(queue: FinishedQueue, state: 'completed' | 'failed', kept: Kept): Promise<void> {
  const [firstOver] = await queue.getJobs([state], kept.count, kept.count, false);
  const overMs = firstOver?.finishedOn === undefined ? Number.POSITIVE_INFINITY : Date.now() - firstOver.finishedOn;
  await queue.clean(Math.min(overMs, kept.age * 1000), TRIM_MAX, state);
}
