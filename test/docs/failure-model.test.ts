// Every row of the page on what may go wrong ends as a test: it names one, and the test of that name is there.

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const page = readFileSync(`${root}docs/failure-model.md`, 'utf8');

interface Proof {
  /** Of the test, or of the row of its table. */
  readonly name: string;
  readonly path: string;
}

/** Rows of three columns; those of the audit have two, and a test of their own. */
const rows = [...page.matchAll(/^\| (?!what goes wrong)([^|]+) \| [^|]+ \| ([^|]*) ?\|$/gm)].map(
  ([, what = '', proofs = '']) => ({ what, proofs: proofsIn(proofs) }),
);

test('every table of what goes wrong is read, and none of its rows has fewer columns', () => {
  const tables = page.split('| what goes wrong | what comes of it | proved by |\n|---|---|---|\n').slice(1);
  const lines = tables.flatMap((text) => text.split('\n\n')[0]?.trimEnd().split('\n') ?? []);
  expect(tables.length).toBeGreaterThan(6);
  expect(rows).toHaveLength(lines.length);
});

describe('a row of the page', () => {
  test.each(rows)('is proved by tests that are there: $what', ({ proofs }) => {
    expect(proofs).not.toEqual([]);
    expect(proofs.filter((proof) => !isThere(proof))).toEqual([]);
  });
});

test('every other proof that the page names is there, too', () => {
  expect(proofsIn(page).filter((proof) => !isThere(proof))).toEqual([]);
});

test('a proof that is not there would be seen', () => {
  const [path, name] = ['test/docs/failure-model.test.ts', 'every other proof that the page names is there, too'];
  expect(isThere({ name, path })).toBe(true);
  expect(isThere({ name, path: 'test/docs/no-such.test.ts' })).toBe(false);
  expect(isThere({ name: `${name}, or ${name}`, path })).toBe(false);
});

function proofsIn(text: string): Proof[] {
  return [...text.matchAll(/\[([^\]]+)\]\(\.\.\/((?:test|chaos)\/[^)]+)\)/g)].map(([, name = '', path = '']) => ({
    name,
    path,
  }));
}

function isThere({ name, path }: Proof): boolean {
  return (
    path.endsWith('.test.ts') && existsSync(`${root}${path}`) && readFileSync(`${root}${path}`, 'utf8').includes(name)
  );
}
