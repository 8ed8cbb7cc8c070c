// Which pairs of deaths are one and the same, and which only look so.

import { expect, test } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import type { CrashPoint } from '../../src/runtime/crash-point.ts';
import type { Outcome } from './case.ts';
import type { Passed } from './fates.ts';
import { payouts } from './flows.ts';
import { secondDeathsOf } from './plan.ts';

const passed = (gap: string, { time = 1, process = 0 } = {}): Passed => ({ point: pointOf(gap), time, process });

function pointOf(gap: string): CrashPoint {
  const known = [
    'payout: after row commit',
    'payout: after enqueue',
    'payout: before claim commit',
    'payout: after claim commit',
    'payout: before send call',
    'payout: before find call',
    'payout: before cancel commit',
  ] as const;
  const point = known.find((one) => one === `payout: ${gap}`);
  if (point === undefined) throw new Error(`No such gap: ${gap}.`);
  return point;
}

function pairsOf(lives: Passed[][], isAll = false): string[] {
  const [first = [], second = []] = lives;
  const doom = first.at(-1);
  if (doom === undefined) throw new Error('The first life has passed a gap.');
  const key = 'any';
  const flow = payouts('demobank', 'ok');
  const killed: Outcome = {
    flow,
    key,
    pkid: pkidOf('payout', key),
    dooms: [doom],
    lives: [first, second],
    standing: null,
    isCalm: true,
  };
  const { played: pairs } = secondDeathsOf([killed], isAll);
  return pairs.map(({ dooms }) => dooms.map(({ point }) => point.replace('payout: ', '')).join(', '));
}

const SECOND = [passed('before claim commit'), passed('after claim commit'), passed('before send call')];

test('where a process goes from a claim straight to a call, the gap is paired under its first name', () => {
  expect(pairsOf([[passed('after row commit')], SECOND])).toEqual(['after row commit, after claim commit']);
  expect(pairsOf([[passed('after claim commit'), passed('before send call')], SECOND])).toEqual([]);
});

test('a job that waits and one that a worker holds are two gaps', () => {
  const first = [passed('after enqueue'), passed('before claim commit')];
  expect(pairsOf([first, SECOND])).toEqual(['before claim commit, after claim commit']);
});

test('where the first name would not be paired, the second is', () => {
  const first = [passed('after claim commit'), passed('after claim commit', { time: 2 }), passed('before find call')];
  expect(pairsOf([first, SECOND])).toEqual(['before find call, after claim commit']);
});

test('what another process passes there is no twin', () => {
  const first = [passed('after claim commit'), passed('before send call', { process: 1 })];
  expect(pairsOf([first, SECOND])).toEqual(['before send call, after claim commit']);
  const canceled = [passed('after claim commit'), passed('before cancel commit')];
  expect(pairsOf([canceled, SECOND])).toEqual(['before cancel commit, after claim commit']);
});

test('a second death before anything is written is like a single one', () => {
  expect(pairsOf([[passed('after row commit')], [passed('before claim commit')]])).toEqual([]);
});

test('where all are played, so are those that are like another one', () => {
  expect(pairsOf([[passed('after claim commit'), passed('before send call')], SECOND], true)).toEqual([
    'before send call, before claim commit',
    'before send call, after claim commit',
    'before send call, before send call',
  ]);
});
