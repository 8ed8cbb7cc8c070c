// A table as the entities' metadata tells it, so that a column is declared once; and its rows as the domain wants them.

import type { Db } from '../runtime/db.ts';

export interface Table<Row> {
  readonly name: string;
  /** All columns, in declared order. */
  readonly columns: readonly Column<Row>[];
  /** What mostly is the same in all rows of a batch: when each of these is, each travels as one value. */
  readonly steady?: readonly (keyof Row & string)[];
}

export interface Column<Row> {
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

/** The same table with some of its columns, for those that need no more. */
export function narrowed<Row extends object>(
  { name, columns }: { readonly name: string; readonly columns: readonly Column<never>[] },
  properties: readonly (keyof Row & string)[],
): Table<Row> {
  return {
    name,
    columns: properties.map((property) => {
      const column = columns.find((one) => one.property === property);
      if (column === undefined) throw new TypeError(`${name} has no property ${property}.`);
      return { ...column, property };
    }),
  };
}

export function steadied<Row>(table: Table<Row>, steady: readonly (keyof Row & string)[]): Table<Row> {
  return { ...table, steady };
}

/** A raw row as the domain wants it: bigint for bigint, Date for a time, the rest as it came. */
export function parseRow<Row extends object>(table: Table<Row>, raw: RawRow): Row {
  const row: Record<string, unknown> = {};
  for (const { property, name, type } of table.columns) row[property] = parseValue(type, raw[name]);
  if (!isRowOf<Row>(row)) throw new TypeError(`A row of ${table.name} is not an object.`);
  return row;
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
