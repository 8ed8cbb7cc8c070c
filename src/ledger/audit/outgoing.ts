// What must hold between what happened and what the platform's web app is told of it.

import { sql } from 'kysely';
import type { AuditCheck } from './check.ts';

/** Operations that end with an event "<kind>.<status>". */
const ended = sql`(
  SELECT pkid, 'payin' AS kind, semantic_key, status, final_at FROM payin WHERE final_at IS NOT NULL
  UNION ALL SELECT pkid, 'payout', semantic_key, status, final_at FROM payout WHERE final_at IS NOT NULL
  UNION ALL SELECT pkid, 'refund', semantic_key, status, final_at FROM refund WHERE final_at IS NOT NULL
  UNION ALL SELECT pkid, 'transfer', semantic_key, status, final_at FROM transfer WHERE final_at IS NOT NULL)`;

export const OUTGOING_CHECKS: readonly AuditCheck[] = [
  {
    id: 'W1',
    title: 'Each final status that an endpoint subscribes to has its event, and its delivery to that endpoint',
    query: sql`
      SELECT o.kind, o.pkid, o.semantic_key, o.status, e.endpoint_id, v.event_id
      FROM ${ended} o
      JOIN webhook_endpoint e ON o.final_at > e.enabled_since
       AND jsonb_exists_any(e.events, ARRAY[o.kind || '.' || o.status, o.kind || '.*', '*'])
      LEFT JOIN outgoing_event v ON v.pkid = o.pkid AND v.type = o.kind || '.' || o.status
      LEFT JOIN delivery d ON d.event_id = v.event_id AND d.endpoint_id = e.endpoint_id
      WHERE d.delivery_id IS NULL`,
  },
  {
    id: 'W2',
    title: 'Nobody is told both verdicts of an operation, or one that its row does not show',
    query: sql`
      SELECT v.kind, v.pkid, v.semantic_key, o.status, string_agg(v.type, ', ' ORDER BY v.sequence) AS told
      FROM outgoing_event v JOIN ${ended} o ON o.pkid = v.pkid
      WHERE v.type IN (v.kind || '.succeeded', v.kind || '.failed')
      GROUP BY v.kind, v.pkid, v.semantic_key, o.status
      HAVING count(*) > 1 OR min(v.type) <> v.kind || '.' || o.status`,
  },
];
