// What must hold of money that fits nothing: every unit of it has a row that says where it came from and where it went.

import { sql } from 'kysely';
import type { AuditCheck } from './check.ts';

export const UNAPPLIED_CHECKS: readonly AuditCheck[] = [
  {
    id: 'U1',
    title: 'The wallet of unapplied money is the sum of what is not resolved, and what is on its way back is not',
    query: sql`
      SELECT coalesce(w.currency, u.currency) AS currency, coalesce(w.posted, 0) AS posted,
             coalesce(u.amount, 0) AS unresolved
      FROM (SELECT currency, posted FROM wallet WHERE kind = 'unapplied') w
      FULL JOIN (SELECT currency, sum(amount - split_off) AS amount FROM unapplied WHERE resolved_at IS NULL
                 GROUP BY currency) u
        USING (currency)
      WHERE coalesce(w.posted, 0) <> coalesce(u.amount, 0)`,
  },
  {
    id: 'U1.postings',
    title: 'Unapplied money came from its provider and went where its row says',
    query: sql`
      WITH expected AS (
        SELECT operation_kind AS kind, pkid, event, wallet_id, sum(amount) AS amount FROM (
          -- What nobody here had asked for came with its own pay-in, whose posting A9 compares.
          SELECT operation_kind, pkid, 'unapplied.opened' AS event,
                 '@provider:' || provider || ':' || currency AS wallet_id, split_off - amount AS amount FROM unapplied
          WHERE reason <> 'external_payin'
          UNION ALL SELECT operation_kind, pkid, 'unapplied.opened', '@unapplied:' || currency, amount - split_off
                    FROM unapplied
                    WHERE reason <> 'external_payin'
          UNION ALL SELECT operation_kind, pkid, 'unapplied.resolved', '@unapplied:' || currency, split_off - amount
                    FROM unapplied WHERE applied_to IS NOT NULL
          UNION ALL SELECT operation_kind, pkid, 'unapplied.resolved', applied_to, amount - split_off FROM unapplied
                    WHERE applied_to IS NOT NULL) line
        GROUP BY operation_kind, pkid, event, wallet_id
      ), posted AS (
        SELECT p.operation_kind AS kind, p.operation_pkid AS pkid, p.event, e.wallet_id, sum(e.amount) AS amount
        FROM posting p JOIN entry e USING (posting_id)
        WHERE p.event IN ('unapplied.opened', 'unapplied.resolved')
        GROUP BY p.operation_kind, p.operation_pkid, p.event, e.wallet_id
      )
      SELECT kind, pkid, event, wallet_id, x.amount AS expected, p.amount AS posted
      FROM expected x FULL JOIN posted p USING (kind, pkid, event, wallet_id)
      WHERE x.amount IS DISTINCT FROM p.amount`,
  },
  {
    id: 'U1.refunds',
    title: 'What came back of a refund waits as unapplied money, and what is sent back is resolved when it has arrived',
    query: sql`
      SELECT r.pkid, r.semantic_key, 'came back' AS what, r.returned AS expected, coalesce(u.amount, 0) AS unapplied
      FROM refund r
      LEFT JOIN (SELECT pkid, sum(amount - split_off) AS amount FROM unapplied WHERE operation_kind = 'refund'
                 GROUP BY pkid) u
        USING (pkid)
      WHERE r.returned <> coalesce(u.amount, 0) OR (r.returned > 0 AND r.status <> 'succeeded')
      UNION ALL
      SELECT r.pkid, r.semantic_key, 'is sent back', r.amount, u.amount - u.split_off
      FROM refund r JOIN unapplied u ON u.unapplied_id = r.unapplied_id
      WHERE r.amount <> u.amount - u.split_off
         OR (r.status = 'succeeded' AND (u.resolved_at IS NULL OR u.refund_pkid IS DISTINCT FROM r.pkid))
         OR (r.final_at IS NULL AND (u.resolved_at IS NOT NULL OR u.refund_pkid IS DISTINCT FROM r.pkid))
         OR (r.status = 'failed' AND u.refund_pkid = r.pkid)`,
  },
];
