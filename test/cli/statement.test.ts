// A provider's list is read line by line, and a line that is none is named before anything is filed.

import { expect, test } from 'vitest';
import { parseStatement, runStatement } from '../../src/cli/statement.ts';
import { UsageError } from '../../src/cli/usage-error.ts';

const PKID = '8e12eff4-1f0b-5860-93fd-4876ca66286e';

test('a line is an id, or an id and our reference with or without its dashes', () => {
  const text = `tr_1\r\n\n"tr_2","${PKID}"\ntr_3,${PKID.replaceAll('-', '').toUpperCase()}\n`;
  expect(parseStatement(text)).toEqual([
    { externId: 'tr_1', pkid: null },
    { externId: 'tr_2', pkid: PKID },
    { externId: 'tr_3', pkid: PKID },
  ]);
});

test.each([
  ['a heading', 'id,reference\ntr_1', 'Line 1 is not'],
  ['more columns', 'tr_1,100,USD', 'Line 1 is not'],
  ['a broken reference', `tr_1\ntr_2,${PKID.slice(1)}-`, 'Line 2 is not'],
  ['nothing', ' \n', 'The statement is empty'],
])('%s is refused, with what to do', (_what, text, said) => {
  expect(() => parseStatement(text)).toThrow(said);
  expect(() => parseStatement(text)).toThrow(/Leave out|Give a file/);
});

test('a file that cannot be read is wrong usage, with what to name instead', async () => {
  const options = { provider: 'stripe', kind: 'payout', wait: 1 } as const;
  const refused = runStatement('/nowhere/ids.txt', options);
  await expect(refused).rejects.toThrow(UsageError);
  await expect(refused).rejects.toThrow('Name a file with one payment id a line, or - for standard input.');
});
