// Orders as they stand, without locks: what to lock is decided from them, never what to write.

import { sql } from 'kysely';
import type { Order } from '../domain/order.ts';
import { parseRow, type Table } from '../ledger/table.ts';
import type { Sql } from '../runtime/db.ts';

/** The orders of a checkout, by their ids. */
export async function readOrders(client: Sql, table: Table<Order>, checkoutId: string): Promise<Order[]> {
  const { rows } = await sql<Record<string, unknown>>`
    SELECT * FROM seller_order WHERE checkout_id = ${checkoutId} ORDER BY order_id`.execute(client);
  return rows.map((raw) => parseRow(table, raw));
}

export async function readOrder(client: Sql, table: Table<Order>, orderId: string): Promise<Order | null> {
  const { rows } = await sql<Record<string, unknown>>`
    SELECT * FROM seller_order WHERE order_id = ${orderId}`.execute(client);
  const [raw] = rows;
  return raw === undefined ? null : parseRow(table, raw);
}
