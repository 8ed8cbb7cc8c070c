// A column of values comes out of the database as it went in, whatever the values hold.

import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrayLiteral } from '../../src/ledger/array-literal.ts';
import { type Ledger, openLedger } from '../harness/ledger.ts';

let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger();
});
afterAll(() => ledger.close());

/** As the database reads it: each element by itself, as text. */
async function readBack(type: string, values: readonly unknown[]): Promise<(string | null)[]> {
  const client = await ledger.connect();
  const element = type === 'jsonb' ? 'text' : type;
  const { rows } = await client.query<{ value: string | null }>(
    `SELECT value::text FROM unnest($1::${element}[]) WITH ORDINALITY AS u (value, place) ORDER BY place`,
    [arrayLiteral(type, values)],
  );
  await client.end();
  return rows.map(({ value }) => value);
}

const hostile = [
  '',
  'NULL',
  'null',
  '{',
  '}',
  '{}',
  ',',
  '"',
  '\\',
  '\\"',
  ' ',
  '\n',
  "'",
  '{"a":"b\\"c"}',
  '💶',
  '$1',
];

test('texts of any content', async () => {
  expect(await readBack('text', hostile)).toEqual(hostile);
  const texts = fc.array(
    fc.oneof(fc.constantFrom(...hostile), fc.string({ unit: 'binary' }).map(withoutNul), fc.constant(null)),
    { maxLength: 50 },
  );
  await fc.assert(
    fc.asyncProperty(texts, async (values) => {
      expect(await readBack('text', values)).toEqual(values);
    }),
    { numRuns: 50 },
  );
});

test('numbers, truth values, bytes, ids and times', async () => {
  const id = '0190aaaa-0000-7000-8000-00000000000a';
  expect(await readBack('bigint', [-1n, 9_223_372_036_854_775_807n, null])).toEqual([
    '-1',
    '9223372036854775807',
    null,
  ]);
  expect(await readBack('integer', [0, -5])).toEqual(['0', '-5']);
  expect(await readBack('boolean', [true, false, null])).toEqual(['true', 'false', null]);
  expect(await readBack('uuid', [id, undefined])).toEqual([id, null]);
  expect(await readBack('bytea', [Buffer.from([0, 34, 92, 255]), Buffer.alloc(0)])).toEqual(['\\x00225cff', '\\x']);
  const at = new Date('2026-01-02T03:04:05.678Z');
  const [read] = await readBack('timestamptz', [at]);
  expect(new Date(read ?? '').getTime()).toBe(at.getTime());
});

test('JSON keeps its quotes', async () => {
  const value = { note: 'a "quoted" \\ word, {braced}', list: [1, null] };
  const [read] = await readBack('jsonb', [value]);
  expect(JSON.parse(read ?? '')).toEqual(value);
});

test('no values are an empty array', async () => {
  expect(await readBack('text', [])).toEqual([]);
});

/** PostgreSQL keeps no NUL in texts, and no half of a pair; the door refuses both. */
function withoutNul(text: string): string {
  return text.replaceAll('\0', '').toWellFormed();
}
