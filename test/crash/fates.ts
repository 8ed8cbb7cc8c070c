// Who dies where. Several processes work on the same rows; each watched operation has its deaths, one after the other,
// each at a gap. The process that is passing it there has died for this operation: whatever works on it there stops
// for ever at its next gap, with its lease, its job and its connections as they are, and the others take over.

import type { App } from '../../src/app.ts';
import type { CrashPoint } from '../../src/runtime/crash-point.ts';

/** The first time, or the second, that an operation passes a gap since it began, or since its last death. */
export interface Doom {
  readonly point: CrashPoint;
  readonly time: number;
}

/** A gap that was passed, and the number of the process that passed it. */
export interface Passed extends Doom {
  readonly process: number;
}

/** One of the processes. */
export interface Place {
  readonly number: number;
  readonly app: App;
}

export interface Watched {
  readonly dooms: readonly Doom[];
  /** What the client does at the very moment at which a gap is passed for the first time. */
  readonly meanwhile: { readonly point: CrashPoint; readonly act: (at: Place) => Promise<unknown> } | null;
}

export interface Fate {
  /** For each death, and for the life behind the last one, what was passed; the gap of the death included. */
  readonly lives: readonly (readonly Passed[])[];
  /** Resolves at the first death. */
  readonly died: Promise<void>;
  isDeadIn(process: number): boolean;
  /** Resolves when it dies in this process; never, if it has lived on there. */
  deathIn(process: number): Promise<void>;
  /** True when the process may go on; false when it has died. */
  pass(point: CrashPoint, process: Place): Promise<boolean>;
}

export function createFate({ dooms, meanwhile }: Watched): Fate {
  const lives: Passed[][] = [[]];
  const deaths = new Map<number, PromiseWithResolvers<void>>();
  const dead = new Set<number>();
  const first = Promise.withResolvers<void>();
  let isActed = false;

  function death(process: number): PromiseWithResolvers<void> {
    const known = deaths.get(process) ?? Promise.withResolvers<void>();
    deaths.set(process, known);
    return known;
  }

  return {
    lives,
    died: first.promise,
    isDeadIn: (process) => dead.has(process),
    deathIn: (process) => death(process).promise,
    async pass(point, place) {
      const { number } = place;
      if (dead.has(number)) return false;
      const life = lives.at(-1) ?? [];
      const time = life.filter((passed) => passed.point === point).length + 1;
      life.push({ point, time, process: number });
      const doom = dooms[lives.length - 1];
      if (doom?.point === point && doom.time === time) {
        lives.push([]);
        dead.add(number);
        death(number).resolve();
        first.resolve();
        return false;
      }
      if (meanwhile?.point === point && !isActed) {
        isActed = true;
        await meanwhile.act(place);
      }
      return true;
    },
  };
}
