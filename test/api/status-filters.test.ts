// What an order or a checkout is at is said twice: by a rule, for reading, and in SQL, for filtering. Both agree on
// every combination that there is.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkoutStatusSql } from '../../src/api/views/checkout.ts';
import { orderStatusSql } from '../../src/api/views/order.ts';
import { CHECKOUT_STATUSES, statusOfCheckout } from '../../src/domain/checkout.ts';
import { pkidOf } from '../../src/domain/id.ts';
import { parseCurrency } from '../../src/domain/money.ts';
import { type Order, statusOfOrder } from '../../src/domain/order.ts';
import { STATUSES } from '../../src/domain/state-machine.ts';
import { type Ledger, openLedger } from '../harness/ledger.ts';

let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger();
});
afterAll(() => ledger.close());

const NOW = new Date('2026-01-31T12:00:00Z');
const AMOUNT = 10n;

/** Every way in which an order of 10 can stand, in steps of 5. */
const ORDERS: readonly Order[] = [null, NOW].flatMap((paidAt) =>
  [null, NOW].flatMap((deliveredAt) =>
    [0n, 5n, 10n].flatMap((refundedMinor) =>
      [0n, 5n, 10n].flatMap((takenBeforeMinor) =>
        [0n, 5n].flatMap((takenAfterMinor) =>
          [0n, 5n]
            .map((openBeforeMinor) => ({ refundedMinor, takenBeforeMinor, takenAfterMinor, openBeforeMinor }))
            .filter((counts) => Object.values(counts).reduce((sum, one) => sum + one, 0n) <= AMOUNT)
            .filter((counts) => paidAt !== null || Object.values(counts).every((one) => one === 0n))
            .filter(() => paidAt !== null || deliveredAt === null)
            .map((counts, at) => orderOf(`${refundedMinor}-${at}`, { paidAt, deliveredAt, ...counts })),
        ),
      ),
    ),
  ),
);

it('an order is filtered by the status that it shows', async () => {
  expect(new Set(ORDERS.map(statusOfOrder)).size).toBe(4);
  const { rows } = await sql<{ at: string; status: string }>`
    WITH seller_order AS (${ordersAs(ORDERS.map((order, at) => ({ order, checkout: String(at) })))})
    SELECT checkout_id AS at, ${orderStatusSql} AS status FROM seller_order`.execute(ledger.db.sql);
  const said = new Map(rows.map(({ at, status }) => [at, status]));
  for (const [at, order] of ORDERS.entries()) {
    expect([order, said.get(String(at))]).toEqual([order, statusOfOrder(order)]);
  }
});

it('a checkout is filtered by the status that it shows', async () => {
  const kinds = [...new Map(ORDERS.map((order) => [statusOfOrder(order), order])).values()];
  const baskets = kinds.flatMap((one) => [[one], ...kinds.map((two) => [one, two])]);
  const payments = [
    [],
    ...STATUSES.map((status) => [{ status }]),
    [{ status: 'failed' }, { status: 'initialized' }],
  ] as const;
  const checkouts = baskets
    .flatMap((orders) =>
      payments.flatMap((payins) => [null, NOW].map((canceledAt) => ({ orders, payins, canceledAt }))),
    )
    // The commit in which a pay-in succeeds pays its orders.
    .filter(({ orders, payins }) => !payins.some(isSucceeded) || orders.every(({ paidAt }) => paidAt !== null))
    .map((checkout, at) => ({ id: String(at), ...checkout }));
  expect(new Set(checkouts.map(statusOfCheckout)).size).toBe(5);
  const orders = checkouts.flatMap(({ id, orders: mine }) => mine.map((order) => ({ order, checkout: id })));
  const payins = checkouts.flatMap(({ id, payins: mine }) => mine.map(({ status }) => ({ id, status })));
  const { rows } = await sql<{ checkout_id: string; status: string }>`
    WITH checkout AS (
      SELECT * FROM unnest(${checkouts.map(({ id }) => id)}::text[],
                           ${timesOf(checkouts.map((one) => one.canceledAt))}::timestamptz[])
        AS c (checkout_id, canceled_at)),
    seller_order AS (${ordersAs(orders)}),
    payin AS (
      SELECT * FROM unnest(${payins.map(({ id }) => id)}::text[], ${payins.map(({ status }) => status)}::text[])
        AS p (checkout_id, status))
    ${sql.join(
      CHECKOUT_STATUSES.map(
        (status) => sql`SELECT checkout_id, ${status} AS status FROM checkout WHERE ${checkoutStatusSql[status]}`,
      ),
      sql` UNION ALL `,
    )}`.execute(ledger.db.sql);
  const said = Map.groupBy(rows, (row) => row.checkout_id);
  for (const checkout of checkouts) {
    const statuses = said.get(checkout.id)?.map(({ status }) => status);
    expect([checkout, statuses]).toEqual([checkout, [statusOfCheckout(checkout)]]);
  }
});

function isSucceeded({ status }: { status: string }): boolean {
  return status === 'succeeded';
}

function ordersAs(rows: readonly { order: Order; checkout: string }[]) {
  const column = (minorOf: (order: Order) => bigint) => rows.map(({ order }) => String(minorOf(order)));
  return sql`
    SELECT * FROM unnest(
      ${rows.map(({ checkout }) => checkout)}::text[], ${timesOf(rows.map(({ order }) => order.paidAt))}::timestamptz[],
      ${timesOf(rows.map(({ order }) => order.deliveredAt))}::timestamptz[],
      ${column((order) => order.amountMinor)}::bigint[], ${column((order) => order.refundedMinor)}::bigint[],
      ${column((order) => order.takenBeforeMinor)}::bigint[], ${column((order) => order.takenAfterMinor)}::bigint[])
    AS o (checkout_id, paid_at, delivered_at, amount, refunded, taken_before, taken_after)`;
}

function timesOf(times: readonly (Date | null)[]): (string | null)[] {
  return times.map((time) => time?.toISOString() ?? null);
}

function orderOf(name: string, more: Partial<Order>): Order {
  return {
    pkid: pkidOf('order', name),
    orderId: name,
    checkoutId: 'checkout',
    sellerId: 'seller',
    walletId: 'wallet',
    amountMinor: AMOUNT,
    currency: parseCurrency('USD'),
    feeMinor: 0n,
    payinPkid: null,
    paidAt: null,
    deliveredAt: null,
    refundedMinor: 0n,
    openBeforeMinor: 0n,
    openAfterMinor: 0n,
    takenBeforeMinor: 0n,
    takenAfterMinor: 0n,
    releasedMinor: 0n,
    feeGivenMinor: 0n,
    createdAt: NOW,
    updatedAt: NOW,
    ...more,
  };
}
