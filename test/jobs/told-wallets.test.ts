// A transfer's job tells its wallets, so that they need not be read before they are locked. Only the row decides.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import { adjust, type Ledger, openLedger, openWallets, postedOf, requestTransfer } from '../harness/ledger.ts';

let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger();
  await openWallets(ledger, ['ann', 'bob', 'eve', 'joe']);
  for (const walletId of ['ann', 'eve']) {
    await adjust(ledger, { key: `fund-${walletId}`, walletId, amountMinor: 10_000n });
  }
});
afterAll(() => ledger.close());

const postedOfAll = () => Promise.all(['ann', 'bob', 'eve', 'joe'].map((walletId) => postedOf(ledger, walletId)));

test.each([
  { told: { from_wallet: 'ann', to_wallet: 'bob' }, why: 'its own wallets' },
  { told: { from_wallet: 'eve', to_wallet: 'joe' }, why: 'other wallets' },
  { told: { from_wallet: 'bob', to_wallet: 'ann' }, why: 'its wallets the other way round' },
  { told: { from_wallet: 'ann', to_wallet: 'ann' }, why: 'one of them twice' },
  { told: { from_wallet: 'ann', to_wallet: 'nobody' }, why: 'a wallet that does not exist' },
  { told: { from_wallet: '@equity:USD', to_wallet: '@bank:USD' }, why: 'wallets of the platform' },
  { told: { from_wallet: '', to_wallet: '' }, why: 'empty texts' },
  { told: { from_wallet: 'ann' }, why: 'one wallet' },
  { told: {}, why: 'nothing' },
])('a transfer whose job tells $why moves its own money, once', async ({ told, why }) => {
  const before = await postedOfAll();
  const { row } = await requestTransfer(ledger, {
    key: why.replaceAll(' ', '-'),
    from: 'ann',
    to: 'bob',
    amountMinor: 7n,
  });
  expect(await ledger.transfers.run(row.pkid, told)).toMatchObject({ from: 'initialized', to: 'succeeded' });
  expect(await ledger.transfers.run(row.pkid, told)).toBeNull();
  const [ann = 0n, bob = 0n, eve, joe] = before;
  expect(await postedOfAll()).toEqual([ann - 7n, bob + 7n, eve, joe]);
});

test('a job of a transfer that the database does not have ends without a word', async () => {
  const told = { from_wallet: 'ann', to_wallet: 'bob' };
  expect(await ledger.transfers.run(pkidOf('transfer', 'of-another-database'), told)).toBeNull();
});
