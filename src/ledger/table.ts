// Set-based reads and writes: one statement whatever the number of rows. What columns a table has is asked of the
// entities' metadata, so that a column is declared once.

import { type RawBuilder, sql } from 'kysely';
import type { Db, Sql } from '../runtime/db.ts';

export interface Table<Row> {
  readonly name: string;
  /** All columns, in declared order. */
  readonly columns: readonly Column<Row>[];
}

interface Column<Row> {
  readonly property: keyof Row & string;
  readonly name: string;
  /** PostgreSQL's name of the type. */
  readonly type: string;
  readonly isKey: boolean;
}

type RawRow = Readonly<Record<string, unknown>>;

export function tableOf<Row extends object>(db: Db, entityName: string): Table<Row> {
  const meta = db.orm.getMetadata().getByClassName(entityName);
  const columns = meta.props.flatMap((prop) => {
    const [name] = prop.fieldNames;
    const [type] = prop.columnTypes;
    if (name === undefined || type === undefined || !isPropertyOf<Row>(prop.name)) return [];
    return [{ property: prop.name, name, type, isKey: prop.primary === true }];
  });
  return { name: meta.tableName, columns };
}

/** Named one by one: a newer process may have added others. */
export function columnsOf<Row extends object>({ columns }: Table<Row>): RawBuilder<unknown> {
  return sql.join(columns.map(({ name }) => sql.ref(name)));
}

/** A raw row as the domain wants it: bigint for bigint, Date for a time, the rest as it came. */
export function parseRow<Row extends object>(table: Table<Row>, raw: RawRow): Row {
  const row: Record<string, unknown> = {};
  for (const { property, name, type } of table.columns) row[property] = parseValue(type, raw[name]);
  if (!isRowOf<Row>(row)) throw new TypeError(`A row of ${table.name} is not an object.`);
  return row;
}

/** Inserts in primary key order; rows whose key exists are left out. Returns the raw keys that were inserted. */
export async function insertNew<Row extends object>(
  tx: Sql,
  table: Table<Row>,
  rows: readonly Row[],
): Promise<ReadonlySet<string>> {
  if (rows.length === 0) return new Set();
  const [key] = table.columns.filter((column) => column.isKey);
  if (key === undefined) throw new TypeError(`${table.name} has no primary key.`);
  const { rows: inserted } = await sql<RawRow>`
    ${insertSelect(table, rows)} ON CONFLICT DO NOTHING RETURNING ${sql.ref(key.name)} AS key`.execute(tx);
  return new Set(inserted.map((row) => String(row.key)));
}

/** Inserts in primary key order; an existing key is an error. */
export async function insertAll<Row extends object>(tx: Sql, table: Table<Row>, rows: readonly Row[]): Promise<void> {
  if (rows.length > 0) await insertSelect(table, rows).execute(tx);
}

/** Inserts what is not there yet and says nothing about the rest: for records that may be reported twice. */
export async function insertOnce<Row extends object>(tx: Sql, table: Table<Row>, rows: readonly Row[]): Promise<void> {
  if (rows.length > 0) await sql`${insertSelect(table, rows)} ON CONFLICT DO NOTHING`.execute(tx);
}

/** Writes the named properties of rows that are locked already; every row must be there. */
export async function updateAll<Row extends object>(
  tx: Sql,
  table: Table<Row>,
  { rows, properties }: { rows: readonly Row[]; properties: readonly (keyof Row & string)[] },
): Promise<void> {
  if (rows.length === 0) return;
  const keys = table.columns.filter((column) => column.isKey);
  const changed = table.columns.filter((column) => properties.includes(column.property));
  const assignments = sql.join(
    changed.map(({ name, type }) => sql`${sql.ref(name)} = u.${sql.ref(name)}${cast(type)}`),
  );
  const match = sql.join(
    keys.map(({ name }) => sql`t.${sql.ref(name)} = u.${sql.ref(name)}`),
    sql` AND `,
  );
  const { numAffectedRows } = await sql`
    UPDATE ${sql.table(table.name)} t SET ${assignments} FROM ${unnest([...keys, ...changed], rows)}
    WHERE ${match}`.execute(tx);
  if (Number(numAffectedRows) !== rows.length) {
    throw new Error(`${table.name}: ${rows.length} rows to update, ${numAffectedRows} updated. Run the audit.`);
  }
}

/** Inserts rows, and writes the named properties where a row of that key exists. */
export async function upsertAll<Row extends object>(
  tx: Sql,
  table: Table<Row>,
  { rows, properties }: { rows: readonly Row[]; properties: readonly (keyof Row & string)[] },
): Promise<void> {
  if (rows.length === 0) return;
  const keys = sql.join(table.columns.filter((column) => column.isKey).map(({ name }) => sql.ref(name)));
  const changed = table.columns.filter((column) => properties.includes(column.property));
  const assignments = sql.join(changed.map(({ name }) => sql`${sql.ref(name)} = excluded.${sql.ref(name)}`));
  await sql`${insertSelect(table, rows)} ON CONFLICT (${keys}) DO UPDATE SET ${assignments}`.execute(tx);
}

function insertSelect<Row extends object>(table: Table<Row>, rows: readonly Row[]): RawBuilder<RawRow> {
  const names = sql.join(table.columns.map(({ name }) => sql.ref(name)));
  const values = sql.join(table.columns.map(({ name, type }) => sql`u.${sql.ref(name)}${cast(type)}`));
  const order = sql.join(table.columns.filter((column) => column.isKey).map(({ name }) => sql`u.${sql.ref(name)}`));
  return sql<RawRow>`INSERT INTO ${sql.table(table.name)} (${names}) SELECT ${values}
    FROM ${unnest(table.columns, rows)} ORDER BY ${order}`;
}

/** One array parameter a column: unnest($1::uuid[], $2::text[], ...) AS u (pkid, status, ...). */
function unnest<Row extends object>(columns: readonly Column<Row>[], rows: readonly Row[]): RawBuilder<unknown> {
  const arrays = columns.map(({ property, type }) => {
    const values = rows.map((row) => toParameter(type, row[property]));
    return sql`${values}::${sql.raw(type === 'jsonb' ? 'text' : type)}[]`;
  });
  return sql`unnest(${sql.join(arrays)}) AS u (${sql.join(columns.map(({ name }) => sql.ref(name)))})`;
}

/** JSON travels as text, because an array of JSON values has no unambiguous literal. */
function cast(type: string): RawBuilder<unknown> {
  return type === 'jsonb' ? sql`::jsonb` : sql``;
}

function toParameter(type: string, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (type === 'bigint') return String(value);
  if (type === 'jsonb') return JSON.stringify(value);
  return value instanceof Date ? value.toISOString() : value;
}

function parseValue(type: string, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (type === 'bigint') return BigInt(String(value));
  return type === 'timestamptz' ? new Date(String(value)) : value;
}

// The metadata is built from the very declaration that Row is inferred from; the compiler cannot see that.
function isPropertyOf<Row>(name: string): name is keyof Row & string {
  return name.length > 0;
}

function isRowOf<Row>(row: object): row is Row & object {
  return Object.keys(row).length > 0;
}
