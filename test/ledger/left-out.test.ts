// What another process has locked delays only those that need it: their commit leaves them out once, and then waits.

import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { debtWalletId } from '../../src/domain/chart.ts';
import { lockWallets } from '../../src/ledger/wallets.ts';
import { statementsOf } from '../../src/runtime/statements.ts';
import { adjust, type Ledger, openLedger, openWallets, postedOf, requestTransfer, USD } from '../harness/ledger.ts';

let ledger: Ledger;
beforeEach(async () => {
  ledger = await openLedger();
  await openWallets(ledger, ['ann', 'bob', 'eve', 'joe']);
  for (const walletId of ['ann', 'eve']) await adjust(ledger, { key: `fund-${walletId}`, walletId, amountMinor: 100n });
});
afterEach(() => ledger.close());

async function requested(key: string, [from, to]: readonly [string, string]) {
  const { row } = await requestTransfer(ledger, { key, from, to, amountMinor: 60n });
  return row.pkid;
}

async function statusOf(pkid: Awaited<ReturnType<typeof requested>>) {
  return (await ledger.transfers.find(pkid))?.status;
}

async function waiters(): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    SELECT count(*)::int AS count FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'`.execute(ledger.db.sql);
  return rows[0]?.count ?? 0;
}

test('a wallet that another process holds delays nobody who does not need it', async () => {
  const [held, free] = [await requested('held', ['ann', 'bob']), await requested('free', ['eve', 'joe'])];
  const holder = await ledger.connect();
  await holder.query("BEGIN; SELECT FROM wallet WHERE wallet_id = 'bob' FOR NO KEY UPDATE");
  // In one turn, and so in one commit.
  const runs = [ledger.transfers.run(held), ledger.transfers.run(free)];
  await runs[1];
  expect([await statusOf(held), await statusOf(free)]).toEqual(['initialized', 'succeeded']);
  // The next time it waits, or others could go ahead of it for ever.
  await expect.poll(waiters, { timeout: 2_000 }).toBe(1);
  await holder.query('ROLLBACK');
  await Promise.all(runs);
  expect(await statusOf(held)).toBe('succeeded');
  expect([await postedOf(ledger, 'bob'), await postedOf(ledger, 'joe')]).toEqual([60n, 60n]);
});

test('a debt that another process holds is waited for, and never overlooked', async () => {
  const debt = debtWalletId('ann', USD);
  await adjust(ledger, { key: 'owes', walletId: debt, amountMinor: -50n });
  const pkid = await requested('too-much', ['ann', 'bob']);
  const holder = await ledger.connect();
  await holder.query(`BEGIN; SELECT FROM wallet WHERE wallet_id = '${debt}' FOR NO KEY UPDATE`);
  const run = ledger.transfers.run(pkid);
  await expect.poll(waiters, { timeout: 2_000 }).toBe(1);
  expect(await statusOf(pkid)).toBe('initialized');
  await holder.query('ROLLBACK');
  await run;
  // It is paid back first, and then there is too little.
  expect(await statusOf(pkid)).toBe('failed');
  expect([await postedOf(ledger, debt), await postedOf(ledger, 'ann')]).toEqual([0n, 50n]);
});

test('whoever owes has the debt locked behind the wallet, and the clock is read again after it', async () => {
  await adjust(ledger, { key: 'owes', walletId: debtWalletId('ann', USD), amountMinor: -50n });
  const locking = (may: string[]) => ledger.db.transaction((tx) => lockWallets(statementsOf(tx), { must: [], may }));
  const [owing, free] = [await locking(['ann', 'bob']), await locking(['bob', 'eve'])];
  expect([...owing.balances.keys()].toSorted()).toEqual([debtWalletId('ann', USD), 'ann', 'bob']);
  expect([...owing.debts]).toEqual([['ann', debtWalletId('ann', USD)]]);
  expect([owing.isLate, free.isLate]).toEqual([true, false]);
  expect([...free.balances.keys()].toSorted()).toEqual(['bob', 'eve']);
});

test('a wallet that does not exist is an error of its own item, and of no other', async () => {
  const free = await requested('free', ['eve', 'joe']);
  const booked = adjust(ledger, { key: 'nowhere', walletId: 'nobody', amountMinor: 1n });
  const refused = expect(booked).rejects.toThrow('No such wallet: nobody');
  await ledger.transfers.run(free);
  await refused;
  expect(await statusOf(free)).toBe('succeeded');
});
