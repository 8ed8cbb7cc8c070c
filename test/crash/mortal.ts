// A process of the crash bench: a whole App with its workers and timers, whose operations may die at named gaps.

import { type App, openApp } from '../../src/app.ts';
import { startWorkers } from '../../src/jobs/worker.ts';
import type { Config } from '../../src/runtime/config.ts';
import { type AtCrashPoint, type CrashPoint, PROCESS_CRASH_POINTS } from '../../src/runtime/crash-point.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { Doom, Fate } from './fates.ts';
import type { Roster } from './roster.ts';

export interface Mortal {
  readonly number: number;
  readonly app: App;
  isGone(): boolean;
  /** Resolves when the process is gone, for this operation. */
  deathFor(fate: Fate): Promise<void>;
  /** False when nobody is there to take it: the process is gone, for the operation of which the event speaks. */
  receive(delivery: Parameters<App['events']['receive']>[0]): Promise<boolean>;
  /** Everything that still runs here stops at its next gap, and its connections are gone. */
  kill(): Promise<void>;
}

export interface Birth {
  readonly number: number;
  readonly config: Config;
  readonly databaseUrl: string;
  readonly sandboxUrl: string;
  /** Null: nobody dies in it. */
  readonly roster: Roster | null;
  /** `told`: it does only what it is told. `reconciles`: it looks at what is due, and takes no jobs. */
  readonly role?: 'told' | 'reconciles' | 'works';
  /** A gap that belongs to no operation: there the whole process dies. */
  readonly end?: Doom;
}

export async function openMortal(birth: Birth): Promise<Mortal> {
  const { number, roster, end, role = 'works' } = birth;
  const log = silentLogger();
  const gone = Promise.withResolvers<void>();
  let isGone = false;
  let passedEnd = 0;

  const at: AtCrashPoint = async (point, subject) => {
    passedEnd += point === end?.point ? 1 : 0;
    if (passedEnd === end?.time) leave();
    const fate = isGone || isOfProcess(point) ? undefined : await roster?.fateOf(subject);
    const goesOn = fate === undefined || (await fate.pass(point, { number, app }));
    if (isGone || !goesOn) await new Promise(() => undefined);
  };

  function leave(): void {
    isGone = true;
    gone.resolve();
  }

  const app = await openApp({ ...birth, log, at });
  const workers = role === 'works' ? await startWorkers({ ...app, log, onRun: () => undefined }) : null;
  if (role !== 'told') app.reconcile.start();

  return {
    number,
    app,
    isGone: () => isGone,
    deathFor: (fate) => Promise.race([fate.deathIn(number), gone.promise]),
    async receive(delivery) {
      const spokenOf = (await roster?.spokenOf(delivery.raw.toString('utf8'))) ?? [];
      if (isGone || spokenOf.some((fate) => fate.isDeadIn(number))) return false;
      const deaths = [...spokenOf.map((fate) => fate.deathIn(number)), gone.promise];
      const taken = app.events.receive(delivery).then(() => true);
      return Promise.race([taken, ...deaths.map((death) => death.then(() => false))]);
    },
    async kill() {
      leave();
      // Neither waits for what has died in it.
      void app.reconcile.stop();
      void app.deliveries.close(0);
      app.waiter.close();
      await workers?.close(0);
      await app.journal.drained();
      await app.queues.close();
      await app.db.close();
    },
  };
}

function isOfProcess(point: CrashPoint): boolean {
  return PROCESS_CRASH_POINTS.some((one) => one === point);
}
