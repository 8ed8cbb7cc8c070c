// What a person sees of a transfer is the same whichever release wrote it down, and however much of it.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTimeline } from '../../src/api/views/timeline.ts';
import { debtWalletId } from '../../src/domain/chart.ts';
import { type Pkid, pkidOf } from '../../src/domain/id.ts';
import { postingIdsOfTransfer } from '../../src/domain/transfer.ts';
import { adjust, type Ledger, openLedger, openWallets, requestTransfer, transfer, USD } from '../harness/ledger.ts';

let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger();
  await openWallets(ledger, ['ann', 'bob', 'cid']);
  await adjust(ledger, { key: 'fund', walletId: 'ann', amountMinor: 1_000n });
  await adjust(ledger, { key: 'fund-too', walletId: 'cid', amountMinor: 50n });
});
afterAll(() => ledger?.close());

const INITIALIZED = { type: 'status_change', from: null, to: 'initialized', attempt: 0, cause: 'requested' };
const IN_PROCESS = { type: 'status_change', from: 'initialized', to: 'in_process', attempt: 0, cause: null };
const ended = (to: string) => ({ type: 'status_change', from: 'in_process', to, attempt: 0, cause: null });

test('a transfer that waits was requested, and no more', async () => {
  const { row } = await requestTransfer(ledger, { key: 'waiting', from: 'ann', to: 'bob', amountMinor: 1n });
  const at = row.createdAt.toISOString();
  expect(await readTimeline(ledger.db, row.pkid)).toEqual({ data: [{ ...INITIALIZED, at }] });
});

test('a transfer that succeeded shows every move and its posting, in order', async () => {
  const row = await transfer(ledger, { key: 'moved', from: 'ann', to: 'bob', amountMinor: 10n });
  const { pkid, at, finalAt } = timesOf(row);
  const { data } = await readTimeline(ledger.db, pkid);
  expect(data).toEqual([
    { ...INITIALIZED, at },
    { ...IN_PROCESS, at: finalAt },
    { type: 'posting', at: finalAt, posting: expect.objectContaining({ event: 'transfer', created_at: finalAt }) },
    { ...ended('succeeded'), at: finalAt },
  ]);
  // The same words in the same order: a client may compare texts.
  expect(data.map((item) => Object.keys(item).join())).toEqual(SHAPES);
});

const CHANGE = 'type,at,from,to,attempt,cause';
const SHAPES = [CHANGE, CHANGE, 'type,at,posting', CHANGE];

test('a transfer that failed shows every move', async () => {
  const row = await transfer(ledger, { key: 'poor', from: 'bob', to: 'ann', amountMinor: 1_000_000n });
  const { pkid, at, finalAt } = timesOf(row);
  const changes = [
    { ...INITIALIZED, at },
    { ...IN_PROCESS, at: finalAt },
    { ...ended('failed'), at: finalAt },
  ];
  expect(await readTimeline(ledger.db, pkid)).toEqual({ data: changes });
});

test('what repaid a debt before the money could move is shown, and is no success', async () => {
  await adjust(ledger, { key: 'owes', walletId: debtWalletId('cid', USD), amountMinor: -60n });
  const row = await transfer(ledger, { key: 'debtor', from: 'cid', to: 'bob', amountMinor: 20n });
  const { pkid, at, finalAt } = timesOf(row);
  expect((await readTimeline(ledger.db, pkid)).data).toEqual([
    { ...INITIALIZED, at },
    { ...IN_PROCESS, at: finalAt },
    { type: 'posting', at: finalAt, posting: expect.objectContaining({ event: 'debt.netted' }) },
    { ...ended('failed'), at: finalAt },
  ]);
});

test('what repaid a debt before the money moved is shown beside it', async () => {
  await openWallets(ledger, ['eve']);
  await adjust(ledger, { key: 'owes-too', walletId: debtWalletId('eve', USD), amountMinor: -10n });
  await adjust(ledger, { key: 'fund-eve', walletId: 'eve', amountMinor: 50n });
  const row = await transfer(ledger, { key: 'debtor-again', from: 'eve', to: 'bob', amountMinor: 20n });
  const { data } = await readTimeline(ledger.db, timesOf(row).pkid);
  const words = data.map((item) => (item.type === 'posting' ? item.posting.event : item.type));
  expect(words.toSorted()).toEqual(['debt.netted', 'status_change', 'status_change', 'status_change', 'transfer']);
});

test.each([
  ['succeeded', [1, 2, 3]],
  ['succeeded', [1, 3]],
  ['succeeded', [1]],
  ['succeeded', [3]],
  ['failed', [1, 2]],
  ['failed', [1]],
])('a transfer that %s is shown the same when an earlier release wrote %j of it', async (status, numbers) => {
  const key = `${status}-${numbers.join('-')}`;
  const amountMinor = status === 'succeeded' ? 1n : 1_000_000n;
  const row = await transfer(ledger, { key, from: 'ann', to: 'bob', amountMinor });
  const { pkid } = timesOf(row);
  const before = JSON.stringify(await readTimeline(ledger.db, pkid));
  await sql`
    INSERT INTO status_change (pkid, number, operation_kind, from_status, to_status, attempt, cause, created_at)
    SELECT pkid, number, 'transfer', from_status, to_status, 0, cause,
           CASE number WHEN 1 THEN created_at ELSE final_at END
    FROM transfer CROSS JOIN (VALUES (1, NULL, 'initialized', 'requested'), (2, 'initialized', 'in_process', NULL),
                                     (3, 'in_process', 'succeeded', NULL)) move (number, from_status, to_status, cause)
    WHERE pkid = ${pkid}::uuid AND number = ANY(${numbers}::int[])`.execute(ledger.db.sql);
  expect(JSON.stringify(await readTimeline(ledger.db, pkid))).toBe(before);
});

test.each([1, 2, 3])(
  'the posting of a transfer is found under the id number %s that releases gave it',
  async (index) => {
    const row = { pkid: pkidOf('transfer', `released-${index}`), createdAt: new Date('2026-11-01T12:00:00.123Z') };
    const at = row.createdAt.toISOString();
    await sql`
    INSERT INTO transfer (pkid, semantic_key, status, from_wallet, to_wallet, amount, currency, fingerprint, created_at,
                          updated_at, final_at)
    VALUES (${row.pkid}, ${`released-${index}`}, 'succeeded', 'ann', 'bob', 1, 'USD', '', ${at}, ${at}, ${at})`.execute(
      ledger.db.sql,
    );
    await sql`
    INSERT INTO posting (posting_id, event, operation_kind, operation_pkid, semantic_key, created_at)
    VALUES (${postingIdsOfTransfer(row)[index]}, 'transfer', 'transfer', ${row.pkid}, 'released', ${at})`.execute(
      ledger.db.sql,
    );
    const { data } = await readTimeline(ledger.db, row.pkid);
    expect(data.map((item) => (item.type === 'status_change' ? item.to : item.type))).toEqual(WHOLE);
  },
);

const WHOLE = ['initialized', 'in_process', 'posting', 'succeeded'];

function timesOf(row: Awaited<ReturnType<typeof transfer>>): { pkid: Pkid; at: string; finalAt: string } {
  if (row?.finalAt == null) throw new Error('The transfer has not ended.');
  return { pkid: row.pkid, at: row.createdAt.toISOString(), finalAt: row.finalAt.toISOString() };
}
