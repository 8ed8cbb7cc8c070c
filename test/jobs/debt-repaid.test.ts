// A wallet that was loaded with money which the provider took back owes it, whoever has the wallet, and pays it back
// from what is loaded next.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseCurrency } from '../../src/domain/money.ts';
import { openShop, type Shop } from '../harness/shop.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await openShop({}, { withWebhooks: true });
});
afterAll(() => shop.close());

test('what was loaded and taken back is repaid by the next load', async () => {
  const [wallet, other] = await shop.sellers('loader', 2, 'USD');
  await shop.load(wallet, 1_000n, { token: 'tok_dispute_lost_1', key: 'load-1' });
  const { transfers } = shop.app;
  const { row } = await transfers.request({
    semanticKey: 'gone',
    fromWallet: wallet,
    toWallet: other,
    amountMinor: 1_000n,
    currency: parseCurrency('USD'),
    metadata: {},
    traceparent: null,
  });
  await expect.poll(async () => (await transfers.find(row.pkid))?.status, { timeout: 20_000 }).toBe('succeeded');
  await expect.poll(() => shop.debt(wallet), { timeout: 30_000 }).toBe(-1_000n);
  await shop.load(wallet, 1_600n, { key: 'load-2' });
  expect(await shop.debt(wallet)).toBe(0n);
  expect(await shop.available(wallet)).toBe(600n);
  await shop.expectBooksAgree();
});
