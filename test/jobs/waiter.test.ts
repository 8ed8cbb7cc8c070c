// Waiting: many callers, one question to the database at a time, and an answer as soon as another process is done.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import { createWaiter } from '../../src/jobs/waiter.ts';
import { type Ledger, openLedger } from '../harness/ledger.ts';

let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger();
});
afterAll(() => ledger.close());

test('a database that does not answer is asked once, however many begin to wait', async () => {
  const teller = await ledger.openTeller();
  const waiter = createWaiter(teller);
  const blocker = await ledger.connect();
  await blocker.query('BEGIN; LOCK TABLE payout IN ACCESS EXCLUSIVE MODE');
  const waits = [waiter.wait({ kind: 'payout', pkid: pkidOf('payout', 'first') }, WAIT_MS)];
  await expect.poll(questions, { timeout: WAIT_MS }).toBe(1);
  // Each of these comes when the tick of the one before would be over.
  for (let n = 0; n < 5; n += 1) {
    const pkid = pkidOf('payout', `later-${n}`);
    waits.push(waiter.wait({ kind: 'payout', pkid }, WAIT_MS));
    await waiter.wait({ kind: 'payout', pkid }, TICKS_MS);
    expect(await questions()).toBe(1);
  }
  await blocker.query('COMMIT');
  waiter.close();
  await Promise.all(waits);
});

const WAIT_MS = 5_000;
const TICKS_MS = 60;

async function questions(): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    SELECT count(*)::int AS count FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'`.execute(ledger.db.sql);
  return rows[0]?.count ?? -1;
}
