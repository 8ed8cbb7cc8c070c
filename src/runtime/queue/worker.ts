// A worker of one queue that runs each job by itself.

import { type IQueueBackend, type Job, type Processor, Worker } from 'bullmq';
import { type Backend, errorListener, type QueueLog, within } from './backend.ts';
import { plainError } from './error.ts';
import { backoffMs, type DeadJob, describe, type JobData, queuedMsOf, type RunningJob, report } from './job.ts';

/** What both ways of working have in common. */
export interface WorkCommon {
  readonly lockDurationMs: number;
  /** False ends the job at once. Without it every error is tried again until the attempts are used up. */
  readonly canRetry?: (error: unknown) => boolean;
  /** The queue gave the job up. This says nothing about the operation: reconcile runs its row. */
  readonly onDead?: (job: DeadJob) => void | Promise<void>;
}

export interface WorkOptions extends WorkCommon {
  readonly concurrency: number;
  readonly process: (job: RunningJob) => Promise<void>;
}

export interface OpenWorkerOptions extends WorkCommon {
  readonly queue: string;
  readonly attempts: number;
  readonly log: QueueLog;
}

export interface WorkerHandle {
  /** Jobs that run in this process now. */
  running(): number;
  /** Fetch nothing more; what runs goes on. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Fetch nothing more, wait for what runs, and after the grace abort it. Never hangs. False: some jobs still ran. */
  close(graceMs: number): Promise<boolean>;
}

export const BACKOFF_TYPE = 'jitter';
/** A kill or a long pause of the process; more often than this and the job itself is the likely cause. */
const STALLED_MAX = 3;
/** Pick-ups after kills are not counted as attempts by BullMQ; this bounds the sum of both. */
export const STARTED_BEYOND_ATTEMPTS_MAX = STALLED_MAX + 2;
/** How often an idle worker looks by itself, should a wake-up be lost. */
const DRAIN_DELAY_SECONDS = 5;
/** BullMQ waits 15 s after a refused connection unless told otherwise; due payments should not. */
const RUN_RETRY_DELAY_MS = 1000;
const STALLED_INTERVAL_MS = 30_000;
const READY_TIMEOUT_MS = 10_000;
/** What an aborted job gets to leave in order. */
export const ABORT_GRACE_MS = 500;

export async function startWorker(backend: Backend, options: OpenWorkerOptions & WorkOptions): Promise<WorkerHandle> {
  const { queue, log } = options;
  let running = 0;
  // Three parameters, because BullMQ makes a signal only for a processor that declares it.
  const process = async (job: Job, _token: string | undefined, signal: AbortSignal | undefined): Promise<void> => {
    running += 1;
    try {
      await options.process({
        ...describe(job),
        queuedMs: queuedMsOf(job),
        signal: signal ?? new AbortController().signal,
      });
    } catch (error) {
      throw plainError(error, options.canRetry?.(error) ?? true);
    } finally {
      running -= 1;
    }
  };
  const worker = await openWorker(backend, { ...options, processor: process, concurrency: options.concurrency });

  return {
    running: () => running,
    pause: () => worker.pause(true),
    resume: () => worker.resume(),
    async close(graceMs) {
      const closing = worker.close().then(
        () => true,
        () => true,
      );
      if (await settledWithin(graceMs, closing)) return true;
      worker.cancelAllJobs('shutdown');
      if (await settledWithin(ABORT_GRACE_MS, closing)) return true;
      log.warn({ queue, count: running }, 'closed with jobs running; they are run again when their lock or lease ends');
      return false;
    },
  };
}

export type BullWorker = Worker<JobData, void, string, IQueueBackend>;

/** BullMQ's worker, connected; without a processor it fetches nothing by itself. */
export async function openWorker(
  backend: Backend,
  options: OpenWorkerOptions & { readonly processor: Processor<JobData, void> | null; readonly concurrency: number },
): Promise<BullWorker> {
  const { queue, processor, log } = options;
  const worker = new Worker<JobData, void, string, IQueueBackend>(
    queue,
    processor,
    {
      autorun: processor !== null,
      connection: backend.connectWorker(),
      prefix: backend.prefix,
      concurrency: options.concurrency,
      lockDuration: options.lockDurationMs,
      stalledInterval: Math.min(STALLED_INTERVAL_MS, options.lockDurationMs),
      maxStalledCount: STALLED_MAX,
      maxStartedAttempts: options.attempts + STARTED_BEYOND_ATTEMPTS_MAX,
      drainDelay: DRAIN_DELAY_SECONDS,
      runRetryDelay: RUN_RETRY_DELAY_MS,
      settings: { backoffStrategy: backoffMs },
    },
    backend.factory,
  );
  worker.on('error', errorListener(log, `worker of ${queue}`));
  worker.on('failed', (job, error) => {
    // Set only when no further attempt follows.
    if (job?.finishedOn === undefined || options.onDead === undefined) return;
    report(options.onDead, { ...describe(job), reason: error.message }).catch((cause: unknown) =>
      log.error({ queue, err: cause }, 'a dead job could not be reported'),
    );
  });
  try {
    await within(READY_TIMEOUT_MS, worker.waitUntilReady(), 'no answer in time');
  } catch (error) {
    // A worker whose first connection failed stays deaf for ever: give it up, the caller ends the process.
    worker.close(true).catch(() => undefined);
    throw new Error(`The worker of ${queue} cannot reach its queue. Check that it runs and start again.`, {
      cause: error,
    });
  }

  return worker;
}

export function settledWithin(timeoutMs: number, promise: Promise<boolean>): Promise<boolean> {
  return within(timeoutMs, promise, 'late').catch(() => false);
}
