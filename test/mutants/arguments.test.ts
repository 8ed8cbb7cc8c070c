// The command line: what is meant is understood, and what is not is refused with the way out.

import { expect, test } from 'vitest';
import { parseArguments, UsageError } from '../../mutants/arguments.ts';
import { MUTANTS } from '../../mutants/list.ts';

test('without options every mutant is tried', () => {
  expect(parseArguments([], MUTANTS)).toEqual({ mutants: MUTANTS, list: false, json: false });
});

test('some may be named, in their order, and told instead of tried', () => {
  const asked = parseArguments(['--only', 'no-lease, no-reconcile', '--list', '--json'], MUTANTS);
  const names = asked === 'help' ? [] : asked.mutants.map(({ name }) => name);
  expect(names).toEqual(['no-lease', 'no-reconcile']);
  expect(asked).toMatchObject({ list: true, json: true });
});

test('help is help, whatever else is asked', () => {
  expect(parseArguments(['--json', '-h'], MUTANTS)).toBe('help');
});

test.each([
  [['--only', 'nothing'], /"nothing" is not known\. Use one of key-per-attempt, /],
  [['--fast'], /--fast/],
])('%j is refused with the way out', (args, said) => {
  expect(() => parseArguments(args, MUTANTS)).toThrow(UsageError);
  expect(() => parseArguments(args, MUTANTS)).toThrow(said);
});
