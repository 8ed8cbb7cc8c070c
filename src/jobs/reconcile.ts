// Reconcile: every unfinished row whose due_at has passed is run, whatever the queue thinks of its job. It has a
// timer of its own in every worker, so that nothing depends on the queue's schedule.

import { sql } from 'kysely';
import type { Logger } from 'pino';
import type { Pkid } from '../domain/id.ts';
import type { ProviderName } from '../domain/provider.ts';
import type { Db } from '../runtime/db.ts';
import type { RunnableKind, Runner } from './runner.ts';
import type { WebhookInLife } from './webhook-in.ts';

export interface Reconcile {
  /** Runs rounds until one is not full. Calls that come while one is under way share it. */
  round(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

/** A round's rows; the next round follows at once while rounds are full. */
const ROWS_MAX = 500;
export const RECONCILE_HEARTBEAT = 'reconcile';
/** Older than this many periods, the heartbeat is an alarm. */
export const HEARTBEAT_PERIODS_MAX = 3;

export function createReconcile(options: {
  db: Db;
  runner: Runner;
  events: Pick<WebhookInLife, 'apply'>;
  periodMs: number;
  /** Names this process in the heartbeat. */
  holder: string;
  log: Logger;
}): Reconcile {
  const { db, runner, events, periodMs, holder, log } = options;
  let current: Promise<void> | null = null;
  let timer: NodeJS.Timeout | null = null;
  let isStopped = false;

  async function rounds(): Promise<void> {
    for (;;) {
      const due = await readDue(db);
      await beat(db, { holder, periodMs });
      const isAllDone = await runAll(due);
      // Rows that still run, or failed to, are still due: looking at them again at once would spin.
      if (due.length < ROWS_MAX || !isAllDone || isStopped) return;
    }
  }

  /** Waits one period at most: calls that hang at one provider must not keep other rows from being looked at. */
  async function runAll(due: readonly DueRow[]): Promise<boolean> {
    const runs = Promise.allSettled(due.map(runOne)).then((results) => {
      const failed = results.filter((result) => result.status === 'rejected');
      if (failed.length > 0)
        log.warn({ count: failed.length, err: failed[0]?.reason }, 'reconcile: rows failed to run');
      return failed.length === 0;
    });
    const { promise: isLate, resolve } = Promise.withResolvers<boolean>();
    const timeout = setTimeout(() => resolve(false), periodMs);
    return Promise.race([runs, isLate]).finally(() => clearTimeout(timeout));
  }

  function runOne(row: DueRow): Promise<unknown> {
    if (row.kind === 'event') return events.apply({ provider: row.provider, eventId: row.eventId });
    return runner.run(row.kind, row.pkid, { reason: 'reconcile' });
  }

  function round(): Promise<void> {
    current ??= rounds().finally(() => {
      current = null;
    });
    return current;
  }

  return {
    round,
    start() {
      const tick = () => {
        void round()
          .catch((error: unknown) => log.error({ err: error }, 'reconcile failed'))
          .finally(() => {
            if (!isStopped) timer = setTimeout(tick, periodMs);
          });
      };
      // Workers that start together should not ask together.
      timer = setTimeout(tick, Math.random() * Math.min(periodMs, FIRST_ROUND_WITHIN_MS));
    },
    async stop() {
      isStopped = true;
      if (timer !== null) clearTimeout(timer);
      await current?.catch(() => {});
    },
  };
}

const FIRST_ROUND_WITHIN_MS = 500;

type DueRow =
  | { readonly kind: RunnableKind; readonly pkid: Pkid }
  | { readonly kind: 'event'; readonly provider: ProviderName; readonly eventId: string };

/** Oldest first, without locks: a row's own claim decides who runs it. */
async function readDue(db: Db): Promise<DueRow[]> {
  const { rows } = await sql<
    | { kind: RunnableKind; pkid: Pkid; provider: null; event_id: null }
    | { kind: 'event'; pkid: null; provider: ProviderName; event_id: string }
  >`
    SELECT * FROM (
      (SELECT 'payout' AS kind, pkid, NULL AS provider, NULL AS event_id, due_at FROM payout
       WHERE due_at <= now() ORDER BY due_at LIMIT ${ROWS_MAX})
      UNION ALL
      (SELECT 'transfer', pkid, NULL, NULL, due_at FROM transfer
       WHERE due_at <= now() ORDER BY due_at LIMIT ${ROWS_MAX})
      UNION ALL
      (SELECT 'event', NULL, provider, event_id, due_at FROM provider_event
       WHERE due_at <= now() ORDER BY due_at LIMIT ${ROWS_MAX})
    ) due ORDER BY due_at LIMIT ${ROWS_MAX}`.execute(db.sql);
  return rows.map((row) =>
    row.kind === 'event'
      ? { kind: row.kind, provider: row.provider, eventId: row.event_id }
      : { kind: row.kind, pkid: row.pkid },
  );
}

async function beat(db: Db, { holder, periodMs }: { holder: string; periodMs: number }): Promise<void> {
  await sql`INSERT INTO heartbeat (name, holder, period_ms, beat_at)
    VALUES (${RECONCILE_HEARTBEAT}, ${holder}, ${periodMs}, clock_timestamp())
    ON CONFLICT (name) DO UPDATE
    SET holder = excluded.holder, period_ms = excluded.period_ms, beat_at = excluded.beat_at`.execute(db.sql);
}

/** How long ago any process reconciled, in milliseconds; null when none ever did. */
export async function reconcileAge(db: Db): Promise<{ ageMs: number; periodMs: number } | null> {
  const { rows } = await sql<{ age_ms: string; period_ms: number }>`
    SELECT extract(epoch FROM clock_timestamp() - beat_at) * 1000 AS age_ms, period_ms
    FROM heartbeat WHERE name = ${RECONCILE_HEARTBEAT}`.execute(db.sql);
  const [row] = rows;
  return row === undefined ? null : { ageMs: Number(row.age_ms), periodMs: row.period_ms };
}
