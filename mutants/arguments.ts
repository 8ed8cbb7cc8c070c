// The command line. What cannot be understood is refused with the way out.

import { parseArgs } from 'node:util';
import type { Mutant } from './list.ts';

export interface Arguments {
  readonly mutants: readonly Mutant[];
  /** Only tell which there are. */
  readonly list: boolean;
  readonly json: boolean;
}

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const USAGE = `Usage: npm run mutants -- [options]
Breaks one promise at a time in a copy of the source, and expects the tests to notice.
  --only NAME        only these, separated by commas
  --list             tell the names and the promises, and run nothing
  --json             one JSON object on stdout, instead of lines
Exit code 0: every mutant was killed. 1: one was not, or no longer fits the source. 2: wrong usage.`;

export function parseArguments(args: readonly string[], all: readonly Mutant[]): Arguments | 'help' {
  const { help, only, list = false, json = false } = optionsIn(args);
  if (help === true) return 'help';
  return { mutants: only === undefined ? all : namedIn(only, all), list, json };
}

function optionsIn(args: readonly string[]) {
  const flag = { type: 'boolean' } as const;
  const options = { only: { type: 'string' }, list: flag, json: flag, help: { ...flag, short: 'h' } } as const;
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function namedIn(text: string, all: readonly Mutant[]): Mutant[] {
  return text.split(',').map((word) => {
    const mutant = all.find(({ name }) => name === word.trim());
    if (mutant !== undefined) return mutant;
    throw new UsageError(`--only "${word}" is not known. Use one of ${all.map(({ name }) => name).join(', ')}.`);
  });
}
