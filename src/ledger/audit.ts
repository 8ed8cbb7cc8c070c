// The audit: every invariant of the books as one query that returns no rows while all is well. It reads one
// snapshot and takes no lock, so it may run beside the busiest hour.

import { sql } from 'kysely';
import type { Db, Tx } from '../runtime/db.ts';
import type { AuditCheck } from './audit-check.ts';
import { GUARD_CHECK } from './audit-guards.ts';
import { JOURNAL_CHECKS } from './audit-journal.ts';
import { OPERATION_CHECKS } from './audit-operations.ts';
import { ORDER_CHECKS } from './audit-orders.ts';
import { OUTGOING_CHECKS } from './audit-outgoing.ts';
import { POSTING_CHECKS } from './audit-postings.ts';
import { UNAPPLIED_CHECKS } from './audit-unapplied.ts';

export { refuseMissingGuards } from './audit-guards.ts';

export interface Audit {
  readonly ok: boolean;
  readonly checks: readonly {
    readonly id: string;
    readonly title: string;
    /** At most VIOLATIONS_MAX rows: enough to see the pattern. */
    readonly violations: readonly Record<string, unknown>[];
  }[];
}

export const AUDIT_CHECKS: readonly AuditCheck[] = [
  ...JOURNAL_CHECKS,
  ...OPERATION_CHECKS,
  ...POSTING_CHECKS,
  ...ORDER_CHECKS,
  ...UNAPPLIED_CHECKS,
  ...OUTGOING_CHECKS,
  GUARD_CHECK,
];

const VIOLATIONS_MAX = 100;
/** Whole tables are read, so this lies far above the limit of an ordinary statement. */
const STATEMENT_TIMEOUT_MS = 60_000;
/** Sorting and joining whole tables in memory instead of on disk. */
const WORK_MEM = '64MB';

export async function audit(db: Db): Promise<Audit> {
  return db.sql
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (tx) => {
      await sql`SET LOCAL statement_timeout = ${sql.lit(STATEMENT_TIMEOUT_MS)}`.execute(tx);
      await sql`SET LOCAL work_mem = ${sql.lit(WORK_MEM)}`.execute(tx);
      const checks: Audit['checks'][number][] = [];
      for (const { id, title, query } of AUDIT_CHECKS) {
        checks.push({ id, title, violations: await violationsOf(tx, query) });
      }
      return { ok: checks.every((check) => check.violations.length === 0), checks };
    });
}

async function violationsOf(tx: Tx, query: AuditCheck['query']): Promise<Record<string, unknown>[]> {
  // Materialized, so that the limit does not make the planner look for a first row that is not there, one by one.
  const { rows } = await sql<Record<string, unknown>>`
    WITH violation AS MATERIALIZED (${query})
    SELECT * FROM violation LIMIT ${sql.lit(VIOLATIONS_MAX)}`.execute(tx);
  return rows;
}
