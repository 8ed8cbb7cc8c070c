// What is told of a run: a line for each mutant as soon as it is tried, and how many were killed.

import type { Mutant } from './list.ts';
import type { Tried } from './run.ts';

export function lineOf({ mutant, outcome, seconds }: Tried): string {
  const what = `${outcome.type.padEnd(8)} ${mutant.name} (${seconds.toFixed(1)} s)`;
  return `${what}\n         ${mutant.promise}\n         ${detailOf({ mutant, outcome })}\n`;
}

function detailOf({ mutant, outcome }: Pick<Tried, 'mutant' | 'outcome'>): string {
  switch (outcome.type) {
    case 'killed':
      return `by ${outcome.file}: ${outcome.test}`;
    case 'survived':
      return `No test of ${mutant.killers.join(', ')} noticed. Write the one that is missing.`;
    case 'broken':
      return `Red by no assertion, so nothing is proved; mend the mutant in mutants/list.ts. ${outcome.detail}`;
  }
}

export function tallyOf(all: readonly Tried[]): string {
  return `${killedOf(all)} / ${all.length} killed\n`;
}

export function reportJson(all: readonly Tried[]): string {
  const mutants = all.map(({ mutant: { name, promise, file }, outcome, seconds }) => ({
    name,
    promise,
    file,
    outcome: outcome.type,
    killed_by: outcome.type === 'killed' ? { file: outcome.file, test: outcome.test } : null,
    detail: outcome.type === 'broken' ? outcome.detail : null,
    seconds: Number(seconds.toFixed(1)),
  }));
  return `${JSON.stringify({ killed: killedOf(all), total: all.length, mutants })}\n`;
}

export function listText(mutants: readonly Mutant[]): string {
  return mutants.map(({ name, promise, file }) => `${name}\n  ${promise}\n  ${file}\n`).join('');
}

export function listJson(mutants: readonly Mutant[]): string {
  return `${JSON.stringify({ mutants: mutants.map(({ name, promise, file }) => ({ name, promise, file })) })}\n`;
}

export function exitCodeOf(all: readonly Tried[]): 0 | 1 {
  return killedOf(all) === all.length ? 0 : 1;
}

function killedOf(all: readonly Tried[]): number {
  return all.filter(({ outcome }) => outcome.type === 'killed').length;
}
