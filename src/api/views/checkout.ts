// A checkout as the API shows it, with its orders and pay-ins. Of its payment_info only the provider is shown.

import { z } from '@hono/zod-openapi';
import { type RawBuilder, sql } from 'kysely';
import { CHECKOUT_STATUSES, type CheckoutStatus, statusOfCheckout } from '../../domain/checkout.ts';
import type { Order } from '../../domain/order.ts';
import type { Payin } from '../../domain/payin.ts';
import { PROVIDERS } from '../../domain/provider.ts';
import type { Checkout } from '../../entities/checkout.ts';
import { parseRow } from '../../ledger/table.ts';
import type { Tables } from '../../ledger/writes.ts';
import type { Sql } from '../../runtime/db.ts';
import { isoOrNull } from './operation.ts';
import { orderStatusSql, orderView, presentOrder } from './order.ts';
import { payinView, presentPayins } from './payin.ts';

export const checkoutView = z
  .object({
    checkout_id: z.string(),
    buyer_id: z.string(),
    currency: z.string(),
    total: z.string(),
    status: z.enum(CHECKOUT_STATUSES),
    payment_info: z.object({ provider: z.enum(PROVIDERS) }).openapi({ description: 'The token is never shown.' }),
    orders: z.array(orderView),
    payins: z.array(payinView).openapi({ description: 'The one that did not fail comes first.' }),
    canceled_at: z.string().nullable(),
    created_at: z.string(),
    metadata: z.record(z.string(), z.unknown()),
  })
  .openapi('Checkout', {
    example: {
      checkout_id: 'checkout-77',
      buyer_id: 'buyer-7',
      currency: 'USD',
      total: '1500',
      status: 'open',
      payment_info: { provider: 'stripe' },
      orders: [],
      payins: [],
      canceled_at: null,
      created_at: '2026-01-31T11:59:00.000Z',
      metadata: {},
    },
  });

export type CheckoutView = z.input<typeof checkoutView>;

export async function presentCheckouts(
  checkouts: readonly Checkout[],
  { client, tables }: { client: Sql; tables: Tables },
): Promise<CheckoutView[]> {
  const ids = checkouts.map((checkout) => checkout.checkoutId);
  const [orders, payins] = await Promise.all([
    readOrdersOf(ids, { client, tables }),
    readPayinsOf(ids, { client, tables }),
  ]);
  const views = new Map((await presentPayins([...payins.values()].flat(), client)).map((view) => [view.pkid, view]));
  return checkouts.map((checkout) => {
    const mine = { orders: orders.get(checkout.checkoutId) ?? [], payins: payins.get(checkout.checkoutId) ?? [] };
    return {
      checkout_id: checkout.checkoutId,
      buyer_id: checkout.buyerId,
      currency: checkout.currency,
      total: checkout.totalMinor.toString(),
      status: statusOfCheckout({ canceledAt: checkout.canceledAt ?? null, ...mine }),
      payment_info: { provider: checkout.paymentInfo.provider },
      orders: mine.orders.map(presentOrder),
      payins: mine.payins.flatMap(({ pkid }) => views.get(pkid) ?? []),
      canceled_at: isoOrNull(checkout.canceledAt ?? null),
      created_at: checkout.createdAt.toISOString(),
      metadata: checkout.metadata,
    };
  });
}

async function readOrdersOf(
  checkoutIds: readonly string[],
  { client, tables }: { client: Sql; tables: Tables },
): Promise<Map<string, Order[]>> {
  const { rows } = await sql<Record<string, unknown>>`
    SELECT * FROM seller_order WHERE checkout_id = ANY(${[...checkoutIds]}::text[]) ORDER BY order_id`.execute(client);
  return Map.groupBy(
    rows.map((raw) => parseRow(tables.order, raw)),
    ({ checkoutId }) => checkoutId,
  );
}

async function readPayinsOf(
  checkoutIds: readonly string[],
  { client, tables }: { client: Sql; tables: Tables },
): Promise<Map<string, Payin[]>> {
  const { rows } = await sql<Record<string, unknown>>`
    SELECT * FROM payin WHERE checkout_id = ANY(${[...checkoutIds]}::text[])
    ORDER BY status = 'failed', created_at DESC, pkid DESC`.execute(client);
  return Map.groupBy(
    rows.map((raw) => parseRow(tables.payin, raw)),
    ({ checkoutId }) => checkoutId ?? '',
  );
}

const hasOrder = (condition: RawBuilder<unknown>) => sql<boolean>`EXISTS (
  SELECT FROM seller_order WHERE seller_order.checkout_id = checkout.checkout_id AND ${condition})`;
const isUnpaid = hasOrder(sql`${orderStatusSql} = 'unpaid'`);
const isLeft = sql`checkout.canceled_at IS NULL`;

/** statusOfCheckout as conditions on a row of checkout, which indexes answer; a test compares the two. */
export const checkoutStatusSql = {
  canceled: sql`checkout.canceled_at IS NOT NULL`,
  closed: sql`${isLeft} AND NOT ${hasOrder(sql`${orderStatusSql} NOT IN ('delivered', 'refunded')`)}`,
  paid: sql`${isLeft} AND ${hasOrder(sql`${orderStatusSql} = 'paid'`)} AND NOT ${isUnpaid}`,
  // Few at any time, while those that nobody ever paid are many. One that succeeded paid its orders in the same commit.
  paying: sql`${isLeft} AND ${isUnpaid} AND checkout.checkout_id = ANY(ARRAY(
    SELECT payin.checkout_id FROM payin WHERE payin.status IN ('initialized', 'in_process')
      AND payin.checkout_id IS NOT NULL))`,
  open: sql`${isLeft} AND ${isUnpaid} AND NOT EXISTS (
    SELECT FROM payin WHERE payin.checkout_id = checkout.checkout_id AND payin.status <> 'failed')`,
} as const satisfies Record<CheckoutStatus, RawBuilder<unknown>>;
