// Every field of every body, sent in shapes that it cannot have: each answer says in words what to send instead. The
// rig refuses words of the library in any answer (problem-words.ts); here is what it is shown.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApiDocument } from '../../src/api/server.ts';
import { GOOD, openBooks, PATHS } from './bad-bodies.ts';
import { type Json, type Rig, startRig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
  await openBooks(rig);
});
afterAll(() => rig.stop());

const SHAPES = [undefined, null, 5, -1, true, '', ' ', 'x'.repeat(3_000), [], [5], {}, { x: 1 }];
const NOBODY = '00000000-0000-4000-8000-000000000000';

interface Described {
  readonly requestBody?: {
    readonly content: Readonly<Record<string, { readonly schema: { readonly $ref?: string } }>>;
  };
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, { readonly properties?: Readonly<Record<string, unknown>> }>>;
  };
}
const document: Document = JSON.parse(JSON.stringify(openApiDocument()));

/** Every route that takes a body, with the names of its fields. */
const doors = Object.entries(document.paths).flatMap(([path, methods]) => {
  const name = methods.post?.requestBody?.content['application/json']?.schema.$ref?.split('/').at(-1);
  const { properties } = document.components.schemas[name ?? ''] ?? {};
  return properties === undefined ? [] : [{ path, fields: Object.keys(properties) }];
});

it('the document tells of all of them', () => {
  expect(doors.length).toBeGreaterThanOrEqual(17);
});

describe.each(doors)('$path', ({ path, fields }) => {
  const address = path.replace('{checkout_id}', 'bad-checkout').replaceAll(/\{\w+\}/g, NOBODY);
  const good: Json = GOOD[PATHS.find((known) => known === address) ?? '/v1/wallets'];

  it.each(fields)('says what to send as %s', async (field) => {
    for (const shape of SHAPES) {
      const { status, json } = await rig.post(address, { ...good, semantic_key: 'words', [field]: shape });
      expect([field, shape, status < 500]).toEqual([field, shape, true]);
      if (status === 422) expect(json.detail).toMatch(/\.$/);
    }
  });
});

describe('members of members', () => {
  it.each<[string, Json]>([
    ['/v1/checkouts', { orders: [5] }],
    ['/v1/checkouts', { orders: [{}] }],
    ['/v1/checkouts', { payment_info: [] }],
    ['/v1/checkouts', { payment_info: { provider: 'stripe', token: 'x'.repeat(256) } }],
    ['/v1/payins', { buyer: { email: 5, ip: 5 } }],
    ['/v1/payins', { buyer: { email: `${'x'.repeat(300)}@example.com` } }],
    ['/v1/payins', { payment_info: { provider: 'stripe', token: '' } }],
    ['/v1/webhook-endpoints', { url: 'https://example.com', events: ['', 5, 'x'] }],
  ])('of %s are told of as well: %s', async (path, change) => {
    const good: Json = GOOD[PATHS.find((known) => known === path) ?? '/v1/wallets'];
    expect((await rig.post(path, { ...good, semantic_key: 'words', ...change })).status).toBe(422);
  });
});

it.each([
  ['/v1/wallets', { kind: 'platform' }, '/kind: Send one of: "seller", "buyer".'],
  ['/v1/wallets', { wallet_id: undefined }, '/wallet_id: The field is missing. Send it.'],
  ['/v1/payins', { confirm: 'yes' }, '/confirm: Send true or false.'],
  ['/v1/adjustments', { reason: '' }, '/reason: Send at least 1 character.'],
  ['/v1/adjustments', { reason: 'x'.repeat(501) }, '/reason: Send at most 500 characters.'],
  ['/v1/checkouts', { orders: [] }, '/orders: Send at least 1 item.'],
  ['/v1/checkouts', { metadata: 'text' }, '/metadata: Send one JSON object.'],
] as const)('%s with %s is told: %s', async (path, change, detail) => {
  expect((await rig.post(path, { ...GOOD[path], ...change })).json.detail).toBe(detail);
});

const PLATFORMS_OWN = 'Ids that begin with "@" are those of platform wallets, and this is the id of';

describe('an id that begins with "@"', () => {
  const order = GOOD['/v1/checkouts'].orders[0];
  it.each([
    ['/v1/wallets', { wallet_id: '@x' }, `/wallet_id: ${PLATFORMS_OWN} a new wallet. `],
    ['/v1/wallets', { owner_id: '@x' }, `/owner_id: ${PLATFORMS_OWN} an owner. `],
    ['/v1/payees', { payee_id: '@x' }, `/payee_id: ${PLATFORMS_OWN} a payee. `],
    ['/v1/payees', { owner_id: '@x' }, `/owner_id: ${PLATFORMS_OWN} an owner. `],
    ['/v1/payouts', { payee_id: '@x' }, `/payee_id: ${PLATFORMS_OWN} a payee. `],
    ['/v1/checkouts', { checkout_id: '@x' }, `/checkout_id: ${PLATFORMS_OWN} a checkout. `],
    ['/v1/checkouts', { buyer_id: '@x' }, `/buyer_id: ${PLATFORMS_OWN} a buyer. `],
    ['/v1/checkouts', { orders: [{ ...order, order_id: '@x' }] }, `/orders/0/order_id: ${PLATFORMS_OWN} an order. `],
    ['/v1/checkouts', { orders: [{ ...order, seller_id: '@x' }] }, `/orders/0/seller_id: ${PLATFORMS_OWN} a seller. `],
    ['/v1/refunds', { order_id: '@x' }, `/order_id: ${PLATFORMS_OWN} an order. `],
    ['/v1/payouts', { wallet_id: '@bank:USD' }, '/wallet_id: Platform wallets (ids that begin with @) move only by'],
    ['/v1/payins', { wallet_id: '@bank:USD' }, '/wallet_id: Platform wallets (ids that begin with @) move only by'],
    ['/v1/transfers', { to_wallet: '@x' }, '/to_wallet: Platform wallets (ids that begin with @) move only by'],
  ] as const)('is refused at %s as %s in words about that field', async (path, change, words) => {
    const { json } = await rig.post(path, { ...GOOD[path], ...change });
    expect(json.code).toBe('wallet-not-allowed');
    expect(String(json.detail).slice(0, words.length)).toBe(words);
  });
});

it.each([
  '/v1/transfers?status=done',
  '/v1/payouts?provider=nobody',
  '/v1/payouts?limit=1&limit=2',
  '/v1/webhook-endpoints?status=x',
])('%s is told what to ask for', async (path) => {
  expect((await rig.get(path)).json.detail).toMatch(/^#\/query\/\w+: Send /);
});
