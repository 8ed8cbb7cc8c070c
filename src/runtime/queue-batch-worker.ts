// A worker of one queue that runs its jobs many at a time: what is done together in one commit is also fetched and
// ended together, so that hundreds of commands share one write to the socket. One waiting job still starts at once.

import { Job, type JobJson, UnrecoverableError } from 'bullmq';
import type { Backend } from './queue-backend.ts';
import { describe, type JobData, plainError, queuedMsOf, type RunningJob, report } from './queue-job.ts';
import {
  ABORT_GRACE_MS,
  type BullWorker,
  type OpenWorkerOptions,
  openWorker,
  STARTED_BEYOND_ATTEMPTS_MAX,
  settledWithin,
  type WorkCommon,
  type WorkerHandle,
} from './queue-worker.ts';

export interface BatchWorkOptions extends WorkCommon {
  /** Jobs of one batch at most. */
  readonly batchMax: number;
  /** Batches in work at once: while one commits, another is fetched or ended. */
  readonly lanes: number;
  /** One result for each job, in order. Never rejects. */
  readonly process: (jobs: readonly RunningJob[]) => Promise<readonly PromiseSettledResult<void>[]>;
}

/** By which part a batch grows while each of its jobs brings another. */
const GROWTH_SHARE = 4;
/** After an error of the connection. */
const RETRY_PAUSE_MS = 1_000;

type BullJob = Job<JobData, void>;

export async function startBatchWorker(
  backend: Backend,
  options: OpenWorkerOptions & BatchWorkOptions,
): Promise<WorkerHandle> {
  const { queue, log, lockDurationMs } = options;
  const worker = await openWorker(backend, { ...options, processor: null, concurrency: 1 });
  const held = new Set<BullJob>();
  const batches = new Set<Promise<unknown>>();
  const shutdown = new AbortController();
  let isClosing = false;
  let resumed = Promise.withResolvers<void>();
  resumed.resolve();
  const tell = (error: unknown) => void worker.emit('error', error instanceof Error ? error : new Error(String(error)));
  let usual = 1;
  const fetchFirst = inTurn((token: string) => worker.getNextJob(token, { block: true }));

  /** So many more jobs as fit into the batch, as far as there are any. */
  async function fetchMore(batch: readonly BullJob[], { wanted, token }: { wanted: number; token: string }) {
    const count = Math.min(wanted, options.batchMax - batch.length);
    const next = Array.from({ length: count }, () => worker.getNextJob(token, { block: false }));
    const fetched = await Promise.allSettled(next);
    // One that the queue refused (a deadlock in its own tables) must not lose those that were handed out.
    for (const one of fetched) if (one.status === 'rejected') tell(one.reason);
    return fetched.flatMap((one) => (one.status === 'fulfilled' && isJob(one.value) ? [one.value] : []));
  }

  /** The first job is waited for, and as many more are asked for as last time; then twice as many while they come. */
  async function fetchBatch(token: string): Promise<BullJob[]> {
    const batch = [await fetchFirst(token)].filter(isJob);
    let wanted = batch.length === 0 ? 0 : usual;
    while (wanted > 0 && batch.length < options.batchMax) {
      const more = await fetchMore(batch, { wanted, token });
      batch.push(...more);
      wanted = more.length < wanted ? 0 : wanted * 2;
    }
    usual = Math.max(1, batch.length);
    return batch;
  }

  async function lane(number: number): Promise<void> {
    const token = `${worker.id}:${number}`;
    let jobs: BullJob[] = [];
    while (!isClosing || jobs.length > 0) {
      try {
        if (jobs.length === 0) {
          await resumed.promise;
          jobs = await fetchBatch(token);
          if (jobs.length === 0) continue;
        }
        const batch = runBatch(jobs, token);
        batches.add(batch);
        jobs = await batch.finally(() => batches.delete(batch));
      } catch (error) {
        jobs = [];
        if (isClosing) return;
        tell(error);
        await new Promise((resolve) => setTimeout(resolve, RETRY_PAUSE_MS));
      }
    }
  }

  /** Returns the jobs that came in exchange for the ones that are done. */
  async function runBatch(jobs: readonly BullJob[], token: string): Promise<BullJob[]> {
    for (const job of jobs) held.add(job);
    try {
      const fit = jobs.filter((job) => givenUp(job, options) === null);
      const results = await options.process(
        fit.map((job) => ({ ...describe(job), queuedMs: queuedMsOf(job), signal: shutdown.signal })),
      );
      const resultOf = new Map(fit.map((job, index) => [job, results[index]]));
      const ended = await Promise.all(jobs.map((job) => endJob(job, { token, result: resultOf.get(job) })));
      const next = ended.filter((job) => job !== null);
      if (next.length < jobs.length) return next;
      // Each brought another: there may be more, but asking for what is not there costs as much as a job.
      return [...next, ...(await fetchMore(next, { wanted: Math.ceil(next.length / GROWTH_SHARE), token }))];
    } finally {
      for (const job of jobs) held.delete(job);
    }
  }

  /** Returns the job that came in exchange. */
  async function endJob(
    job: BullJob,
    { token, result }: { token: string; result: PromiseSettledResult<void> | undefined },
  ): Promise<BullJob | null> {
    try {
      const ended = result?.status === 'fulfilled' ? await complete(job, token) : result;
      if (ended !== undefined && 'next' in ended) return ended.next;
      const error = givenUp(job, options) ?? plainError(ended?.reason, options.canRetry?.(ended?.reason) ?? true);
      await job.moveToFailed(error, token, false);
      // Set only when no further attempt follows.
      if (job.finishedOn !== undefined && options.onDead !== undefined)
        await report(options.onDead, { ...describe(job), reason: error.message });
    } catch (error) {
      // Its lock ran out, or the queue was emptied under it: whoever runs it again finds a final row.
      log.warn({ queue, job_id: job.id, err: error }, 'a job could not be ended; its row stands as it is');
    }
    return null;
  }

  /** A job that cannot be ended for now (a deadlock in the queue's own tables) is given back to be run again. */
  async function complete(job: BullJob, token: string): Promise<{ next: BullJob | null } | PromiseRejectedResult> {
    try {
      const next = await job.moveToCompleted(undefined, token, !isClosing && !worker.isPaused());
      return { next: Array.isArray(next) ? jobFrom(worker, next, token) : null };
    } catch (reason) {
      return { status: 'rejected', reason };
    }
  }

  // BullMQ renews the locks of jobs that it runs itself; these are ours to renew.
  const renewal = setInterval(() => {
    const jobs = [...held];
    const tokens = jobs.map(({ token = '' }) => token);
    const ids = jobs.map(({ id = '' }) => id);
    if (jobs.length > 0) worker.extendJobLocks(ids, tokens, lockDurationMs).catch(tell);
  }, lockDurationMs / 2);
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
        log.warn({ queue, running: held.size }, 'closed with jobs running; they are run again when their lock ends');
      return isDone;
    },
  };
}

/** Why a job that was started or lost its lock too often is not run again; null when it is fit to run. */
function givenUp(job: BullJob, { attempts }: { attempts: number }): Error | null {
  if (job.deferredFailure) return plainError(new Error(job.deferredFailure), false);
  const isWorn = job.attemptsStarted > attempts + STARTED_BEYOND_ATTEMPTS_MAX;
  return isWorn ? new UnrecoverableError('started more often than allowed') : null;
}

/** What the queue gives in exchange for a finished job: its fields and id, or nothing. */
function jobFrom(worker: BullWorker, [fields, id]: readonly unknown[], token: string): BullJob | null {
  if (typeof id !== 'string' || !isJobJson(fields)) return null;
  const job = Job.fromJSON<JobData, void, string>(worker, fields, id);
  job.token = token;
  return job;
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

function isJob(job: BullJob | undefined): job is BullJob {
  return job !== undefined;
}

function isJobJson(fields: unknown): fields is JobJson {
  return typeof fields === 'object' && fields !== null;
}
