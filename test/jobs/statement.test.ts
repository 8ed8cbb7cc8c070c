// A list that is looked at is asked about twice a second, beside an inbox that has grown for years.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fileStatement, readStatement } from '../../src/jobs/statement.ts';
import { type Ledger, openLedger } from '../harness/ledger.ts';

const OTHERS = 5_000;

let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger();
});
afterAll(() => ledger.close());

test('how far a list is reads its own lines only, however many events there are', async () => {
  const { db } = ledger;
  await sql`INSERT INTO provider_event (provider, event_id, type, subject, body, occurred_at, received_at)
    SELECT provider, 'evt_' || n, 'paid', 'payin', '{}', now(), now()
    FROM generate_series(1, ${OTHERS}::int) n, unnest(ARRAY['stripe', 'paypal']) provider`.execute(db.sql);
  const filed = await fileStatement(db, {
    provider: 'stripe',
    kind: 'payin',
    lines: [{ externId: 'pi_1', pkid: null }],
  });
  await sql`VACUUM (ANALYZE) provider_event`.execute(db.sql);
  await db.sql.transaction().execute(async (tx) => {
    expect(await readStatement({ sql: tx }, filed)).toEqual({ open: 1, outcomes: {} });
    const { rows } = await sql<{ read: number }>`
      SELECT (coalesce(idx_tup_fetch, 0) + seq_tup_read)::int AS read
      FROM pg_stat_xact_user_tables WHERE relname = 'provider_event'`.execute(tx);
    expect(rows[0]?.read).toBeLessThanOrEqual(1);
  });
});
