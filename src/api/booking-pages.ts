// One page of what operators booked by hand, newest first. Each booking is one posting of its event, and the index of
// those events knows the newest, also by wallet; the rows themselves are read by their keys.

import { sql } from 'kysely';
import type { Pkid } from '../domain/id.ts';
import type { Posting } from '../entities/posting.ts';
import { parseRow, type Table } from '../ledger/table.ts';
import type { Sql } from '../runtime/db.ts';
import { given, type Page, type PageRequest, readPage } from './pages.ts';

export async function readBookingPage<Row extends { readonly pkid: Pkid }>(
  client: Sql,
  options: {
    bookings: Table<Row>;
    postings: Table<Posting>;
    event: 'adjustment' | 'treasury';
    page: PageRequest;
    walletId?: string | undefined;
  },
): Promise<Page<Row>> {
  const { bookings, postings, event, page, walletId } = options;
  const found = await readPage(client, { table: postings, id: 'postingId', where: postedAs(event, walletId), page });
  const pkids = found.data.map(({ operationPkid }) => operationPkid);
  const { rows: raws } = await sql<Record<string, unknown>>`
    SELECT * FROM ${sql.table(bookings.name)} WHERE pkid = ANY(${pkids}::uuid[])`.execute(client);
  const rows = new Map(raws.map((raw) => parseRow(bookings, raw)).map((row) => [row.pkid, row]));
  return { ...found, data: pkids.flatMap((pkid) => rows.get(pkid) ?? []) };
}

/** Postings of an event, and of a wallet. */
export function postedAs(event: string | undefined, walletId: string | undefined) {
  return given([
    event && sql`event = ${event}`,
    // Says the same again in the words of the index of everything but transfers.
    event && event !== 'transfer' && sql`event <> 'transfer'`,
    walletId && sql`posting_id IN (SELECT e.posting_id FROM entry e WHERE e.wallet_id = ${walletId})`,
  ]);
}
