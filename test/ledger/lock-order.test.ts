// Two processes whose commits need the same rows from opposite ends, and new rows beside wallets that are locked.

import { afterEach, beforeEach, expect, test } from 'vitest';
import { adjust, type Ledger, openLedger, openWallets, requestTransfer, type Teller } from '../harness/ledger.ts';
import { until } from '../harness/until.ts';

let ledger: Ledger;
beforeEach(async () => {
  ledger = await openLedger();
});
afterEach(() => ledger.close());

// A third session holds the wallet in the middle, so that each has what it takes first, and waits; without one order
// each would have what the other needs.
test('commits that need the same wallets from opposite ends never wait for each other', async () => {
  await openWallets(ledger, ['ann', 'bob', 'eve']);
  for (const walletId of ['ann', 'bob', 'eve'])
    await adjust(ledger, { key: `fund-${walletId}`, walletId, amountMinor: 9n });
  const other = await ledger.openTeller();
  const forth = await requested(ledger, ['ann', 'bob', 'eve']);
  const back = await requested(other, ['eve', 'bob', 'ann']);

  const holder = await ledger.connect();
  await holder.query("BEGIN; SELECT * FROM wallet WHERE wallet_id = 'bob' FOR UPDATE");
  const runs = Promise.all([forth(), back()]);
  await until(
    async () => (await holder.query(WAITING)).rowCount,
    (waiting) => waiting === 2,
  );
  const { rowCount: free } = await holder.query(LAST_IF_FREE);
  await holder.query('ROLLBACK');

  expect((await runs).flat()).toEqual(Array.from({ length: 4 }, () => 'succeeded'));
  // Whoever came second waits at the first wallet, and has none of the others.
  expect(free).toBe(1);
  expect([...ledger.warnings, ...other.warnings].filter((line) => line.includes('40P01'))).toEqual([]);
});

test('keys asked for in two orders by two processes at once are one operation each, without a deadlock', async () => {
  await openWallets(ledger, ['ann', 'bob']);
  const other = await ledger.openTeller();
  for (let round = 0; round < ROUNDS; round += 1) {
    const keys = Array.from({ length: KEYS }, (_, number) => `round-${round}-${number}`);
    const ask = (teller: Teller, asked: readonly string[]) =>
      Promise.all(asked.map((key) => requestTransfer(teller, { key, from: 'ann', to: 'bob', amountMinor: 1n })));
    const intakes = (await Promise.all([ask(ledger, keys), ask(other, keys.toReversed())])).flat();
    expect(intakes.filter(({ type }) => type === 'created')).toHaveLength(KEYS);
    expect(intakes.filter(({ type }) => type === 'replayed')).toHaveLength(KEYS);
  }
  expect([...ledger.warnings, ...other.warnings].filter((line) => line.includes('40P01'))).toEqual([]);
});

test('new operations of wallets that a commit has locked do not wait for it', async () => {
  await openWallets(ledger, ['ann', 'bob']);
  const holder = await ledger.connect();
  // As a commit of ours holds them.
  await holder.query("BEGIN; SELECT * FROM wallet WHERE wallet_id IN ('ann', 'bob') FOR NO KEY UPDATE");
  const { type } = await requestTransfer(ledger, { key: 'beside', from: 'ann', to: 'bob', amountMinor: 1n });
  const { rowCount: waiting } = await holder.query(WAITING);
  await holder.query('ROLLBACK');
  expect({ type, waiting }).toEqual({ type: 'created', waiting: 0 });
});

/** Enough that without an order of the keys some of them meet. */
const ROUNDS = 10;
const KEYS = 200;

const WAITING = `SELECT pid FROM pg_stat_activity
  WHERE datname = current_database() AND application_name = 'remit' AND wait_event_type = 'Lock'`;

const LAST_IF_FREE = "SELECT wallet_id FROM wallet WHERE wallet_id = 'eve' FOR UPDATE SKIP LOCKED";

/** A transfer from each wallet to the next one; run together, they share one commit. */
async function requested(teller: Teller, [first, second, third]: readonly [string, string, string]) {
  const steps = [
    { from: first, to: second },
    { from: second, to: third },
  ];
  const keyed = steps.map((step) => ({ ...step, key: `${step.from}-${step.to}`, amountMinor: 1n }));
  const rows = await Promise.all(keyed.map((facts) => requestTransfer(teller, facts)));
  return async () => {
    await Promise.all(rows.map(({ row }) => teller.transfers.run(row.pkid)));
    const ends = await Promise.all(rows.map(({ row }) => teller.transfers.find(row.pkid)));
    return ends.map((end) => end?.status);
  };
}
