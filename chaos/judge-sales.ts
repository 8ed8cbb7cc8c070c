// C1 for checkouts: the orders that were acknowledged are there as they were asked for, and what was paid is their sum.

import { z } from 'zod';
import { linesOf } from './client-log.ts';
import type { Evidence, Order, Violation } from './evidence.ts';

const checkout = z.object({
  orders: z.array(z.object({ order_id: z.string(), seller_id: z.string(), amount: z.string(), fee: z.string() })),
});

export function judgeSales({ client, orders, operations }: Evidence): Violation[] {
  const rows = Map.groupBy(orders, ({ orderId }) => orderId);
  const payins = new Map(operations.map((one) => [one.semanticKey, one]));
  const accepted = new Set(linesOf(client, 'answered').flatMap(({ key, status }) => (status < 300 ? key : [])));
  const asked = linesOf(client, 'asked').filter(({ kind, key }) => kind === 'checkout' && accepted.has(key));
  return asked.flatMap(({ key, body }) => {
    const wanted = checkout.parse(body).orders;
    const found = wanted.flatMap(({ order_id, seller_id, amount, fee }) =>
      judgeOrder(rows.get(order_id) ?? [], { key: order_id, said: saidOf(seller_id, amount, fee) }),
    );
    const total = wanted.reduce((sum, { amount }) => sum + BigInt(amount), 0n);
    const payin = payins.get(`pay-${key}`);
    if (payin === undefined || BigInt(payin.amount) === total) return found;
    const detail = `orders of ${total} are paid with ${payin.amount}`;
    return [...found, { check: 'amount', key: payin.semanticKey, detail } as const];
  });
}

function judgeOrder(rows: readonly Order[], { key, said }: { key: string; said: string }): Violation[] {
  const [row] = rows;
  if (row === undefined)
    return [{ check: 'lost', key, detail: 'its checkout was acknowledged, but there is no order' }];
  if (rows.length > 1) return [{ check: 'doubled', key, detail: `${rows.length} rows of one order` }];
  const is = saidOf(row.sellerId, String(row.amountMinor), String(row.feeMinor));
  return is === said ? [] : [{ check: 'amount', key, detail: `was asked for as ${said}, and is ${is}` }];
}

function saidOf(seller: string, amount: string, fee: string): string {
  return `${amount} for ${seller} with a fee of ${fee}`;
}
