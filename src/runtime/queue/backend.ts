// What the two places a queue may live in, Redis and PostgreSQL, look like to the rest of the queue's code.

import type { BackendFactory, ConnectionOptions, IQueueBackend, Queue } from 'bullmq';
import type { Logger } from 'pino';
import { reasonOf } from './error.ts';
import type { Exchange, ExchangeOptions, JobData, NewJob } from './job.ts';

export type QueueLog = Pick<Logger, 'info' | 'warn' | 'error'>;

export type BullQueue = Queue<JobData, void, string, JobData, void, string, IQueueBackend>;

export interface Backend {
  readonly kind: 'redis' | 'postgres';
  readonly factory: BackendFactory<IQueueBackend>;
  /** All keys begin with it on Redis; PostgreSQL uses a schema instead. */
  readonly prefix: string;
  /** Runs the work unless another process is at it; null where BullMQ removes old jobs well by itself. */
  readonly trimAlone: ((work: () => Promise<void>) => Promise<void>) | null;
  /** Adds of one queue on their way at once. */
  readonly addsUnderwayMax: number;
  readonly producerConnection: ConnectionOptions;
  /** Adds jobs to those that wait; one whose id is there already stays as it is. */
  add(queue: BullQueue, jobs: readonly NewJob[]): Promise<void>;
  /** Ends jobs and hands out others in one command: each by itself costs several times as much. */
  exchange(queue: string, options: ExchangeOptions): Promise<Exchange>;
  /** Makes room for one more worker and returns what it connects with. */
  connectWorker(): ConnectionOptions;
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** A broken connection reports itself many times a second; one line per source and this time is enough to act on. */
const REPEAT_LOG_MS = 5000;

/** Rejects with the message when the promise is not settled in time; what comes later is ignored. */
export function within<T>(timeoutMs: number, promise: Promise<T>, message: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(message)), timeoutMs);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** An error listener for one source; without a listener an emitted error ends the process. */
export function errorListener(log: QueueLog, source: string): (error: unknown) => void {
  return sparingWarning(log, { source, message: 'queue connection trouble; it is retried by itself' });
}

export function sparingWarning(
  log: QueueLog,
  { source, message }: { source: string; message: string },
): (error: unknown) => void {
  let silentUntil = 0;
  let suppressed = 0;
  return (error) => {
    if (performance.now() < silentUntil) {
      suppressed += 1;
      return;
    }
    log.warn({ reason: `${source}: ${reasonOf(error)}`, count: suppressed }, message);
    silentUntil = performance.now() + REPEAT_LOG_MS;
    suppressed = 0;
  };
}
