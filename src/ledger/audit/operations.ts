// What must hold between an operation's row, its postings, its hold, its status changes and its provider calls.

import { sql } from 'kysely';
import type { AuditCheck } from './check.ts';

/** Days a payout or refund may take before a person must know (failure model, L1); by PayPal they may take longer. */
const PAYMENT_DAYS_MAX = 10;
const PAYPAL_DAYS_MAX = 35;
/** Days a pay-in by bank debit may take; one that waits for its buyer ends at its own time, or an hour later. */
const PAYIN_DAYS_MAX = 14;
const PAYIN_LATE_HOURS_MAX = 1;
/** A transfer needs nobody outside: one that rests for a day was forgotten. */
const TRANSFER_DAYS_MAX = 1;

/** All kinds as one list; a row of it has what the checks compare. */
const operation = sql`(
  SELECT pkid, 'payin' AS kind, semantic_key, status FROM payin
  UNION ALL SELECT pkid, 'payout', semantic_key, status FROM payout
  UNION ALL SELECT pkid, 'refund', semantic_key, status FROM refund
  UNION ALL SELECT pkid, 'transfer', semantic_key, status FROM transfer)`;

/** What a provider was asked to do. A refund into a wallet asks nobody, one that was found there was not sent by us. */
const sent = sql`(
  SELECT pkid, 'payin' AS kind, semantic_key, status, extern_payment_id, final_at, updated_at FROM payin
  WHERE origin = 'api'
  UNION ALL SELECT pkid, 'payout', semantic_key, status, extern_payment_id, final_at, updated_at FROM payout
  UNION ALL SELECT pkid, 'refund', semantic_key, status, extern_payment_id, final_at, updated_at FROM refund
            WHERE origin = 'api' AND destination = 'payer')`;

export const OPERATION_CHECKS: readonly AuditCheck[] = [
  {
    id: 'A7',
    title: 'An operation has succeeded exactly when it has one settle posting, and a posting has its operation',
    // An order of which nothing was left is delivered without a posting; whether one is missing is seen by E1.
    // Numbers alone find who is at fault, in one pass that sorts nothing. Their postings take a second pass, because
    // those of transfers are in no index by operation; it is not made where nobody is at fault.
    query: sql`
      WITH subject AS NOT MATERIALIZED (
        SELECT pkid, kind, semantic_key, status, (status = 'succeeded')::int AS settles_min,
               (status = 'succeeded')::int AS settles_max, 0 AS undoes_min,
               (kind = 'refund' AND status = 'failed')::int AS undoes_max
        FROM ${operation} moving
        UNION ALL SELECT pkid, 'adjustment', semantic_key, 'succeeded', 1, 1, 0, 0 FROM adjustment
        UNION ALL SELECT pkid, 'treasury', semantic_key, 'succeeded', 1, 1, 0, 0 FROM treasury
        UNION ALL SELECT pkid, 'order', order_id, CASE WHEN delivered_at IS NULL THEN 'paid' ELSE 'delivered' END, 0,
                         (delivered_at IS NOT NULL)::int, 0, 0 FROM seller_order
        -- What is won is given back to each one apart: to each order, and to us.
        UNION ALL SELECT pkid, 'dispute', dispute_id, status, 1, 1, (status = 'won')::int,
                         CASE status WHEN 'won' THEN jsonb_array_length(parts) + 1 ELSE 0 END FROM dispute
      ), known (kind, event, role) AS (VALUES
        ('payin', 'payin.succeeded', 'settle'), ('payout', 'payout.succeeded', 'settle'),
        ('refund', 'refund.succeeded', 'settle'), ('transfer', 'transfer', 'settle'),
        ('adjustment', 'adjustment', 'settle'), ('treasury', 'treasury', 'settle'),
        ('order', 'order.delivered', 'settle'), ('dispute', 'dispute.opened', 'settle'),
        ('refund', 'refund.failed', 'undo'), ('dispute', 'dispute.won', 'undo'),
        ('payin', 'payin.reversed', 'more'), ('payout', 'payout.returned', 'more'),
        ('payin', 'provider.fee', 'more'), ('payout', 'provider.fee', 'more'), ('refund', 'provider.fee', 'more'),
        ('dispute', 'provider.fee', 'more'), ('payin', 'unapplied.opened', 'more'),
        ('refund', 'unapplied.opened', 'more'), ('payin', 'unapplied.resolved', 'more'),
        ('refund', 'unapplied.resolved', 'more'), ('payout', 'debt.netted', 'more'),
        ('transfer', 'debt.netted', 'more'), ('refund', 'debt.netted', 'more'), ('order', 'debt.netted', 'more'),
        ('dispute', 'debt.netted', 'more'), ('payin', 'debt.netted', 'more')
      ), suspect AS (
        SELECT kind, pkid FROM (
          SELECT kind, pkid, true AS is_subject, false AS is_unknown, -settles_min AS settles_over_min,
                 -settles_max AS settles_over_max, -undoes_min AS undoes_over_min, -undoes_max AS undoes_over_max
          FROM subject
          UNION ALL
          SELECT p.operation_kind, p.operation_pkid, false, role IS NULL, settle, settle, undo, undo
          FROM posting p LEFT JOIN known k ON k.kind = p.operation_kind AND k.event = p.event
          CROSS JOIN LATERAL (SELECT (role = 'settle')::int AS settle, (role = 'undo')::int AS undo) of_role) line
        GROUP BY kind, pkid
        HAVING NOT bool_or(is_subject) OR bool_or(is_unknown)
            OR sum(settles_over_min) < 0 OR sum(settles_over_max) > 0
            OR sum(undoes_over_min) < 0 OR sum(undoes_over_max) > 0
      ), told AS (
        SELECT kind, pkid, min(p.semantic_key) AS semantic_key, count(*) FILTER (WHERE role = 'settle') AS settles,
               count(*) FILTER (WHERE role = 'undo') AS undoes,
               string_agg(p.event, ', ') FILTER (WHERE role IS NULL) AS unknown_events
        FROM suspect JOIN posting p ON p.operation_pkid = suspect.pkid AND p.operation_kind = suspect.kind
        LEFT JOIN known k USING (kind, event)
        WHERE EXISTS (SELECT FROM suspect)
        GROUP BY kind, pkid
      )
      SELECT kind, pkid, coalesce(s.semantic_key, told.semantic_key) AS semantic_key, s.status,
             coalesce(settles, 0) AS settle_postings, coalesce(undoes, 0) AS undoing_postings, unknown_events
      FROM suspect LEFT JOIN told USING (kind, pkid)
      LEFT JOIN LATERAL (
        SELECT semantic_key, status FROM subject s WHERE s.pkid = suspect.pkid AND s.kind = suspect.kind OFFSET 0) s
        ON true`,
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
    // What a transfer passes before it ends is not written apart.
    query: sql`
      SELECT pkid, number, operation_kind AS kind, from_status, previous_status
      FROM (SELECT pkid, number, operation_kind, from_status,
                   CASE WHEN lag(number) OVER by_number = number - 1
                        THEN lag(to_status) OVER by_number
                        WHEN operation_kind = 'transfer' AND number = 3
                             AND coalesce(lag(number) OVER by_number, 1) = 1
                        THEN 'in_process' END AS previous_status
            FROM status_change WINDOW by_number AS (PARTITION BY pkid ORDER BY number)) c
      WHERE number < 1 OR from_status IS DISTINCT FROM previous_status`,
  },
  {
    id: 'A12',
    title: "An operation's status is that of its last status change; only a transfer needs none, until it fails",
    // The order is that of the primary key, backwards, so that nothing has to be sorted. What has succeeded without
    // telling of it here has its posting, and what has not has none: that is A7.
    query: sql`
      SELECT coalesce(o.pkid, c.pkid) AS pkid, coalesce(o.kind, c.operation_kind) AS kind, o.semantic_key, o.status,
             c.to_status AS last_status_change
      FROM ${operation} o
      FULL JOIN (SELECT DISTINCT ON (pkid) pkid, operation_kind, to_status FROM status_change
                 ORDER BY pkid DESC, number DESC) c ON c.pkid = o.pkid AND c.operation_kind = o.kind
      WHERE o.status IS DISTINCT FROM c.to_status
        AND (o.kind = 'transfer' AND o.status IN ('initialized', 'succeeded')
             AND coalesce(c.to_status, 'initialized') = 'initialized') IS NOT TRUE`,
  },
  {
    id: 'P5',
    title: 'The intent to send is committed before anything comes back from the provider',
    // What failed before it was sent, and was paid all the same in a time that a restore has undone, has been told.
    query: sql`
      SELECT o.kind, o.pkid, o.semantic_key, o.status, o.extern_payment_id, 'no intent to send' AS problem
      FROM ${sent} o
      WHERE (o.status = 'succeeded' OR o.extern_payment_id IS NOT NULL OR EXISTS (
              SELECT FROM provider_call c WHERE c.pkid = o.pkid
              AND (c.outcome = 'succeeded' OR c.extern_payment_id IS NOT NULL)))
        AND NOT EXISTS (SELECT FROM provider_call c WHERE c.pkid = o.pkid AND c.step = 'send'
                        AND c.intent_at <= coalesce(o.final_at, o.updated_at))
        AND NOT EXISTS (SELECT FROM review_action r WHERE r.pkid = o.pkid AND r.action = 'resolve')
        AND NOT (o.status = 'failed' AND o.extern_payment_id IS NULL AND EXISTS (
              SELECT FROM discrepancy d WHERE d.pkid = o.pkid AND d.reason = 'paid_but_failed'))
      UNION ALL
      SELECT o.kind, o.pkid, o.semantic_key, o.status, c.extern_payment_id, 'answered before it was intended'
      FROM provider_call c JOIN ${operation} o USING (pkid) WHERE c.answered_at < c.intent_at
      UNION ALL
      SELECT c.operation_kind, c.pkid, NULL, NULL, c.extern_payment_id, 'a call without its operation'
      FROM provider_call c LEFT JOIN ${operation} o ON o.pkid = c.pkid AND o.kind = c.operation_kind
      WHERE o.pkid IS NULL`,
  },
  {
    id: 'K1',
    title: 'Each step of an operation uses one provider key of its own, the same in all attempts',
    // What was sent once needs no comparison, and sorting it all would be most of the work.
    query: sql`
      SELECT operation_kind AS kind, array_agg(DISTINCT pkid::text) AS pkids, array_agg(DISTINCT step) AS steps,
             array_agg(DISTINCT key) AS keys
      FROM provider_call
      JOIN (SELECT provider, operation_kind, key FROM provider_call WHERE step IN ('send', 'confirm')
            GROUP BY provider, operation_kind, key
            HAVING count(*) > 1 OR bool_or(step = 'send' AND key <> pkid::text)) again
        USING (provider, operation_kind, key)
      WHERE step IN ('send', 'confirm')
      GROUP BY provider, operation_kind, key
      HAVING count(DISTINCT (pkid, step)) > 1 OR bool_or(step = 'send' AND key <> pkid::text)
      UNION ALL
      SELECT operation_kind, ARRAY[pkid::text], ARRAY[step], array_agg(DISTINCT key)
      FROM provider_call
      JOIN (SELECT operation_kind, pkid, step FROM provider_call WHERE step IN ('send', 'confirm')
            GROUP BY operation_kind, pkid, step HAVING count(*) > 1) again USING (operation_kind, pkid, step)
      GROUP BY operation_kind, pkid, step HAVING count(DISTINCT key) > 1`,
  },
  {
    id: 'L1',
    title: 'Nothing stays unfinished beyond its limit without a person knowing',
    query: sql`
      SELECT kind, pkid, semantic_key, status, since FROM (
        SELECT 'payout' AS kind, pkid, semantic_key, status, provider, confirmed_at AS since FROM payout
        WHERE final_at IS NULL AND review_reason IS NULL
        UNION ALL SELECT 'refund', pkid, semantic_key, status, provider, confirmed_at FROM refund
        WHERE final_at IS NULL AND review_reason IS NULL) paid
      WHERE since < now() - interval '1 day' * CASE provider WHEN 'paypal' THEN ${PAYPAL_DAYS_MAX}::integer
                                                             ELSE ${PAYMENT_DAYS_MAX}::integer END
      UNION ALL
      SELECT 'payin', pkid, semantic_key, status, confirmed_at FROM payin
      WHERE final_at IS NULL AND review_reason IS NULL AND confirmed_at IS NOT NULL
        AND (confirmed_at < now() - ${PAYIN_DAYS_MAX}::integer * interval '1 day'
             OR next_action IS NOT NULL AND expires_at < now() - ${PAYIN_LATE_HOURS_MAX}::integer * interval '1 hour')
      UNION ALL
      SELECT 'transfer', pkid, semantic_key, status, created_at FROM transfer
      WHERE final_at IS NULL AND created_at < now() - ${TRANSFER_DAYS_MAX}::integer * interval '1 day'`,
  },
  {
    id: 'L2',
    title: 'Every unfinished and every failed transfer stands where it is looked for, and no other',
    query: sql`
      SELECT 'transfer_due' AS looked_for_in, pkid, due_at, NULL AS created_at
      FROM (SELECT pkid, due_at, true AS is_there FROM transfer WHERE due_at IS NOT NULL) t
           FULL JOIN (SELECT pkid, due_at, true AS is_listed FROM transfer_due) d USING (pkid, due_at)
      WHERE is_there IS NULL OR is_listed IS NULL
      UNION ALL
      SELECT 'transfer_failed', pkid, NULL, created_at
      FROM (SELECT pkid, created_at, from_wallet, to_wallet, true AS is_there FROM transfer WHERE status = 'failed') t
           FULL JOIN (SELECT *, true AS is_listed FROM transfer_failed) f
           USING (pkid, created_at, from_wallet, to_wallet)
      WHERE is_there IS NULL OR is_listed IS NULL`,
  },
];
