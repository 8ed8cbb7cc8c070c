// A database as an earlier release made it, with the books that it may have left there.

import pg from 'pg';
import { pkidOf } from '../../src/domain/id.ts';
import { openDb } from '../../src/runtime/db.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { createEmptyDatabase, type TestDatabase } from '../harness/postgres.ts';
import { booksOf } from './released-books.ts';
import type { Insert, Row } from './released-payment.ts';

export interface Had {
  has(table: string): boolean;
  readonly counts: ReadonlyMap<string, number>;
}

/** The schema after the migration of that name, and no rows. */
export async function databaseOf(last: string): Promise<TestDatabase> {
  const database = await createEmptyDatabase();
  const db = await openDb(database.url, { log: silentLogger() });
  await db.orm.migrator.up({ to: last });
  await db.close();
  return database;
}

export async function fill(
  { url }: TestDatabase,
  { sandboxUrl, listenerUrl }: { readonly sandboxUrl: string; readonly listenerUrl: string },
): Promise<Had> {
  const paidExternId = await payAtProvider(sandboxUrl);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows: columns } = await client.query<{ table_name: string; column_name: string }>(
      "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'",
    );
    const known = new Set(columns.map((one) => `${one.table_name}.${one.column_name}`));
    const has = (table: string, column: string) => known.has(`${table}.${column}`);
    const inserts = booksOf({ has, paidExternId, listenerUrl });
    for (const [table, rows] of statementsOf(inserts)) {
      const names = Object.keys(rows[0] ?? {}).filter((column) => has(table, column));
      const list = names.map((name) => `"${name}"`).join(', ');
      const given = `jsonb_populate_recordset(NULL::${table}, $1)`;
      const values = [JSON.stringify(rows.map(withBytesAsText))];
      await client.query(`INSERT INTO ${table} (${list}) SELECT ${list} FROM ${given}`, values);
    }
    const counts = [...Map.groupBy(inserts, ([table]) => table)].map(([table, made]) => [table, made.length] as const);
    return { has: (table) => counts.some(([name]) => name === table), counts: new Map(counts) };
  } finally {
    await client.end();
  }
}

/** Neighbours of the same form are one statement: the entries of a posting have to sum to zero in theirs. */
function statementsOf(inserts: readonly Insert[]): (readonly [table: string, rows: Row[]])[] {
  const statements: (readonly [string, Row[]])[] = [];
  let lastForm = '';
  for (const [table, row] of inserts) {
    const form = `${table} ${Object.keys(row)}`;
    if (form === lastForm) statements.at(-1)?.[1].push(row);
    else statements.push([table, [row]]);
    lastForm = form;
  }
  return statements;
}

function withBytesAsText(row: Row): Row {
  const text = (value: unknown) => (value instanceof Uint8Array ? `\\x${Buffer.from(value).toString('hex')}` : value);
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, text(value)]));
}

/** The pay-in of the order that is refunded, and the payout whose answer never came. */
async function payAtProvider(sandboxUrl: string): Promise<string> {
  const intent = { amount: '5000', currency: 'usd', confirm: 'true', payment_method: 'pm_card_ok' };
  const transfer = { amount: '100', currency: 'usd', destination: 'acct_ok_asked' };
  const payout = pkidOf('payout', 'out:asked');
  await post(`${sandboxUrl}/stripe/v1/transfers`, payout, { ...transfer, transfer_group: payout });
  return post(`${sandboxUrl}/stripe/v1/payment_intents`, pkidOf('payin', 'pay:cart'), intent);
}

async function post(url: string, key: string, form: Readonly<Record<string, string>>): Promise<string> {
  const type = 'application/x-www-form-urlencoded';
  const headers = { authorization: 'Bearer sk_test_released', 'content-type': type, 'idempotency-key': key };
  const body = new URLSearchParams({ ...form, 'metadata[pkid]': key });
  const response = await fetch(url, { method: 'POST', headers, body });
  const made: { id: string } = JSON.parse(await response.text());
  if (!response.ok) throw new Error(`The sandbox refused it: ${JSON.stringify(made)}`);
  return made.id;
}
