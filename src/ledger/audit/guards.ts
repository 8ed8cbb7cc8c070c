// The guards that the migrations put into the database: triggers, constraints, unique indexes and their functions.
// What must be there is read from the migrations themselves, so that no second list can fall behind.

import { readFileSync } from 'node:fs';
import { sql } from 'kysely';
import { migrations } from '../../entities/migrations/list.ts';
import type { Db } from '../../runtime/db.ts';
import type { AuditCheck } from './check.ts';

/** For the start: a schema whose guards are gone or disarmed would let a defect change money unnoticed. */
export async function refuseMissingGuards(db: Db): Promise<void> {
  const { rows } = await GUARD_CHECK.query.execute(db.sql);
  if (rows.length === 0) return;
  const named = rows
    .slice(0, NAMED_MAX)
    .map(
      ({ type, table_name: table, name, problem }) => `${type} ${table === '' ? '' : `${table}.`}${name}: ${problem}`,
    );
  throw new Error(
    `The database's guards are not armed: ${named.join('; ')}. Nothing was started. ` +
      'Restore the schema: run "npm run remit -- migrate" when tables are missing, arm a disabled trigger with ' +
      '"ALTER TABLE <table> ENABLE TRIGGER <name>", or restore from a backup; then run "npm run remit -- audit".',
  );
}

/** A message that names more is not read any better. */
const NAMED_MAX = 10;

interface Guard {
  readonly type: 'trigger' | 'constraint' | 'index' | 'function';
  /** Empty for functions. */
  readonly table: string;
  readonly name: string;
  /** The body of a function; null for the others. */
  readonly body: string | null;
}

const GUARD_STATEMENT = new RegExp(
  [
    String.raw`(?:CREATE|ALTER) TABLE (?<table>\w+)`,
    String.raw`DROP CONSTRAINT (?<goneConstraint>\w+)`,
    String.raw`CONSTRAINT (?<constraint>\w+)`,
    String.raw`CREATE UNIQUE INDEX (?<index>\w+) ON (?<indexTable>\w+)`,
    String.raw`DROP INDEX (?<goneIndex>\w+)`,
    String.raw`CREATE TRIGGER (?<trigger>\w+)[^;]*? ON (?<triggerTable>\w+)`,
    String.raw`DROP TRIGGER (?<goneTrigger>\w+)`,
    String.raw`CREATE (?:OR REPLACE )?FUNCTION (?<function>\w+)[^$]*\$\$(?<body>[^$]*)\$\$`,
  ].join('|'),
  'g',
);

export function guardsIn(statements: string): Guard[] {
  const guards = new Map<string, Guard>();
  const add = (guard: Guard) => guards.set(`${guard.type} ${guard.name}`, guard);
  let table = '';
  for (const { groups = {} } of statements.replaceAll(/--.*$/gm, '').matchAll(GUARD_STATEMENT)) {
    const { constraint, index, trigger, function: name, body = null } = groups;
    table = groups.table ?? table;
    if (constraint !== undefined) add({ type: 'constraint', table, name: constraint, body: null });
    if (index !== undefined) add({ type: 'index', table: groups.indexTable ?? '', name: index, body: null });
    if (trigger !== undefined) add({ type: 'trigger', table: groups.triggerTable ?? '', name: trigger, body: null });
    if (name !== undefined) add({ type: 'function', table: '', name, body });
    guards.delete(`constraint ${groups.goneConstraint}`);
    guards.delete(`index ${groups.goneIndex}`);
    guards.delete(`trigger ${groups.goneTrigger}`);
  }
  return [...guards.values()];
}

export const GUARDS = guardsIn(
  migrations
    .map(({ name }) => readFileSync(new URL(`../../entities/migrations/${name}.sql`, import.meta.url), 'utf8'))
    .join('\n'),
);

export const GUARD_CHECK: AuditCheck = {
  id: 'A13',
  title: 'Every trigger, constraint and unique index of the schema is there, armed and unchanged',
  query: sql`
    WITH found AS (
      SELECT 'trigger' AS type, c.relname AS table_name, t.tgname AS name, NULL AS body,
             CASE WHEN t.tgenabled NOT IN ('O', 'A') THEN 'disabled' END AS problem
      FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
      WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace
      UNION ALL
      SELECT 'constraint', c.relname, k.conname, NULL, CASE WHEN NOT k.convalidated THEN 'not validated' END
      FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
      WHERE c.relnamespace = current_schema()::regnamespace
      UNION ALL
      SELECT 'index', c.relname, i.relname, NULL, CASE WHEN NOT (x.indisvalid AND x.indisunique) THEN 'not valid' END
      FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
      WHERE c.relnamespace = current_schema()::regnamespace
      UNION ALL
      SELECT 'function', '', p.proname, replace(p.prosrc, E'\r', ''), NULL
      FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace
    )
    SELECT type, table_name, name,
           CASE WHEN f.name IS NULL THEN 'missing' WHEN f.body IS DISTINCT FROM e.body THEN 'changed'
                ELSE f.problem END AS problem
    FROM unnest(${GUARDS.map((guard) => guard.type)}::text[], ${GUARDS.map((guard) => guard.table)}::text[],
                ${GUARDS.map((guard) => guard.name)}::text[],
                ${GUARDS.map((guard) => guard.body?.replaceAll('\r', '') ?? null)}::text[])
         AS e (type, table_name, name, body)
    LEFT JOIN found f USING (type, table_name, name)
    WHERE f.name IS NULL OR f.problem IS NOT NULL OR f.body IS DISTINCT FROM e.body
    UNION ALL
    SELECT 'trigger', c.relname, t.tgname, 'disabled'
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE t.tgisinternal AND t.tgenabled NOT IN ('O', 'A') AND c.relnamespace = current_schema()::regnamespace
    UNION ALL
    SELECT 'setting', '', 'session_replication_role', 'triggers do not fire'
    WHERE current_setting('session_replication_role') <> 'origin'`,
};
