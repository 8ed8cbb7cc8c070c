// The keys that remit uses itself cannot be taken from it by a caller, and those that only look like them are free.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import { externalKey, isOwnKey } from '../../src/domain/own-key.ts';
import { PROVIDERS } from '../../src/domain/provider.ts';
import { isErrorOf, type Json, type Rig, rowsOf, startRig } from './rig.ts';
import { openShop, SELLER, type Shop } from './shop.ts';

let rig: Rig;
let shop: Shop;
beforeAll(async () => {
  rig = await startRig();
  shop = await openShop(rig);
  await shop.checkout('own-open');
  await shop.paid('own-paid', { amounts: ['1000'] });
});
afterAll(() => rig.stop());

const UUID = pkidOf('order', 'own-paid-1');
const OWN = [
  ...PROVIDERS.map((provider) => externalKey(provider, 're_1')),
  `cancel:${UUID}:0:1000`,
  `cancel:${UUID}`,
  `unapplied:${UUID}`,
  `unapplied:${UUID}:2`,
];
const FREE = [
  'ext:order-1',
  'ext:nobody:re_1',
  'ext:stripe',
  'cancel:order-1',
  'unapplied:1',
  `cancel:${UUID.slice(1)}`,
  `cancel:${UUID.toUpperCase()}`,
  `shop:cancel:${UUID}`,
  'Ext:stripe:re_1',
];

const payment_info = { provider: 'stripe', token: 'pm_card_ok' };
const payin = { wallet_id: `${SELLER}-usd`, amount: '100', currency: 'USD', payment_info, confirm: false };
const payout = {
  wallet_id: `${SELLER}-usd`,
  amount: '100',
  currency: 'USD',
  provider: 'stripe',
  destination: 'acct_1',
};
/** The doors, each with a body that is taken, and with where it is read. */
const DOORS: readonly (readonly [string, Json, string])[] = [
  ['/v1/payouts', payout, '/v1/payouts'],
  ['/v1/payins', payin, '/v1/payins'],
  ['/v1/checkouts/own-open/pay', { confirm: false }, '/v1/payins'],
  ['/v1/refunds', { order_id: 'own-paid-1', amount: '1' }, '/v1/refunds'],
];

describe.each(DOORS)('%s', (path, body, readAt) => {
  it.each(OWN)('refuses the key %s, in the body and as a header', async (semantic_key) => {
    const answers = [
      await rig.post(path, { ...body, semantic_key }),
      await rig.post(path, body, { 'Idempotency-Key': semantic_key }),
    ];
    for (const answer of answers) {
      expect(isErrorOf(answer)).toEqual({ status: 422, code: 'validation-failed' });
      const detail = expect.stringMatching(/^Keys of this form are kept for what remit does itself\. Put something/);
      expect(answer.json.errors).toEqual([{ pointer: '/semantic_key', detail }]);
    }
    expect((await rig.get(`${readAt}/${semantic_key}`)).status).toBe(404);
  });

  it.each(path.startsWith('/v1/checkouts') ? ['cancel:own-open'] : FREE)('takes the key %s', async (semantic_key) => {
    expect([201, 202]).toContain((await rig.post(path, { ...body, semantic_key })).status);
  });
});

it('a batch refuses exactly the items under such keys', async () => {
  const keys = [...OWN, 'own-batch', 'cancel:own-batch'];
  const { json } = await rig.post('/v1/payouts/batch', {
    payouts: keys.map((semantic_key) => ({ ...payout, semantic_key })),
  });
  expect(json.results).toMatchObject(
    keys.map((semantic_key) =>
      OWN.includes(semantic_key)
        ? { semantic_key, problem: { code: 'validation-failed', errors: [{ pointer: '/semantic_key' }] } }
        : { semantic_key, status: 'initialized' },
    ),
  );
});

it('what a cancelled checkout gives back still has its key, and is read under it', async () => {
  await shop.paid('own-cancel');
  expect((await rig.post('/v1/checkouts/own-cancel/cancel')).status).toBe(202);
  await shop.eventually('/v1/checkouts/own-cancel', { orders: [{ status: 'refunded' }] });
  const [refund] = rowsOf(await rig.get('/v1/refunds?checkout_id=own-cancel'));
  const key = String(refund?.semantic_key);
  expect(isOwnKey(key)).toBe(true);
  expect((await rig.get(`/v1/refunds/${key}`)).json).toEqual(refund);
});
