// Pages and files that a program writes must be what it writes now.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { payoutsCsv } from '../../examples/make-payouts.ts';
import { statesPage } from '../../scripts/states.ts';

it('the drawing of the states is that of the table of moves', () => {
  expect(readText('docs/states.md')).toBe(statesPage());
});

it('the example file is what its program writes', () => {
  expect(readText('examples/payouts-1000.csv')).toBe(payoutsCsv());
});

function readText(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}
