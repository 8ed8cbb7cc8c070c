// Our list of Square's currencies against the SDK's own, and that a start does without the SDK.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Square } from 'square';
import { expect, test } from 'vitest';
import { isSquareCurrency } from '../../src/providers/square/currency.ts';

/** What ISO 4217 keeps for tests and for "no currency" is no money. */
const NO_MONEY = /^(UNKNOWN_CURRENCY|XTS|X{3})$/;

test('every currency of the SDK is known, and none that the SDK does not name', () => {
  const named = Object.values(Square.Currency).filter((code) => !NO_MONEY.test(code));
  const letters = Array.from({ length: 26 }, (_, index) => String.fromCharCode(65 + index));
  const codes = letters.flatMap((one) => letters.flatMap((two) => letters.map((three) => one + two + three)));
  expect(codes.filter(isSquareCurrency).sort()).toEqual(named.toSorted());
});

test('a process that never pays through Square does not load its SDK', async () => {
  const opened = new URL('../../src/providers/open.ts', import.meta.url).href;
  const script = `
    const { registerHooks } = await import('node:module');
    const seen = [];
    registerHooks({ load: (url, context, next) => { seen.push(url); return next(url, context); } });
    await import(${JSON.stringify(opened)});
    process.stdout.write(JSON.stringify(seen));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
  const loaded: unknown = JSON.parse(stdout);
  expect(loaded).toContainEqual(opened);
  expect(loaded).not.toContainEqual(expect.stringContaining('/node_modules/square/'));
});
