// The pace of calls to one provider account: no two turns come closer than the rate allows, none is given while the
// provider asks for silence, and none to somebody who could not use it.

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

test.each([{ perSecond: 1_000 }, { perSecond: null }])(
  'while the provider asks for silence nobody gets a turn, at $perSecond calls a second',
  async ({ perSecond }) => {
    const pace = createPace(perSecond);
    expect(await pace.turn({ timeoutMs: 0 })).toBe(true);
    const pausedAt = performance.now();
    pace.pause(60);
    expect(await pace.turn({ timeoutMs: 20 })).toBe(false);
    expect(pace.freeInMs()).toBeGreaterThan(20);
    expect(await pace.turn({ timeoutMs: 5_000 })).toBe(true);
    // Timers fire up to a millisecond early, never more.
    expect(performance.now() - pausedAt).toBeGreaterThanOrEqual(59);
  },
);

test('a pause reaches those who already wait: some are told at once, the others keep their order', async () => {
  const pace = createPace(50);
  await pace.turn({ timeoutMs: 0 });
  const told: string[] = [];
  const wait = (name: string, timeoutMs: number) =>
    pace.turn({ timeoutMs }).then((isTurn) => told.push(`${name} ${isTurn ? 'turn' : 'none'}`));
  const waiting = [wait('first', 5_000), wait('hurried', 60), wait('second', 5_000)];
  const pausedAt = performance.now();
  pace.pause(100);
  await waiting[1];
  expect(told).toEqual(['hurried none']);
  await Promise.all(waiting);
  expect(told).toEqual(['hurried none', 'first turn', 'second turn']);
  expect(performance.now() - pausedAt).toBeGreaterThanOrEqual(99);
});

test('a shorter pause does not end a longer one, and none is longer than a minute', () => {
  const pace = createPace(null);
  expect(pace.freeInMs()).toBe(0);
  pace.pause(24 * 60 * 60 * 1000);
  pace.pause(1);
  pace.pause(-5);
  expect(pace.freeInMs()).toBeGreaterThan(50_000);
  expect(pace.freeInMs()).toBeLessThanOrEqual(60_000);
});

test('at a high rate late timers are made up for, and the rate is still kept', async () => {
  const pace = createPace(5_000);
  const beganAt = performance.now();
  const crowd = await Promise.all(Array.from({ length: 500 }, () => pace.turn({ timeoutMs: 60_000 })));
  expect(crowd).not.toContain(false);
  expect(performance.now() - beganAt).toBeGreaterThanOrEqual(499 / 5 - 2);
});
