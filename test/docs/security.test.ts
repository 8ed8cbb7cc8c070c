// The page about security names what there is: every test that it leans on, and every code that an answer can carry.

import { existsSync, globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ERRORS } from '../../src/domain/errors.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const page = readFileSync(`${root}docs/security.md`, 'utf8');
const named = [...page.matchAll(/`(test\/[\w/.-]+\.test\.ts)`/g)].map(([, path = '']) => path);

test('every test that the page names is there, and every test of the folder is named', () => {
  expect(named.filter((path) => !existsSync(`${root}${path}`))).toEqual([]);
  const own = globSync('test/security/*.test.ts', { cwd: root }).map((path) => path.replaceAll('\\', '/'));
  expect(own.length).toBeGreaterThan(10);
  expect(own.filter((path) => !named.includes(path))).toEqual([]);
});

test('every promise and every bad input has a test', () => {
  const rows = page.split('\n').filter((line) => /^\| (?!(?:promise|input) \|)/.test(line));
  expect(rows.length).toBeGreaterThan(40);
  expect(rows.filter((row) => !/`test\/[\w/.-]+\.test\.ts`/.test(row))).toEqual([]);
});

test('every code that is ever shown has its row, with its status', () => {
  const rows = new Map(
    [...page.matchAll(/\| (\d{3}) `([a-z-]+)` \|/g)].map(([, status, code]) => [code, Number(status)]),
  );
  const codes = Object.entries(ERRORS).filter(([, { kind }]) => kind !== 'uncertain');
  expect([...rows].toSorted()).toEqual(codes.map(([code, { status }]) => [code, status]).toSorted());
});
