// Which deaths are tried of what was seen to be passed, and whether anybody died of them. Every single one is; of the
// pairs only such are left out as are like another one, by the rules that are written here.

import { type CrashPoint, OPERATION_CRASH_POINTS } from '../../src/runtime/crash-point.ts';
import type { Word } from '../../src/sandbox/behaviour.ts';
import type { Case, Outcome } from './case.ts';
import type { Doom } from './fates.ts';

/** Of cases that die only where an event happens to come, or a call to be late, this share may be spared. */
const SPARED_SHARE_MAX = 0.2;
/** These speak by events, so that the gaps of events differ from those of a provider that behaves. */
const TOLD_BY_EVENTS: readonly (Word | undefined)[] = ['pending', 'bounce'];

/**
 * One for each gap that the flow passed unharmed. A gap that is passed again is the same gap, as nothing is kept in the
 * process; but money that is asked for again is asked for under a key that the provider knows.
 */
export function deathsOf(unharmed: readonly Outcome[]): Case[] {
  return unharmed.flatMap(({ flow, lives: [life = []] }) =>
    life
      .filter(({ point, time }) => time === 1 || (time === 2 && ASKS_FOR_MONEY.test(point)))
      .map((doom) => ({ flow, dooms: [doom] })),
  );
}

const ASKS_FOR_MONEY = /(send|confirm) call$/;

/** One for each gap that was passed behind the first death, but for pairs that are like another one. */
export function secondDeathsOf(killedOnce: readonly Outcome[]): Case[] {
  return killedOnce.flatMap(({ flow, dooms: [first], lives: [whole = [], life = []] }) =>
    first === undefined || isEnteredBefore(first, whole)
      ? []
      : life
          .filter((second) => !isEnteredBefore(second, life))
          .map((second) => ({ flow, dooms: [first, second] }))
          .filter((pair) => pair.dooms.every(({ time }) => time === 1) && !isLikeAnother(pair)),
  );
}

/**
 * One gap has two names where the work goes from one effect straight to the next, such as "after claim commit" and
 * "before send call": nothing that lasts is done between them. Both are tried as a single death, the first in pairs.
 */
function isEnteredBefore(doom: Doom, life: readonly Doom[]): boolean {
  const place = life.findIndex(({ point, time }) => point === doom.point && time === doom.time);
  const [kind, gap] = namesIn(doom.point);
  const [kindBefore, gapBefore] = namesIn(life[place - 1]?.point ?? '');
  return kind === kindBefore && gap.startsWith('before ') && gapBefore.startsWith('after ');
}

function namesIn(point: string): [kind: string, gap: string] {
  const [kind = '', gap = ''] = point.split(': ');
  return [kind, gap];
}

/**
 * With a provider that behaves, no pair is like another. With any other word the first death comes behind the first
 * claim: sooner no provider has been asked, so that what is left is the row that a death with "ok" leaves, and the
 * second death is a single one. Events and deliveries are rows of their own, done alike whatever the word is; so their
 * gaps are paired with the others only where the word is told by events.
 */
function isLikeAnother({ flow: { word }, dooms: [first, ...later] }: Case): boolean {
  if (word === 'ok') return false;
  if (first === undefined || BEFORE_CLAIM.test(first.point)) return true;
  return !TOLD_BY_EVENTS.includes(word) && [first, ...later].some(({ point }) => point.startsWith('webhook'));
}

const BEFORE_CLAIM = /^payout: (?:(?:before|after) (?:row|confirm) commit|after enqueue|before claim commit)$/;

/** The gaps of one kind of work, such as `payout`. */
export function pointsOf(...kinds: readonly string[]): CrashPoint[] {
  return OPERATION_CRASH_POINTS.filter((point) => kinds.includes(point.split(':')[0] ?? ''));
}

/** Of these gaps, those that nobody passed. */
export function unpassed(outcomes: readonly Outcome[], points: readonly CrashPoint[]): CrashPoint[] {
  const passed = new Set(outcomes.flatMap(({ lives }) => lives.flatMap((life) => life.map(({ point }) => point))));
  return points.filter((point) => !passed.has(point));
}

/** Nobody is praised for having survived what has not happened: the gaps where nobody died, and too many spared. */
export function undied(outcomes: readonly Outcome[], points: readonly CrashPoint[]): string[] {
  const dead = outcomes.filter(({ dooms, lives }) => lives.length > dooms.length);
  const struck = new Set(dead.flatMap(({ dooms }) => dooms.map(({ point }: Doom) => point)));
  const spared = outcomes.length - dead.length;
  const isTooMany = spared >= outcomes.length * SPARED_SHARE_MAX;
  return [
    ...points.filter((point) => !struck.has(point)),
    ...(isTooMany ? [`${spared} of ${outcomes.length} cases were spared`] : []),
  ];
}

/** Flows that may end in more than one way, and of which nobody ended as it does without a crash. */
export function unreached(outcomes: readonly Outcome[]): string[] {
  return [...Map.groupBy(outcomes, ({ flow }) => flow)].flatMap(([flow, ofIt]) => {
    const { status } = flow.ends[0];
    const isReached = ofIt.some(({ standing }) => standing?.status === status);
    return isReached ? [] : [`${flow.name}: nobody ended as ${status}`];
  });
}
