// Every gap of a pay-in is a place to die: at each provider that takes money, whatever it does with it, and whatever
// the buyer does: goes away, pays late, or disputes what was paid.

import { expect, test } from 'vitest';
import { WORDS } from '../../src/sandbox/behaviour.ts';
import { LIMIT_MS, openBench } from './bench.ts';
import { canceledPayins, payins } from './checkout-flows.ts';
import { judge } from './judge.ts';
import { pointsOf, undied, unpassed, unreached } from './plan.ts';

const FLOWS = (['stripe', 'square', 'paypal'] as const).flatMap((provider) =>
  WORDS.map((word) => payins(provider, word)),
);

const bench = openBench({
  flows: [...FLOWS, canceledPayins()],
  points: pointsOf('payin', 'dispute', 'webhook-in', 'webhook-out'),
});

test('without a crash every pay-in ends as its provider means it, and all gaps are passed', async () => {
  expect(await bench.unharmed()).toEqual([]);
});

test('an end that the word does not mean, and a wallet that does not fit it, are complaints', async () => {
  const { ground, unharmed } = bench.stage();
  const [paid, declined] = ['ok', 'decline'].map((word) =>
    unharmed.find(({ flow }) => flow.name === `a pay-in at stripe, "${word}"`),
  );
  if (paid === undefined || declined === undefined) throw new Error('Both words are among the flows.');
  const swapped = [
    { ...paid, standing: declined.standing },
    { ...declined, standing: paid.standing },
  ];
  expect(await judge(ground, swapped)).toHaveLength(4);
  expect(unreached(swapped)).toHaveLength(2);
  expect(unreached([...swapped, paid, declined])).toEqual([]);
});

test('a gap that nobody passes, or where nobody dies, and too many who are spared, are complaints', () => {
  const [one] = bench.stage().unharmed;
  const [spared, point] = [one?.lives[0]?.[0], 'payout: before send call'] as const;
  if (one === undefined || spared === undefined) throw new Error('The first flow has passed a gap.');
  expect(unpassed([one], [point, spared.point])).toEqual([point]);
  expect(undied([{ ...one, dooms: [spared] }], [spared.point])).toHaveLength(2);
  expect(undied([{ ...one, dooms: [spared], lives: [[spared], []] }], [spared.point])).toEqual([]);
});

test('a crash at any gap of a pay-in, whatever the provider does, changes nothing but the time', {
  timeout: LIMIT_MS,
}, async () => {
  expect(await bench.killedOnce()).toEqual([]);
});
