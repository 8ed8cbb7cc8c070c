// What must hold of the journal, the wallets and the holds, whatever caused the postings.

import { sql } from 'kysely';
import type { AuditCheck } from './check.ts';

/** Half of what a bigint holds: the difference of two such numbers is one as well. What is beyond is summed up. */
const SUBTRACTABLE_MAX = sql.lit('4611686018427387903');

export const JOURNAL_CHECKS: readonly AuditCheck[] = [
  {
    id: 'A1',
    title: 'The entries of a posting sum to zero in each currency, and no posting is without entries',
    // OFFSET 0 keeps the planner from reading the entries by posting, which is one page of the table for each of them.
    query: sql`
      SELECT posting_id, e.currency, e.total, coalesce(e.entries, 0) AS entries
      FROM posting p FULL JOIN (
        SELECT posting_id, currency, sum(amount) AS total, count(*) AS entries
        FROM (SELECT posting_id, currency, amount FROM entry OFFSET 0) line GROUP BY posting_id, currency) e
        USING (posting_id)
      WHERE e.total IS DISTINCT FROM 0 OR p.posting_id IS NULL`,
  },
  {
    id: 'A2',
    title: 'All entries together sum to zero in each currency',
    query: sql`SELECT currency, sum(amount) AS total FROM entry GROUP BY currency HAVING sum(amount) <> 0`,
  },
  {
    id: 'A3',
    title: "A wallet's posted balance is the sum of its entries",
    query: sql`
      SELECT wallet_id, w.posted, coalesce(e.total, 0) AS entries_total
      FROM wallet w FULL JOIN (SELECT wallet_id, sum(amount) AS total FROM entry GROUP BY wallet_id) e USING (wallet_id)
      WHERE w.posted IS DISTINCT FROM coalesce(e.total, 0)`,
  },
  {
    id: 'A3.chain',
    title: "A wallet's entries count from 1 without gaps, and each carries the balance after it",
    // Each entry is compared with the one before it, which is cheap; a sum of all before it only where that differs.
    query: sql`
      WITH broken AS (
        SELECT DISTINCT wallet_id
        FROM (SELECT wallet_id, seq, amount, balance_after, row_number() OVER by_seq AS place,
                     lag(balance_after, 1, 0::bigint) OVER by_seq AS balance_before
              FROM entry WINDOW by_seq AS (PARTITION BY wallet_id ORDER BY seq)) line
        WHERE seq <> place
           OR CASE WHEN amount BETWEEN -(${SUBTRACTABLE_MAX}::bigint) AND ${SUBTRACTABLE_MAX}::bigint
                    AND balance_after BETWEEN -(${SUBTRACTABLE_MAX}::bigint) AND ${SUBTRACTABLE_MAX}::bigint
                   THEN balance_after - amount <> balance_before ELSE true END
      )
      SELECT wallet_id, seq, place AS expected_seq, balance_after, running AS expected_balance_after
      FROM (SELECT wallet_id, seq, balance_after,
                   row_number() OVER by_seq AS place, sum(amount) OVER by_seq AS running
            FROM entry JOIN broken USING (wallet_id)
            WINDOW by_seq AS (PARTITION BY wallet_id ORDER BY seq)) chain
      WHERE seq <> place OR balance_after <> running`,
  },
  {
    id: 'A3.count',
    title: "A wallet's counter is the number of its entries",
    query: sql`
      SELECT w.wallet_id, w.seq, coalesce(e.entries, 0) AS entries
      FROM wallet w LEFT JOIN (SELECT wallet_id, count(*) AS entries FROM entry GROUP BY wallet_id) e USING (wallet_id)
      WHERE w.seq <> coalesce(e.entries, 0)`,
  },
  {
    id: 'A4',
    title: 'What a wallet holds back is the sum of its active holds',
    query: sql`
      SELECT wallet_id, w.held, coalesce(h.total, 0) AS holds_total
      FROM wallet w FULL JOIN
           (SELECT wallet_id, sum(amount) AS total FROM hold WHERE status = 'active' GROUP BY wallet_id) h
           USING (wallet_id)
      WHERE w.held IS DISTINCT FROM coalesce(h.total, 0)`,
  },
  {
    id: 'A5',
    title: 'No wallet has less than nothing available, unless it may',
    query: sql`SELECT wallet_id, posted, held FROM wallet WHERE NOT allow_negative AND posted - held < 0`,
  },
  {
    id: 'A6',
    title: 'Entries and operations are in the currency of their wallets',
    query: sql`
      SELECT source, reference, wallet_id, line.currency, w.currency AS wallet_currency
      FROM (SELECT 'entry' AS source, posting_id::text AS reference, wallet_id, currency FROM entry
            UNION ALL SELECT 'payout', semantic_key, wallet_id, currency FROM payout
            UNION ALL SELECT 'payin', semantic_key, wallet_id, currency FROM payin WHERE wallet_id IS NOT NULL
            UNION ALL SELECT 'refund', semantic_key, wallet_id, currency FROM refund WHERE wallet_id IS NOT NULL
            UNION ALL SELECT 'order', order_id, wallet_id, currency FROM seller_order
            UNION ALL SELECT 'unapplied', unapplied_id::text, applied_to, currency FROM unapplied
                      WHERE applied_to IS NOT NULL
            UNION ALL SELECT 'transfer', semantic_key, from_wallet, currency FROM transfer
            UNION ALL SELECT 'transfer', semantic_key, to_wallet, currency FROM transfer
            UNION ALL SELECT 'adjustment', semantic_key, wallet_id, currency FROM adjustment
            UNION ALL SELECT 'treasury', semantic_key, from_wallet, currency FROM treasury
            UNION ALL SELECT 'treasury', semantic_key, to_wallet, currency FROM treasury) line
      JOIN wallet w USING (wallet_id)
      WHERE line.currency <> w.currency`,
  },
  {
    id: 'D1',
    title: "Debt is never above zero, and a person's balance never below",
    query: sql`
      SELECT wallet_id, kind, posted FROM wallet
      WHERE (kind = 'debt' AND posted > 0) OR (kind IN ('seller', 'buyer') AND posted < 0)`,
  },
];
