// Runs many cases of the crash bench side by side, in as many processes as the most mortal of them has lives.

import type { Case, Outcome } from './case.ts';
import { ask, type Named, nameCase } from './client.ts';
import type { Doom } from './fates.ts';
import type { Ground } from './ground.ts';
import type { Mortal } from './mortal.ts';
import { isCalm, lastLook, rest } from './rest.ts';
import { createRoster } from './roster.ts';

/** More than the gaps of one flow. */
const STRIDE = 31;
/** How many clients ask at once. */
const LANES = 16;
/** Fewer than a process has connections. */
const PREPARED_AT_ONCE = 8;

/** `ends` are gaps of processes that die as a whole, beside one that lives. */
export async function runCases(
  ground: Ground,
  cases: readonly Case[],
  { ends = [] }: { ends?: readonly Doom[] } = {},
): Promise<Outcome[]> {
  const { app: clerk } = ground.clerk;
  const named = mixed(cases).map((one) => nameCase(one));
  await ground.unheard(() => inLanes(named, PREPARED_AT_ONCE, ({ flow, key }) => flow.prepare(clerk, key)));
  const names = named.flatMap(({ flow, key, pkid, fate }) =>
    [pkid, ...(flow.aliases?.(key) ?? [])].map((name) => [name, fate] as const),
  );
  const roster = createRoster(new Map(names), clerk.db);
  const deaths = Math.max(0, ...cases.map(({ dooms }) => dooms.length));
  // Where whole processes die in reconcile, no job may do its work before it.
  const role = ends.length > 0 ? 'reconciles' : 'works';
  const living = Array.from({ length: deaths + 1 }, () => ({ roster, role }) as const);
  const mortals = await ground.born([...ends.map((end) => ({ roster, end, role }) as const), ...living]);
  await inLanes(named, LANES, (one) => ask(one, mortals, ground.sandbox.url));
  // Where whole processes are to die, each takes its share, as it would from the queue.
  for (const one of ends.length > 0 ? named : []) void takeShare(one, mortals);
  await rest(ground, named, mortals);
  const { standings, open } = await lastLook(clerk, named);
  const spared = ends.filter((_end, number) => mortals[number]?.isGone() !== true);
  if (spared.length > 0) throw new Error(`No process died at: ${JSON.stringify(spared)}. Let it do more.`);
  await Promise.all(mortals.map((mortal) => mortal.kill()));
  return named.map((one) => {
    const { flow, dooms, key, pkid, fate } = one;
    const standing = standings.get(pkid) ?? null;
    return { flow, dooms, key, pkid, lives: fate.lives, standing, isCalm: isCalm(one, standing, open) };
  });
}

/** Far from its like: where all calls fail for a while, a process stops sending, and what has died never probes. */
function mixed(cases: readonly Case[]): Case[] {
  return Array.from({ length: STRIDE }, (_, first) => cases.filter((_one, index) => index % STRIDE === first)).flat();
}

async function takeShare({ flow, pkid, number }: Named, mortals: readonly Mortal[]): Promise<void> {
  const mortal = mortals[number % mortals.length];
  // What fails here is due again, and another takes it.
  await mortal?.app.runner.run(flow.kind, pkid, { reason: 'reconcile' }).catch(() => undefined);
}

async function inLanes<One>(all: readonly One[], lanes: number, act: (one: One) => Promise<void>): Promise<void> {
  const left = all.values();
  const lane = async () => {
    for (const one of left) await act(one);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
