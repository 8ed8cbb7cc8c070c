// Every gap between two effects is a place to die. Here are the stories that go beyond one payment: transfers between
// wallets, checkouts that are cancelled, refunds made at the provider, and processes that die as a whole. Pay-ins,
// refunds and payouts have files of their own.

import { expect, test } from 'vitest';
import { PROCESS_CRASH_POINTS } from '../../src/runtime/crash-point.ts';
import { LIMIT_MS, openBench } from './bench.ts';
import { runCases } from './cases.ts';
import { compensatedPayins, compensations, externalRefunds, payins } from './checkout-flows.ts';
import { payouts, transfers } from './flows.ts';
import { judge } from './judge.ts';
import { pointsOf } from './plan.ts';

/** Often enough that rows are due then. */
const ROUNDS = 12;

const bench = openBench({
  flows: [
    transfers('ok'),
    transfers('insufficient'),
    externalRefunds(),
    compensations('stripe', 'ok'),
    compensations('stripe', 'decline'),
    compensations('stripe', 'paid_then_500'),
    compensatedPayins('square'),
    compensatedPayins('stripe'),
  ],
  points: pointsOf('transfer', 'checkout', 'external'),
});

test('without a crash every story ends as it should, and all gaps are passed', async () => {
  expect(await bench.unharmed()).toEqual([]);
});

test('a crash at any gap changes nothing but the time', { timeout: LIMIT_MS }, async () => {
  expect(await bench.killedOnce()).toEqual([]);
});

test('nor does the death of a whole process, in reconcile or where it tells the queue', {
  timeout: LIMIT_MS,
}, async () => {
  const { ground } = bench.stage();
  const flows = [payouts('demobank', 'ok'), payouts('stripe', 'ok'), payins('stripe', 'ok'), transfers('ok')];
  const cases = flows.flatMap((flow) => Array.from({ length: 12 }, () => ({ flow, dooms: [] })));
  const ends = PROCESS_CRASH_POINTS.map((point) => ({ point, time: point.startsWith('reconcile') ? ROUNDS : 1 }));
  expect(await judge(ground, await runCases(ground, cases, { ends }))).toEqual([]);
});
