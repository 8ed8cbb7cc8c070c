// Jobs of a queue on Redis, many in one command.

import type { JobsOptions } from 'bullmq';
import type { Redis } from 'ioredis';
import { type Exchange, type ExchangeOptions, KEPT_COMPLETED, type NewJob, readJobText, type TakenJob } from './job.ts';
import { addScript, exchangeScript } from './redis-scripts.ts';

interface Place {
  readonly prefix: string;
  readonly queue: string;
}

export async function addJobs(
  redis: Redis,
  { prefix, queue, options, jobs }: Place & { options: JobsOptions; jobs: readonly NewJob[] },
): Promise<void> {
  const base = `${prefix}:${queue}:`;
  const keys = ['wait', 'meta', 'events', 'marker', 'id'].map((name) => base + name);
  // The script adds the job's id to them and closes the brace.
  const head = JSON.stringify(options).slice(0, -1);
  const pairs = jobs.flatMap(({ id, data }) => [id, JSON.stringify(data)]);
  await addScript(redis, keys, [base, queue, head, Date.now(), ...pairs]);
}

export async function exchangeJobs(
  redis: Redis,
  { prefix, queue, token, lockMs, done, wanted }: Place & ExchangeOptions,
): Promise<Exchange> {
  const base = `${prefix}:${queue}:`;
  const keys = ['wait', 'active', 'meta', 'events', 'marker', 'completed', 'stalled'].map((name) => base + name);
  const { count, age } = KEPT_COMPLETED;
  const ended = done.flatMap(({ id, attemptsMade }) => [id, attemptsMade + 1]);
  const answer = await exchangeScript(redis, keys, [base, token, lockMs, Date.now(), wanted, count, age, ...ended]);
  const [refused, taken] = listOf(answer);
  return { refused: listOf(refused).map(textOf), taken: listOf(taken).map((fields) => readTaken(listOf(fields))) };
}

/** In the order in which the script names them; what a job does not have is null. */
function readTaken([name, data, timestamp, made, started, deferred, id]: readonly unknown[]): TakenJob {
  return {
    id: textOf(id),
    name: textOf(name),
    data: readJobText(textOf(data)),
    attemptsMade: Number(made ?? 0),
    attemptsStarted: Number(started ?? 0) + 1,
    queuedMs: Math.max(0, Date.now() - Number(timestamp ?? 0)),
    deferredFailure: typeof deferred === 'string' ? deferred : null,
  };
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
