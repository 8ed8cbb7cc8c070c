// Every gap of a payout is a place to die, once or twice: whatever the provider does, the process that works on it dies
// at that gap, and others take over: it ends as if nobody had died. Batches have a file of their own.

import { expect, test } from 'vitest';
import type { CrashPoint } from '../../src/runtime/crash-point.ts';
import { WORDS_OUT } from './behaviour.ts';
import { LIMIT_MS, openBench } from './bench.ts';
import { canceledPayouts, payouts } from './flows.ts';
import { pointsOf, secondDeathsOf } from './plan.ts';

/** Two stages; and one, that is sent with the request. */
const FLOWS = (['demobank', 'stripe'] as const).flatMap((provider) => WORDS_OUT.map((word) => payouts(provider, word)));

const bench = openBench({
  flows: [...FLOWS, canceledPayouts()],
  points: pointsOf('payout', 'webhook-in', 'webhook-out'),
});

test('without a crash every payout ends as its provider means it, and all gaps are passed', async () => {
  expect(await bench.unharmed()).toEqual([]);
});

test('of two names of one gap the first is paired: where the work goes from one effect straight to the next', () => {
  const [flow] = FLOWS;
  const [one] = bench.stage().unharmed;
  if (flow === undefined || one === undefined) throw new Error('The first flow has run.');
  const gaps = (...names: CrashPoint[]) => names.map((point) => ({ point, time: 1 }));
  const first = gaps('payout: after row commit', 'payout: after enqueue', 'payout: before claim commit');
  const second = gaps('payout: before claim commit', 'payout: after claim commit', 'payout: before send call');
  const killed = first.map((doom, at) => ({ ...one, flow, dooms: [doom], lives: [first.slice(0, at + 1), second] }));
  const pairs = secondDeathsOf(killed).map(({ dooms }) => dooms.map(({ point }) => point));
  expect(pairs).toEqual([
    ['payout: after row commit', 'payout: before claim commit'],
    ['payout: after row commit', 'payout: after claim commit'],
    ['payout: after enqueue', 'payout: before claim commit'],
    ['payout: after enqueue', 'payout: after claim commit'],
  ]);
});

test('a crash at any gap of a payout, whatever the provider does, changes nothing but the time', {
  timeout: LIMIT_MS,
}, async () => {
  expect(await bench.killedOnce()).toEqual([]);
});

test('nor do two crashes of a payout, at any gap and any later one', { timeout: LIMIT_MS }, async () => {
  expect(await bench.killedTwice()).toEqual([]);
});
