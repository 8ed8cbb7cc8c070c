// What a process of remit consists of, in the order it is built and, backwards, taken down.

import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Listener } from '../api/listen.ts';
import type { Readiness } from '../api/options.ts';
import { createApi } from '../api/server.ts';
import { readTimeline } from '../api/views/timeline.ts';
import { type App, openApp, registerGauges } from '../app.ts';
import { createBoard } from '../console/board.ts';
import { createHome } from '../console/home.ts';
import type { Pkid } from '../domain/id.ts';
import { HEARTBEAT_PERIODS_MAX } from '../jobs/reconcile.ts';
import { AUDIT_JOB, RECONCILE_JOB, startWorkers } from '../jobs/worker.ts';
import { refuseMissingGuards } from '../ledger/audit.ts';
import type { Config } from '../runtime/config.ts';
import { migrate, refuseUnsafeDatabase } from '../runtime/db.ts';
import type { Logger } from '../runtime/logger.ts';
import { createShutdown, type Shutdown } from '../runtime/shutdown.ts';
import { openAnsweringDb } from './database.ts';

/** The queue's schedules are written again this often: a flushed Redis forgets them. */
const SCHEDULE_AGAIN_MS = 30_000;
/** Often enough to be heard of the same day's work; it reads the whole journal. */
const AUDIT_EVERY_MS = 3_600_000;

/** A PostgreSQL or Redis that restarts or reads its log is mostly back by then; else a supervisor starts us again. */
const STORE_WAIT_MS = 30_000;
/** Whoever asks gives up soon after. */
const PROBE_TIMEOUT_MS = 2_000;

/** Brings the schema up to date and refuses a database that cannot keep our promises. */
export async function prepareDatabase(url: string, config: Config, log: Logger): Promise<string[]> {
  const db = await openAnsweringDb(url, log, { waitMs: STORE_WAIT_MS });
  try {
    await refuseUnsafeDatabase(db, config);
    const applied = await migrate(db);
    await refuseMissingGuards(db);
    return applied;
  } finally {
    await db.close();
  }
}

export async function openReadyApp(options: Parameters<typeof openApp>[0]): Promise<App> {
  const app = await openApp({ ...options, queueWaitMs: STORE_WAIT_MS });
  await app.queues.ready();
  registerGauges(app);
  return app;
}

/** A command that runs until it is told to end. From its first moment a signal takes down what has been started. */
export async function runUntilTold(
  { config, log }: { config: Config; log: Logger },
  start: (shutdown: Shutdown) => Promise<void>,
): Promise<void> {
  const shutdown = createShutdown({ log, graceMs: config.shutdownGraceMs });
  shutdown.onSignal();
  try {
    await start(shutdown);
  } catch (error) {
    // The error is the one line that matters now.
    log.level = 'warn';
    await shutdown.run('the start failed');
    throw error;
  }
}

/** Waits for what everything else will stand on; should the end come meanwhile, it is closed as soon as it is there. */
export function lay<Ground extends { close(): Promise<void> } | null>(
  starting: Promise<Ground>,
  { name, shutdown }: { name: string; shutdown: Shutdown },
): Promise<Ground> {
  shutdown.addGround(name, async () => {
    const ground = await starting.catch(() => null);
    await ground?.close();
  });
  return starting;
}

/** Serves HTTP; the first stage of the shutdown, so that nothing new is taken. */
export function addApi(app: App, { listener, shutdown }: { listener: Listener; shutdown: Shutdown }): void {
  let isEnding = false;
  const readiness = () => readReadiness(app, { isEnding });
  const board = createBoard({ queues: app.queues, basePath: '/admin/queues' });
  const providers = [...app.providers.values()];
  const timeline = (pkid: Pkid) => readTimeline(app.db, pkid);
  const home = createHome({ attention: app.reviews.attention, timeline, readiness, providers });
  const api = createApi({ ...app, readiness, board, console: home });
  listener.serve((request, env) => api.fetch(request, Object(env)));
  shutdown.add('http', async () => {
    isEnding = true;
    app.waiter.close();
    await listener.close();
  });
}

/** Runs jobs and reconcile. What still runs when the grace ends is picked up again when its lease is over. */
export async function addWorkers(app: App, { shutdown }: { shutdown: Shutdown }): Promise<void> {
  const workers = await startWorkers({ ...app, onRun: app.metrics.job });
  const schedules = [
    { id: RECONCILE_JOB, everyMs: app.config.reconcileMs },
    { id: AUDIT_JOB, everyMs: AUDIT_EVERY_MS },
  ];
  const schedule = async () => {
    const written = schedules.map((one) => app.queues.schedule('maintenance', one));
    for (const one of await Promise.allSettled(written)) {
      if (one.status === 'fulfilled') continue;
      app.log.warn({ err: one.reason }, 'a schedule was not written; reconcile has its own timer');
    }
  };
  await schedule();
  const timer = setInterval(schedule, SCHEDULE_AGAIN_MS);
  app.reconcile.start();
  shutdown.add('workers', async () => {
    clearInterval(timer);
    const graceMs = app.config.shutdownGraceMs / 2;
    await Promise.all([workers.close(graceMs), app.deliveries.close(graceMs), app.reconcile.stop()]);
  });
}

/** What everything else stood on, closed last. */
export function addStores(app: App, { shutdown }: { shutdown: Shutdown }): void {
  shutdown.add('commits', () => app.journal.drained());
  shutdown.add('queues', () => app.queues.close());
  shutdown.add('database', () => app.db.close());
}

export async function readReadiness(app: App, { isEnding }: { isEnding: boolean }): Promise<Readiness> {
  const [database, queue, age] = await Promise.all([
    answerOf(
      sql`SELECT 1`.execute(app.db.sql).then(() => true),
      false,
    ),
    app.queues.ping(),
    answerOf(app.reconcileAge(), null),
  ]);
  const isReconciled = age === null || age.ageMs <= age.periodMs * HEARTBEAT_PERIODS_MAX;
  const ageText = age === null ? 'no worker has reconciled yet' : `${Math.round(age.ageMs)} ms ago`;
  const checks = {
    process: { ok: !isEnding, detail: isEnding ? 'ending' : 'serving' },
    database: { ok: database, detail: database ? 'answers' : 'does not answer' },
    queue: {
      ok: queue,
      detail: `${app.queues.backend} ${queue ? 'answers' : 'does not answer; reconcile runs the rows'}`,
    },
    reconcile: { ok: isReconciled, detail: ageText },
  };
  return { ok: Object.values(checks).every((check) => check.ok), checks };
}

/** What stands for an answer that does not come, or is an error. */
function answerOf<Answer>(question: Promise<Answer>, otherwise: Answer): Promise<Answer> {
  const late = delay(PROBE_TIMEOUT_MS, otherwise, { ref: false });
  return Promise.race([question.catch(() => otherwise), late]);
}
