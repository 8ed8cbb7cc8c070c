// What must hold between a posting's entries and the row it is written for: the right wallets, the right amounts.

import { sql } from 'kysely';
import type { AuditCheck } from './check.ts';

export const POSTING_CHECKS: readonly AuditCheck[] = [
  {
    id: 'A9',
    title: 'A posting moves the right amount between the right wallets',
    // A posting of two entries that are just right is right: counting finds the others, which are summed up.
    query: sql`
      WITH booked AS NOT MATERIALIZED (
        SELECT p.posting_id, p.operation_kind AS kind, o.semantic_key, o.wallet_id AS giver,
               '@provider:' || o.provider || ':' || o.currency AS taker, o.amount
        FROM posting p JOIN payout o ON o.pkid = p.operation_pkid WHERE p.event = 'payout.succeeded'
        UNION ALL
        SELECT p.posting_id, p.operation_kind, o.semantic_key, '@provider:' || o.provider || ':' || o.currency,
               coalesce(o.wallet_id, '@unapplied:' || o.currency), o.amount
        FROM posting p JOIN payin o ON o.pkid = p.operation_pkid
        WHERE p.event = 'payin.succeeded' AND o.checkout_id IS NULL
        UNION ALL
        SELECT p.posting_id, p.operation_kind, o.semantic_key,
               CASE WHEN o.unapplied_id IS NULL THEN '@pending:' || s.seller_id ELSE '@unapplied' END
                 || ':' || o.currency,
               coalesce(o.wallet_id, '@provider:' || o.provider || ':' || o.currency), o.amount
        FROM posting p JOIN refund o ON o.pkid = p.operation_pkid LEFT JOIN seller_order s ON s.pkid = o.order_pkid
        WHERE p.event = 'refund.succeeded' AND (o.before_delivery OR o.unapplied_id IS NOT NULL)
        UNION ALL
        SELECT p.posting_id, p.operation_kind, o.semantic_key, o.from_wallet, o.to_wallet, o.amount
        FROM posting p JOIN transfer o ON o.pkid = p.operation_pkid WHERE p.event = 'transfer'
        UNION ALL
        SELECT posting_id, 'adjustment', semantic_key, '@equity:' || currency, wallet_id, amount FROM adjustment
        UNION ALL
        -- They are what others owe us, so money that leaves one makes it grow towards zero.
        SELECT posting_id, 'treasury', semantic_key, to_wallet, from_wallet, amount FROM treasury
      ), suspect AS (
        SELECT posting_id FROM booked LEFT JOIN (SELECT posting_id, wallet_id, amount FROM entry) e USING (posting_id)
        GROUP BY posting_id
        HAVING count(*) <> 2 OR count(*) FILTER (WHERE e.wallet_id = giver AND e.amount = -booked.amount) <> 1
            OR count(*) FILTER (WHERE e.wallet_id = taker AND e.amount = booked.amount) <> 1
      )
      SELECT kind, semantic_key, booked.posting_id, giver, taker, booked.amount,
             sum(e.amount) FILTER (WHERE e.wallet_id = giver) AS given,
             sum(e.amount) FILTER (WHERE e.wallet_id = taker) AS taken,
             count(*) FILTER (WHERE e.wallet_id NOT IN (giver, taker)) AS other_entries
      FROM suspect
      CROSS JOIN LATERAL (SELECT * FROM booked WHERE booked.posting_id = suspect.posting_id OFFSET 0) booked
      LEFT JOIN LATERAL (
        SELECT wallet_id, amount FROM entry WHERE entry.posting_id = suspect.posting_id OFFSET 0) e ON true
      GROUP BY kind, semantic_key, booked.posting_id, giver, taker, booked.amount
      HAVING sum(e.amount) FILTER (WHERE e.wallet_id = giver) IS DISTINCT FROM -booked.amount
          OR sum(e.amount) FILTER (WHERE e.wallet_id = taker) IS DISTINCT FROM booked.amount
          OR count(*) FILTER (WHERE e.wallet_id NOT IN (giver, taker)) > 0`,
  },
  {
    id: 'A9.orders',
    title: "What orders are paid and give back moves on the platform's and the buyer's wallets as their rows say",
    // The seller's side of the same postings is E1.released; what a delivery or a won dispute releases is E1.
    query: sql`
      WITH part AS (
        SELECT d.pkid, s.seller_id, sum(p.amount::numeric) AS amount
        FROM dispute d CROSS JOIN jsonb_to_recordset(d.parts)
               AS p ("orderPkid" uuid, amount text, "beforeDelivery" boolean)
        JOIN seller_order s ON s.pkid = p."orderPkid" WHERE p."beforeDelivery" GROUP BY d.pkid, s.seller_id
      ), expected AS (
        SELECT pkid, 'payin.succeeded' AS event, '@provider:' || provider || ':' || currency AS wallet_id,
               -amount::numeric AS amount
        FROM payin WHERE status = 'succeeded' AND checkout_id IS NOT NULL
        UNION ALL
        SELECT payin_pkid, 'payin.succeeded', '@pending:' || seller_id || ':' || currency, amount
        FROM seller_order WHERE payin_pkid IS NOT NULL
        UNION ALL
        SELECT pkid, 'refund.succeeded', coalesce(wallet_id, '@provider:' || provider || ':' || currency), amount
        FROM refund WHERE status = 'succeeded' AND NOT before_delivery AND order_pkid IS NOT NULL
        UNION ALL
        SELECT r.pkid, 'refund.failed', '@pending:' || s.seller_id || ':' || r.currency, -r.amount
        FROM refund r JOIN seller_order s ON s.pkid = r.order_pkid JOIN posting p ON p.operation_pkid = r.pkid
        WHERE r.status = 'failed' AND r.before_delivery AND p.event = 'refund.failed'
        UNION ALL
        SELECT d.pkid, e.event, '@provider:' || d.provider || ':' || d.currency, e.sign * d.amount
        FROM dispute d CROSS JOIN (VALUES ('dispute.opened', 1), ('dispute.won', -1)) e (event, sign)
        WHERE e.sign = 1 OR d.status = 'won'
        UNION ALL
        SELECT d.pkid, e.event, '@costs:' || d.provider || ':' || d.currency, -e.sign * d.uncovered
        FROM dispute d CROSS JOIN (VALUES ('dispute.opened', 1), ('dispute.won', -1)) e (event, sign)
        WHERE d.uncovered > 0 AND (e.sign = 1 OR d.status = 'won')
        UNION ALL
        SELECT d.pkid, 'dispute.opened', '@pending:' || part.seller_id || ':' || d.currency, -part.amount
        FROM dispute d JOIN part ON part.pkid = d.pkid
      ), actual AS (
        SELECT p.operation_pkid AS pkid, p.event, e.wallet_id, e.amount
        FROM posting p JOIN entry e USING (posting_id) JOIN wallet w USING (wallet_id)
        LEFT JOIN payin i ON p.operation_kind = 'payin' AND i.pkid = p.operation_pkid
        LEFT JOIN refund r ON p.operation_kind = 'refund' AND r.pkid = p.operation_pkid
        WHERE (p.event = 'payin.succeeded' AND i.checkout_id IS NOT NULL)
           OR (p.event IN ('refund.succeeded', 'refund.failed') AND r.order_pkid IS NOT NULL
               AND (p.event = 'refund.failed' OR NOT r.before_delivery) AND w.kind NOT IN ('seller', 'debt', 'fees'))
           OR (p.event = 'dispute.opened' AND w.kind NOT IN ('seller', 'buyer', 'debt', 'fees'))
           OR (p.event = 'dispute.won' AND w.kind NOT IN ('seller', 'buyer', 'debt', 'fees', 'pending'))
      )
      SELECT pkid, event,
             CASE WHEN count(posted) > 0 THEN (
               SELECT min(p.semantic_key) FROM posting p
               WHERE p.operation_pkid = line.pkid AND p.operation_kind <> 'transfer' AND p.event = line.event
             ) END AS semantic_key,
             wallet_id, sum(expected) AS expected, sum(posted) AS posted
      FROM (SELECT pkid, event, wallet_id, amount AS expected, NULL::bigint AS posted FROM expected
            UNION ALL SELECT pkid, event, wallet_id, NULL, amount FROM actual) line
      GROUP BY pkid, event, wallet_id
      HAVING sum(expected) IS DISTINCT FROM sum(posted)`,
  },
  {
    id: 'A9.external',
    title: 'What went back beyond any order came from the wallet that the pay-in had loaded, or was ours to bear',
    query: sql`
      SELECT r.pkid, r.semantic_key, r.amount, loaded.wallet_id AS loaded, array_agg(e.wallet_id) AS wallets,
             sum(e.amount) FILTER (WHERE e.wallet_id = '@provider:' || r.provider || ':' || r.currency) AS left_provider
      FROM refund r JOIN payin i ON i.pkid = r.payin_pkid
      LEFT JOIN wallet loaded ON loaded.wallet_id = i.wallet_id AND i.extern_payment_id = r.payin_extern_id
                             AND i.status = 'succeeded'
      JOIN posting p ON p.operation_pkid = r.pkid AND p.event = 'refund.succeeded' JOIN entry e USING (posting_id)
      WHERE r.status = 'succeeded' AND r.order_pkid IS NULL AND r.unapplied_id IS NULL
      GROUP BY r.pkid, r.semantic_key, r.amount, loaded.wallet_id
      HAVING sum(e.amount) FILTER (WHERE e.wallet_id = '@provider:' || r.provider || ':' || r.currency)
             IS DISTINCT FROM r.amount
          OR bool_or(e.wallet_id <> '@provider:' || r.provider || ':' || r.currency
                     AND CASE WHEN loaded.wallet_id IS NULL
                              THEN e.wallet_id <> '@costs:' || r.provider || ':' || r.currency
                              ELSE e.wallet_id NOT IN (loaded.wallet_id,
                                                       '@debt:' || loaded.owner_id || ':' || r.currency) END)`,
  },
  {
    id: 'A9.returns',
    title: 'What was taken back of a payment is posted against its settle posting, opposite and in the right amount',
    // A pay-in's other side is its orders or the loaded wallet, which E1.released and R1.reversed compare.
    query: sql`
      WITH payment AS (
        SELECT pkid, 'payout' AS kind, semantic_key, status, returned, -1 AS sign,
               '@provider:' || provider || ':' || currency AS provider_wallet, wallet_id AS other_wallet FROM payout
        UNION ALL
        SELECT pkid, 'payin', semantic_key, status, returned, 1, '@provider:' || provider || ':' || currency, NULL
        FROM payin
      ), returned AS (
        SELECT p.posting_id, p.operation_kind AS kind, p.operation_pkid AS pkid,
               settle.posting_id IS NOT NULL AS names_settle, e.wallet_id, e.amount
        FROM posting p JOIN entry e USING (posting_id) LEFT JOIN posting settle
          ON settle.posting_id = p.reverses AND settle.event = p.operation_kind || '.succeeded'
         AND settle.operation_kind = p.operation_kind AND settle.operation_pkid = p.operation_pkid
        WHERE p.event IN ('payout.returned', 'payin.reversed')
      )
      SELECT coalesce(o.kind, r.kind) AS kind, coalesce(o.pkid, r.pkid) AS pkid, o.semantic_key, o.status, o.returned,
             coalesce(sum(r.amount) FILTER (WHERE r.wallet_id = o.provider_wallet), 0) AS posted_at_provider
      FROM payment o FULL JOIN returned r ON r.pkid = o.pkid AND r.kind = o.kind
      WHERE o.pkid IS NULL OR o.returned <> 0 OR r.posting_id IS NOT NULL
      GROUP BY o.kind, r.kind, o.pkid, r.pkid, o.semantic_key, o.status, o.returned, o.sign
      HAVING o.pkid IS NULL OR o.status <> 'succeeded' OR NOT coalesce(bool_and(r.names_settle), false)
          OR coalesce(sum(r.amount) FILTER (WHERE r.wallet_id = o.provider_wallet), 0) <> o.sign * o.returned
          OR bool_or(sign(r.amount) <> CASE WHEN r.wallet_id = o.provider_wallet THEN o.sign ELSE -o.sign END)
          OR coalesce(bool_or(r.wallet_id NOT IN (o.provider_wallet, o.other_wallet)), false)`,
  },
  {
    id: 'A9.fees',
    title: 'What a provider charged is posted once for each of its charges, as a cost',
    // Money that fits nothing was charged for too; its charge has a posting, and no place in a row.
    query: sql`
      WITH charged AS (
        SELECT pkid, 'payin' AS kind, semantic_key, provider, fee, fee_extern_id FROM payin
        UNION ALL SELECT pkid, 'payout', semantic_key, provider, fee, fee_extern_id FROM payout
        UNION ALL SELECT pkid, 'refund', semantic_key, provider, fee, fee_extern_id FROM refund
        UNION ALL SELECT pkid, 'dispute', dispute_id, provider, nullif(fee, 0), NULL FROM dispute
      ), stray AS (
        SELECT operation_kind AS kind, pkid, count(DISTINCT extern_payment_id) AS payments FROM unapplied
        GROUP BY operation_kind, pkid
      ), posted AS (
        SELECT p.operation_kind AS kind, p.operation_pkid AS pkid, min(p.semantic_key) AS semantic_key,
               count(DISTINCT p.posting_id) AS postings,
               string_agg(DISTINCT w.kind || ':' || w.owner_id, ', ') AS wallets,
               sum(e.amount) FILTER (WHERE w.kind = 'provider') AS amount
        FROM posting p JOIN entry e USING (posting_id) JOIN wallet w USING (wallet_id)
        WHERE p.event = 'provider.fee' GROUP BY p.operation_kind, p.operation_pkid
      )
      SELECT coalesce(c.kind, p.kind) AS kind, coalesce(c.pkid, p.pkid) AS pkid,
             coalesce(c.semantic_key, p.semantic_key) AS semantic_key, c.fee_extern_id, c.fee, p.postings,
             p.amount AS posted
      FROM charged c LEFT JOIN stray USING (kind, pkid) FULL JOIN posted p USING (kind, pkid)
      WHERE (c.fee IS NOT NULL OR p.postings > 0)
        AND (c.provider IS NULL OR p.postings IS NULL
             OR p.postings NOT BETWEEN (c.fee IS NOT NULL)::int
                               AND (c.fee IS NOT NULL)::int + coalesce(stray.payments, 0)
             OR (stray.payments IS NULL AND p.amount <> c.fee) OR p.amount < c.fee
             OR p.wallets <> 'costs:' || c.provider || ', provider:' || c.provider)
      UNION ALL
      SELECT string_agg(DISTINCT kind, ', '), NULL, string_agg(semantic_key, ', '), fee_extern_id, NULL, count(*), NULL
      FROM charged WHERE fee_extern_id IS NOT NULL GROUP BY provider, fee_extern_id HAVING count(*) > 1`,
  },
  {
    id: 'A9.debts',
    title: 'A debt is paid back from a wallet of the one who owes it, and by nothing else',
    query: sql`
      SELECT p.posting_id, p.operation_kind AS kind, p.semantic_key, array_agg(e.wallet_id) AS wallets
      FROM posting p JOIN entry e USING (posting_id) JOIN wallet w USING (wallet_id)
      WHERE p.event = 'debt.netted'
      GROUP BY p.posting_id, p.operation_kind, p.semantic_key
      HAVING count(*) <> 2 OR count(DISTINCT (w.owner_id, w.currency)) <> 1
          OR count(*) FILTER (WHERE w.kind IN ('seller', 'buyer') AND e.amount < 0) <> 1
          OR count(*) FILTER (WHERE w.kind = 'debt' AND e.amount > 0) <> 1`,
  },
];
