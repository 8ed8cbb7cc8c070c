// Keeps calls to one provider account at or below its agreed rate, and silent while the provider asks for silence: each
// caller gets the next free moment, if that is soon enough. A moment that would come too late is left to others: a
// crowd larger than the rate would waste them all.

export interface Pace {
  /** True when it is this caller's turn; false as soon as it is known that the turn would come later than that. */
  turn(within: { readonly timeoutMs: number }): Promise<boolean>;
  /** After a 429: nobody gets a turn for so long, at most PAUSE_MS_MAX. A shorter pause never ends a longer one. */
  pause(ms: number): void;
  /** How long somebody who came now would wait; a row that got no turn need not look again before. */
  freeInMs(): number;
}

/** A provider that asks for more gets another 429 from us to answer; our own waiting stays within a minute. */
const PAUSE_MS_MAX = 60_000;
/** Timers fire on whole milliseconds and a little late; turns that fell due meanwhile are made up for. */
const TIMER_LATE_MS = 2;

interface Waiter {
  readonly untilMs: number;
  readonly tell: (isTurn: boolean) => void;
}

export function createPace(perSecond: number | null): Pace {
  const intervalMs = perSecond === null ? 0 : 1000 / perSecond;
  let waiting: Waiter[] = [];
  // Before this moment nobody gets a turn.
  let freeAt = 0;
  let timer: NodeJS.Timeout | undefined;

  const waitOf = (position: number) => Math.max(0, freeAt - performance.now()) + position * intervalMs;

  function arm(): void {
    clearTimeout(timer);
    if (waiting.length > 0) timer = setTimeout(give, Math.max(0, freeAt - performance.now()));
  }

  function give(): void {
    const now = performance.now();
    const lateMs = Math.max(intervalMs, TIMER_LATE_MS);
    let given = 0;
    while (given < waiting.length && freeAt <= now) {
      waiting[given]?.tell(true);
      given += 1;
      freeAt = Math.max(freeAt, now - lateMs) + intervalMs;
    }
    waiting = waiting.slice(given);
    arm();
  }

  return {
    async turn({ timeoutMs }) {
      if (waitOf(waiting.length) > timeoutMs) return false;
      const now = performance.now();
      if (waiting.length === 0 && freeAt <= now) {
        freeAt = now + intervalMs;
        return true;
      }
      const told = Promise.withResolvers<boolean>();
      waiting.push({ untilMs: now + timeoutMs, tell: told.resolve });
      if (waiting.length === 1) arm();
      return told.promise;
    },
    pause(ms) {
      if (!(ms > 0)) return;
      freeAt = Math.max(freeAt, performance.now() + Math.min(ms, PAUSE_MS_MAX));
      const kept: Waiter[] = [];
      for (const waiter of waiting) {
        if (performance.now() + waitOf(kept.length) <= waiter.untilMs) kept.push(waiter);
        else waiter.tell(false);
      }
      waiting = kept;
      arm();
    },
    freeInMs: () => waitOf(waiting.length),
  };
}
