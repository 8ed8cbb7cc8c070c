// Fills the books before anything is measured, so that growth can be: finished transfers, and paid checkouts of two
// delivered orders, written by whole sets and with every invariant kept; the audit of the first run proves it.

import { sql } from 'kysely';
import { createPlatformWallets } from '../src/ledger/wallets.ts';
import type { Db } from '../src/runtime/db.ts';
import { walletOf } from './books.ts';
import { PREFILL_SOURCES, PREFILL_WRITES, SELLERS } from './prefill-statements.ts';

/**
 * Four transfers of two entries and three checkouts of nine: five entries for each operation. Some orders are left
 * undelivered, and some checkouts unpaid, so that lists have something to find; those have a few entries less.
 */
const ENTRIES_A_UNIT = 35;
/** So many units share a transaction: some 70,000 entries. */
const UNITS_A_CHUNK = 2_000;

export async function prefill(
  db: Db,
  { entries, say }: { entries: number; say: (progress: string) => void },
): Promise<void> {
  const units = Math.ceil(entries / ENTRIES_A_UNIT);
  const pending = Array.from({ length: SELLERS }, (_, seller) => `@pending:${walletOf(seller + 1)}:USD`);
  await createPlatformWallets(db).ensure(['@provider:stripe:USD', '@fees:USD', ...pending]);
  for (let from = 0; from < units; from += UNITS_A_CHUNK) {
    await writeUnits(db, { from, to: Math.min(units, from + UNITS_A_CHUNK) - 1, units });
    say(`prefill: ${Math.min(units, from + UNITS_A_CHUNK) * ENTRIES_A_UNIT} of ${units * ENTRIES_A_UNIT} entries`);
  }
  for (const table of [
    'wallet',
    'entry',
    'posting',
    'transfer',
    'payin',
    'checkout',
    'seller_order',
    'status_change',
  ]) {
    await db.sql.connection().execute(async (connection) => {
      await sql`SET statement_timeout = 0`.execute(connection);
      // As it would long have been in a table that grew: otherwise all rounds would measure the server at it.
      await sql`VACUUM (ANALYZE) ${sql.table(table)}`.execute(connection);
      await sql`RESET statement_timeout`.execute(connection);
    });
  }
}

async function writeUnits(db: Db, range: { from: number; to: number; units: number }): Promise<void> {
  await db.transaction(async (tx) => {
    // A whole chunk in one statement takes longer than anything the program does.
    await sql`SET LOCAL statement_timeout = 0`.execute(tx);
    for (const source of PREFILL_SOURCES) await sql.raw(source(range)).execute(tx);
    for (const write of PREFILL_WRITES) await sql.raw(write).execute(tx);
  });
}
