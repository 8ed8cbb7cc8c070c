// Which endpoint hears what, and for how long it is told.

import { describe, expect, test } from 'vitest';
import {
  EVENT_PATTERNS,
  EVENT_TYPES,
  isSubscribed,
  RETRY_JITTER,
  RETRY_LADDER_MS,
  retryAfterMs,
} from '../../src/domain/outgoing.ts';

describe('a subscription', () => {
  test.each([
    { patterns: ['payout.succeeded'], heard: ['payout.succeeded'] },
    { patterns: ['payout.*'], heard: ['payout.succeeded', 'payout.failed', 'payout.returned'] },
    {
      patterns: ['payin.action_required', 'dispute.*'],
      heard: ['payin.action_required', 'dispute.opened', 'dispute.won', 'dispute.lost'],
    },
    { patterns: ['*'], heard: [...EVENT_TYPES] },
    { patterns: ['payout'], heard: [] },
    { patterns: ['pay*'], heard: [] },
    { patterns: [], heard: [] },
  ])('to $patterns hears that and nothing else', ({ patterns, heard }) => {
    expect(EVENT_TYPES.filter((type) => isSubscribed(patterns, type)).sort()).toEqual([...heard].sort());
  });

  test('may name every type, every noun, or everything', () => {
    expect(EVENT_PATTERNS).toEqual(
      expect.arrayContaining(['*', 'payin.*', 'payee.*', 'review.opened', ...EVENT_TYPES]),
    );
    expect(new Set(EVENT_PATTERNS).size).toBe(EVENT_PATTERNS.length);
  });
});

describe('the retry ladder', () => {
  const pauses = (random: () => number) =>
    RETRY_LADDER_MS.map((_step, index) => retryAfterMs(index + 1, { ladderMs: RETRY_LADDER_MS, random }) ?? 0);

  test('begins after five seconds and never climbs down', () => {
    const steps = pauses(() => 0);
    expect(steps[0]).toBe(5_000);
    expect(steps).toEqual([...steps].sort((one, other) => one - other));
  });

  test('ends within a day, however the jitter falls and however long each attempt hangs', () => {
    const hanging = (RETRY_LADDER_MS.length + 1) * 15_000;
    const longest = pauses(() => 1).reduce((sum, pause) => sum + pause, 0) + hanging;
    expect(longest).toBeLessThanOrEqual(24 * 3_600_000);
    expect(longest).toBeGreaterThan(20 * 3_600_000);
  });

  test('spreads what failed together', () => {
    expect(pauses(() => 0.5)[9]).toBe(8 * 3_600_000 * (1 + RETRY_JITTER / 2));
  });

  test('gives up after its last step', () => {
    expect(retryAfterMs(RETRY_LADDER_MS.length + 1, { ladderMs: RETRY_LADDER_MS, random: () => 0 })).toBeNull();
  });
});
