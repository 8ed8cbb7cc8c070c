// Reconcile: every unfinished row whose due_at has passed is run, whatever the queue thinks of its job. It has a
// timer of its own in every worker, so that nothing depends on the queue's schedule.

import { sql } from 'kysely';
import type { Logger } from 'pino';
import { OPERATION_KINDS, type OperationKind, type Pkid } from '../domain/id.ts';
import type { ProviderName } from '../domain/provider.ts';
import type { AtCrashPoint } from '../runtime/crash-point.ts';
import type { Db } from '../runtime/db.ts';
import { createSingleFlight } from '../runtime/single-flight.ts';
import type { CheckoutLife } from './checkout.ts';
import type { Runner } from './runner.ts';
import type { WebhookInLife } from './webhook-in.ts';
import type { WebhookOut } from './webhook-out.ts';

export interface Reconcile {
  /** Runs rounds until one is not full. Calls that come while one is under way share it. */
  round(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

/**
 * A round's rows, 500 in all; the next round follows at once while one is full. Each kind has its own share, so that
 * payouts that wait for a hanging provider do not keep transfers from being looked at.
 */
const SHARES = { payin: 100, payout: 125, refund: 75, transfer: 100, event: 50, checkout: 10, delivery: 40 } as const;
/** A row whose run fails makes room for the others; its cause is seldom over sooner. */
const POSTPONED_MS = 10_000;
export const RECONCILE_HEARTBEAT = 'reconcile';
/** Older than this many periods, the heartbeat is an alarm. */
export const HEARTBEAT_PERIODS_MAX = 3;

export function createReconcile(options: {
  db: Db;
  runner: Runner;
  events: Pick<WebhookInLife, 'apply'>;
  checkouts: Pick<CheckoutLife, 'compensate'>;
  deliveries: Pick<WebhookOut, 'deliver' | 'due'>;
  periodMs: number;
  /** Names this process in the heartbeat. */
  holder: string;
  log: Logger;
  /** Only the crash bench hands it in. */
  at?: AtCrashPoint | undefined;
}): Reconcile {
  const { db, runner, events, checkouts, deliveries, periodMs, holder, log, at } = options;
  // A checkout stays due while it is compensated, longer than a round waits; rounds would pile up looks at it.
  const inSingleFlight = createSingleFlight();
  let current: Promise<void> | null = null;
  let timer: NodeJS.Timeout | null = null;
  let isStopped = false;

  async function rounds(): Promise<void> {
    for (;;) {
      if (at) await at('reconcile: before reading', holder);
      const due = [...(await readDue(db)), ...(await dueDeliveries())];
      if (at) await at('reconcile: after reading', holder);
      await beat(db, { holder, periodMs });
      if (at) await at('reconcile: after heartbeat', holder);
      const isAllDone = await runAll(due);
      if (at) await at('reconcile: after rows', holder);
      // Rows that still run, or failed to, are still due: looking at them again at once would spin.
      if (!isFull(due) || !isAllDone || isStopped) return;
    }
  }

  /** Waits one period at most: calls that hang at one provider must not keep other rows from being looked at. */
  async function runAll(due: readonly DueRow[]): Promise<boolean> {
    const runs = Promise.allSettled(due.map(runOne)).then(async (results) => {
      const failed = due.filter((_row, index) => results[index]?.status === 'rejected');
      if (failed.length === 0) return true;
      const reason = results.find((result) => result.status === 'rejected')?.reason;
      log.warn({ count: failed.length, err: reason }, 'reconcile: rows failed to run');
      // Where this fails too, the database is away, and the rows are due as before.
      await postpone(db, failed).catch((error: unknown) => log.warn({ err: error }, 'reconcile: rows stay due'));
      return false;
    });
    const { promise: isLate, resolve } = Promise.withResolvers<boolean>();
    const timeout = setTimeout(() => resolve(false), periodMs);
    return Promise.race([runs, isLate]).finally(() => clearTimeout(timeout));
  }

  function runOne(row: DueRow): Promise<unknown> {
    if (row.kind === 'event') return events.apply({ provider: row.provider, eventId: row.eventId });
    if (row.kind === 'checkout') return inSingleFlight(row.checkoutId, () => checkouts.compensate(row.checkoutId));
    if (row.kind === 'delivery') return deliveries.deliver(row.deliveryId);
    return runner.run(row.kind, row.pkid, { reason: 'reconcile' });
  }

  async function dueDeliveries(): Promise<DueRow[]> {
    const ids = await deliveries.due(SHARES.delivery);
    return ids.map((deliveryId) => ({ kind: 'delivery', deliveryId }));
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
  | { readonly kind: OperationKind; readonly pkid: Pkid }
  | { readonly kind: 'checkout'; readonly checkoutId: string }
  | { readonly kind: 'delivery'; readonly deliveryId: string }
  | { readonly kind: 'event'; readonly provider: ProviderName; readonly eventId: string };

function isFull(due: readonly DueRow[]): boolean {
  return KINDS.some((kind) => due.filter((row) => row.kind === kind).length >= SHARES[kind]);
}

const KINDS = [...OPERATION_KINDS, 'event', 'checkout', 'delivery'] as const satisfies readonly DueRow['kind'][];

/** Where rows with a due_at are found: the database keeps those of transfers apart (migration 0005). */
const DUE_ROWS = {
  payin: 'payin',
  payout: 'payout',
  refund: 'refund',
  transfer: 'transfer_due',
} as const satisfies Record<OperationKind, string>;

/** Oldest first, without locks: a row's own claim decides who runs it. */
async function readDue(db: Db): Promise<DueRow[]> {
  const operations = OPERATION_KINDS.map(
    (kind) => sql`
      (SELECT ${sql.lit(kind)} AS kind, pkid::text AS id, NULL AS provider, due_at FROM ${sql.table(DUE_ROWS[kind])}
       WHERE due_at <= now() ORDER BY due_at LIMIT ${SHARES[kind]})`,
  );
  const { rows } = await sql<
    | { kind: OperationKind; id: Pkid; provider: null }
    | { kind: 'event'; id: string; provider: ProviderName }
    | { kind: 'checkout'; id: string; provider: null }
  >`
    SELECT * FROM (
      ${sql.join(operations, sql` UNION ALL `)}
      UNION ALL
      (SELECT 'event', event_id, provider, due_at FROM provider_event
       WHERE due_at <= now() ORDER BY due_at LIMIT ${SHARES.event})
      UNION ALL
      (SELECT 'checkout', checkout_id, NULL, due_at FROM checkout
       WHERE due_at <= now() ORDER BY due_at LIMIT ${SHARES.checkout})
    ) due ORDER BY due_at`.execute(db.sql);
  return rows.map((row) => {
    if (row.kind === 'event') return { kind: row.kind, provider: row.provider, eventId: row.id };
    return row.kind === 'checkout' ? { kind: row.kind, checkoutId: row.id } : { kind: row.kind, pkid: row.id };
  });
}

/** Operations and checkouts: what else failed was put off by its own claim. */
async function postpone(db: Db, failed: readonly DueRow[]): Promise<void> {
  const pkids = failed.flatMap((row) => ('pkid' in row ? [row.pkid] : []));
  for (const table of OPERATION_KINDS) {
    await sql`
      UPDATE ${sql.table(table)} SET due_at = clock_timestamp() + make_interval(secs => ${POSTPONED_MS / 1000})
      WHERE pkid IN (SELECT pkid FROM ${sql.table(table)}
                     WHERE pkid = ANY(${pkids}::uuid[]) AND due_at <= now() ORDER BY pkid FOR UPDATE)
    `.execute(db.sql);
  }
  const checkoutIds = failed.flatMap((row) => (row.kind === 'checkout' ? [row.checkoutId] : []));
  await sql`
    UPDATE checkout SET due_at = clock_timestamp() + make_interval(secs => ${POSTPONED_MS / 1000})
    WHERE checkout_id = ANY(${checkoutIds}::text[]) AND due_at <= now()`.execute(db.sql);
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
