// Every gap of a payout is a place to die, once or twice: whatever the provider does, the process that works on it dies
// at that gap, and others take over: it ends as if nobody had died. Batches have a file of their own.

import { expect, test } from 'vitest';
import { WORDS_OUT } from './behaviour.ts';
import { LIMIT_MS, openBench } from './bench.ts';
import { canceledPayouts, payouts } from './flows.ts';
import { pointsOf } from './plan.ts';

/** Two stages; and one, that is sent with the request. */
const FLOWS = (['demobank', 'stripe'] as const).flatMap((provider) => WORDS_OUT.map((word) => payouts(provider, word)));

const bench = openBench({
  flows: [...FLOWS, canceledPayouts()],
  points: pointsOf('payout', 'webhook-in', 'webhook-out'),
});

test('without a crash every payout ends as its provider means it, and all gaps are passed', async () => {
  expect(await bench.unharmed()).toEqual([]);
});

test('a crash at any gap of a payout, whatever the provider does, changes nothing but the time', {
  timeout: LIMIT_MS,
}, async () => {
  expect(await bench.killedOnce()).toEqual([]);
});

test('nor do two crashes of a payout, at any gap and any later one', { timeout: LIMIT_MS }, async () => {
  expect(await bench.killedTwice()).toEqual([]);
});
