// Refunds that meet somebody else at their order or their pay-in.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { lockOperations } from '../../src/ledger/reads.ts';
import { openShop, type Shop } from '../harness/shop.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.close());

async function payinOf(checkoutId: string) {
  const [payin] = await shop.app.checkouts.payinsOf(checkoutId);
  if (payin === undefined) throw new Error(`${checkoutId} has no pay-in.`);
  return payin;
}

test('a refund that comes into being waits for nobody who holds its pay-in and may want its order next', async () => {
  await shop.paidOrder('held', { amountMinor: 10_000n, feeMinor: 0n });
  const { pkid } = await payinOf('held');
  const { db, tables } = shop.app;
  const refund = await db.sql.transaction().execute(async (tx) => {
    await lockOperations(tx, tables.payin, [pkid]);
    return shop.requestRefund('held-1', 1_000n);
  });
  expect(await shop.settledRefund(refund)).toMatchObject({ status: 'succeeded' });
  await shop.expectBooksAgree();
});
