// Set-based writes: one statement whatever the number of rows, one array a column. What a statement says depends on
// its table alone (and on which of its values are the same for all rows), so each is put into words once.

import type { OperationKind } from '../domain/id.ts';
import type { Statements } from '../runtime/statements.ts';
import { arrayLiteral, elementTypeOf, scalarOf } from './array-literal.ts';
import type { Column, Table } from './table.ts';

type RawRow = Readonly<Record<string, unknown>>;

/** Inserts in primary key order; rows whose key exists are left out. Returns the raw keys that were inserted. */
export async function insertNew<Row extends object>(
  statements: Statements,
  table: Table<Row>,
  rows: readonly Row[],
): Promise<ReadonlySet<string>> {
  if (rows.length === 0) return new Set();
  const key = table.columns.find((column) => column.isKey);
  if (key === undefined) throw new TypeError(`${table.name} has no primary key.`);
  const { rows: inserted } = await insert(statements, table, {
    rows,
    ending: `ON CONFLICT DO NOTHING RETURNING "${key.name}" AS key`,
  });
  return new Set(inserted.map((row) => String(row.key)));
}

/**
 * Inserts new operations and the first line of their history in one statement; rows whose key exists are left out.
 * Returns the keys that were inserted. That a transfer was taken in is told by its row alone.
 */
export async function insertOperations<Row extends object>(
  statements: Statements,
  table: Table<Row>,
  { kind, rows }: { kind: OperationKind; rows: readonly Row[] },
): Promise<ReadonlySet<string>> {
  if (kind === 'transfer') return insertNew(statements, table, rows);
  const { rows: inserted } = await insert(statements, table, {
    rows,
    beginning: 'WITH fresh AS (',
    ending: `ON CONFLICT DO NOTHING RETURNING pkid, status, created_at)
      INSERT INTO status_change (pkid, number, operation_kind, from_status, to_status, attempt, cause, created_at)
      SELECT pkid, 1, '${kind}', NULL, status, 0, 'requested', created_at FROM fresh ORDER BY pkid
      RETURNING pkid AS key`,
  });
  return new Set(inserted.map((row) => String(row.key)));
}

/** Inserts in primary key order; an existing key is an error. */
export async function insertAll<Row extends object>(
  statements: Statements,
  table: Table<Row>,
  rows: readonly Row[],
): Promise<void> {
  if (rows.length > 0) await insert(statements, table, { rows, ending: '' });
}

/** Inserts what is not there yet and says nothing about the rest: for records that may be reported twice. */
export async function insertOnce<Row extends object>(
  statements: Statements,
  table: Table<Row>,
  rows: readonly Row[],
): Promise<void> {
  if (rows.length > 0) await insert(statements, table, { rows, ending: 'ON CONFLICT DO NOTHING' });
}

/** Inserts rows, and writes the named properties where a row of that key exists. */
export async function upsertAll<Row extends object>(
  statements: Statements,
  table: Table<Row>,
  { rows, properties }: { rows: readonly Row[]; properties: readonly (keyof Row & string)[] },
): Promise<void> {
  if (rows.length === 0) return;
  const keys = table.columns.filter((column) => column.isKey).map(({ name }) => `"${name}"`);
  const changed = table.columns.filter((column) => properties.includes(column.property));
  const assignments = changed.map(({ name }) => `"${name}" = excluded."${name}"`);
  const ending = `ON CONFLICT (${keys.join(', ')}) DO UPDATE SET ${assignments.join(', ')}`;
  await insert(statements, table, { rows, ending });
}

/** Writes the named properties of rows that are locked already; every row must be there. */
export async function updateAll<Row extends object>(
  statements: Statements,
  table: Table<Row>,
  { rows, properties }: { rows: readonly Row[]; properties: readonly (keyof Row & string)[] },
): Promise<void> {
  if (rows.length === 0) return;
  const { columns } = table;
  const keys = columns.filter((column) => column.isKey);
  const changed = columns.filter((column) => properties.includes(column.property));
  const batch = batchOf(table, [...keys, ...changed], rows);
  const text = textOf(table, `update ${properties.join()} ${batch.shape}`, () => {
    const assignments = changed.map((column) => `"${column.name}" = ${batch.value(column)}`);
    const match = keys.map((column) => `t."${column.name}" = ${batch.value(column)}`);
    return everyRow(
      `UPDATE "${table.name}" t SET ${assignments.join(', ')} FROM ${batch.unnest()} WHERE ${match.join(' AND ')}`,
      batch.parameters.length,
    );
  });
  await statements.run(text, [...batch.parameters, rows.length]);
}

/**
 * The update, refused by the database when it changes another number of rows than its last parameter says: its answer
 * arrives with that of the COMMIT, when it is too late to refuse it here.
 */
export function everyRow(update: string, parameters: number): string {
  return `WITH changed AS (${update} RETURNING 1)
    SELECT refuse_lost_update(count(*), $${parameters + 1}::integer) FROM changed`;
}

async function insert<Row extends object>(
  statements: Statements,
  table: Table<Row>,
  { rows, beginning = '', ending }: { rows: readonly Row[]; beginning?: string; ending: string },
): Promise<{ rows: RawRow[] }> {
  const { columns } = table;
  const batch = batchOf(table, columns, rows);
  const text = textOf(table, `insert ${ending} ${batch.shape}`, () => {
    const names = columns.map(({ name }) => `"${name}"`);
    const order = columns.filter((column) => column.isKey).map(batch.value);
    return `${beginning}INSERT INTO "${table.name}" (${names.join(', ')}) SELECT ${columns.map(batch.value).join(', ')}
    FROM ${batch.unnest()} ORDER BY ${order.join(', ')} ${ending}`;
  });
  return statements.run<RawRow>(text, batch.parameters);
}

interface Batch<Row> {
  /** Tells which columns travel as one value for all rows. */
  readonly shape: string;
  readonly parameters: unknown[];
  /** A column's value in each row of the statement. */
  readonly value: (column: Column<Row>) => string;
  /** The rows: unnest($1::uuid[], $2::text[], ...) AS u (pkid, status, ...). */
  unnest(): string;
}

/**
 * One array parameter a column; a time that is the same for all rows is one value, which is read only once, and so are
 * the table's steady columns. These only all together, so that a table has few texts.
 */
function batchOf<Row extends object>(
  { steady = [] }: Table<Row>,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Batch<Row> {
  const first = rows[0];
  const isSame = (property: keyof Row) => rows.every((row) => row[property] === first?.[property]);
  const isSteady = steady.every(isSame);
  let shape = '';
  const parameters = columns.map((column) => {
    const { property, type } = column;
    const isOne = steady.includes(property) ? isSteady : type === 'timestamptz' && isSame(property);
    shape += isOne ? '1' : 'n';
    if (isOne) return scalarOf(type, first?.[property]);
    return arrayLiteral(
      type,
      rows.map((row) => row[property]),
    );
  });
  const isOne = (column: Column<Row>) => shape[columns.indexOf(column)] === '1';
  const place = (column: Column<Row>) => `$${columns.indexOf(column) + 1}`;
  return {
    shape,
    parameters,
    value: (column) => {
      if (isOne(column)) return `${place(column)}::${column.type}`;
      return column.type === 'jsonb' ? `u."${column.name}"::jsonb` : `u."${column.name}"`;
    },
    unnest() {
      const many = columns.filter((column) => !isOne(column));
      const arrays = many.map((column) => `${place(column)}::${elementTypeOf(column.type)}[]`);
      return `unnest(${arrays.join(', ')}) AS u (${many.map(({ name }) => `"${name}"`).join(', ')})`;
    },
  };
}

const texts = new WeakMap<object, Map<string, string>>();

function textOf(table: object, shape: string, write: () => string): string {
  const known = texts.get(table) ?? new Map<string, string>();
  texts.set(table, known);
  const text = known.get(shape) ?? write();
  known.set(shape, text);
  return text;
}
