// Every gap of a refund is a place to die: at each provider that gives money back, whatever it does with it.

import { expect, test } from 'vitest';
import { WORDS_OUT } from './behaviour.ts';
import { LIMIT_MS, openBench } from './bench.ts';
import { refunds } from './checkout-flows.ts';
import { pointsOf } from './plan.ts';

const FLOWS = (['stripe', 'square', 'paypal'] as const).flatMap((provider) =>
  WORDS_OUT.map((word) => refunds(provider, word)),
);

const bench = openBench({ flows: FLOWS, points: pointsOf('refund', 'webhook-in', 'webhook-out') });

test('without a crash every refund ends as its provider means it, and all gaps are passed', async () => {
  expect(await bench.unharmed()).toEqual([]);
});

test('a crash at any gap of a refund, whatever the provider does, changes nothing but the time', {
  timeout: LIMIT_MS,
}, async () => {
  expect(await bench.killedOnce()).toEqual([]);
});
