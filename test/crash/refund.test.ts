// Every gap of a refund is a place to die: at each provider that gives money back, whatever it does with it.

import { expect, test } from 'vitest';
import { WORDS_OUT } from './behaviour.ts';
import { LIMIT_MS, openBench } from './bench.ts';
import { refunds } from './checkout-flows.ts';
import { pointsOf } from './plan.ts';

/**
 * Where a refund cannot be looked for by our reference, what is unknown of it is asked for again under its key until
 * the key is old, so that hundreds of them keep the provider's breaker open for an hour. So a few words of those.
 */
const FEW = ['ok', 'decline', 'paid_then_500', 'pending'] as const;
const FLOWS = [
  ...WORDS_OUT.map((word) => refunds('stripe', word)),
  ...FEW.flatMap((word) => [refunds('square', word), refunds('paypal', word)]),
];

const bench = openBench({ flows: FLOWS, points: pointsOf('refund', 'webhook-in', 'webhook-out') });

test('without a crash every refund ends as its provider means it, and all gaps are passed', async () => {
  expect(await bench.unharmed()).toEqual([]);
});

test('a crash at any gap of a refund, whatever the provider does, changes nothing but the time', {
  timeout: LIMIT_MS,
}, async () => {
  expect(await bench.killedOnce()).toEqual([]);
});
