// Lines of events that went well are written as long as they can be read; of the rest the number is told.

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createSparing } from '../../src/runtime/sparing.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('beyond a hundred in a second they are counted, and told once; the next second begins anew', () => {
  const told: number[] = [];
  const lines = createSparing((count) => told.push(count));
  const due = (events: number) => Array.from({ length: events }, () => lines.isDue()).filter(Boolean).length;
  expect(due(250)).toBe(100);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(1_000);
  expect(told).toEqual([150]);
  expect(due(3)).toBe(3);
  vi.advanceTimersByTime(1_000);
  expect(told).toEqual([150]);
});
