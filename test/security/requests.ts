// Requests as nobody would write them: of every route, with ids that exist and ids that cannot, bodies that fit but for
// a place or two, and bytes of any kind. What may stand where follows from the document.

import fc from 'fast-check';
import { addressOf, type Door, doors } from './doors.ts';
import { membersIn, objectsIn, type Path, withValue } from './schema.ts';

export interface FuzzRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array<ArrayBuffer> | undefined;
}

/** What has broken programs before: numbers at their edges, names of Object's own members, other people's languages. */
const HOSTILE: readonly unknown[] = [
  ...[null, true, false, {}, [], [[]], 0, -0, -1, 1.5, 1e308, 2 ** 31, 2 ** 53, Number.MAX_SAFE_INTEGER],
  ...['', ' ', '0', '-1', '1', '9'.repeat(18), '9'.repeat(19), '1e3', '0x10', 'NaN', 'Infinity', '١', '１'],
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'then', 'toJSON', 'null', 'undefined'],
  ...[
    '\u0000',
    'a\u0000b',
    '\ud800',
    'x\udc00',
    '\u202e',
    '\ufeff',
    '\u2028',
    'ß',
    'İ',
    '👩‍👩‍👧',
    'e\u0301',
    '\r\nX: y',
    '\t',
  ],
  ...["'", "'; DROP TABLE wallet; --", "' OR '1'='1", '$1', '%s%n', '%', '_', '\\', '{{7*7}}', '$(id)', '`id`'],
  ...[
    '<script>alert(1)</script>',
    '../../etc/passwd',
    '..%2f',
    '/',
    '//',
    'http://169.254.169.254/',
    'file:///etc/passwd',
  ],
  ...['@bank:USD', '@equity:USD', '@pending:seller-42:USD', '@', 'USD', 'usd', 'XTS', 'JPY', 'EUR'],
  ...['2026-02-30T00:00:00Z', '0000-01-01T00:00:00Z', '9999-12-31T23:59:59Z', '+275760-09-13T00:00:00Z', '-1-01-01'],
  ...['4242424242424242', 'cvc', 'x'.repeat(129), 'x'.repeat(300), 'x'.repeat(3_000), `${'9'.repeat(400)}`],
];

const hostile = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...HOSTILE) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  { weight: 1, arbitrary: fc.oneof(fc.double(), fc.maxSafeInteger(), fc.bigInt().map(String)) },
);
const hostileText = hostile.map((value) => (typeof value === 'string' ? value : JSON.stringify(value)).toWellFormed());
/** As the pages make them, but with anything inside. */
const cursor = fc
  .tuple(fc.oneof(hostileText, fc.constant('2026-01-01T00:00:00.000Z')), hostileText)
  .map((pair) => Buffer.from(JSON.stringify(pair)).toString('base64url'));
/** A wait that fits holds the request, so it is short. */
const WAITS = ['0', '0.01', '0.001'];

/** Requests of one route; `ids` are those of things that exist, of any kind. */
function requestsOf(door: Door, ids: readonly string[]): fc.Arbitrary<FuzzRequest> {
  const id = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...ids) }, { weight: 1, arbitrary: hostileText });
  const path = id.map((one) => addressOf(door.endpoint, encodeURIComponent(one)));
  const name = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom('surprise', ...Object.keys(door.endpoint.query.shape)) },
    { weight: 1, arbitrary: hostileText },
  );
  const value = fc.oneof(fc.constantFrom(...ids), hostileText, cursor);
  const query = fc
    .array(fc.tuple(name, value), { maxLength: 2 })
    .map((pairs) =>
      pairs
        .map(([key, one], at) => [key, key === 'wait' ? WAITS[at % WAITS.length] : one].map(encoded).join('='))
        .join('&'),
    );
  return fc
    .record({ path, query, headers: headersOf(door), body: bodiesOf(door, ids) })
    .map(({ path: address, query: search, headers, body }) => ({
      method: door.method,
      path: search === '' ? address : `${address}?${search}`,
      headers: body === undefined ? headers : { 'Content-Type': 'application/json', ...headers },
      body,
    }));
}

function headersOf({ endpoint }: Door): fc.Arbitrary<Record<string, string>> {
  const visible = hostileText.map((text) => encodeURIComponent(text).slice(0, 200));
  const names = ['X-Request-Id', 'traceparent', 'Content-Type', 'Content-Encoding', 'Accept', 'X-Forwarded-Proto'];
  const name = fc.constantFrom(...names, ...(endpoint.isNamed ? ['Idempotency-Key'] : []));
  return fc.oneof(
    { weight: 4, arbitrary: fc.constant({}) },
    { weight: 1, arbitrary: fc.dictionary(name, visible, { minKeys: 1, maxKeys: 2 }) },
  );
}

function bodiesOf(door: Door, ids: readonly string[]): fc.Arbitrary<FuzzRequest['body']> {
  if (door.method === 'GET') return fc.constant(undefined);
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 60 }).map((one) => Uint8Array.from(one));
  const any = hostile.map((value) => JSON.stringify(value));
  const { schema } = door;
  if (schema === null) {
    return fc.oneof({ weight: 6, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: bytes }, any);
  }
  const members = membersIn(schema).map(({ path }) => path);
  const added = objectsIn(schema).flatMap(({ path }) =>
    ['surprise', '__proto__', 'cvc'].map((name) => [...path, name]),
  );
  const place = fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom<Path[]>(...members) },
    { weight: 1, arbitrary: fc.constantFrom<Path[]>(...added) },
  );
  const value = fc.oneof(fc.constantFrom(...ids), hostile);
  const changes = fc.array(fc.record({ path: place, value }), { maxLength: 3 });
  // Most of the time under a key of its own, or nearly all would be repeats of the first one.
  const key = fc.oneof({ weight: 3, arbitrary: fc.uuid() }, { weight: 1, arbitrary: fc.constantFrom(...ids) });
  const named = fc.record({ path: fc.constant(['semantic_key']), value: key });
  const changed = fc.tuple(named, changes).map(([name, rest]) => {
    const all = door.endpoint.isNamed ? [name, ...rest] : rest;
    return JSON.stringify(all.reduce<unknown>((body, change) => withValue(body, schema, change), door.body));
  });
  return fc.oneof({ weight: 12, arbitrary: changed }, { weight: 1, arbitrary: any }, { weight: 1, arbitrary: bytes });
}

/** Of every route; those that read all there is come less often. */
export function anyRequest(ids: readonly string[]): fc.Arbitrary<FuzzRequest> {
  const isHeavy = ({ path }: Door) => /\/(audit|attention)$/.test(path);
  return fc.oneof(...doors.map((door) => ({ weight: isHeavy(door) ? 1 : 10, arbitrary: requestsOf(door, ids) })));
}

function encoded(text: string | undefined): string {
  return encodeURIComponent(text ?? '');
}
