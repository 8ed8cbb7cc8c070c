// Which deaths are tried of what was seen to be passed, and whether anybody died of them. What is left out is left out
// by the rules that are written here, and by no other.

import { type CrashPoint, OPERATION_CRASH_POINTS } from '../../src/runtime/crash-point.ts';
import type { Word } from '../../src/sandbox/behaviour.ts';
import type { Case, Outcome } from './case.ts';
import type { Doom, Passed } from './fates.ts';

/** Of cases that die only where an event happens to come, or a call to be late, this share may be spared. */
const SPARED_SHARE_MAX = 0.2;
/** These speak by events, so that the gaps of events differ from those of a provider that behaves. */
const TOLD_BY_EVENTS: readonly (Word | undefined)[] = ['pending', 'bounce'];

/**
 * One for each gap that the flow passed unharmed, whatever its word. A gap that is passed again is the same gap, as
 * nothing is kept in the process; but money that is asked for again is asked for under a key that the provider knows.
 */
export function deathsOf(unharmed: readonly Outcome[]): Played {
  const played = unharmed.flatMap(({ flow, lives: [life = []] }) =>
    life
      .filter(({ point, time }) => time === 1 || (time === 2 && ASKS_FOR_MONEY.test(point)))
      .map(({ point, time }) => ({ flow, dooms: [{ point, time }] })),
  );
  return { played, note: `One death at every gap: ${played.length} cases.` };
}

/** What is played, and a line that says how much that is. */
export interface Played {
  readonly played: readonly Case[];
  readonly note: string;
}

const ASKS_FOR_MONEY = /(send|confirm) call$/;

/**
 * One for each gap that was passed behind the first death, but for pairs that are like another one. Where all is
 * played, these too; a gap that is passed again is the same gap in any case.
 */
export function secondDeathsOf(killedOnce: readonly Outcome[], isAll = process.env.CRASH === 'all'): Played {
  const all = killedOnce.flatMap(({ flow, dooms: [first], lives: [whole = [], life = []] }) =>
    first === undefined || first.time > 1
      ? []
      : life
          .filter(({ time }) => time === 1)
          .map((second) => {
            const pair = { flow, dooms: [first, { point: second.point, time: second.time }] };
            return { pair, isLike: hasTwin(first, whole) || hasTwin(second, life) || isLikeAnother(pair) };
          }),
  );
  const played = all.filter(({ isLike }) => isAll || !isLike).map(({ pair }) => pair);
  const rest = all.length - played.length;
  const wayOut = rest === 0 ? '' : `; ${rest} more are like these (CRASH=all npm test -- test/crash plays them too)`;
  return { played, note: `Two deaths of a payout: ${played.length} cases${wayOut}.` };
}

/**
 * One gap has two names where a process goes from one effect straight to the next, and nothing that lasts is done
 * between them. Both are tried as a single death, and in pairs the first, where it is the first of its name too.
 */
function hasTwin(doom: Doom, life: readonly Passed[]): boolean {
  const place = life.findIndex(({ point, time }) => point === doom.point && time === doom.time);
  const [before, passed] = [life[place - 1], life[place]];
  if (before === undefined || before.time !== 1 || before.process !== passed?.process) return false;
  return TWINS.some(([first, second]) => first.test(before.point) && second.test(doom.point));
}

const TWINS = [
  [/^payout: after (?:claim|next call) commit$/, /^payout: before \w+ call$/],
  [/^payout: after settle commit$/, /^payout: before job ack$/],
  [/^webhook-in: after settle commit$/, /^webhook-in: before job ack$/],
  [/^webhook-out: after settle commit$/, /^webhook-out: before job ack$/],
] as const;

/**
 * A second death that comes before its work has written anything leaves what the first has left, and a job or an event
 * that is taken up again: a single death shows that. With any word but "ok" the first death comes behind the first
 * claim: sooner no provider has been asked, so that what is left is the row that a death with "ok" leaves, and the
 * second death is a single one. Events and deliveries are rows of their own, done alike whatever the word is; so their
 * gaps are paired with the others only where the word is told by events, and those of storing events and of deliveries,
 * which know no provider, only at one.
 */
function isLikeAnother({ flow: { name, word }, dooms: [first, second] }: Case): boolean {
  if (first === undefined || second === undefined || BEFORE_ALL.test(second.point)) return true;
  if (word !== 'ok' && OF_NO_WORD.test(first.point)) return true;
  const points = [first.point, second.point];
  if (!name.includes('demobank') && points.some((point) => OF_NO_PROVIDER.test(point))) return true;
  if (word === 'ok') return false;
  return !TOLD_BY_EVENTS.includes(word) && points.some((point) => point.startsWith('webhook'));
}

const BEFORE_ALL = /: before (?:row|claim|look) commit$/;
const OF_NO_PROVIDER = /^webhook-out|^webhook-in: (?:(?:before|after) row commit|after enqueue|before job ack)$/;
const OF_NO_WORD = /^webhook-out|: (?:(?:before|after) (?:row|confirm) commit|after enqueue|before claim commit)$/;

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
