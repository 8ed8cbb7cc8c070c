// One run: the list must fit the source, the tests must be green without a mutant, then each mutant is put to them.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Copy, mutated } from './copy.ts';
import type { Mutant } from './list.ts';
import { type Outcome, objectionTo, outcomeOf } from './outcome.ts';
import type { Suite } from './suite.ts';

export interface Tried {
  readonly mutant: Mutant;
  readonly outcome: Outcome;
  readonly seconds: number;
}

const NO_REPORT = { type: 'broken', detail: 'vitest gave no report, or not in time.' } as const satisfies Outcome;

/** Throws when a mutant no longer fits the source, before anything is run. */
export function refuseUnfit(mutants: readonly Mutant[], source: string): void {
  for (const mutant of mutants) mutated(readFileSync(join(source, mutant.file), 'utf8'), mutant);
}

/** Throws when the tests are red by themselves. */
export async function tryMutants(
  mutants: readonly Mutant[],
  context: { copy: Copy; suite: Suite; say: (line: string) => void; onTried: (tried: Tried) => void },
): Promise<readonly Tried[]> {
  const { copy, suite, say, onTried } = context;
  const files = [...new Set(mutants.flatMap(({ killers }) => killers))];
  say(`${files.length} test files without a mutant`);
  const report = await suite.run(files, { bail: false });
  const objection = report === null ? `${NO_REPORT.detail} Try it by hand: npm test` : objectionTo(report, copy.root);
  if (objection !== null) throw new Error(objection);
  const all: Tried[] = [];
  for (const mutant of mutants) {
    say(`${mutant.name} (${mutant.file})`);
    const startedAt = performance.now();
    const found = await copy.with(mutant, () => suite.run(mutant.killers, { bail: true }));
    const outcome = found === null ? NO_REPORT : outcomeOf(found, copy.root);
    const tried = { mutant, outcome, seconds: (performance.now() - startedAt) / 1_000 };
    all.push(tried);
    onTried(tried);
  }
  return all;
}
