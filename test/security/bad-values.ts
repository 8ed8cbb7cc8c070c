// The failure model's rows about bodies, as values for whatever stands in a body: which a place must refuse follows
// from what the document says of it.

import type { ErrorCode } from '../../src/domain/errors.ts';
import { KEY_PATTERN } from '../../src/domain/id.ts';
import { membersIn, objectsIn, type Path, type Place, type Schema } from './schema.ts';

export interface Change {
  readonly what: string;
  readonly path: Path;
  readonly value: unknown;
  readonly code: ErrorCode;
}

const CARD = '4242 4242-4242 4242';
const BROKEN_TEXTS = ['a\u0000b', '\ud800', 'x\udc00'] as const;
const NOT_AMOUNTS = [
  ...[100, 1.5, 0, null, true, [], {}, ''],
  ...['0', '-0', '1.5', '1e3', '01', '+1', ' 1', '1 ', '1'.repeat(19), '٣', '0x1', '1_000', 'NaN', 'Infinity'],
];
const NOT_CURRENCIES = ['usd', 'ZZZ', 'US', '', 'USDT', ' USD', 5, null, []];
const NOT_IDS = ['', ' ', 'a b', 'ä', 'a\n', '.a', '-a', 'a/b', '../a', 'a'.repeat(129), 5, {}, [], true];
const NOT_TIMES = ['', 'yesterday', '2026-02-30T00:00:00Z', '2026-01-01', '+275760-09-14T00:00:00Z', 5, null];

/** Every change that a body of this schema must refuse, each alone. */
export function changesOf(schema: Schema, { isNamed }: { isNamed: boolean }): Change[] {
  return [
    ...objectsIn(schema).flatMap(changesOfObject),
    ...membersIn(schema).flatMap((place) => changesOfMember(place, { isKey: isNamed && isSemanticKey(place) })),
  ];
}

function changesOfObject({ path }: Place): Change[] {
  const add = (name: string, code: ErrorCode, value: unknown = 1) => changed({ path: [...path, name], value, code });
  return [
    ...['surprise', ' ', 'amount ', 'toString'].map((name) => add(name, 'validation-failed')),
    ...['__proto__', 'constructor', 'prototype'].map((name) => add(name, 'validation-failed', { polluted: true })),
    ...BROKEN_TEXTS.map((name) => add(name, 'validation-failed')),
    ...['cvc', 'CVV2', 'security-code', 'cardVerificationValue'].map((name) => add(name, 'card-data-not-accepted')),
    add(CARD, 'card-data-not-accepted'),
  ];
}

function changesOfMember(place: Place, { isKey }: { isKey: boolean }): Change[] {
  const { path, schema } = place;
  const all = (values: readonly unknown[], code: ErrorCode) => values.map((value) => changed({ path, value, code }));
  const texts = all(BROKEN_TEXTS, 'validation-failed');
  if (isKey) {
    return [
      ...all([undefined, null], 'semantic-key-missing'),
      ...all([...NOT_IDS, '@a'], 'validation-failed'),
      ...texts,
    ];
  }
  switch (schema.type) {
    case 'boolean':
      return all(['yes', 1, 'true', null, {}], 'validation-failed');
    case 'array':
      return all([null, 'text', {}, ...((schema.minItems ?? 0) > 0 ? [[]] : [])], 'validation-failed');
    case 'object':
      return schema.properties === undefined ? changesOfFree(path) : all([null, 'text', [], 5], 'validation-failed');
    case 'string':
      return [...changesOfText(place), ...texts];
    default:
      // A choice, such as an address of either kind.
      return all([null, {}, [], 'nothing of the kind'], 'validation-failed');
  }
}

/** What callers may fill as they like: everything but what poisons, breaks, or is a card. */
function changesOfFree(path: Path): Change[] {
  const deep = (value: unknown) => ({ a: [{ b: value }] });
  const all = (values: readonly unknown[], code: ErrorCode) => values.map((value) => changed({ path, value, code }));
  return [
    ...all(['text', [], 5], 'validation-failed'),
    ...all([...BROKEN_TEXTS, 2 ** 53].map(deep), 'validation-failed'),
    ...all(
      ['__proto__', 'constructor', 'prototype'].map((name) => deep(own(name))),
      'validation-failed',
    ),
    ...all([CARD, 'pan 3782-822463-10005.', 5555555555554444].map(deep), 'card-data-not-accepted'),
    ...all([deep(own('cvc')), deep(own(CARD))], 'card-data-not-accepted'),
  ];
}

function changesOfText({ path, schema }: Place): Change[] {
  const { pattern, format, enum: members, maxLength } = schema;
  const all = (values: readonly unknown[], code: ErrorCode) => values.map((value) => changed({ path, value, code }));
  if (pattern !== undefined && pattern in BY_PATTERN) return BY_PATTERN[pattern]?.(all) ?? [];
  if (members !== undefined) return all([5, null, {}], 'validation-failed').concat(changesOfChoice(path, members));
  if (format === 'date-time') return all(NOT_TIMES, 'validation-failed');
  const long = maxLength === undefined ? [] : all(['x'.repeat(maxLength + 1)], 'validation-failed');
  const shapes = all([5, null, {}, [], ''], 'validation-failed');
  // Free text: whatever has no shape of its own must be searched for cards.
  const isFree = pattern === undefined && format === undefined && maxLength !== undefined;
  return [...shapes, ...long, ...(isFree ? all([CARD], 'card-data-not-accepted') : [])];
}

function changesOfChoice(path: Path, members: readonly unknown[]): Change[] {
  // An unknown provider is an object that does not exist.
  const code = members.includes('stripe') ? 'not-found' : 'validation-failed';
  return ['nothing of the kind', 'toString', ''].map((value) => changed({ path, value, code }));
}

type All = (values: readonly unknown[], code: ErrorCode) => Change[];

/** By how the document writes them; a pattern that no place has any more is an error of this table. */
export const BY_PATTERN: Readonly<Record<string, (all: All) => Change[]>> = {
  '^[1-9][0-9]{0,17}$': (all) => all([...NOT_AMOUNTS, '-100'], 'invalid-amount'),
  '^-?[1-9][0-9]{0,17}$': (all) => all(NOT_AMOUNTS, 'invalid-amount'),
  '^(0|[1-9][0-9]{0,17})$': (all) => all([...NOT_AMOUNTS.filter((value) => value !== '0'), '-100'], 'invalid-amount'),
  '^[A-Z]{3}$': (all) => all(NOT_CURRENCIES, 'invalid-currency'),
  [KEY_PATTERN.source]: (all) => [
    ...all(NOT_IDS, 'validation-failed'),
    ...all(['@bank:USD', '@', '@equity:USD'], 'wallet-not-allowed'),
  ],
};

function isSemanticKey({ name, path }: Place): boolean {
  return name === 'semantic_key' && path.length === 1;
}

/** A member of that name, also where assigning it would do something else. */
function own(name: string): object {
  return JSON.parse(JSON.stringify({ NAME: 1 }).replace('NAME', name));
}

function changed({ path, value, code }: Omit<Change, 'what'>): Change {
  const shown = value === undefined ? 'left out' : JSON.stringify(value).slice(0, 40);
  return { what: `${path.join('/')} ${shown}`, path, value, code };
}
