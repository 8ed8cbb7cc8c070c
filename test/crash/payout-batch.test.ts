// Every gap of a payout that leaves in a batch is a place to die, once or twice: PayPal's, whose id guards it, and
// Tipalti's, which can be looked for. The process that works on it dies at that gap, and others take over.

import { expect, test } from 'vitest';
import { WORDS_OUT } from './behaviour.ts';
import { LIMIT_MS, openBench } from './bench.ts';
import { payouts } from './flows.ts';
import { pointsOf } from './plan.ts';

const FLOWS = (['paypal', 'tipalti'] as const).flatMap((provider) => WORDS_OUT.map((word) => payouts(provider, word)));
const POINTS = pointsOf('payout', 'webhook-in', 'webhook-out');
/** Of payments that are prepared first, or cancelled. */
const OF_OTHERS = /next call|confirm call|cancel/;

const bench = openBench({ flows: FLOWS, points: POINTS.filter((point) => !OF_OTHERS.test(point)) });

test('without a crash every payout of a batch ends as its provider means it', async () => {
  expect(await bench.unharmed()).toEqual([]);
});

test('a crash at any gap of a payout in a batch changes nothing but the time', { timeout: LIMIT_MS }, async () => {
  expect(await bench.killedOnce()).toEqual([]);
});

test('nor do two crashes of such a payout, at any gap and any later one', { timeout: LIMIT_MS }, async () => {
  expect(await bench.killedTwice()).toEqual([]);
});
