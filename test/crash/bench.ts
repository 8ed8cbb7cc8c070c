// What every file of the crash bench does: its flows run unharmed on a ground of their own, and each is run again for
// every death that this has shown to be possible. What comes back is complaints, none when all is well.

import { afterAll, beforeAll } from 'vitest';
import type { CrashPoint } from '../../src/runtime/crash-point.ts';
import type { Case, Outcome } from './case.ts';
import { runCases } from './cases.ts';
import type { Flow } from './flows.ts';
import { type Ground, openGround } from './ground.ts';
import { judge } from './judge.ts';
import { deathsOf, type Played, secondDeathsOf, undied, unpassed, unreached } from './plan.ts';

export interface Bench {
  /** Once the hooks have run. */
  stage(): { readonly ground: Ground; readonly unharmed: readonly Outcome[] };
  /** Of the flows that nobody has harmed, and of gaps that none of them passed. */
  unharmed(): Promise<string[]>;
  /** Of one death for each gap that was passed, of gaps where nobody died, and of flows that all ended another way. */
  killedOnce(): Promise<string[]>;
  /** Of a second death behind each of those. */
  killedTwice(): Promise<string[]>;
}

/** Far above what it takes, also where something else holds the processors. */
export const LIMIT_MS = 3_600_000;
/** What has died keeps its place, its job and its connections, as long as the processes beside it live. */
const CASES_AT_ONCE = 1_000;

export function openBench({ flows, points }: { flows: readonly Flow[]; points: readonly CrashPoint[] }): Bench {
  let ground: Ground | null = null;
  let whole: Run = { outcomes: [], complaints: [] };
  let killed: Run = { outcomes: [], complaints: [] };
  beforeAll(async () => {
    ground = await openGround();
    whole = await run(flows.map((flow) => ({ flow, dooms: [] })));
  }, LIMIT_MS);
  afterAll(() => ground?.close());

  function stage() {
    if (ground === null || whole.outcomes.length === 0) throw new Error('Nothing has run yet. Ask inside of a test.');
    return { ground, unharmed: whole.outcomes };
  }

  /** Judged batch by batch: what is prepared for the next one is not to be heard of, neither by us nor by others. */
  async function run(cases: readonly Case[]): Promise<Run> {
    if (ground === null) throw new Error('The ground is not open. Ask inside of a test.');
    const outcomes: Outcome[] = [];
    const complaints: string[] = [];
    for (let first = 0; first < cases.length; first += CASES_AT_ONCE) {
      const batch = await runCases(ground, cases.slice(first, first + CASES_AT_ONCE));
      outcomes.push(...batch);
      complaints.push(...(await judge(ground, batch)));
    }
    return { outcomes, complaints };
  }

  function play({ played, note }: Played): Promise<Run> {
    process.stdout.write(`${note}\n`);
    return run(played);
  }

  return {
    stage,
    unharmed: async () => [...whole.complaints, ...unpassed(stage().unharmed, points)],
    async killedOnce() {
      killed = await play(deathsOf(stage().unharmed));
      return [...killed.complaints, ...undied(killed.outcomes, points), ...unreached(killed.outcomes)];
    },
    async killedTwice() {
      const { outcomes, complaints } = await play(secondDeathsOf(killed.outcomes));
      return [...complaints, ...undied(outcomes, [])];
    },
  };
}

interface Run {
  readonly outcomes: readonly Outcome[];
  readonly complaints: readonly string[];
}
