// The greatest amount, again and again: a balance that would no longer fit is refused, and stays what it was.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { isErrorOf, type Rig, startRig } from '../api/rig.ts';

const GREATEST = '9'.repeat(18);
/** So many of them fit into 63 bits, on whichever side of zero. */
const FITTING = 9;

let rig: Rig;
beforeAll(async () => {
  rig = await startRig({}, { withWorkers: false });
  await rig.post('/v1/wallets', { wallet_id: 'full', owner_id: 'full', kind: 'seller', currency: 'USD' });
});
afterAll(() => rig.stop());

const money = { amount: GREATEST, currency: 'USD' };

it.each([
  ['adjustments', 'full', { wallet_id: 'full', reason: 'too much' }],
  ['treasury', '@provider:stripe:USD', { from: '@provider:stripe:USD', to: '@bank:USD', reference: 'too much' }],
])('%s beyond what a balance can hold are refused', async (plural, wallet, fields) => {
  const book = (at: number) => rig.post(`/v1/${plural}`, { semantic_key: `full-${at}`, ...money, ...fields });
  for (let at = 1; at <= FITTING; at += 1) expect((await book(at)).status).toBe(201);
  expect(isErrorOf(await book(FITTING + 1))).toEqual({ status: 422, code: 'limit-exceeded' });
  const { posted } = (await rig.get(`/v1/wallets/${wallet}`)).json;
  expect(BigInt(String(posted))).toBe(BigInt(GREATEST) * BigInt(FITTING));
});

it('the books agree at the edge, too', async () => {
  expect((await rig.post('/v1/audit')).json).toMatchObject({ ok: true });
});
