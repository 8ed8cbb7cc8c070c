// A process that ends in the middle of a cancelled checkout: the checkout is due, so others give back what is left.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCheckoutLife } from '../../src/jobs/checkout.ts';
import { createRefundLife } from '../../src/jobs/refund.ts';
import type { AtCrashPoint, CrashPoint } from '../../src/runtime/crash-point.ts';
import { openShop, type Shop } from '../harness/shop.ts';
import { until } from '../harness/until.ts';

const ORDERS = 3;
let shop: Shop;
beforeAll(async () => {
  shop = await openShop({ LEASE_MS: '30000' }, { withWorkers: false });
});
afterAll(() => shop.close());

const DEATHS: readonly (readonly [name: string, at: CrashPoint, time: number])[] = [
  ['before its first refund', 'refund: before row commit', 1],
  ['between two refunds', 'refund: after row commit', 1],
  ['after its last refund', 'refund: after row commit', ORDERS],
];

test.each(DEATHS)('a cancelled checkout whose process ends %s gives back each order, once', async (name, at, time) => {
  const { app } = shop;
  const checkoutId = name.replaceAll(' ', '-');
  await soldTo(checkoutId);
  const before = refundsMade();
  await cancelAndDie(checkoutId, { at, time });
  expect(await app.checkouts.find(checkoutId)).toMatchObject({ dueAt: expect.any(Date), canceledAt: expect.any(Date) });

  await until(
    async () => {
      // As if every lease and every pause had gone by.
      await sql`UPDATE refund SET due_at = now() WHERE due_at > now() AND NOT leased`.execute(app.db.sql);
      await sql`UPDATE checkout SET due_at = now() WHERE due_at > now()`.execute(app.db.sql);
      await app.reconcile.round();
      await app.runner.idle();
      return app.checkouts.find(checkoutId);
    },
    (checkout) => checkout?.dueAt === null,
  );
  const orders = await app.checkouts.ordersOf(checkoutId);
  expect(orders.map(({ refundedMinor }) => refundedMinor)).toEqual([1_000n, 1_000n, 1_000n]);
  expect(refundsMade() - before).toBe(ORDERS);
  await shop.expectBooksAgree();
});

const refundsMade = () => shop.book().filter(({ direction }) => direction === 'refund').length;

/** Three orders of one checkout, paid. */
async function soldTo(checkoutId: string): Promise<void> {
  const sellers = await shop.sellers(checkoutId, ORDERS, 'USD');
  const orders = sellers.map((seller) => ({ seller, amountMinor: 1_000n, feeMinor: 100n }));
  await shop.checkout(checkoutId, { orders });
  const { row } = await shop.tryPay(checkoutId, `pay-${checkoutId}`);
  await shop.app.payins.run(row.pkid);
  expect(await shop.app.payins.find(row.pkid)).toMatchObject({ status: 'succeeded' });
}

/** Resolves at the moment of the death; what it was about to do never goes on. */
function cancelAndDie(checkoutId: string, { at, time }: { at: CrashPoint; time: number }): Promise<void> {
  const death = Promise.withResolvers<void>();
  let passed = 0;
  const mortal: AtCrashPoint = async (point) => {
    if (point !== at) return;
    passed += 1;
    if (passed < time) return;
    death.resolve();
    await new Promise(() => undefined);
  };
  const { app } = shop;
  const refunds = createRefundLife({ ...app, at: mortal });
  void createCheckoutLife({ ...app, refunds }).cancel(checkoutId);
  return death.promise;
}
