// Jobs of a queue on PostgreSQL, many in one statement and so in one commit, on BullMQ's tables and as its functions do
// it for each job: a test compares what both leave.

import type { JobsOptions } from 'bullmq';
import type pg from 'pg';
import { type Exchange, type ExchangeOptions, type NewJob, readJobData, type TakenJob } from './job.ts';

/** Those whose id is there already, done or not, stay as they are. Workers that wait are told. */
const ADD = `
  WITH added AS (
    INSERT INTO job (queue, id, seq, name, state, data, opts, max_attempts, added_at_ms)
    SELECT $1, u.id, nextval('job_seq'), $1, 'waiting', u.data::jsonb, $4::jsonb || jsonb_build_object('jobId', u.id),
           ($4::jsonb ->> 'attempts')::integer, $5
    FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS u (id, data, place) ORDER BY u.place
    ON CONFLICT (queue, id) DO NOTHING RETURNING id, seq
  ), told AS (
    INSERT INTO event (queue, event, data, created_at_ms)
    SELECT $1, e.event, e.data, $5 FROM added, LATERAL (VALUES
      ('added', jsonb_build_object('jobId', added.id, 'name', $1)),
      ('waiting', jsonb_build_object('jobId', added.id))) AS e (event, data) ORDER BY added.seq
  )
  SELECT pg_notify('bullmq_jobs', $1) WHERE EXISTS (SELECT FROM added)`;

export async function addJobs(
  pool: pg.Pool,
  { queue, options, jobs }: { queue: string; options: JobsOptions; jobs: readonly NewJob[] },
): Promise<void> {
  const ids = jobs.map(({ id }) => id);
  const data = jobs.map((job) => JSON.stringify(job.data));
  await pool.query({ name: 'queue-add', text: ADD, values: [queue, ids, data, JSON.stringify(options), Date.now()] });
}

/**
 * Those that the token holds no more are missing among the done. A queue that is paused or has a limit of its own hands
 * out nothing here; BullMQ's own function may.
 */
const EXCHANGE = `
  WITH held AS MATERIALIZED (
    SELECT id FROM job WHERE queue = $1 AND id = ANY ($3::text[]) AND state = 'active' AND lock_token = $2
    ORDER BY id FOR UPDATE
  ), done AS (
    UPDATE job SET state = 'completed', return_value = 'null', finished_at_ms = $5, lock_token = NULL,
                   locked_until_ms = NULL, attempts_made = attempts_made + 1
    FROM held WHERE job.queue = $1 AND job.id = held.id RETURNING job.id
  ), next AS MATERIALIZED (
    SELECT id FROM job WHERE queue = $1 AND state = 'waiting' AND NOT EXISTS (
      SELECT FROM meta WHERE queue = $1 AND (field = 'paused' AND value = '1' OR field IN ('concurrency', 'max')))
    ORDER BY priority, seq LIMIT $4 FOR UPDATE SKIP LOCKED
  ), taken AS (
    UPDATE job SET state = 'active', lock_token = $2, locked_until_ms = $5::bigint + $6, processed_at_ms = $5,
                   attempts_started = attempts_started + 1
    FROM next WHERE job.queue = $1 AND job.id = next.id RETURNING job.*
  ), told AS (
    INSERT INTO event (queue, event, data, created_at_ms)
    SELECT $1, 'completed', jsonb_build_object('jobId', id, 'returnvalue', 'null', 'prev', 'active'), $5 FROM done
    UNION ALL SELECT $1, 'active', jsonb_build_object('jobId', id, 'prev', 'waiting'), $5 FROM taken
  )
  SELECT id, NULL AS name, NULL AS data, NULL AS added_at_ms, NULL AS attempts_made, NULL AS attempts_started,
         NULL AS deferred_failure, NULL AS seq FROM done
  UNION ALL
  SELECT id, name, data, added_at_ms, attempts_made, attempts_started, deferred_failure, seq FROM taken
  ORDER BY seq`;

interface Row {
  readonly id: string;
  readonly name: string | null;
  readonly data: unknown;
  readonly added_at_ms: string | null;
  readonly attempts_made: number;
  readonly attempts_started: number;
  readonly deferred_failure: string | null;
}

export async function exchangeJobs(
  pool: pg.Pool,
  { queue, token, lockMs, done, wanted }: ExchangeOptions & { readonly queue: string },
): Promise<Exchange> {
  const ids = done.map(({ id }) => id);
  const { rows } = await pool.query<Row>(EXCHANGE, [queue, token, ids, wanted, Date.now(), lockMs]);
  const ended = new Set(rows.filter(({ name }) => name === null).map(({ id }) => id));
  return {
    refused: ids.filter((id) => !ended.has(id)),
    taken: rows.flatMap((row) => (row.name === null ? [] : [readTaken(row, row.name)])),
  };
}

function readTaken(row: Row, name: string): TakenJob {
  return {
    id: row.id,
    name,
    data: readJobData(row.data),
    attemptsMade: row.attempts_made,
    attemptsStarted: row.attempts_started,
    queuedMs: Math.max(0, Date.now() - Number(row.added_at_ms)),
    deferredFailure: row.deferred_failure,
  };
}
