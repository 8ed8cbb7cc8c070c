// What the database's clock says now, without asking it: its last answer and the time that has passed here since. The
// answer was on its way for a while, so this is never ahead of the clock, and the clock of this machine has no part in
// it.

export interface DatabaseClock {
  /** Called with each answer of the database, at once. */
  observe(now: Date): void;
  /** Null when the last answer is too old to build on. */
  estimate(): Date | null;
}

/** A database that another takes over from may have a clock of its own. */
const AGE_MAX_MS = 1_000;

export function createDatabaseClock(): DatabaseClock {
  let last: { readonly told: number; readonly at: number } | null = null;
  return {
    observe(now) {
      last = { told: now.getTime(), at: performance.now() };
    },
    estimate() {
      const age = last === null ? Number.POSITIVE_INFINITY : performance.now() - last.at;
      return last === null || age > AGE_MAX_MS ? null : new Date(last.told + Math.floor(age));
    },
  };
}
