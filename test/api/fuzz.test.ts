// Whatever is sent, remit has an answer for it that it has documented, and never one of its own defects.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GOOD, openBooks, PATHS } from './bad-bodies.ts';
import { type Rig, startRig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
  await openBooks(rig);
});
afterAll(() => rig.stop());

const RUNS = { numRuns: 150 };
/** Half surrogates, control characters and names of Object's own members included. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '__proto__',
    'constructor',
    'toString',
    '\u0000',
    '\ud800',
    '@bank:USD',
    '-1',
    '99999999999999999999',
  ),
);
const value = fc.oneof(text, fc.jsonValue({ maxDepth: 4 }), fc.double(), fc.bigInt().map(String));

describe.each(PATHS)('%s', (path) => {
  const names = Object.keys(GOOD[path]);
  it('answers any change of a good body without a defect', async () => {
    const change = fc.dictionary(
      fc.oneof(fc.constantFrom(...names, 'metadata', 'confirm', 'expires_at', 'buyer', 'return_url', 'to'), text),
      value,
      {
        minKeys: 1,
        maxKeys: 3,
      },
    );
    await fc.assert(
      fc.asyncProperty(change, fc.option(text), async (changed, key) => {
        const body = JSON.stringify({ ...GOOD[path], ...changed });
        const headers: Record<string, string> =
          key === null ? {} : { 'Idempotency-Key': encodeURIComponent(key.toWellFormed()) };
        expect((await rig.post(path, body, headers)).status).toBeLessThan(500);
      }),
      RUNS,
    );
  });

  it('answers any bytes without a defect', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
        expect([400, 422]).toContain((await rig.post(path, bytes)).status);
      }),
      RUNS,
    );
  });
});

describe('an address', () => {
  const LISTS = [
    '/v1/checkouts',
    '/v1/orders',
    '/v1/payins',
    '/v1/refunds',
    '/v1/disputes',
    '/v1/unapplied',
    '/v1/discrepancies',
    '/v1/wallets',
    '/v1/payouts',
    '/v1/transfers',
    '/v1/payees',
    '/v1/postings',
    '/v1/wallets/bad-a/entries',
  ];
  const NAMES = [
    'limit',
    'cursor',
    'status',
    'wallet_id',
    'created_gte',
    'created_lt',
    'provider',
    'owner_id',
    'event',
    'checkout_id',
    'order_id',
    'seller_id',
    'payin',
    'currency',
  ];

  it('with any query is answered without a defect', async () => {
    const cursor = fc.tuple(text, text).map((pair) => Buffer.from(JSON.stringify(pair)).toString('base64url'));
    const query = fc.dictionary(fc.constantFrom(...NAMES), fc.oneof(text, cursor), { maxKeys: 3 });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...LISTS), query, async (path, asked) => {
        const search = Object.entries(asked).map(([name, one]) => `${name}=${encodeURIComponent(one.toWellFormed())}`);
        expect([200, 422]).toContain((await rig.get(`${path}?${search.join('&')}`)).status);
      }),
      RUNS,
    );
  });

  it('with any id is answered without a defect', async () => {
    const kinds = fc.constantFrom(
      ...['wallets', 'payouts', 'transfers', 'payees', 'postings', 'adjustments', 'treasury'],
      ...['checkouts', 'orders', 'payins', 'refunds', 'disputes', 'unapplied', 'discrepancies'],
    );
    await fc.assert(
      fc.asyncProperty(kinds, text, async (kind, id) => {
        const path = `/v1/${kind}/${encodeURIComponent(id.toWellFormed())}`;
        expect([200, 404]).toContain((await rig.get(path)).status);
      }),
      RUNS,
    );
  });
});
