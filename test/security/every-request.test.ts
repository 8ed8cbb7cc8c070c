// What is wrong with a request before its body means anything: its bytes, size, type, address, query and method. All of
// it on every route, also on those that want no body.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BATCH_BYTES_MAX, BODY_BYTES_MAX } from '../../src/api/body.ts';
import { isErrorOf, type Rig, startRig } from '../api/rig.ts';
import { addressOf, doors, namedDoors } from './doors.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig({}, { withWorkers: false });
});
afterAll(() => rig.stop());

const posts = namedDoors.filter(([, { method }]) => method === 'POST');

const MALFORMED = [
  ['no JSON', '{'],
  ['two texts of JSON', '{}{}'],
  ['a comment', '{} // {}'],
  ['NaN', '{"amount":NaN}'],
  ['single quotes', "{'amount':'1'}"],
  ['bytes that are no UTF-8', Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x7d])],
  ['UTF-16', Buffer.from('{}', 'utf16le')],
  ['a NUL', '{}\0'],
  ['nine levels', '{"metadata":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{}}}}}}}}}'],
  ['thirty thousand levels', '['.repeat(30_000) + ']'.repeat(30_000)],
] as const;
const OTHER_TYPES = [
  ...['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/xml'],
  ...['application/json; charset=latin1', 'application/jsonp', 'text/json', ''],
];
const NO_IDS = ['a b', '\0', '..', '../wallets', "x' OR '1'='1", '<script>', '__proto__', 'ä', 'a'.repeat(300), '%'];

describe.each(posts)('%s', (_name, { address, body, batchOf, schema }) => {
  it('refuses what is no JSON in UTF-8 of eight levels', async () => {
    for (const [what, bytes] of MALFORMED) {
      const answer = await rig.post(address, bytes);
      expect([what, isErrorOf(answer)]).toEqual([what, { status: 400, code: 'malformed-json' }]);
    }
  });

  it('refuses JSON that is no object', async () => {
    for (const text of ['[]', '"text"', '5', 'null', 'true']) {
      expect(isErrorOf(await rig.post(address, text))).toEqual({ status: 422, code: 'validation-failed' });
    }
  });

  it('refuses every other content type, and whatever is compressed', async () => {
    const headers = [...OTHER_TYPES.map((type) => ({ 'Content-Type': type })), { 'Content-Encoding': 'gzip' }];
    for (const one of headers) {
      const answer = await rig.post(address, body ?? {}, one);
      expect([one, isErrorOf(answer)]).toEqual([one, { status: 415, code: 'unsupported-media-type' }]);
    }
  });

  it('refuses a body above its limit, whatever is in it, and no smaller one for its size', async () => {
    const bytesMax = batchOf === null ? BODY_BYTES_MAX : BATCH_BYTES_MAX;
    const large = await rig.post(address, '{'.padEnd(bytesMax + 1));
    expect(isErrorOf(large)).toEqual({ status: 413, code: 'body-too-large' });
    const fitting = await rig.post(address, '{'.padEnd(bytesMax));
    expect(isErrorOf(fitting)).toEqual({ status: 400, code: 'malformed-json' });
  });

  it('refuses a member that it does not know, also where it wants none at all', async () => {
    const answer = await rig.post(address, { ...Object(body), surprise: 1 });
    expect(isErrorOf(answer)).toEqual({ status: 422, code: 'validation-failed' });
    if (schema !== null) return;
    const guarded = await rig.post(address, `{"__proto__":{"polluted":1}}`);
    expect(isErrorOf(guarded)).toEqual({ status: 422, code: 'validation-failed' });
  });
});

describe.each(namedDoors)('%s', (_name, { method, address, body, endpoint }) => {
  const call = (place: string) => rig.call(method, place, body === undefined ? {} : { body });

  it('refuses a query that it does not know, and one parameter given twice', async () => {
    const known = Object.keys(endpoint.query.shape);
    const queries = ['surprise=1', '__proto__=1', 'constructor=1', ...known.map((name) => `${name}=1&${name}=1`)];
    for (const query of queries) {
      const { json, status } = await call(`${address}?${query}`);
      // A currency or a provider given twice is no currency, and no provider.
      expect([query, status]).toEqual([query, 422]);
      expect(['validation-failed', 'invalid-currency']).toContain(json.code);
    }
  });

  it('refuses nonsense in every parameter of its query that has a grammar', async () => {
    for (const name of Object.keys(endpoint.query.shape)) {
      for (const value of ['\0', 'a b', '', "'; DROP TABLE wallet; --"]) {
        const answer = await call(`${address}?${name}=${encodeURIComponent(value)}`);
        expect([name, value, answer.status]).toEqual([name, value, 422]);
      }
    }
  });
});

describe.each(namedDoors.filter(([, { path }]) => path.includes('{')))('%s', (_name, { method, body, endpoint }) => {
  it('finds nothing under an id that no id looks like', async () => {
    for (const id of NO_IDS) {
      // A client resolves ".." itself, so that it names another address.
      const place = addressOf(endpoint, id === '..' ? '%2E%2E%2F' : encodeURIComponent(id));
      const answer = await rig.call(method, place, body === undefined ? {} : { body });
      expect([id, isErrorOf(answer)]).toEqual([id, { status: 404, code: 'not-found' }]);
    }
  });
});

describe('a method that an address does not have', () => {
  const addresses = [...new Set(doors.map(({ address }) => address))];
  it.each(addresses)('is refused at %s, with those it has', async (address) => {
    const there: string[] = doors.filter((door) => door.address === address).map(({ method }) => method);
    const others = ['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'GET', 'POST'].filter((method) => !there.includes(method));
    for (const method of others) {
      const answer = await rig.call(method, address);
      // Beside "/transfers/{semantic_key}" lies "/transfers/batch", which is a key like any other.
      if (answer.status === 404 && method === 'GET') continue;
      expect([method, isErrorOf(answer)]).toEqual([method, { status: 405, code: 'method-not-allowed' }]);
      for (const allowed of there) expect(answer.headers.get('Allow')).toContain(allowed);
    }
  });
});
