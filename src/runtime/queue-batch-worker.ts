// A worker of one queue that runs its jobs many at a time: what is done together in one commit is also fetched and
// ended together, so that hundreds of commands share one write to the socket. One waiting job still starts at once.

import { Job, UnrecoverableError } from 'bullmq';
import type { Backend } from './queue-backend.ts';
import { plainError } from './queue-error.ts';
import {
  describe,
  type Exchange,
  type JobData,
  type RunningJob,
  report,
  type TakenJob,
  takenJob,
} from './queue-job.ts';
import {
  ABORT_GRACE_MS,
  type OpenWorkerOptions,
  openWorker,
  STARTED_BEYOND_ATTEMPTS_MAX,
  settledWithin,
  type WorkCommon,
  type WorkerHandle,
} from './queue-worker.ts';

type Result = PromiseSettledResult<void>;

export interface BatchWorkOptions extends WorkCommon {
  /** Jobs of one batch at most. */
  readonly batchMax: number;
  /** Batches in work at once: while one commits, another is fetched or ended. */
  readonly lanes: number;
  /** One result for each job, in order. Never rejects. */
  readonly process: (jobs: readonly RunningJob[]) => Promise<readonly Result[]>;
}

/** After an error of the connection. */
const RETRY_PAUSE_MS = 1_000;
/** How often BullMQ's own command is asked, which also looks for delayed jobs and knows every limit of a queue. */
const LOOK_EVERY_MS = 1_000;
/** A deadlock in the queue's own tables is over when it is tried again. */
const EXCHANGE_ATTEMPTS_MAX = 3;

export async function startBatchWorker(
  backend: Backend,
  options: OpenWorkerOptions & BatchWorkOptions,
): Promise<WorkerHandle> {
  const { queue, log, lockDurationMs: lockMs } = options;
  const worker = await openWorker(backend, { ...options, processor: null, concurrency: 1 });
  /** By id, with the lane that holds it. */
  const held = new Map<string, string>();
  const batches = new Set<Promise<unknown>>();
  const shutdown = new AbortController();
  let isClosing = false;
  let resumed = Promise.withResolvers<void>();
  resumed.resolve();
  const tell = (error: unknown) => void worker.emit('error', error instanceof Error ? error : new Error(String(error)));
  const fetchFirst = inTurn((token: string) => worker.getNextJob(token, { block: true }));
  let lookAt = 0;

  /** The first job is waited for; what else waits by then comes with it. */
  async function fetchBatch(token: string): Promise<readonly TakenJob[]> {
    const first = await fetchFirst(token);
    if (first === undefined) return [];
    if (isClosing) return [takenJob(first)];
    lookAt = performance.now() + LOOK_EVERY_MS;
    try {
      const { taken } = await exchange({ token, done: [], wanted: options.batchMax - 1 });
      return [takenJob(first), ...taken];
    } catch (error) {
      // Those that the queue refused for now must not lose the one that it has handed out.
      tell(error);
      return [takenJob(first)];
    }
  }

  async function exchange(jobs: { token: string; done: readonly string[]; wanted: number }): Promise<Exchange> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await backend.exchange(queue, { ...jobs, lockMs });
      } catch (error) {
        if (attempt === EXCHANGE_ATTEMPTS_MAX) throw error;
      }
    }
  }

  async function lane(number: number): Promise<void> {
    const token = `${worker.id}:${number}`;
    let jobs: readonly TakenJob[] = [];
    while (!isClosing || jobs.length > 0) {
      try {
        if (jobs.length === 0) {
          await resumed.promise;
          jobs = await fetchBatch(token);
          if (jobs.length === 0) continue;
        }
        const batch = runBatch(jobs, token);
        batches.add(batch);
        try {
          jobs = await batch;
        } finally {
          // In the turn in which the next one is added: whoever waits for all must find no gap between the two.
          batches.delete(batch);
        }
      } catch (error) {
        jobs = [];
        if (isClosing) return;
        tell(error);
        await new Promise((resolve) => setTimeout(resolve, RETRY_PAUSE_MS));
      }
    }
  }

  /** Returns the jobs that came in exchange for the ones that are done. */
  async function runBatch(jobs: readonly TakenJob[], token: string): Promise<readonly TakenJob[]> {
    for (const { id } of jobs) held.set(id, token);
    try {
      const fit = jobs.filter((job) => givenUp(job, options) === null);
      const results = await options.process(fit.map((job) => ({ ...job, signal: shutdown.signal })));
      const resultOf = new Map(fit.map(({ id }, index) => [id, results[index]]));
      const done = fit.flatMap(({ id }) => (resultOf.get(id)?.status === 'fulfilled' ? [id] : []));
      const isLast = isClosing || worker.isPaused() || performance.now() > lookAt;
      const ended = exchange({ token, done, wanted: isLast ? 0 : options.batchMax });
      const { taken, refused } = await ended.catch((reason: unknown): Exchange => {
        // Given back, to be run again: whoever does finds final rows.
        for (const id of done) resultOf.set(id, { status: 'rejected', reason });
        return { taken: [], refused: [] };
      });
      for (const id of refused) tellNotEnded(id, 'its lock ran out');
      const failed = jobs.filter(({ id }) => resultOf.get(id)?.status !== 'fulfilled');
      await Promise.all(failed.map((job) => fail(job, { token, result: resultOf.get(job.id) })));
      return taken;
    } finally {
      for (const { id } of jobs) held.delete(id);
    }
  }

  /** To be tried again, or dead. */
  async function fail(taken: TakenJob, { token, result }: { token: string; result: Result | undefined }) {
    try {
      const reason = result?.status === 'rejected' ? result.reason : undefined;
      const error = givenUp(taken, options) ?? plainError(reason, options.canRetry?.(reason) ?? true);
      const job = await Job.fromId<JobData, void, string>(worker, taken.id);
      if (job === undefined) return tellNotEnded(taken.id, 'the queue has it no more');
      await job.moveToFailed(error, token, false);
      // Set only when no further attempt follows.
      if (job.finishedOn !== undefined && options.onDead !== undefined)
        await report(options.onDead, { ...describe(job), reason: error.message });
    } catch (error) {
      tellNotEnded(taken.id, error);
    }
  }

  /** Its lock ran out, or the queue was emptied under it: whoever runs it again finds a final row. */
  function tellNotEnded(id: string, reason: unknown): void {
    log.warn({ queue, job_id: id, err: reason }, 'a job could not be ended; its row stands as it is');
  }

  // BullMQ renews the locks of jobs that it runs itself; these are ours to renew.
  const renewal = setInterval(() => {
    if (held.size > 0) worker.extendJobLocks([...held.keys()], [...held.values()], lockMs).catch(tell);
  }, lockMs / 2);
  await worker.startStalledCheckTimer();
  const lanes = Promise.all(Array.from({ length: options.lanes }, (_, number) => lane(number)));

  return {
    running: () => held.size,
    async pause() {
      resumed = Promise.withResolvers<void>();
      await worker.pause(true);
    },
    async resume() {
      await worker.resume();
      await worker.startStalledCheckTimer();
      resumed.resolve();
    },
    async close(graceMs) {
      isClosing = true;
      resumed.resolve();
      const ended = async () => {
        while (batches.size > 0) await Promise.allSettled(batches);
        return true;
      };
      let isDone = await settledWithin(graceMs, ended());
      if (!isDone) {
        shutdown.abort('shutdown');
        isDone = await settledWithin(ABORT_GRACE_MS, ended());
      }
      clearInterval(renewal);
      // Cuts the wait of the lane that has nothing to do.
      const closed = worker.close(true).then(() => lanes);
      await settledWithin(
        ABORT_GRACE_MS,
        closed.then(() => true),
      );
      if (!isDone)
        log.warn({ queue, count: held.size }, 'closed with jobs running; they are run again when their lock ends');
      return isDone;
    },
  };
}

/** Why a job that was started or lost its lock too often is not run again; null when it is fit to run. */
function givenUp({ deferredFailure, attemptsStarted }: TakenJob, { attempts }: { attempts: number }): Error | null {
  if (deferredFailure !== null) return plainError(new Error(deferredFailure), false);
  const isWorn = attemptsStarted > attempts + STARTED_BEYOND_ATTEMPTS_MAX;
  return isWorn ? new UnrecoverableError('started more often than allowed') : null;
}

/** One call at a time; the others wait in line. */
function inTurn<Argument, Result>(call: (argument: Argument) => Promise<Result>) {
  let last: Promise<unknown> = Promise.resolve();
  return (argument: Argument): Promise<Result> => {
    const turn = last.then(() => call(argument));
    last = turn.catch(() => undefined);
    return turn;
  };
}
