// The list of mutants fits the source as it is now. What no longer fits would break nothing, and so prove nothing.

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, test } from 'vitest';
import { mutated } from '../../mutants/copy.ts';
import { MUTANTS, type Mutant } from '../../mutants/list.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const MUTANT: Mutant = {
  name: 'planted',
  promise: 'Two is two.',
  file: 'src/two.ts',
  find: 'return 2;',
  replace: 'return $&;',
  killers: ['test/two.test.ts'],
};

describe.each(MUTANTS)('the mutant $name', (mutant) => {
  it('finds its text exactly once in the source, and changes it', () => {
    const text = readFileSync(`${root}${mutant.file}`, 'utf8');
    const changed = mutated(text, mutant);
    expect(changed).not.toBe(text);
    expect(changed).toContain(mutant.replace);
  });

  it('is put to tests that are there', () => {
    expect(mutant.killers.filter((file) => file.startsWith('test/') && existsSync(`${root}${file}`))).not.toEqual([]);
    expect(mutant.killers.filter((file) => !existsSync(`${root}${file}`))).toEqual([]);
  });
});

test('no two mutants share a name', () => {
  const names = MUTANTS.map(({ name }) => name);
  expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
  expect(names.length).toBeGreaterThan(0);
});

describe('a mutant', () => {
  it('is put in as it is written, whatever signs it holds', () => {
    expect(mutated('{ return 2; }', MUTANT)).toBe('{ return $&; }');
  });

  it.each([
    ['nowhere', '{ return 3; }'],
    ['2 times', 'return 2; return 2;'],
  ])('whose text stands %s is refused with the way out', (times, text) => {
    expect(() => mutated(text, MUTANT)).toThrow(new RegExp(`"planted" no longer fits.*${times}.*list\\.ts up to date`));
  });
});
