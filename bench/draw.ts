// Which wallets a transfer is between: drawn by a seeded generator, so that every run asks for the same.

export type Draw = (below: number) => number;

/** Mulberry32: small, fast, and even enough for choosing wallets. */
export function createDraw(seed: number): Draw {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Two different wallets out of `count`; with `isHot` the first is always number 0. */
export function drawPair(draw: Draw, { count, isHot }: { count: number; isHot: boolean }): [number, number] {
  const from = isHot ? 0 : draw(count);
  return [from, (from + 1 + draw(count - 1)) % count];
}
