// The audit: every invariant of the books as one query that returns no rows while all is well. It reads one
// snapshot and takes no lock, so it may run beside the busiest hour, of which it takes one core or two.

import { sql } from 'kysely';
import type { Db, Tx } from '../runtime/db.ts';
import type { AuditCheck } from './audit/check.ts';
import { GUARD_CHECK } from './audit/guards.ts';
import { JOURNAL_CHECKS } from './audit/journal.ts';
import { OPERATION_CHECKS } from './audit/operations.ts';
import { ORDER_CHECKS } from './audit/orders.ts';
import { OUTGOING_CHECKS } from './audit/outgoing.ts';
import { POSTING_CHECKS } from './audit/postings.ts';
import { UNAPPLIED_CHECKS } from './audit/unapplied.ts';

export { refuseMissingGuards } from './audit/guards.ts';

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
/** Sorting and joining whole tables in memory: a hash may have twice this, a check two of them, and two checks run. */
const WORK_MEM = '32MB';
const HASH_MEM_MULTIPLIER = 2;

/** These are done first, so that at the end no lane waits long for the other. */
const LONGEST = new Set(['E1.released', 'A9.orders', 'A1', 'E1', 'A9', 'A7', 'A3.chain']);

/** What is left to do, and what was found: a lane takes the next check whenever it has finished one. */
interface Agenda {
  readonly waiting: AuditCheck[];
  readonly found: Map<AuditCheck, Record<string, unknown>[]>;
}

/** Lanes, each a connection and so a core, read one and the same snapshot. One is enough where nobody waits for it. */
export async function audit(db: Db, auditChecks = AUDIT_CHECKS, lanes: 1 | 2 = 2): Promise<Audit> {
  const waiting = [true, false].flatMap((long) => auditChecks.filter(({ id }) => LONGEST.has(id) === long));
  const agenda: Agenda = { waiting, found: new Map() };
  let beside: Promise<PromiseSettledResult<void>[]> = Promise.resolve([]);
  try {
    await inTransaction(db, async (tx) => {
      if (lanes === 2) {
        const { rows } = await sql<{ snapshot: string }>`SELECT pg_export_snapshot() AS snapshot`.execute(tx);
        beside = Promise.allSettled(rows.map(({ snapshot }) => workBeside(db, snapshot, agenda)));
      }
      await workThrough(tx, agenda);
    });
  } finally {
    await beside;
  }
  for (const lane of await beside) if (lane.status === 'rejected') throw lane.reason;
  const checks = auditChecks.map((check) => {
    const violations = agenda.found.get(check);
    if (violations === undefined) throw new Error(`The audit left out ${check.id}. Run it again.`);
    return { id: check.id, title: check.title, violations };
  });
  return { ok: checks.every((check) => check.violations.length === 0), checks };
}

async function workBeside(db: Db, snapshot: string, agenda: Agenda): Promise<void> {
  let hasJoined = false;
  try {
    await inTransaction(db, async (tx) => {
      await sql`SET TRANSACTION SNAPSHOT ${sql.lit(snapshot)}`.execute(tx);
      hasJoined = true;
      await workThrough(tx, agenda);
    });
  } catch (error) {
    // No connection was free, or none before the other lane was done: then that one does everything by itself.
    if (hasJoined) throw error;
  }
}

async function inTransaction(db: Db, work: (tx: Tx) => Promise<void>): Promise<void> {
  await db.sql.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(work);
}

async function workThrough(tx: Tx, { waiting, found }: Agenda): Promise<void> {
  try {
    await sql`SET LOCAL statement_timeout = ${sql.lit(STATEMENT_TIMEOUT_MS)}`.execute(tx);
    await sql`SET LOCAL work_mem = ${sql.lit(WORK_MEM)}`.execute(tx);
    await sql`SET LOCAL hash_mem_multiplier = ${sql.lit(HASH_MEM_MULTIPLIER)}`.execute(tx);
    // The other lane has the other core; each helper of a query would take its own memory besides.
    await sql`SET LOCAL max_parallel_workers_per_gather = 0`.execute(tx);
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
      found.set(check, await violationsOf(tx, check.query));
    }
  } catch (error) {
    // The other lane ends with the check that it is at.
    waiting.length = 0;
    throw error;
  }
}

async function violationsOf(tx: Tx, query: AuditCheck['query']): Promise<Record<string, unknown>[]> {
  // Materialized, so that the limit does not make the planner look for a first row that is not there, one by one.
  const { rows } = await sql<Record<string, unknown>>`
    WITH violation AS MATERIALIZED (${query})
    SELECT * FROM violation LIMIT ${sql.lit(VIOLATIONS_MAX)}`.execute(tx);
  return rows;
}
