// The pace of calls to one provider account: no two turns come closer than the rate allows, and none is given to
// somebody who could not use it.

import { expect, test } from 'vitest';
import { createPace } from '../../src/runtime/pace.ts';

test('turns are spaced by the rate, in the order they were asked for', async () => {
  const pace = createPace(100);
  const turns: { caller: number; at: number }[] = [];
  await Promise.all(
    Array.from({ length: 10 }, async (_none, caller) => {
      await pace.turn({ timeoutMs: 1_000 });
      turns.push({ caller, at: performance.now() });
    }),
  );
  expect(turns.map(({ caller }) => caller)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  // Timers fire up to a millisecond early, never more.
  const spanMs = (turns.at(-1)?.at ?? 0) - (turns[0]?.at ?? 0);
  expect(spanMs).toBeGreaterThanOrEqual(9 * 10 - 10);
});

test('a crowd larger than the rate gets what it allows, and who would come too late is told at once', async () => {
  const pace = createPace(10);
  const crowd = await Promise.all(Array.from({ length: 50 }, () => pace.turn({ timeoutMs: 250 })));
  expect(crowd.filter((isTurn) => isTurn)).toHaveLength(3);
  expect(await pace.turn({ timeoutMs: 250 })).toBe(true);
});

test('without a rate nobody waits', async () => {
  const pace = createPace(null);
  const order: string[] = [];
  const turn = pace.turn({ timeoutMs: 0 }).then(() => order.push('turn'));
  const timer = new Promise<void>((resolve) => setImmediate(() => resolve(void order.push('timer'))));
  await Promise.all([turn, timer]);
  expect(order).toEqual(['turn', 'timer']);
});
