// What must hold between an order's counters, its refunds and disputes, and the money that is pending or was released.

import { type RawBuilder, sql } from 'kysely';
import type { AuditCheck } from './check.ts';

/**
 * Each order with what its refunds and disputes say of it. A reversal has no row of its own: it is what the counters
 * say beyond the disputes, and R1.reversed holds it against the pay-in.
 */
const order = sql`(
  SELECT s.*, coalesce(r.refunded, 0) AS refunded_rows, coalesce(r.refunded_before, 0) AS refunded_before,
         coalesce(r.open_before, 0) AS open_before_rows, coalesce(r.open_after, 0) AS open_after_rows,
         coalesce(d.before_taken, 0) AS disputed_before, coalesce(d.after_taken, 0) AS disputed_after,
         coalesce(d.won_before, 0) AS won_before, coalesce(d.won_late, 0) AS won_late,
         coalesce(d.won_at_once, 0) AS won_at_once
  FROM seller_order s
  LEFT JOIN (
    SELECT order_pkid, sum(amount) FILTER (WHERE status = 'succeeded') AS refunded,
           sum(amount) FILTER (WHERE status = 'succeeded' AND before_delivery) AS refunded_before,
           sum(amount) FILTER (WHERE final_at IS NULL AND before_delivery) AS open_before,
           sum(amount) FILTER (WHERE final_at IS NULL AND NOT before_delivery) AS open_after
    FROM refund WHERE order_pkid IS NOT NULL GROUP BY order_pkid) r ON r.order_pkid = s.pkid
  LEFT JOIN (
    SELECT o.pkid, sum(p.amount::numeric) FILTER (WHERE v.status <> 'won' AND p."beforeDelivery") AS before_taken,
           sum(p.amount::numeric) FILTER (WHERE v.status <> 'won' AND NOT p."beforeDelivery") AS after_taken,
           sum(p.amount::numeric) FILTER (WHERE v.status = 'won' AND p."beforeDelivery") AS won_before,
           sum(p.amount::numeric) FILTER (WHERE p."beforeDelivery" AND w.created_at > o.delivered_at) AS won_late,
           sum(p.amount::numeric) FILTER (WHERE p."beforeDelivery" AND w.created_at = o.delivered_at) AS won_at_once
    FROM dispute v CROSS JOIN jsonb_to_recordset(v.parts) AS p ("orderPkid" uuid, amount text, "beforeDelivery" boolean)
    JOIN seller_order o ON o.pkid = p."orderPkid"
    LEFT JOIN (SELECT operation_pkid, max(created_at) AS created_at FROM posting WHERE event = 'dispute.won'
               GROUP BY operation_pkid) w ON w.operation_pkid = v.pkid
    GROUP BY o.pkid) d ON d.pkid = s.pkid)`;

/**
 * What moves an order's money besides the pay-in's own posting, each entry with that pay-in. The entries are joined
 * kind by kind, because the planner would put all entries, not a few postings, into memory to join them at the end.
 */
const orderEntry: RawBuilder<unknown> = sql`(
  SELECT o.payin_pkid, 'order.delivered' AS event, e.wallet_id, e.amount
  FROM posting p JOIN seller_order o ON o.pkid = p.operation_pkid JOIN entry e USING (posting_id)
  WHERE p.event = 'order.delivered'
  UNION ALL SELECT r.payin_pkid, p.event, e.wallet_id, e.amount
  FROM posting p JOIN refund r ON r.pkid = p.operation_pkid JOIN entry e USING (posting_id)
  WHERE p.event IN ('refund.succeeded', 'refund.failed') AND r.order_pkid IS NOT NULL
  UNION ALL SELECT d.payin_pkid, p.event, e.wallet_id, e.amount
  FROM posting p JOIN dispute d ON d.pkid = p.operation_pkid JOIN entry e USING (posting_id)
  WHERE p.event IN ('dispute.opened', 'dispute.won')
  UNION ALL SELECT p.operation_pkid, p.event, e.wallet_id, e.amount
  FROM posting p JOIN entry e USING (posting_id) WHERE p.event = 'payin.reversed')`;

export const ORDER_CHECKS: readonly AuditCheck[] = [
  {
    id: 'R1',
    title: "An order's refunds and disputes are what its counters say, and together never more than its amount",
    query: sql`
      SELECT o.pkid, o.order_id, o.amount, o.refunded, o.refunded_rows, o.open_before, o.open_before_rows, o.open_after,
             o.open_after_rows, o.taken_before, o.disputed_before, o.taken_after, o.disputed_after, o.fee, o.fee_given,
             o.released
      FROM ${order} o LEFT JOIN payin i ON i.pkid = o.payin_pkid
      WHERE o.refunded <> o.refunded_rows OR o.open_before <> o.open_before_rows OR o.open_after <> o.open_after_rows
         OR o.taken_before < o.disputed_before OR o.taken_after < o.disputed_after
         OR o.refunded_rows + o.open_before_rows + o.open_after_rows
            + greatest(o.taken_before, o.disputed_before) + greatest(o.taken_after, o.disputed_after) > o.amount
         OR (o.payin_pkid IS NULL AND o.refunded + o.open_before + o.open_after + o.taken_before + o.taken_after > 0)
         OR (o.payin_pkid IS NOT NULL
             AND (i.status IS DISTINCT FROM 'succeeded' OR i.checkout_id IS DISTINCT FROM o.checkout_id))
         OR o.fee_given <> CASE WHEN o.delivered_at IS NULL THEN 0 ELSE
              div(o.fee::numeric * (o.refunded + o.taken_before + o.open_before), o.amount) END
         OR o.released <> CASE WHEN o.delivered_at IS NULL THEN 0 ELSE
              o.amount - (o.refunded + o.taken_before + o.open_before) - (o.fee - o.fee_given) END`,
  },
  {
    id: 'R1.disputes',
    title: 'A dispute is of its parts, one for each order, and of what no order could give',
    query: sql`
      SELECT d.dispute_id, d.pkid, d.amount, d.uncovered, sum(p.amount::numeric) AS parts, count(p.*) AS orders
      FROM dispute d JOIN payin i ON i.pkid = d.payin_pkid
      LEFT JOIN LATERAL jsonb_to_recordset(d.parts) AS p ("orderPkid" uuid, amount text) ON true
      LEFT JOIN seller_order o ON o.pkid = p."orderPkid"
      GROUP BY d.dispute_id, d.pkid, d.amount, d.uncovered, i.wallet_id
      HAVING coalesce(sum(p.amount::numeric), 0) + d.uncovered
             <> (CASE WHEN i.wallet_id IS NOT NULL THEN 0 ELSE d.amount END)
          OR count(*) FILTER (WHERE p."orderPkid" IS NOT NULL AND o.payin_pkid IS DISTINCT FROM d.payin_pkid) > 0
          OR count(DISTINCT p."orderPkid") <> count(p."orderPkid")`,
  },
  {
    id: 'R1.reversed',
    title: "What a provider took back of a checkout's pay-in is counted on its orders, or was ours to bear",
    query: sql`
      SELECT i.pkid, i.semantic_key, i.returned, o.counted, coalesce(c.borne, 0) AS borne
      FROM payin i
      JOIN (SELECT payin_pkid, sum(taken_before + taken_after - disputed_before - disputed_after) AS counted
            FROM ${order} o WHERE payin_pkid IS NOT NULL GROUP BY payin_pkid) o ON o.payin_pkid = i.pkid
      LEFT JOIN (SELECT p.operation_pkid, -sum(e.amount) AS borne
                 FROM posting p JOIN entry e USING (posting_id) JOIN wallet w USING (wallet_id)
                 WHERE p.event = 'payin.reversed' AND w.kind = 'costs' GROUP BY p.operation_pkid) c
        ON c.operation_pkid = i.pkid
      WHERE o.counted + coalesce(c.borne, 0) <> i.returned`,
  },
  {
    id: 'E1',
    title: 'What is pending of an order was paid and not refunded, taken or released; of a delivered one, what is open',
    // A dispute won in the very millisecond of the delivery may have been released by either.
    // LIKE leaves out two entries of three before the join; IS TRUE keeps a text for each entry out of the join's key.
    query: sql`
      WITH released AS (
        SELECT order_pkid, -sum(amount) AS amount FROM (
          SELECT p.operation_pkid AS order_pkid, e.amount
          FROM posting p JOIN seller_order o ON o.pkid = p.operation_pkid JOIN entry e USING (posting_id)
          WHERE p.event = 'order.delivered'
            AND e.wallet_id LIKE '@pending:%'
            AND (e.wallet_id = '@pending:' || o.seller_id || ':' || o.currency) IS TRUE
          UNION ALL
          SELECT r.order_pkid, e.amount
          FROM posting p JOIN refund r ON r.pkid = p.operation_pkid JOIN seller_order o ON o.pkid = r.order_pkid
          JOIN entry e USING (posting_id)
          WHERE p.event = 'refund.failed' AND e.wallet_id = '@pending:' || o.seller_id || ':' || o.currency) line
        GROUP BY order_pkid
      ), pending AS (
        SELECT o.*, CASE WHEN o.payin_pkid IS NULL THEN 0 ELSE
                 o.amount - o.refunded_before - o.taken_before - coalesce(r.amount, 0) END AS left_pending,
               coalesce(r.amount, 0) AS released_entries
        FROM ${order} o LEFT JOIN released r ON r.order_pkid = o.pkid
      )
      SELECT pkid, order_id, delivered_at IS NOT NULL AS delivered, amount, refunded_before, taken_before,
             released_entries, open_before_rows AS held_back, left_pending - won_late AS pending
      FROM pending
      WHERE (delivered_at IS NULL AND released_entries <> 0)
         OR (delivered_at IS NOT NULL
             AND left_pending - open_before_rows NOT BETWEEN won_late AND won_late + won_at_once)`,
  },
  {
    id: 'E1.pending',
    title: "A seller's pending wallet is the sum of what is pending of their orders",
    query: sql`
      SELECT coalesce(w.wallet_id, x.wallet_id) AS wallet_id, coalesce(w.posted, 0) AS posted,
             coalesce(x.pending, 0) AS pending_of_orders
      FROM (SELECT wallet_id, posted FROM wallet WHERE kind = 'pending') w
      FULL JOIN (
        SELECT wallet_id, sum(pending) AS pending FROM (
          SELECT '@pending:' || seller_id || ':' || currency AS wallet_id,
                 CASE WHEN payin_pkid IS NULL THEN 0 WHEN delivered_at IS NOT NULL THEN open_before_rows
                      ELSE amount - refunded_before - taken_before END AS pending
          FROM ${order} o
          -- Money that fitted nothing at first, and was put beside the orders.
          UNION ALL SELECT applied_to, amount - split_off FROM unapplied WHERE applied_to LIKE '@pending:%') part
        GROUP BY wallet_id) x USING (wallet_id)
      WHERE coalesce(w.posted, 0) <> coalesce(x.pending, 0)`,
  },
  {
    id: 'E1.released',
    title: 'What sellers got of a pay-in, or owe again, and what we kept as fees, is what its orders say',
    // Both sides are summed up together: one sum over all is cheaper than a sum of each and a join of the two.
    query: sql`
      SELECT payin_pkid, owner_id, coalesce(sum(expected), 0) AS expected, coalesce(sum(posted), 0) AS posted
      FROM (
        SELECT payin_pkid, seller_id AS owner_id, released - taken_after AS expected, NULL::bigint AS posted
        FROM seller_order WHERE payin_pkid IS NOT NULL
        UNION ALL
        SELECT payin_pkid, '@platform', fee - fee_given, NULL
        FROM seller_order WHERE delivered_at IS NOT NULL AND payin_pkid IS NOT NULL
        UNION ALL
        SELECT i.pkid, w.owner_id, -i.returned, NULL FROM payin i JOIN wallet w USING (wallet_id)
        UNION ALL
        SELECT i.pkid, w.owner_id, -d.amount, NULL
        FROM payin i JOIN wallet w USING (wallet_id) JOIN dispute d ON d.payin_pkid = i.pkid WHERE d.status <> 'won'
        UNION ALL
        SELECT p.payin_pkid, w.owner_id, NULL, p.amount
        FROM ${orderEntry} p JOIN wallet w USING (wallet_id)
        -- The buyer's own wallet, where a refund went there, is compared by A9.orders.
        WHERE w.kind IN ('seller', 'debt', 'fees') OR (w.kind = 'buyer' AND p.event NOT LIKE 'refund.%')) line
      GROUP BY payin_pkid, owner_id
      HAVING coalesce(sum(expected), 0) <> coalesce(sum(posted), 0)`,
  },
];
