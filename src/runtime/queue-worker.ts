// A worker of one queue. BullMQ sees only nothing (done) or a short plain error (again, or dead): a result or an error
// that it cannot store would make the job run once more.

import { type IQueueBackend, type Job, UnrecoverableError, Worker } from 'bullmq';
import { PaymentError } from '../domain/errors.ts';
import { type Backend, codeOf, errorListener, type QueueLog, within } from './queue-backend.ts';

/** Ids and the trace context only; everything else is in the row. */
export type JobData = Readonly<Record<string, string>>;

export interface RunningJob {
  readonly id: string;
  readonly name: string;
  readonly data: JobData;
  /** Failed attempts before this one. */
  readonly attemptsMade: number;
  /** From when the job was first due until this attempt began. */
  readonly queuedMs: number;
  /** Aborted when the worker closes and the grace is over. */
  readonly signal: AbortSignal;
}

export interface DeadJob {
  readonly id: string;
  readonly name: string;
  readonly data: JobData;
  readonly attemptsMade: number;
  readonly reason: string;
}

export interface WorkOptions {
  readonly concurrency: number;
  readonly lockDurationMs: number;
  readonly process: (job: RunningJob) => Promise<void>;
  /** False ends the job at once. Without it every error is tried again until the attempts are used up. */
  readonly canRetry?: (error: unknown) => boolean;
  /** The queue gave the job up. This says nothing about the operation: reconcile runs its row. */
  readonly onDead?: (job: DeadJob) => void | Promise<void>;
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
const BACKOFF_BASE_MS = 200;
const BACKOFF_CAP_MS = 30_000;
/** A kill or a long pause of the process; more often than this and the job itself is the likely cause. */
const STALLED_MAX = 3;
/** Pick-ups after kills are not counted as attempts by BullMQ; this bounds the sum of both. */
const STARTED_BEYOND_ATTEMPTS_MAX = STALLED_MAX + 2;
/** How often an idle worker looks by itself, should a wake-up be lost. */
const DRAIN_DELAY_SECONDS = 5;
/** BullMQ waits 15 s after a refused connection unless told otherwise; due payments should not. */
const RUN_RETRY_DELAY_MS = 1000;
const STALLED_INTERVAL_MS = 30_000;
const READY_TIMEOUT_MS = 10_000;
/** What an aborted job gets to leave in order. */
const ABORT_GRACE_MS = 500;
const REASON_LENGTH_MAX = 200;

export async function startWorker(
  backend: Backend,
  options: WorkOptions & { readonly queue: string; readonly attempts: number; readonly log: QueueLog },
): Promise<WorkerHandle> {
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
  const worker = new Worker<JobData, void, string, IQueueBackend>(
    queue,
    process,
    {
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
      log.warn({ queue, running }, 'closed with jobs running; they are run again when their lock or lease ends');
      return false;
    },
  };
}

/** Asynchronous, so that a throw and a rejection end in the same place. */
async function report(onDead: (job: DeadJob) => void | Promise<void>, job: DeadJob): Promise<void> {
  await onDead(job);
}

/** Full jitter: workers that failed together must not come back together. */
function backoffMs(attemptsMade: number): number {
  return Math.ceil(Math.random() * Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(attemptsMade - 1, 20)));
}

function describe(job: Job): { id: string; name: string; data: JobData; attemptsMade: number } {
  return { id: job.id ?? '', name: job.name, data: readJobData(job.data), attemptsMade: job.attemptsMade };
}

function queuedMsOf(job: Job): number {
  return Math.max(0, Date.now() - job.timestamp - (job.opts.delay ?? 0));
}

/** Job data comes from outside the process: only texts are kept. */
function readJobData(data: unknown): JobData {
  if (typeof data !== 'object' || data === null) return {};
  return Object.fromEntries(
    Object.entries(data).filter((field): field is [string, string] => typeof field[1] === 'string'),
  );
}

/** Messages of foreign errors may quote what they choked on, and the board shows them: name and code only. */
function plainError(error: unknown, canRetry: boolean): Error {
  const reason =
    error instanceof PaymentError
      ? `${error.code}: ${error.detail}`
      : [error instanceof Error ? error.name : 'Error', codeOf(error)].filter(Boolean).join(' ');
  const text = reason.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, REASON_LENGTH_MAX);
  const plain = canRetry ? new Error(text) : new UnrecoverableError(text);
  plain.stack = '';
  return plain;
}

function settledWithin(timeoutMs: number, promise: Promise<boolean>): Promise<boolean> {
  return within(timeoutMs, promise, 'late').catch(() => false);
}
