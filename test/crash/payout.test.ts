// Every gap of a payout is a place to die, once or twice: whatever the provider does, the process that works on it dies
// at that gap, and others take over: it ends as if nobody had died.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPERATION_CRASH_POINTS } from '../../src/runtime/crash-point.ts';
import { WORDS_OUT } from './behaviour.ts';
import { type Outcome, runCases } from './cases.ts';
import { canceledPayouts, type Flow, payouts } from './flows.ts';
import { type Ground, openGround } from './ground.ts';
import { judge } from './judge.ts';
import { deathsOf, secondDeathsOf, undied, unpassed } from './plan.ts';

const PAYOUTS = payouts('demobank', 'ok');
/** Of these, also the gaps of webhooks, and those before the first claim, for which no word makes a difference. */
const TOLD = [
  PAYOUTS,
  payouts('demobank', 'bounce'),
  // Its end comes by an event, while the row is still in process.
  payouts('demobank', 'pending'),
  payouts('paypal', 'ok'),
  payouts('tipalti', 'ok'),
];
const isTold = (flow: Flow) => TOLD.some(({ name }) => name === flow.name);
/** Two stages; then one: a batch whose id guards it, one whose look-up does, and one with a key. */
const OF_WORDS = (['demobank', 'paypal', 'tipalti'] as const).map((provider) =>
  WORDS_OUT.map((word) => payouts(provider, word)),
);
const OF_STRIPE = (['ok', 'error_stored', 'pending', 'pending_then_fail'] as const).map((w) => payouts('stripe', w));
const FLOWS: readonly Flow[] = [
  ...TOLD,
  ...[...OF_WORDS.flat(), ...OF_STRIPE].filter((flow) => !isTold(flow)),
  canceledPayouts(),
];
/** Twice is tried with every word of the provider with two stages; of the others, with what their answers may be. */
const TWICE = /demobank|"(?:ok|paid_then_500|timeout_before|pending)"/;
const POINTS = OPERATION_CRASH_POINTS.filter((point) => point.startsWith('payout'));
const LIMIT_MS = 600_000;

let ground: Ground;
let unharmed: Outcome[];
let killedOnce: Outcome[];
beforeAll(async () => {
  ground = await openGround();
  unharmed = await runCases(
    ground,
    FLOWS.map((flow) => ({ flow, dooms: [] })),
  );
}, LIMIT_MS);
afterAll(() => ground?.close());

test('without a crash every payout ends as its provider means it, and all gaps are passed', async () => {
  expect(await judge(ground, unharmed)).toEqual([]);
  expect(unpassed(unharmed, POINTS)).toEqual([]);
});

test('a crash at any gap of a payout, whatever the provider does, changes nothing but the time', {
  timeout: LIMIT_MS,
}, async () => {
  killedOnce = await runCases(ground, deathsOf(unharmed, TOLD));
  expect(await judge(ground, killedOnce)).toEqual([]);
  expect(undied(killedOnce, POINTS)).toEqual([]);
});

test('nor do two crashes of a payout, at any gap and any later one', { timeout: LIMIT_MS }, async () => {
  const killed = killedOnce.filter(({ flow }) => TWICE.test(flow.name));
  const killedTwice = await runCases(ground, secondDeathsOf(killed, { all: PAYOUTS }));
  expect(await judge(ground, killedTwice)).toEqual([]);
  expect(undied(killedTwice, [])).toEqual([]);
});
