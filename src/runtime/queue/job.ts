// What a job is to us: what it carries, how long it is kept, and when it is tried again.

import type { Job } from 'bullmq';

/** Ids and the trace context only; everything else is in the row. */
export type JobData = Readonly<Record<string, string>>;

export interface NewJob {
  /** Made by jobIdOf: "<kind>-<key>", never an integer, never one of the queue's own names, no ":". */
  readonly id: string;
  readonly data: JobData;
}

/** A job that waited and is now locked. */
export interface TakenJob {
  readonly id: string;
  readonly name: string;
  readonly data: JobData;
  readonly attemptsMade: number;
  /** With this one, and with those that ended in the death of their process. */
  readonly attemptsStarted: number;
  readonly queuedMs: number;
  /** Why it is only to be ended: it lost its lock too often. */
  readonly deferredFailure: string | null;
}

/** As it was when it was taken. */
export type DoneJob = Pick<TakenJob, 'id' | 'attemptsMade'>;

export interface ExchangeOptions {
  /** Who holds the jobs: of those done as well as of those taken. */
  readonly token: string;
  readonly lockMs: number;
  /** Jobs that are completed. */
  readonly done: readonly DoneJob[];
  /** So many more at most. */
  readonly wanted: number;
}

export interface Exchange {
  readonly taken: readonly TakenJob[];
  /** Ids of those done that the token held no more. */
  readonly refused: readonly string[];
}

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

/** Completed jobs are kept for the board only, failed ones for as long as people look back. Ages are in seconds. */
export const KEPT_COMPLETED = { count: 1000, age: 3600 } as const;
export const KEPT_FAILED = { count: 10_000, age: 14 * 24 * 3600 } as const;

const BACKOFF_BASE_MS = 200;
const BACKOFF_CAP_MS = 30_000;

/** Asynchronous, so that a throw and a rejection end in the same place. */
export async function report(onDead: (job: DeadJob) => void | Promise<void>, job: DeadJob): Promise<void> {
  await onDead(job);
}

/** Full jitter: workers that failed together must not come back together. */
export function backoffMs(attemptsMade: number): number {
  return Math.ceil(Math.random() * Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(attemptsMade - 1, 20)));
}

export function describe(job: Job): { id: string; name: string; data: JobData; attemptsMade: number } {
  return { id: job.id ?? '', name: job.name, data: readJobData(job.data), attemptsMade: job.attemptsMade };
}

export function takenJob(job: Job): TakenJob {
  const { attemptsStarted, deferredFailure = null } = job;
  return { ...describe(job), attemptsStarted, queuedMs: queuedMsOf(job), deferredFailure: deferredFailure || null };
}

export function queuedMsOf(job: Pick<Job, 'timestamp' | 'opts'>): number {
  return Math.max(0, Date.now() - job.timestamp - (job.opts.delay ?? 0));
}

/** What is no JSON is no data. */
export function readJobText(text: string): JobData {
  try {
    return readJobData(JSON.parse(text));
  } catch {
    return {};
  }
}

/** Job data comes from outside the process: only texts are kept. */
export function readJobData(data: unknown): JobData {
  if (typeof data !== 'object' || data === null) return {};
  if (isTexts(data)) return data;
  return Object.fromEntries(
    Object.entries(data).filter((field): field is [string, string] => typeof field[1] === 'string'),
  );
}

function isTexts(data: object): data is JobData {
  return Object.values(data).every((value) => typeof value === 'string');
}
