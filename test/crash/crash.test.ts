// Every gap between two effects is a place to die. Whatever an operation does at a provider of whatever mind, the
// process that works on it dies at that gap, and others take over: it ends as if nobody had died.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CrashPoint, OPERATION_CRASH_POINTS, PROCESS_CRASH_POINTS } from '../../src/runtime/crash-point.ts';
import { WORDS } from '../../src/sandbox/behaviour.ts';
import { type Case, type Outcome, runCases } from './cases.ts';
import type { Doom } from './fates.ts';
import { canceledPayins, canceledPayouts, type Flow, payins, payouts, refunds, transfers } from './flows.ts';
import { type Ground, openGround } from './ground.ts';
import { judge } from './judge.ts';

/** The others speak of money that comes in only. */
const WORDS_OUT = WORDS.filter((word) => !['action', 'abandon', 'dispute_won', 'dispute_lost'].includes(word));
const PAYOUTS = payouts('demobank', 'ok');
/** Of these, also the gaps of webhooks, and those before the first claim, for which no word makes a difference. */
const TOLD = [
  PAYOUTS,
  payouts('demobank', 'bounce'),
  // Its end comes by an event, while the row is still in process.
  payouts('demobank', 'pending'),
  payins('stripe', 'ok'),
  payins('square', 'ok'),
  refunds('stripe', 'ok'),
  transfers('ok'),
];
const FLOWS: readonly Flow[] = [
  ...TOLD,
  ...WORDS_OUT.filter((word) => !['ok', 'bounce', 'pending'].includes(word)).map((word) => payouts('demobank', word)),
  ...WORDS_OUT.filter((word) => word !== 'ok').map((word) => refunds('stripe', word)),
  ...WORDS.filter((word) => word !== 'ok').map((word) => payins('stripe', word)),
  // What differs where a payout has one stage, and a pay-in two.
  ...(['ok', 'error_stored', 'pending'] as const).map((word) => payouts('stripe', word)),
  ...(['decline', 'paid_then_500'] as const).map((word) => payins('square', word)),
  canceledPayouts(),
  canceledPayins(),
  transfers('insufficient'),
];
/** Of cases that die only where an event happens to come, or a call to be late, this share may be spared. */
const SPARED_SHARE_MAX = 0.2;
/** Often enough that rows are due then. */
const ROUNDS = 12;
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

test('without a crash every operation ends as its provider means it, and all gaps are passed', async () => {
  expect(await judge(ground, unharmed)).toEqual([]);
  const passed = new Set(unharmed.flatMap(({ lives }) => lives.flatMap((life) => life.map(({ point }) => point))));
  expect(OPERATION_CRASH_POINTS.filter((point) => !passed.has(point))).toEqual([]);
});

test('an end that the word does not mean, and a wallet that does not fit it, are complaints', async () => {
  const [paid, declined] = ['ok', 'decline'].map((word) =>
    unharmed.find(({ flow }) => flow.name.includes(`"${word}"`)),
  );
  if (paid === undefined || declined === undefined) throw new Error('Both words are among the flows.');
  const swapped = [
    { ...paid, standing: declined.standing },
    { ...declined, standing: paid.standing },
  ];
  expect(await judge(ground, swapped)).toHaveLength(4);
});

test('a crash at any gap, whatever the provider does, changes nothing but the time', {
  timeout: LIMIT_MS,
}, async () => {
  const cases = unharmed.flatMap(({ flow, lives }): Case[] =>
    (lives[0] ?? []).filter((doom) => isTried(flow, doom)).map((doom) => ({ flow, dooms: [doom] })),
  );
  killedOnce = await runCases(ground, cases);
  expect(await judge(ground, killedOnce)).toEqual([]);
  expectDead(killedOnce, OPERATION_CRASH_POINTS);
});

test('nor do two crashes of a payout, at any gap and any later one', { timeout: LIMIT_MS }, async () => {
  const cases = killedOnce
    .filter(({ flow, dooms }) => flow === PAYOUTS && dooms[0]?.point.startsWith('payout'))
    .flatMap(({ flow, dooms, lives }): Case[] =>
      (lives[1] ?? [])
        .filter(({ point, time }) => point.startsWith('payout') && time === 1)
        .map((later) => ({ flow, dooms: [...dooms, later] })),
    );
  const killedTwice = await runCases(ground, cases);
  expect(await judge(ground, killedTwice)).toEqual([]);
  expectDead(killedTwice, []);
});

test('nor does the death of a whole process, in reconcile or where it tells the queue', {
  timeout: LIMIT_MS,
}, async () => {
  const flows = [PAYOUTS, payouts('stripe', 'ok'), payins('stripe', 'ok'), transfers('ok')];
  const cases = flows.flatMap((flow) => Array.from({ length: 12 }, () => ({ flow, dooms: [] })));
  const ends = PROCESS_CRASH_POINTS.map((point) => ({ point, time: point.startsWith('reconcile') ? ROUNDS : 1 }));
  expect(await judge(ground, await runCases(ground, cases, { ends }))).toEqual([]);
});

/** The second time only where money is asked for: other gaps are the same each time. */
function isTried(flow: Flow, { point, time }: Doom): boolean {
  if (time > 1) return time === 2 && /(send|confirm) call$/.test(point);
  return TOLD.includes(flow) || !/^webhook|(row|confirm) commit$|after enqueue$|before claim commit$/.test(point);
}

/** Nobody is praised for having survived what has not happened. */
function expectDead(outcomes: readonly Outcome[], points: readonly CrashPoint[]): void {
  const dead = outcomes.filter(({ dooms, lives }) => lives.length > dooms.length);
  const struck = new Set(dead.flatMap(({ dooms }) => dooms.map(({ point }) => point)));
  expect(points.filter((point) => !struck.has(point))).toEqual([]);
  expect(outcomes.length - dead.length).toBeLessThan(outcomes.length * SPARED_SHARE_MAX);
}
