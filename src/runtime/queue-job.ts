// What a job is to us, and how it ends badly. BullMQ sees only nothing (done) or a short plain error (again, or dead):
// a result or an error that it cannot store would make the job run once more.

import { type Job, UnrecoverableError } from 'bullmq';
import { PaymentError } from '../domain/errors.ts';
import { codeOf } from './queue-backend.ts';

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

const REASON_LENGTH_MAX = 200;
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

export function queuedMsOf(job: Job): number {
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
export function plainError(error: unknown, canRetry: boolean): Error {
  const reason =
    error instanceof PaymentError
      ? `${error.code}: ${error.detail}`
      : [error instanceof Error ? error.name : 'Error', codeOf(error)].filter(Boolean).join(' ');
  const text = reason.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, REASON_LENGTH_MAX);
  const plain = canRetry ? new Error(text) : new UnrecoverableError(text);
  plain.stack = '';
  return plain;
}
