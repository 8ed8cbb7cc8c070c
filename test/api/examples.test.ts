// What the document shows as an example is a request that the server takes, as it stands.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { doors } from '../security/doors.ts';
import { type Rig, startRig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
  for (const [wallet_id, kind] of [
    ['seller-42', 'seller'],
    ['buyer-9', 'buyer'],
  ]) {
    await rig.post('/v1/wallets', { wallet_id, owner_id: wallet_id, kind, currency: 'USD' });
  }
  const funds = { semantic_key: 'funds', wallet_id: 'seller-42', amount: '5000', currency: 'USD', reason: 'funds' };
  expect((await rig.post('/v1/adjustments', funds)).status).toBe(201);
});
afterAll(() => rig.stop());

it.each(['/v1/transfers', '/v1/treasury', '/v1/adjustments'])('the example of %s is taken', async (path) => {
  const door = doors.find((one) => one.method === 'POST' && one.path === path);
  const answer = await rig.post(path, door?.body);
  expect(answer.json.errors ?? answer.json.detail).toBeUndefined();
  expect([201, 202]).toContain(answer.status);
});
