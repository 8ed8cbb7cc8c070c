// Which deaths are tried of what was seen to be passed, and whether anybody died of them.

import type { CrashPoint } from '../../src/runtime/crash-point.ts';
import type { Case, Outcome } from './cases.ts';
import type { Doom } from './fates.ts';
import type { Flow } from './flows.ts';

/** Of cases that die only where an event happens to come, or a call to be late, this share may be spared. */
const SPARED_SHARE_MAX = 0.2;

/**
 * One for each gap that the flow passed unharmed. Of flows that are not among the `told`, gaps of webhooks, and those
 * before the first claim, are left out: no provider has been asked yet, or has answered.
 */
export function deathsOf(unharmed: readonly Outcome[], told: readonly Flow[]): Case[] {
  return unharmed.flatMap(({ flow, lives: [life = []] }) =>
    life
      .filter(({ point, time }) => {
        // The second time only where money is asked for: other gaps are the same each time.
        if (time > 1) return time === 2 && /(send|confirm) call$/.test(point);
        return told.includes(flow) || !/^webhook|(row|confirm) commit$|after enqueue$|before claim commit$/.test(point);
      })
      .map((doom) => ({ flow, dooms: [doom] })),
  );
}

/** One for each gap that was passed behind the first death. Of other flows than `all`, where the provider answers. */
export function secondDeathsOf(killedOnce: readonly Outcome[], { all }: { all: Flow }): Case[] {
  const isTried = (flow: Flow, { point, time }: Doom) =>
    time === 1 && point.startsWith('payout') && (flow === all || / call$|settle commit$/.test(point));
  return killedOnce
    .filter(({ flow, dooms }) => dooms.every((doom) => isTried(flow, doom)))
    .flatMap(({ flow, dooms, lives: [, life = []] }) =>
      life.filter((later) => isTried(flow, later)).map((later) => ({ flow, dooms: [...dooms, later] })),
    );
}

/** Of these gaps, those that nobody passed. */
export function unpassed(outcomes: readonly Outcome[], points: readonly CrashPoint[]): CrashPoint[] {
  const passed = new Set(outcomes.flatMap(({ lives }) => lives.flatMap((life) => life.map(({ point }) => point))));
  return points.filter((point) => !passed.has(point));
}

/** Nobody is praised for having survived what has not happened: the gaps where nobody died, and too many spared. */
export function undied(outcomes: readonly Outcome[], points: readonly CrashPoint[]): string[] {
  const dead = outcomes.filter(({ dooms, lives }) => lives.length > dooms.length);
  const struck = new Set(dead.flatMap(({ dooms }) => dooms.map(({ point }) => point)));
  const spared = outcomes.length - dead.length;
  const isTooMany = spared >= outcomes.length * SPARED_SHARE_MAX;
  return [
    ...points.filter((point) => !struck.has(point)),
    ...(isTooMany ? [`${spared} of ${outcomes.length} cases were spared`] : []),
  ];
}
