// A provider's statement: its own list of what happened, such as a restored database has never heard of. Each line is
// put into the inbox as if an event had told of it, so a worker looks at it and does what it would do then.

import { sql } from 'kysely';
import type { Pkid } from '../domain/id.ts';
import type { PaymentKind, ProviderName } from '../domain/provider.ts';
import type { Db } from '../runtime/db.ts';

export interface StatementLine {
  readonly externId: string;
  /** Our id of it, where the list shows the reference that it was made under. */
  readonly pkid: Pkid | null;
}

export interface Statement {
  readonly provider: ProviderName;
  readonly kind: PaymentKind | 'dispute';
  readonly lines: readonly StatementLine[];
}

export interface Looked {
  /** Not looked at yet. */
  readonly open: number;
  /** By what came of the look. */
  readonly outcomes: Readonly<Record<string, number>>;
}

/** Rows in one INSERT: a few milliseconds each. */
const LINES_A_STATEMENT = 1_000;

const NAME_START = 'statement:';

/** Whether what looks like an event in the inbox is a line of a statement. */
export function isOfStatement(eventId: string): boolean {
  return eventId.startsWith(NAME_START);
}

/** Returns its name in the inbox. Filed again it is looked at again, which changes nothing twice. */
export async function fileStatement(db: Db, { provider, kind, lines }: Statement): Promise<string> {
  const name = `${NAME_START}${new Date().toISOString()}:${kind}`;
  const once = [...new Map(lines.map((line) => [line.externId, line])).values()];
  for (let start = 0; start < once.length; start += LINES_A_STATEMENT) {
    const part = once.slice(start, start + LINES_A_STATEMENT);
    await sql`
      INSERT INTO provider_event
        (provider, event_id, type, subject, extern_payment_id, pkid, body, occurred_at, received_at, due_at)
      SELECT ${provider}, ${name} || ':' || extern_id, 'statement', ${kind}, extern_id, pkid, '{}', clock_timestamp(),
             clock_timestamp(), clock_timestamp()
      FROM unnest(${part.map(({ externId }) => externId)}::text[], ${part.map(({ pkid }) => pkid)}::uuid[])
           AS line (extern_id, pkid)
      ORDER BY extern_id`.execute(db.sql);
  }
  return name;
}

export async function readStatement(db: Db, name: string): Promise<Looked> {
  const { rows } = await sql<{ outcome: string | null; count: number }>`
    SELECT outcome, count(*)::int AS count FROM provider_event WHERE starts_with(event_id, ${`${name}:`})
    GROUP BY outcome ORDER BY outcome`.execute(db.sql);
  const done = rows.flatMap(({ outcome, count }) => (outcome === null ? [] : [[outcome, count] as const]));
  return { open: rows.find(({ outcome }) => outcome === null)?.count ?? 0, outcomes: Object.fromEntries(done) };
}
