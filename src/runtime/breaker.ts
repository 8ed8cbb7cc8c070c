// Stops sending to a provider account that no longer gives usable answers, and lets one call at a time try whether it
// is back. Only sends, confirms and cancels pass here: a look-up moves nothing, so it is neither stopped nor counted.

export type BreakerState = 'closed' | 'open' | 'half_open';

/**
 * `answered`: success, pending, a decline, 429. `no_answer`: time-out, reset, 5xx, unreadable, unreachable.
 * `not_sent`: admitted, and then not called after all; it proves nothing.
 */
export type CallOutcome = 'answered' | 'no_answer' | 'not_sent';

/** Leave to make one call. Its holder records how the call ended, whatever happens; later records are ignored. */
export interface Admission {
  record(outcome: CallOutcome): void;
}

export interface Breaker {
  /** For the operation of this id. Null: send nothing now, and look at the row again in BREAKER_RETRY_MS. */
  admit(subject: string): Admission | null;
  state(): BreakerState;
}

interface BreakerOptions {
  readonly halfOpenAfterMs: number;
  /** Milliseconds that only grow; by default those of the process. */
  readonly clock?: () => number;
  readonly onChange: (state: BreakerState) => void;
}

/** When a row that was stopped is due again: soon enough to meet the moment in which the provider is back. */
export const BREAKER_RETRY_MS = 1_000;
/** A shorter pause would hammer a provider that is down, however short the reconcile period is made. */
const HALF_OPEN_AFTER_MS_MIN = 1_000;

/** With fewer calls a bad minute of a few payments would look like an outage. */
const CALLS_MIN = 50;
const WINDOW_MS = 30_000;
/** Of a hundred calls. One answer in twenty means that the provider is there and only unwell. */
const NO_ANSWER_PERCENT = 95;
/**
 * An operation that got no answer leaves the next try to another one that has asked within this time, or within so many
 * pauses: one that hangs by itself, tried again and again, would keep all others waiting.
 */
const OTHERS_FIRST_MS_MIN = 10_000;
const OTHERS_FIRST_PAUSES = 3;
/** Of the operations that got no answer, so that a long outage does not fill the memory. */
const TRIED_MAX = 1_000;

/** Calls are counted together this finely, so that the memory does not grow with the rate. */
const SLOT_MS = 100;

export function createBreaker(options: BreakerOptions): Breaker {
  const { clock = () => performance.now(), onChange } = options;
  const halfOpenAfterMs = Math.max(HALF_OPEN_AFTER_MS_MIN, options.halfOpenAfterMs);
  const othersFirstMs = Math.max(OTHERS_FIRST_MS_MIN, OTHERS_FIRST_PAUSES * halfOpenAfterMs);
  let state: BreakerState = 'closed';
  let recent = createTally();
  let openedAt = 0;
  let isTrying = false;
  // Calls admitted before the last change speak of the time before it; their late outcomes must not decide again.
  let era = 0;
  const tried = new Set<string>();
  let untriedAskedAt = Number.NEGATIVE_INFINITY;

  /** Whether the try is for another one of those that ask. */
  function isForOthers(subject: string): boolean {
    return tried.has(subject) && clock() - untriedAskedAt <= othersFirstMs;
  }

  function remember(subject: string): void {
    if (tried.size >= TRIED_MAX) tried.clear();
    tried.add(subject);
  }

  function turn(next: BreakerState): void {
    state = next;
    era += 1;
    isTrying = false;
    recent = createTally();
    if (next === 'open') openedAt = clock();
    if (next === 'closed') tried.clear();
    onChange(next);
  }

  function decide(outcome: CallOutcome): void {
    if (state === 'half_open') {
      isTrying = false;
      if (outcome !== 'not_sent') turn(outcome === 'answered' ? 'closed' : 'open');
      return;
    }
    if (outcome === 'not_sent') return;
    recent.add(clock(), outcome);
    if (recent.isOutage(clock())) turn('open');
  }

  return {
    admit(subject) {
      // What was answered long ago leaves the window by itself, so the balance can tip between two calls.
      if (state === 'closed' && recent.isOutage(clock())) turn('open');
      if (state === 'open' && clock() - openedAt >= halfOpenAfterMs) turn('half_open');
      if (state === 'open' || isTrying) {
        if (!tried.has(subject)) untriedAskedAt = clock();
        return null;
      }
      if (state === 'half_open' && isForOthers(subject)) return null;
      isTrying = state === 'half_open';
      if (isTrying && !tried.has(subject)) untriedAskedAt = Number.NEGATIVE_INFINITY;
      const admittedIn = era;
      let isRecorded = false;
      return {
        record(outcome) {
          if (isRecorded) return;
          isRecorded = true;
          if (era !== admittedIn) return;
          if (state === 'half_open' && outcome === 'no_answer') remember(subject);
          decide(outcome);
        },
      };
    },
    state: () => state,
  };
}

interface Slot {
  readonly startedAt: number;
  calls: number;
  unanswered: number;
}

/** How the calls of the last WINDOW_MS ended, oldest first. */
function createTally() {
  const slots: Slot[] = [];
  let calls = 0;
  let unanswered = 0;

  function forgetOld(now: number): void {
    for (let oldest = slots[0]; oldest !== undefined && oldest.startedAt <= now - WINDOW_MS; oldest = slots[0]) {
      calls -= oldest.calls;
      unanswered -= oldest.unanswered;
      slots.shift();
    }
  }

  return {
    add(now: number, outcome: 'answered' | 'no_answer'): void {
      forgetOld(now);
      const startedAt = Math.floor(now / SLOT_MS) * SLOT_MS;
      let slot = slots.at(-1);
      if (slot === undefined || slot.startedAt < startedAt) {
        slot = { startedAt, calls: 0, unanswered: 0 };
        slots.push(slot);
      }
      const missing = outcome === 'no_answer' ? 1 : 0;
      slot.calls += 1;
      slot.unanswered += missing;
      calls += 1;
      unanswered += missing;
    },
    isOutage(now: number): boolean {
      forgetOld(now);
      return calls >= CALLS_MIN && unanswered * 100 >= calls * NO_ANSWER_PERCENT;
    },
  };
}
