// One invariant of the books as data: a query that returns no rows while it holds.

import type { RawBuilder } from 'kysely';

export interface AuditCheck {
  /** The invariant's short name, as the runbook uses it: "A1", "K1". */
  readonly id: string;
  /** The promise, in words. */
  readonly title: string;
  /** Returns one row for each violation, with what a person needs to find it. */
  readonly query: RawBuilder<Record<string, unknown>>;
}
