// Lists: newest first, by (created_at, id), with an opaque cursor that names the last row of a page. No page counts
// the rows, and none skips or repeats one when new rows arrive.

import { z } from '@hono/zod-openapi';
import { type RawBuilder, sql } from 'kysely';
import { PaymentError } from '../domain/errors.ts';
import { parseRow, type Table } from '../ledger/table.ts';
import type { Sql } from '../runtime/db.ts';
import { time } from './fields.ts';

const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 500;
const LIMIT_HINT = `Send a whole number from 1 to ${LIMIT_MAX}.`;
const CURSOR_HINT = 'Send the next_cursor of an earlier page, unchanged.';
/** Ids are at most 256 characters; the time and the encoding add some. */
const CURSOR_LENGTH_MAX = 512;

export interface Cursor {
  readonly at: string;
  readonly id: string;
}

const cursor = z
  .string()
  .max(CURSOR_LENGTH_MAX, CURSOR_HINT)
  .transform((value, ctx): Cursor => {
    const decoded = decodeCursor(value);
    if (decoded !== null) return decoded;
    ctx.addIssue({ code: 'custom', message: CURSOR_HINT });
    return z.NEVER;
  });

export const limit = z
  .string()
  .regex(/^[1-9]\d{0,2}$/, LIMIT_HINT)
  .transform(Number)
  .refine((value) => value <= LIMIT_MAX, LIMIT_HINT)
  .default(LIMIT_DEFAULT)
  .openapi({ type: 'integer', minimum: 1, maximum: LIMIT_MAX, default: LIMIT_DEFAULT });

/** The members of every list's query. */
export const pageQuery = {
  limit,
  cursor: cursor.optional().openapi({ type: 'string', description: 'The next_cursor of the page before.' }),
};

export const createdQuery = {
  created_gte: time.optional(),
  created_lt: time.optional(),
};

export function pageOf<Item extends z.ZodType>(item: Item, name: string) {
  return z
    .object({ data: z.array(item), has_more: z.boolean(), next_cursor: z.string().nullable() })
    .openapi(`${name}List`);
}

export interface Page<Item> {
  data: Item[];
  has_more: boolean;
  next_cursor: string | null;
}

export interface PageRequest {
  readonly limit: number;
  readonly cursor?: Cursor | undefined;
  readonly created_gte?: Date | undefined;
  readonly created_lt?: Date | undefined;
}

interface PageOptions<Row> {
  readonly table: Table<Row>;
  readonly id: keyof Row & string;
  /** The filters, each a condition. */
  readonly where: readonly RawBuilder<unknown>[];
  readonly page: PageRequest;
}

/** One page of a table; `id` is the column that makes the order total. */
export function readPage<Row extends { readonly createdAt: Date }>(
  client: Sql,
  options: PageOptions<Row>,
): Promise<Page<Row>> {
  return readPageBy(client, { ...options, time: { at: sql.ref('created_at'), of: (row) => row.createdAt } });
}

/**
 * The same for a table whose rows have another time by which they are new. `at` is in milliseconds, as cursors are: a
 * page would skip what is finer.
 */
export async function readPageBy<Row extends object>(
  client: Sql,
  options: PageOptions<Row> & { readonly time: { readonly at: RawBuilder<unknown>; of(row: Row): Date } },
): Promise<Page<Row>> {
  const { table, id, where, page, time: newness } = options;
  const { at } = newness;
  const column = table.columns.find(({ property }) => property === id);
  if (column === undefined) throw new TypeError(`${table.name} has no property ${id}.`);
  const order = sql.ref(column.name);
  const conditions = [...where, ...pageConditions(page, { at, id: order, idType: column.type })];
  const { rows: raws } = await sql<Record<string, unknown>>`
    SELECT * FROM ${sql.table(table.name)} ${whereAll(conditions)}
    ORDER BY ${at} DESC, ${order} DESC LIMIT ${page.limit + 1}`.execute(client);
  const rows = raws.map((raw) => parseRow(table, raw));
  return cut(rows, page.limit, (row) => ({ at: newness.of(row).toISOString(), id: String(row[id]) }));
}

/** The rows after the cursor, within the asked time. */
export function pageConditions(
  page: PageRequest,
  { at, id, idType }: { at: RawBuilder<unknown>; id: RawBuilder<unknown>; idType: string },
): RawBuilder<unknown>[] {
  return given([
    page.created_gte && sql`${at} >= ${page.created_gte.toISOString()}::timestamptz`,
    page.created_lt && sql`${at} < ${page.created_lt.toISOString()}::timestamptz`,
    page.cursor && sql`(${at}, ${id}) < (${page.cursor.at}::timestamptz, ${castId(page.cursor.id, idType)})`,
  ]);
}

/** The conditions of the filters that were given. */
export function given(conditions: readonly (RawBuilder<unknown> | undefined | false | '')[]): RawBuilder<unknown>[] {
  return conditions.filter((condition) => typeof condition === 'object');
}

/** One row more than the page was read, which tells whether there is another page. */
export function cut<Row>(rows: readonly Row[], pageLimit: number, cursorOf: (row: Row) => Cursor): Page<Row> {
  const data = rows.slice(0, pageLimit);
  const last = data.at(-1);
  const hasMore = rows.length > pageLimit;
  return { data, has_more: hasMore, next_cursor: hasMore && last ? encodeCursor(cursorOf(last)) : null };
}

export function mapPage<Row, Item>(page: Page<Row>, present: (row: Row) => Item): Page<Item> {
  return { ...page, data: page.data.map(present) };
}

export function whereAll(conditions: readonly RawBuilder<unknown>[]): RawBuilder<unknown> {
  return conditions.length === 0 ? sql`` : sql`WHERE ${sql.join(conditions, sql` AND `)}`;
}

/** A forged cursor must not be an error of the database. */
function castId(id: string, type: string): RawBuilder<unknown> {
  if (type !== 'uuid') return sql`${id}::text`;
  if (!isUuid(id)) throw badCursor();
  return sql`${id}::uuid`;
}

export function badCursor(): PaymentError {
  const errors = [{ pointer: '#/query/cursor', detail: CURSOR_HINT }];
  return new PaymentError('validation-failed', { detail: CURSOR_HINT, errors });
}

export function isUuid(id: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id);
}

function encodeCursor({ at, id }: Cursor): string {
  return Buffer.from(JSON.stringify([at, id])).toString('base64url');
}

function decodeCursor(text: string): Cursor | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    if (!Array.isArray(value) || value.length !== 2) return null;
    const [at, id]: unknown[] = value;
    if (typeof at !== 'string' || typeof id !== 'string' || id.includes('\0') || !id.isWellFormed()) return null;
    const isTime = /^(?!0000)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(at) && !Number.isNaN(Date.parse(at));
    return isTime ? { at, id } : null;
  } catch {
    return null;
  }
}
