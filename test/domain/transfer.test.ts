// How a transfer ends follows from what the ledger said of its movement.

import { expect, test } from 'vitest';
import { endTransfer } from '../../src/domain/transfer.ts';

const NOW = new Date('2026-03-01T12:00:00Z');
const FINAL = { dueAt: null, finalAt: NOW, updatedAt: NOW };

test('a movement that was done is a success', () => {
  expect(endTransfer({ type: 'done' }, NOW)).toEqual({
    ...FINAL,
    status: 'succeeded',
    failureCode: null,
    failureDetail: null,
  });
});

test.each([
  ['insufficient_funds', 'insufficient_funds', /Fund it and make a new transfer/],
  ['limit_exceeded', 'limit_exceeded', /Nothing was moved/],
  ['currency_mismatch', 'limit_exceeded', /Nothing was moved/],
] as const)('a movement refused for %s fails as %s', (code, failureCode, words) => {
  const end = endTransfer({ type: 'refused', code }, NOW);
  expect(end).toMatchObject({ ...FINAL, status: 'failed', failureCode });
  expect(end.failureDetail).toMatch(words);
});
