// One line for each event that went well, as long as people could read them: above that they are counted, and their
// number is told once a second.

/** Lines of one source in one second. */
const LINES_PER_SECOND_MAX = 100;
const WINDOW_MS = 1_000;

export interface Sparing {
  /** False when the event is only counted. */
  isDue(): boolean;
}

export function createSparing(tell: (count: number) => void): Sparing {
  let lines = 0;
  let untold = 0;
  let isCounting = false;

  function endWindow(): void {
    isCounting = false;
    if (untold > 0) tell(untold);
    lines = 0;
    untold = 0;
  }

  return {
    isDue() {
      if (!isCounting) setTimeout(endWindow, WINDOW_MS).unref();
      isCounting = true;
      lines += 1;
      if (lines <= LINES_PER_SECOND_MAX) return true;
      untold += 1;
      return false;
    },
  };
}
