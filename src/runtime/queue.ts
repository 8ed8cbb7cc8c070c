// The queue: BullMQ on Redis, or on PostgreSQL when there is no Redis, behind one face. It only says "look at this
// row"; the row decides, so every job may be lost, late or run twice.

import { ErrorCode, Queue } from 'bullmq';
import { createAdder } from './queue/add.ts';
import { type Backend, type BullQueue, errorListener, type QueueLog, sparingWarning, within } from './queue/backend.ts';
import { startBatchWorker } from './queue/batch-worker.ts';
import { codeOf, reasonOf } from './queue/error.ts';
import { type JobData, KEPT_COMPLETED, KEPT_FAILED, type NewJob } from './queue/job.ts';
import { connectPostgres } from './queue/postgres.ts';
import { connectRedis, RedisAwayError } from './queue/redis.ts';
import { startTrimmer, type Trimmer } from './queue/trim.ts';
import { BACKOFF_TYPE, startWorker, type WorkerHandle, type WorkOptions } from './queue/worker.ts';

export type { JobData, NewJob, RunningJob } from './queue/job.ts';
export type { WorkerHandle, WorkOptions } from './queue/worker.ts';

export interface QueueCounts {
  readonly waiting: number;
  readonly active: number;
  readonly delayed: number;
  readonly failed: number;
  /** 0 when nothing waits. */
  readonly oldestWaitingMs: number;
}

export interface Schedule {
  readonly id: string;
  readonly everyMs: number;
  readonly data?: JobData;
}

export interface Queues<Name extends string = string> {
  readonly backend: 'redis' | 'postgres';
  readonly names: readonly Name[];
  /** Best effort: never throws, answers within 500 ms, false when the queue did not take the jobs. */
  add(queue: Name, jobs: readonly NewJob[]): Promise<boolean>;
  work(queue: Name, options: WorkOptions): Promise<WorkerHandle>;
  /** The same for queues of many jobs: they are fetched and ended many at a time. Schedules need the other. */
  workInBatches(queue: Name, options: WorkOptions): Promise<WorkerHandle>;
  /** Idempotent. Call it at every start and on a timer: a flushed queue forgets its schedules. */
  schedule(queue: Name, schedule: Schedule): Promise<void>;
  counts(): Promise<Record<Name, QueueCounts>>;
  /** Rejects with a clear message when the queue cannot be reached. */
  ready(): Promise<void>;
  ping(): Promise<boolean>;
  /** The BullMQ objects for the board. */
  board(): readonly Queue[];
  /** Close the workers first. Never hangs; an add afterwards answers false. */
  close(): Promise<void>;
}

const ATTEMPTS_DEFAULT = 8;
const NOT_ADDED = 'jobs were not added in time; they are added when the queue answers, or run when their rows are due';
/** Anything else could collide with a key of the queue itself and stop it. */
const JOB_ID = /^[a-z][a-z-]*-[^:\p{Cc}]+$/u;
const CONNECT_RETRY_MS = 300;
const READY_TIMEOUT_MS = 10_000;
const COUNTS_TIMEOUT_MS = 2000;
const SCHEDULE_TIMEOUT_MS = 5000;
const SCHEDULE_ATTEMPTS_MAX = 5;
const SCHEDULE_RETRY_MS = 50;
/** Deadlock, serialisation, lock time-out. */
const SCHEDULE_RETRYABLE = new Set(['40P01', '40001', '55P03']);
const CLOSE_TIMEOUT_MS = 1000;

export interface OpenOptions<Name extends string> {
  readonly redisUrl: string | null;
  readonly databaseUrl: string;
  readonly names: readonly Name[];
  readonly log: QueueLog;
  /** Only for PostgreSQL: connections besides the two that each worker adds. */
  readonly poolMax?: number;
  /** Only for Redis: what its keys begin with, for deployments or tests that share one server. */
  readonly prefix?: string;
  /** Only for Redis: how long one that is not up yet is waited for. */
  readonly waitMs?: number;
  /** How often a failing job is tried, by queue. */
  readonly attempts?: Readonly<Partial<Record<Name, number>>>;
}

export async function openQueues<const Name extends string>(options: OpenOptions<Name>): Promise<Queues<Name>> {
  const { names, log } = options;
  const backend = await connect(options);
  const attemptsOf = (name: Name) => options.attempts?.[name] ?? ATTEMPTS_DEFAULT;
  const lanes = new Map(names.map((name) => [name, openLane(backend, { name, attempts: attemptsOf(name), log })]));
  const lane = (name: Name) => {
    const found = lanes.get(name);
    if (found === undefined) throw new Error(`No queue named "${name}". Add it to the names given to openQueues.`);
    return found;
  };
  const trimmer = backend.trimAlone !== null ? trimmerOf(backend.trimAlone, [...lanes.values()], log) : null;
  let closing: Promise<void> | null = null;

  const queues: Queues<Name> = {
    backend: backend.kind,
    names,
    async add(name, jobs) {
      const target = lanes.get(name);
      const unsafe = jobs.find((job) => !JOB_ID.test(job.id));
      if (target !== undefined && unsafe === undefined) return target.adder.add(jobs);
      const refused = { queue: name, job_id: unsafe?.id ?? null, count: jobs.length };
      log.error(refused, 'jobs of an unknown queue or with unsafe ids refused');
      return false;
    },
    async work(name, work) {
      lane(name);
      return startWorker(backend, { ...work, queue: name, attempts: attemptsOf(name), log });
    },
    async workInBatches(name, work) {
      lane(name);
      return startBatchWorker(backend, { ...work, queue: name, attempts: attemptsOf(name), log });
    },
    schedule: (name, schedule) => lane(name).schedule(schedule),
    async counts() {
      const entries = await Promise.all(names.map(async (name) => [name, await countJobs(lane(name).queue)] as const));
      const counts: Partial<Record<string, QueueCounts>> = Object.fromEntries(entries);
      if (!hasAll(counts, names)) throw new Error('A queue was not counted. Ask again.');
      return counts;
    },
    async ready() {
      if (closing !== null) throw new Error('The queue is closed. Start the process again.');
      await backend.ping();
    },
    async ping() {
      return queues.ready().then(
        () => true,
        () => false,
      );
    },
    board: () => [...lanes.values()].map(({ queue }) => queue).filter(isQueue),
    close() {
      closing ??= closeAll(backend, [...lanes.values()], trimmer);
      return closing;
    },
  };

  try {
    const connected = [...lanes.values()].map(({ queue }) => queue.waitUntilReady());
    await within(READY_TIMEOUT_MS, Promise.all(connected), 'no answer in time');
  } catch (error) {
    await queues.close();
    throw new Error(`Cannot open the queues: ${reasonOf(error)}. Check that ${backend.kind} runs and start again.`, {
      cause: error,
    });
  }
  return queues;
}

async function connect(options: OpenOptions<string>): Promise<Backend> {
  const { redisUrl, databaseUrl, log, poolMax, prefix, waitMs = 0 } = options;
  if (redisUrl === null) return connectPostgres({ url: databaseUrl, log, ...(poolMax !== undefined && { poolMax }) });
  const giveUpAt = performance.now() + waitMs;
  for (let tried = 1; ; tried += 1) {
    try {
      return await connectRedis({ url: redisUrl, log, ...(prefix !== undefined && { prefix }) });
    } catch (error) {
      if (!(error instanceof RedisAwayError) || performance.now() >= giveUpAt) throw error;
      if (tried === 1) log.warn({ reason: error.message }, `Redis is waited for, ${waitMs / 1000} s at most`);
      await new Promise((resolve) => setTimeout(resolve, CONNECT_RETRY_MS));
    }
  }
}

type Lane = ReturnType<typeof openLane>;

/** One queue with its way in. */
function openLane(backend: Backend, options: { name: string; attempts: number; log: QueueLog }) {
  const { name, attempts, log } = options;
  const queue: BullQueue = new Queue(
    name,
    {
      connection: backend.producerConnection,
      prefix: backend.prefix,
      defaultJobOptions: {
        attempts,
        backoff: { type: BACKOFF_TYPE },
        // Without these BullMQ keeps every job.
        ...(backend.trimAlone === null && { removeOnComplete: KEPT_COMPLETED, removeOnFail: KEPT_FAILED }),
      },
    },
    backend.factory,
  );
  queue.on('error', errorListener(log, `queue ${name}`));
  const adder = createAdder<NewJob>({
    addBulk: (jobs) => backend.add(queue, jobs),
    underwayMax: backend.addsUnderwayMax,
    onFailure: sparingWarning(log, { source: `queue ${name}`, message: NOT_ADDED }),
  });
  let scheduled: Promise<unknown> = Promise.resolve();
  return {
    queue,
    adder,
    /** One after the other: two at once of one queue may deadlock in PostgreSQL. */
    schedule(schedule: Schedule): Promise<void> {
      const writing = scheduled.then(() => upsertSchedule(queue, schedule));
      scheduled = writing.catch(() => undefined);
      return writing;
    },
  };
}

/** Several processes may upsert at once: one then meets a deadlock, or slots that another has just filled. */
async function upsertSchedule(queue: BullQueue, { id, everyMs, data = {} }: Schedule): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const upserted = queue.upsertJobScheduler(id, { every: everyMs }, { name: id, data });
      await within(SCHEDULE_TIMEOUT_MS, upserted, `${queue.name} did not answer in time`);
      return;
    } catch (error) {
      const slotsTaken = isSlotsTaken(error);
      if (attempt >= SCHEDULE_ATTEMPTS_MAX || !(slotsTaken || SCHEDULE_RETRYABLE.has(codeOf(error) ?? ''))) throw error;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * SCHEDULE_RETRY_MS * attempt));
      if (slotsTaken && (await queue.getJobScheduler(id))?.every === everyMs) return;
    }
  }
}

/** BullMQ gives this error a number only, and no class. */
function isSlotsTaken(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === ErrorCode.SchedulerJobSlotsBusy || code === ErrorCode.SchedulerJobIdCollision;
}

async function countJobs(queue: BullQueue): Promise<QueueCounts> {
  const read = Promise.all([
    queue.getJobCounts('waiting', 'active', 'delayed', 'failed'),
    queue.getJobs(['waiting'], 0, 0, true),
  ]);
  const [counts, [oldest]] = await within(COUNTS_TIMEOUT_MS, read, `The queue ${queue.name} does not answer.`);
  return {
    waiting: counts.waiting ?? 0,
    active: counts.active ?? 0,
    delayed: counts.delayed ?? 0,
    failed: counts.failed ?? 0,
    oldestWaitingMs: oldest === undefined ? 0 : Math.max(0, Date.now() - oldest.timestamp),
  };
}

function trimmerOf(alone: NonNullable<Backend['trimAlone']>, lanes: readonly Lane[], log: QueueLog): Trimmer {
  const kept = { completed: KEPT_COMPLETED, failed: KEPT_FAILED };
  return startTrimmer({ queues: lanes.map(({ queue }) => queue), kept, alone, log });
}

async function closeAll(backend: Backend, lanes: readonly Lane[], trimmer: Trimmer | null): Promise<void> {
  await Promise.all(lanes.map(({ adder }) => adder.close()));
  await within(CLOSE_TIMEOUT_MS, trimmer?.stop() ?? Promise.resolve(), 'late').catch(() => undefined);
  const closed = Promise.all(lanes.map(({ queue }) => queue.close()));
  await within(CLOSE_TIMEOUT_MS, closed, 'late').catch(() => undefined);
  await backend.close();
}

/** The board's library knows queues only by BullMQ's default type. */
function isQueue(value: unknown): value is Queue {
  return value instanceof Queue;
}

function hasAll<Key extends string, Value>(
  record: Partial<Record<string, Value>>,
  keys: readonly Key[],
): record is Record<Key, Value> {
  return keys.every((key) => record[key] !== undefined);
}
