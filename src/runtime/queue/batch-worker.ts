// A worker of one queue whose jobs run each by itself, but are fetched and ended many at a time: what ends in one
// moment, such as all that were in one commit, is ended by one command, and as many others come in exchange. One
// waiting job still starts at once.

import { Job, UnrecoverableError } from 'bullmq';
import type { Backend } from './backend.ts';
import { plainError } from './error.ts';
import {
  type DoneJob,
  describe,
  type Exchange,
  type ExchangeOptions,
  type JobData,
  report,
  type TakenJob,
  takenJob,
} from './job.ts';
import {
  ABORT_GRACE_MS,
  type OpenWorkerOptions,
  openWorker,
  STARTED_BEYOND_ATTEMPTS_MAX,
  settledWithin,
  type WorkerHandle,
  type WorkOptions,
} from './worker.ts';

/** Large enough that the round trip does not matter, small enough to keep the queue answering others. */
const EXCHANGE_MAX = 256;
/** After an error of the connection. */
const RETRY_PAUSE_MS = 1_000;
/** How often BullMQ's own command is asked, which also looks for delayed jobs and knows every limit of a queue. */
const LOOK_EVERY_MS = 1_000;
/** A deadlock in the queue's own tables is over when it is tried again. */
const EXCHANGE_ATTEMPTS_MAX = 3;

export async function startBatchWorker(
  backend: Backend,
  options: OpenWorkerOptions & WorkOptions,
): Promise<WorkerHandle> {
  const { queue, log, lockDurationMs: lockMs, concurrency } = options;
  const worker = await openWorker(backend, { ...options, processor: null, concurrency: 1 });
  const token = `${worker.id}:0`;
  /** Jobs that run, and those that are done and not ended yet. */
  const held = new Set<string>();
  const shutdown = new AbortController();
  let done: DoneJob[] = [];
  let isExchangeDue = false;
  let isExchanging = false;
  let exchanging = Promise.resolve();
  let isFetching = false;
  let isClosing = false;
  let lookAt = 0;
  let resumed = settled();
  let room = settled();
  let emptied = settled();
  const tell = (error: unknown) => void worker.emit('error', error instanceof Error ? error : new Error(String(error)));

  /** Waits for the first of the jobs; what else waits by then is exchanged for nothing. */
  async function fetchFirst(): Promise<void> {
    while (!isClosing) {
      try {
        await resumed.promise;
        while (held.size >= concurrency && !isClosing) await room.promise;
        if (isClosing) return;
        isFetching = true;
        const job = await worker.getNextJob(token, { block: true }).finally(() => {
          isFetching = false;
        });
        if (job === undefined) continue;
        lookAt = performance.now() + LOOK_EVERY_MS;
        start(takenJob(job));
        exchangeSoon();
      } catch (error) {
        if (isClosing) return;
        tell(error);
        await new Promise((resolve) => setTimeout(resolve, RETRY_PAUSE_MS));
      }
    }
  }

  function start(job: TakenJob): void {
    if (held.size === 0) emptied = Promise.withResolvers();
    held.add(job.id);
    if (held.size >= concurrency) room = Promise.withResolvers();
    void run(job);
  }

  function release(id: string): void {
    held.delete(id);
    if (held.size < concurrency) room.resolve();
    if (held.size === 0) emptied.resolve();
  }

  async function run(job: TakenJob): Promise<void> {
    const worn = givenUp(job, options);
    if (worn !== null) return fail(job.id, worn);
    try {
      await options.process({ ...job, signal: shutdown.signal });
    } catch (error) {
      return fail(job.id, plainError(error, options.canRetry?.(error) ?? true));
    }
    done.push(job);
    exchangeSoon();
  }

  /** What ends in the same turn of the event loop goes together, and what ends while a command is under way. */
  function exchangeSoon(): void {
    if (isExchangeDue) return;
    isExchangeDue = true;
    if (isExchanging) return;
    setImmediate(() => {
      exchanging = exchangeAll();
    });
  }

  async function exchangeAll(): Promise<void> {
    isExchanging = true;
    let isFull = false;
    while (isExchangeDue || done.length > 0 || isFull) {
      isExchangeDue = false;
      const ended = done.slice(0, EXCHANGE_MAX);
      done = done.slice(EXCHANGE_MAX);
      const wanted = wantedFor(ended.length);
      if (ended.length + wanted === 0) break;
      const { taken, refused } = await exchange({ token, lockMs, done: ended, wanted }).catch(
        async (reason: unknown) => {
          tell(reason);
          // Given back, to be run again: whoever does finds final rows.
          await Promise.all(ended.map(({ id }) => fail(id, plainError(reason, options.canRetry?.(reason) ?? true))));
          return NOTHING;
        },
      );
      for (const id of refused) tellNotEnded(id, 'its lock ran out');
      for (const { id } of ended) release(id);
      for (const job of taken) start(job);
      isFull = wanted > 0 && taken.length === wanted;
    }
    isExchanging = false;
  }

  /** A place is kept for BullMQ's own command while it is under way, and when it is due. */
  function wantedFor(ending: number): number {
    if (isClosing || worker.isPaused()) return 0;
    const kept = isFetching || performance.now() > lookAt ? 1 : 0;
    return Math.min(EXCHANGE_MAX, Math.max(0, concurrency - held.size + ending - kept));
  }

  async function exchange(jobs: ExchangeOptions): Promise<Exchange> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await backend.exchange(queue, jobs);
      } catch (error) {
        if (attempt === EXCHANGE_ATTEMPTS_MAX) throw error;
      }
    }
  }

  /** To be tried again, or dead. */
  async function fail(id: string, error: Error): Promise<void> {
    try {
      const job = await Job.fromId<JobData, void, string>(worker, id);
      if (job === undefined) return tellNotEnded(id, 'the queue has it no more');
      await job.moveToFailed(error, token, false);
      // Set only when no further attempt follows.
      if (job.finishedOn !== undefined && options.onDead !== undefined)
        await report(options.onDead, { ...describe(job), reason: error.message });
    } catch (cause) {
      tellNotEnded(id, cause);
    } finally {
      release(id);
    }
  }

  /** Its lock ran out, or the queue was emptied under it: whoever runs it again finds a final row. */
  function tellNotEnded(id: string, reason: unknown): void {
    log.warn({ queue, job_id: id, err: reason }, 'a job could not be ended; its row stands as it is');
  }

  async function ended(): Promise<boolean> {
    while (held.size > 0) await emptied.promise;
    return true;
  }

  // BullMQ renews the locks of jobs that it runs itself; these are ours to renew.
  const renewal = setInterval(() => {
    const ids = [...held];
    if (ids.length > 0) worker.extendJobLocks(ids, new Array(ids.length).fill(token), lockMs).catch(tell);
  }, lockMs / 2);
  await worker.startStalledCheckTimer();
  const fetching = fetchFirst();

  return {
    running: () => held.size,
    async pause() {
      resumed = Promise.withResolvers();
      await worker.pause(true);
    },
    async resume() {
      await worker.resume();
      await worker.startStalledCheckTimer();
      resumed.resolve();
      exchangeSoon();
    },
    async close(graceMs) {
      isClosing = true;
      resumed.resolve();
      room.resolve();
      const startedAt = performance.now();
      const endedWithin = (ms: number) => settledWithin(ms, ended());
      let isDone = await endedWithin(graceMs);
      if (!isDone) {
        shutdown.abort('shutdown');
        isDone = await endedWithin(ABORT_GRACE_MS);
      }
      // Cuts the wait for a job.
      const closed = Promise.all([worker.close(true).then(() => fetching), exchanging]);
      await settledWithin(
        ABORT_GRACE_MS,
        closed.then(() => true),
      );
      // What was handed out at the last moment has the rest of the grace.
      if (isDone) isDone = await endedWithin(Math.max(0, graceMs - (performance.now() - startedAt)));
      clearInterval(renewal);
      if (!isDone)
        log.warn({ queue, count: held.size }, 'closed with jobs running; they are run again when their lock ends');
      return isDone;
    },
  };
}

const NOTHING: Exchange = { taken: [], refused: [] };

function settled(): PromiseWithResolvers<void> {
  const settle = Promise.withResolvers<void>();
  settle.resolve();
  return settle;
}

/** Why a job that was started or lost its lock too often is not run again; null when it is fit to run. */
function givenUp({ deferredFailure, attemptsStarted }: TakenJob, { attempts }: { attempts: number }): Error | null {
  if (deferredFailure !== null) return plainError(new Error(deferredFailure), false);
  const isWorn = attemptsStarted > attempts + STARTED_BEYOND_ATTEMPTS_MAX;
  return isWorn ? new UnrecoverableError('started more often than allowed') : null;
}
