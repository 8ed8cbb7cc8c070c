// One page of transfers, newest first, at the same price however many there are: by wallet it is put together from the
// newest that the wallet paid and the newest that it received, by status from the small tables that know those.

import { type RawBuilder, sql } from 'kysely';
import { isFinal, type Status } from '../domain/state-machine.ts';
import type { Transfer } from '../domain/transfer.ts';
import { parseRow, type Table } from '../ledger/table.ts';
import type { Sql } from '../runtime/db.ts';
import { cut, given, type Page, type PageRequest, pageConditions, whereAll } from './pages.ts';

export async function readTransferPage(
  client: Sql,
  options: {
    table: Table<Transfer>;
    page: PageRequest;
    status?: Status | undefined;
    walletId?: string | undefined;
  },
): Promise<Page<Transfer>> {
  const { table, page, status, walletId } = options;
  const limit = page.limit + 1;
  const source = status === 'failed' ? sql.table('transfer_failed') : sql.table('transfer');
  const conditions = [
    ...pageConditions(page, { at: sql.ref('created_at'), id: sql.ref('pkid'), idType: 'uuid' }),
    ...given([status !== undefined && status !== 'failed' && hasStatus(status)]),
  ];
  const newest = (side: RawBuilder<unknown>[]) => sql`
    (SELECT pkid FROM ${source} t ${whereAll([...side, ...conditions])}
     ORDER BY created_at DESC, pkid DESC LIMIT ${limit})`;
  const sides = walletId === undefined ? [[]] : [[sql`from_wallet = ${walletId}`], [sql`to_wallet = ${walletId}`]];
  const { rows: raws } = await sql<Record<string, unknown>>`
    SELECT * FROM transfer JOIN (${sql.join(sides.map(newest), sql` UNION ALL `)}) newest USING (pkid)
    ORDER BY created_at DESC, pkid DESC LIMIT ${limit}`.execute(client);
  const rows = raws.map((raw) => parseRow(table, raw));
  return cut(rows, page.limit, (row) => ({ at: row.createdAt.toISOString(), id: row.pkid }));
}

/** Most have succeeded; the others are looked for where only they are. */
function hasStatus(status: Status): RawBuilder<unknown> {
  if (isFinal(status)) return sql`status = ${status}`;
  return sql`status = ${status}
    AND EXISTS (SELECT FROM transfer_due d WHERE d.due_at = t.due_at AND d.pkid = t.pkid)`;
}
