// Which states an operation may pass through: all sixteen pairs.

import { describe, expect, test } from 'vitest';
import { canMove, isFinal, MOVES, move, STATUSES } from '../../src/domain/state-machine.ts';

const ALLOWED = new Set([
  'initialized -> in_process',
  'initialized -> failed',
  'in_process -> succeeded',
  'in_process -> failed',
]);

describe('moves', () => {
  const pairs = STATUSES.flatMap((from) => STATUSES.map((to) => ({ from, to, pair: `${from} -> ${to}` })));

  test.each(pairs)('$pair', ({ from, to, pair }) => {
    expect(canMove(from, to)).toBe(ALLOWED.has(pair));
    if (ALLOWED.has(pair)) expect(move(from, to)).toBe(to);
    else expect(() => move(from, to)).toThrow(`No operation moves from ${from} to ${to}.`);
  });
});

test('final states are those that nothing leaves', () => {
  expect(STATUSES.filter(isFinal)).toEqual(['succeeded', 'failed']);
  expect(Object.keys(MOVES)).toEqual([...STATUSES]);
});
