// Every gap between two effects is a place to die. Whatever an operation does at a provider of whatever mind, the
// process that works on it dies at that gap, and others take over: it ends as if nobody had died. Payouts have a file
// of their own.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPERATION_CRASH_POINTS, PROCESS_CRASH_POINTS } from '../../src/runtime/crash-point.ts';
import { WORDS } from '../../src/sandbox/behaviour.ts';
import { WORDS_OUT } from './behaviour.ts';
import { type Outcome, runCases } from './cases.ts';
import {
  canceledPayins,
  compensatedPayins,
  compensations,
  externalRefunds,
  payins,
  refunds,
} from './checkout-flows.ts';
import { type Flow, payouts, transfers } from './flows.ts';
import { type Ground, openGround } from './ground.ts';
import { judge } from './judge.ts';
import { deathsOf, undied, unpassed } from './plan.ts';

/** Of these, also the gaps of webhooks, and those before the first claim, for which no word makes a difference. */
const TOLD = [
  payins('stripe', 'ok'),
  // Its end comes by an event, while the row is still in process.
  payins('stripe', 'pending'),
  payins('square', 'ok'),
  payins('paypal', 'action'),
  refunds('stripe', 'ok'),
  transfers('ok'),
  // What is done because of a pay-in, by events and by looks at what is due.
  payins('stripe', 'dispute_won'),
  payins('stripe', 'dispute_lost'),
  externalRefunds(),
  compensations('stripe', 'ok'),
  compensations('stripe', 'decline'),
  compensatedPayins('square'),
];
const isTold = (flow: Flow) => TOLD.some(({ name }) => name === flow.name);
const OF_WORDS = [
  ...WORDS_OUT.map((word) => refunds('stripe', word)),
  ...WORDS.map((word) => payins('stripe', word)),
  // What differs where a pay-in has two stages.
  ...(['decline', 'paid_then_500'] as const).map((word) => payins('square', word)),
];
const FLOWS: readonly Flow[] = [
  ...TOLD,
  ...OF_WORDS.filter((flow) => !isTold(flow)),
  compensations('stripe', 'paid_then_500'),
  compensatedPayins('stripe'),
  canceledPayins(),
  transfers('insufficient'),
];
const POINTS = OPERATION_CRASH_POINTS.filter((point) => !point.startsWith('payout'));
/** Often enough that rows are due then. */
const ROUNDS = 12;
const LIMIT_MS = 600_000;

let ground: Ground;
let unharmed: Outcome[];
beforeAll(async () => {
  ground = await openGround();
  unharmed = await runCases(
    ground,
    FLOWS.map((flow) => ({ flow, dooms: [] })),
  );
}, LIMIT_MS);
afterAll(() => ground?.close());

test('without a crash every operation ends as its provider means it, and all gaps are passed', async () => {
  expect(await judge(ground, unharmed)).toEqual([]);
  expect(unpassed(unharmed, POINTS)).toEqual([]);
});

test('an end that the word does not mean, and a wallet that does not fit it, are complaints', async () => {
  const [paid, declined] = ['ok', 'decline'].map((word) =>
    unharmed.find(({ flow }) => flow.name === `a pay-in at stripe, "${word}"`),
  );
  if (paid === undefined || declined === undefined) throw new Error('Both words are among the flows.');
  const swapped = [
    { ...paid, standing: declined.standing },
    { ...declined, standing: paid.standing },
  ];
  expect(await judge(ground, swapped)).toHaveLength(4);
});

test('a gap that nobody passes, or where nobody dies, and too many who are spared, are complaints', () => {
  const [one] = unharmed;
  const [spared, point] = [one?.lives[0]?.[0], 'payout: before send call'] as const;
  if (one === undefined || spared === undefined) throw new Error('The first flow has passed a gap.');
  expect(unpassed(unharmed, [point, spared.point])).toEqual([point]);
  expect(undied([{ ...one, dooms: [spared] }], [spared.point])).toHaveLength(2);
  expect(undied([{ ...one, dooms: [spared], lives: [[spared], []] }], [spared.point])).toEqual([]);
});

test('a crash at any gap, whatever the provider does, changes nothing but the time', {
  timeout: LIMIT_MS,
}, async () => {
  const killedOnce = await runCases(ground, deathsOf(unharmed, TOLD));
  expect(await judge(ground, killedOnce)).toEqual([]);
  expect(undied(killedOnce, POINTS)).toEqual([]);
});

test('nor does the death of a whole process, in reconcile or where it tells the queue', {
  timeout: LIMIT_MS,
}, async () => {
  const flows = [payouts('demobank', 'ok'), payouts('stripe', 'ok'), payins('stripe', 'ok'), transfers('ok')];
  const cases = flows.flatMap((flow) => Array.from({ length: 12 }, () => ({ flow, dooms: [] })));
  const ends = PROCESS_CRASH_POINTS.map((point) => ({ point, time: point.startsWith('reconcile') ? ROUNDS : 1 }));
  expect(await judge(ground, await runCases(ground, cases, { ends }))).toEqual([]);
});
