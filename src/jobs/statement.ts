// A provider's statement: its own list of what happened, such as a restored database has never heard of. Each line is
// put into the inbox as if an event had told of it, so a worker looks at it and does what it would do then.

import { sql } from 'kysely';
import type { Pkid } from '../domain/id.ts';
import { PAYMENT_KINDS, PROVIDERS, type ProviderName } from '../domain/provider.ts';
import { beginningsOf, nameIn, type StatementName } from '../domain/statement.ts';
import type { Db } from '../runtime/db.ts';

export interface StatementLine {
  readonly externId: string;
  /** Our id of it, where the list shows the reference that it was made under. */
  readonly pkid: Pkid | null;
}

export interface Statement extends StatementName {
  readonly lines: readonly StatementLine[];
}

/** A line that cannot be what its list is called. */
export interface Misfiled {
  readonly externId: string;
  /** With our name for it where the books have it; unknown where its id only says what it is not. */
  readonly is: (StatementName & { readonly booked: string | null }) | 'unknown';
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

/**
 * The lines that stand in the books as something else, or whose ids say so. Filed all the same they would be told as
 * money that the books do not have, and somebody would book it a second time.
 */
export async function findMisfiled(db: Db, { lines, ...named }: Statement): Promise<Misfiled[]> {
  const misfiled: Misfiled[] = [];
  for (let start = 0; start < lines.length; start += LINES_A_STATEMENT) {
    const part = lines.slice(start, start + LINES_A_STATEMENT);
    const booked = Map.groupBy(await findBooked(db, part), ({ externId }) => externId);
    for (const { externId } of part) {
      const is = otherNameOf(externId, { named, booked: booked.get(externId) ?? [] });
      if (is !== null) misfiled.push({ externId, is });
    }
  }
  return misfiled;
}

/** What it is instead; null where nothing speaks against what its list is called. */
function otherNameOf(
  externId: string,
  { named, booked }: { named: StatementName; booked: readonly Booked[] },
): Misfiled['is'] | null {
  const isSo = ({ provider, kind }: StatementName) => provider === named.provider && kind === named.kind;
  if (booked.some(isSo)) return null;
  const other = booked.find(({ isIt }) => isIt);
  if (other !== undefined) return { provider: other.provider, kind: other.kind, booked: other.name };
  const said = nameIn(externId);
  if (said !== null) return isSo(said) ? null : { ...said, booked: null };
  return beginningsOf(named).length > 0 ? 'unknown' : null;
}

interface Booked extends StatementName {
  readonly externId: string;
  readonly name: string;
  /**
   * It has this id, or none yet. Where it has another, our reference proves nothing: the provider shows a refund under
   * that of its pay-in, and what was paid twice has to be told.
   */
  readonly isIt: boolean;
}

async function findBooked(db: Db, lines: readonly StatementLine[]): Promise<Booked[]> {
  const payments = PAYMENT_KINDS.map(
    (kind) => sql`
      SELECT ${kind}::text AS kind, provider, semantic_key AS name,
             coalesce(extern_payment_id, line.extern_id) = line.extern_id AS is_it
      FROM ${sql.table(kind)} WHERE extern_payment_id = line.extern_id OR pkid = line.pkid`,
  );
  const { rows } = await sql<StatementName & { name: string; extern_id: string; is_it: boolean }>`
    SELECT line.extern_id, booked.*
    FROM unnest(${lines.map(({ externId }) => externId)}::text[], ${lines.map(({ pkid }) => pkid)}::uuid[])
         AS line (extern_id, pkid),
         LATERAL (${sql.join(payments, sql` UNION ALL `)}
                  UNION ALL SELECT 'dispute', provider, dispute_id, true FROM dispute
                  WHERE provider = ANY(${PROVIDERS}::text[]) AND extern_id = line.extern_id) AS booked`.execute(db.sql);
  return rows.map(({ extern_id: externId, is_it: isIt, ...booked }) => ({ ...booked, externId, isIt }));
}

/** Where its lines are in the inbox. */
interface Filed {
  readonly provider: ProviderName;
  /** Each line's event id begins with it. */
  readonly name: string;
}

/** Filed again it is looked at again, which changes nothing twice. */
export async function fileStatement(db: Db, { provider, kind, lines }: Statement): Promise<Filed> {
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
  return { provider, name };
}

export async function readStatement(db: Pick<Db, 'sql'>, { provider, name }: Filed): Promise<Looked> {
  // By the provider too: the inbox is in the order of both.
  const { rows } = await sql<{ outcome: string | null; count: number }>`
    SELECT outcome, count(*)::int AS count FROM provider_event
    WHERE provider = ${provider} AND starts_with(event_id, ${`${name}:`})
    GROUP BY outcome ORDER BY outcome`.execute(db.sql);
  const done = rows.flatMap(({ outcome, count }) => (outcome === null ? [] : [[outcome, count] as const]));
  return { open: rows.find(({ outcome }) => outcome === null)?.count ?? 0, outcomes: Object.fromEntries(done) };
}
