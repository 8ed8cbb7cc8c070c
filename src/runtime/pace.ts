// Keeps calls to one provider account at or below its agreed rate: each caller gets the next free moment.

export interface Pace {
  /** Resolves when it is this caller's turn; at once when there is no limit. */
  turn(): Promise<void>;
}

export function createPace(perSecond: number | null): Pace {
  if (perSecond === null) return { turn: async () => {} };
  const intervalMs = 1000 / perSecond;
  let nextAt = 0;
  return {
    async turn() {
      const now = performance.now();
      const at = Math.max(now, nextAt);
      nextAt = at + intervalMs;
      if (at > now) await new Promise((resolve) => setTimeout(resolve, at - now));
    },
  };
}
