// What must hold between an operation's row, its postings, its hold, its status changes and its provider calls.

import { sql } from 'kysely';
import type { AuditCheck } from './audit-check.ts';

/** Days a payout by Stripe or Demobank may take before a person must know (failure model, L1). */
const PAYOUT_DAYS_MAX = 10;
/** A transfer needs nobody outside: one that rests for a day was forgotten. */
const TRANSFER_DAYS_MAX = 1;

/** Both kinds as one list; a row of it has what the checks compare. */
const operation = sql`(
  SELECT pkid, 'payout' AS kind, semantic_key, status FROM payout
  UNION ALL SELECT pkid, 'transfer', semantic_key, status FROM transfer)`;

export const OPERATION_CHECKS: readonly AuditCheck[] = [
  {
    id: 'A7',
    title: 'An operation has succeeded exactly when it has one settle posting, and a posting has its operation',
    query: sql`
      SELECT coalesce(o.kind, p.operation_kind) AS kind, coalesce(o.pkid, p.operation_pkid) AS pkid,
             o.semantic_key, o.status, coalesce(p.postings, 0) AS settle_postings
      FROM (SELECT pkid, kind, semantic_key, status FROM ${operation} moving
            UNION ALL SELECT pkid, 'adjustment', semantic_key, 'succeeded' FROM adjustment
            UNION ALL SELECT pkid, 'treasury', semantic_key, 'succeeded' FROM treasury) o
      FULL JOIN (SELECT operation_kind, operation_pkid, count(*) AS postings FROM posting
                 WHERE reverses IS NULL GROUP BY operation_kind, operation_pkid) p
        ON p.operation_pkid = o.pkid AND p.operation_kind = o.kind
      WHERE o.pkid IS NULL OR coalesce(p.postings, 0) <> (CASE o.status WHEN 'succeeded' THEN 1 ELSE 0 END)`,
  },
  {
    id: 'A8',
    title: 'A payout in process has an active hold of its amount, a succeeded one a captured, a failed one none active',
    query: sql`
      SELECT coalesce(o.pkid, h.hold_id) AS pkid, o.semantic_key, o.status, h.status AS hold_status,
             o.amount, h.amount AS hold_amount, o.wallet_id, h.wallet_id AS hold_wallet_id
      FROM payout o FULL JOIN hold h ON h.hold_id = o.pkid
      WHERE o.pkid IS NULL
         OR (o.status = 'initialized' AND h.hold_id IS NOT NULL)
         OR (o.status = 'in_process' AND h.status IS DISTINCT FROM 'active')
         OR (o.status = 'succeeded' AND h.status IS DISTINCT FROM 'captured')
         OR (o.status = 'failed' AND h.status IN ('active', 'captured'))
         OR h.amount <> o.amount OR h.wallet_id <> o.wallet_id`,
  },
  {
    id: 'A9',
    title: 'A posting moves the right amount between the right wallets',
    query: sql`
      WITH booked AS (
        SELECT p.posting_id, p.operation_kind AS kind, o.semantic_key, o.wallet_id AS giver,
               '@provider:' || o.provider || ':' || o.currency AS taker, o.amount
        FROM posting p JOIN payout o ON o.pkid = p.operation_pkid
        WHERE p.operation_kind = 'payout' AND p.reverses IS NULL
        UNION ALL
        SELECT p.posting_id, p.operation_kind, o.semantic_key, o.from_wallet, o.to_wallet, o.amount
        FROM posting p JOIN transfer o ON o.pkid = p.operation_pkid
        WHERE p.operation_kind = 'transfer'
        UNION ALL
        SELECT posting_id, 'adjustment', semantic_key, '@equity:' || currency, wallet_id, amount FROM adjustment
        UNION ALL
        SELECT posting_id, 'treasury', semantic_key, from_wallet, to_wallet, amount FROM treasury
      )
      SELECT kind, semantic_key, posting_id, giver, taker, booked.amount,
             sum(e.amount) FILTER (WHERE e.wallet_id = giver) AS given,
             sum(e.amount) FILTER (WHERE e.wallet_id = taker) AS taken,
             count(*) FILTER (WHERE e.wallet_id NOT IN (giver, taker)) AS other_entries
      FROM booked LEFT JOIN (SELECT posting_id, wallet_id, amount FROM entry) e USING (posting_id)
      GROUP BY kind, semantic_key, posting_id, giver, taker, booked.amount
      HAVING sum(e.amount) FILTER (WHERE e.wallet_id = giver) IS DISTINCT FROM -booked.amount
          OR sum(e.amount) FILTER (WHERE e.wallet_id = taker) IS DISTINCT FROM booked.amount
          OR count(*) FILTER (WHERE e.wallet_id NOT IN (giver, taker)) > 0`,
  },
  {
    id: 'A9.returns',
    title: 'What a payout got back is posted against its settle posting, opposite and in the right amount',
    query: sql`
      WITH returned AS (
        SELECT p.posting_id, p.operation_pkid, settle.posting_id IS NOT NULL AS names_settle, e.wallet_id, e.amount
        FROM posting p JOIN entry e USING (posting_id) LEFT JOIN posting settle
          ON settle.posting_id = p.reverses AND settle.reverses IS NULL
         AND settle.operation_kind = 'payout' AND settle.operation_pkid = p.operation_pkid
        WHERE p.reverses IS NOT NULL
      )
      SELECT coalesce(o.pkid, r.operation_pkid) AS pkid, o.semantic_key, o.status, o.returned,
             coalesce(sum(r.amount) FILTER (WHERE r.wallet_id = o.wallet_id), 0) AS posted_back
      FROM payout o FULL JOIN returned r ON r.operation_pkid = o.pkid
      WHERE o.pkid IS NULL OR o.returned <> 0 OR r.posting_id IS NOT NULL
      GROUP BY o.pkid, r.operation_pkid
      HAVING o.pkid IS NULL OR o.status <> 'succeeded' OR NOT coalesce(bool_and(r.names_settle), false)
          OR coalesce(sum(r.amount) FILTER (WHERE r.wallet_id = o.wallet_id), 0) <> o.returned
          OR coalesce(sum(r.amount) FILTER (WHERE r.wallet_id = '@provider:' || o.provider || ':' || o.currency), 0)
             <> -o.returned
          OR bool_or(sign(r.amount) <> (CASE WHEN r.wallet_id = o.wallet_id THEN 1 ELSE -1 END))`,
  },
  {
    id: 'A10',
    title: 'An operation moves only as the table of moves allows',
    query: sql`
      SELECT pkid, number, operation_kind AS kind, from_status, to_status FROM status_change
      WHERE (coalesce(from_status, 'nothing'), to_status) NOT IN (
        ('nothing', 'initialized'), ('initialized', 'in_process'), ('initialized', 'failed'),
        ('in_process', 'succeeded'), ('in_process', 'failed'))`,
  },
  {
    id: 'A11',
    title: 'Status changes form a chain from the first',
    query: sql`
      SELECT c.pkid, c.number, c.operation_kind AS kind, c.from_status, before.to_status AS previous_status
      FROM status_change c
      LEFT JOIN status_change before ON before.pkid = c.pkid AND before.number = c.number - 1
      WHERE c.number < 1 OR c.from_status IS DISTINCT FROM before.to_status`,
  },
  {
    id: 'A12',
    title: "An operation's status is that of its last status change",
    query: sql`
      SELECT coalesce(o.pkid, c.pkid) AS pkid, coalesce(o.kind, c.operation_kind) AS kind, o.semantic_key, o.status,
             c.to_status AS last_status_change
      FROM ${operation} o
      FULL JOIN (SELECT DISTINCT ON (pkid) pkid, operation_kind, to_status FROM status_change
                 ORDER BY pkid, number DESC) c ON c.pkid = o.pkid AND c.operation_kind = o.kind
      WHERE o.status IS DISTINCT FROM c.to_status`,
  },
  {
    id: 'P5',
    title: 'The intent to send is committed before anything comes back from the provider',
    query: sql`
      SELECT o.pkid, o.semantic_key, o.status, o.extern_payment_id, 'no intent to send' AS problem
      FROM payout o
      WHERE (o.status = 'succeeded' OR o.extern_payment_id IS NOT NULL OR EXISTS (
              SELECT FROM provider_call c WHERE c.pkid = o.pkid
              AND (c.outcome = 'succeeded' OR c.extern_payment_id IS NOT NULL)))
        AND NOT EXISTS (SELECT FROM provider_call c WHERE c.pkid = o.pkid AND c.step = 'send'
                        AND c.intent_at <= coalesce(o.final_at, o.updated_at))
        AND NOT EXISTS (SELECT FROM review_action r WHERE r.pkid = o.pkid AND r.action = 'resolve')
      UNION ALL
      SELECT o.pkid, o.semantic_key, o.status, c.extern_payment_id, 'answered before it was intended'
      FROM provider_call c JOIN payout o USING (pkid) WHERE c.answered_at < c.intent_at
      UNION ALL
      SELECT c.pkid, NULL, NULL, c.extern_payment_id, 'a call without its operation'
      FROM provider_call c LEFT JOIN payout o USING (pkid)
      WHERE c.operation_kind = 'payout' AND o.pkid IS NULL`,
  },
  {
    id: 'K1',
    title: 'Each step of an operation uses one provider key of its own, the same in all attempts',
    query: sql`
      SELECT operation_kind AS kind, array_agg(DISTINCT pkid::text) AS pkids, array_agg(DISTINCT step) AS steps,
             array_agg(DISTINCT key) AS keys
      FROM provider_call WHERE step IN ('send', 'confirm')
      GROUP BY provider, operation_kind, key
      HAVING count(DISTINCT (pkid, step)) > 1 OR bool_or(step = 'send' AND key <> pkid::text)
      UNION ALL
      SELECT operation_kind, ARRAY[pkid::text], ARRAY[step], array_agg(DISTINCT key)
      FROM provider_call WHERE step IN ('send', 'confirm')
      GROUP BY operation_kind, pkid, step HAVING count(DISTINCT key) > 1`,
  },
  {
    id: 'L1',
    title: 'Nothing stays unfinished beyond its limit without a person knowing',
    query: sql`
      SELECT 'payout' AS kind, pkid, semantic_key, status, confirmed_at AS since FROM payout
      WHERE final_at IS NULL AND review_reason IS NULL
        AND confirmed_at < now() - ${PAYOUT_DAYS_MAX}::integer * interval '1 day'
      UNION ALL
      SELECT 'transfer', pkid, semantic_key, status, created_at FROM transfer
      WHERE final_at IS NULL AND created_at < now() - ${TRANSFER_DAYS_MAX}::integer * interval '1 day'`,
  },
];
