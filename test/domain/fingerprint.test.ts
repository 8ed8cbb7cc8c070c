// A replay is told from a reuse by the fields alone, whatever their order.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fingerprintOf } from '../../src/domain/fingerprint.ts';

const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(fc.string(), tie('any'), { maxKeys: 3 }),
  ),
})).any;
const fields = fc.dictionary(fc.string(), value, { maxKeys: 5 });

function reversed(one: unknown): unknown {
  if (Array.isArray(one)) return one.map(reversed);
  if (typeof one !== 'object' || one === null) return one;
  return Object.fromEntries(
    Object.entries(one)
      .reverse()
      .map(([name, member]) => [name, reversed(member)]),
  );
}

test('the order of fields does not matter, at any depth', () => {
  fc.assert(
    fc.property(fields, (one) => {
      const other = reversed(one);
      if (typeof other === 'object') expect(fingerprintOf({ ...other })).toEqual(fingerprintOf(one));
    }),
  );
});

test('bodies that differ in JSON differ in fingerprint', () => {
  fc.assert(
    fc.property(fields, fields, (one, two) => {
      const isSame = canonical(one) === canonical(two);
      expect(fingerprintOf(one).equals(fingerprintOf(two))).toBe(isSame);
    }),
  );
});

function canonical(one: unknown): string {
  if (Array.isArray(one)) return `[${one.map(canonical)}]`;
  if (typeof one !== 'object' || one === null) return JSON.stringify(one);
  const members = Object.entries(one).sort(([left], [right]) => (left < right ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`)}}`;
}

test.each([
  [{ a: [1, 2] }, { a: [2, 1] }],
  [{ a: '1' }, { a: 1 }],
  [{ a: null }, {}],
  [{ a: { b: 1 } }, { a: 1, b: 1 }],
])('%j and %j are different requests', (one, two) => {
  expect(fingerprintOf(one).equals(fingerprintOf(two))).toBe(false);
});

test('a field that is not there is one that was not sent, and amounts and times have one form', () => {
  expect(fingerprintOf({ a: 1, b: undefined })).toEqual(fingerprintOf({ a: 1 }));
  expect(fingerprintOf({ a: 15n })).toEqual(fingerprintOf({ a: '15' }));
  expect(fingerprintOf({ at: new Date(0) })).toEqual(fingerprintOf({ at: '1970-01-01T00:00:00.000Z' }));
});
