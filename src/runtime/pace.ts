// Keeps calls to one provider account at or below its agreed rate: each caller gets the next free moment, if that is
// soon enough. A moment that would come too late is left to others: a crowd larger than the rate would waste them all.

export interface Pace {
  /** True when it is this caller's turn; false, at once and without taking a turn, when that is further away. */
  turn(within: { readonly timeoutMs: number }): Promise<boolean>;
}

export function createPace(perSecond: number | null): Pace {
  if (perSecond === null) return { turn: async () => true };
  const intervalMs = 1000 / perSecond;
  let nextAt = 0;
  return {
    async turn({ timeoutMs }) {
      const now = performance.now();
      const at = Math.max(now, nextAt);
      if (at - now > timeoutMs) return false;
      nextAt = at + intervalMs;
      if (at > now) await new Promise((resolve) => setTimeout(resolve, at - now));
      return true;
    },
  };
}
