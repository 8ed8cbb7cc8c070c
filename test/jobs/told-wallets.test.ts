// A transfer's job tells its wallets, so that they need not be read before they are locked. Only the row decides.

import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type OperationKind, type Pkid, pkidOf } from '../../src/domain/id.ts';
import { createTransferLife } from '../../src/jobs/transfer.ts';
import { startWorkers } from '../../src/jobs/worker.ts';
import type { JobData } from '../../src/runtime/queue.ts';
import { adjust, type Ledger, openLedger, openWallets, postedOf, requestTransfer } from '../harness/ledger.ts';
import { openShop } from '../harness/shop.ts';

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
  { told: { from_wallet: '@garbage', to_wallet: 'bob' }, why: 'what no platform wallet is named' },
  { told: { from_wallet: 'ann', to_wallet: '\0' }, why: 'what no database can read' },
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

test('what a job tells goes from the request through the queue to the run', async () => {
  const shop = await openShop({}, { withWorkers: false });
  onTestFinished(() => shop.close());
  await shop.remit.fundedWallet('ann', 10n);
  await shop.remit.fundedWallet('bob', 1n);
  const ran = Promise.withResolvers<{ kind: OperationKind; pkid: Pkid; told: JobData | undefined }>();
  const runner = {
    ...shop.app.runner,
    run: async (kind: OperationKind, pkid: Pkid, _cause: unknown, told?: JobData) => ran.resolve({ kind, pkid, told }),
  };
  const workers = await startWorkers({ ...shop.app, runner, onRun: () => undefined });
  onTestFinished(() => workers.close(0));
  await requestTransfer(shop.app, { key: 'told', from: 'ann', to: 'bob', amountMinor: 7n });
  const pkid = pkidOf('transfer', 'told');
  const told = { pkid, from_wallet: 'ann', to_wallet: 'bob' };
  expect(await ran.promise).toEqual({ kind: 'transfer', pkid, told });
});

test('and then the row is not read before it is locked', async () => {
  let reads = 0;
  const counted = new Proxy(ledger.db.sql, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...given: unknown[]) => {
        if (name === 'executeQuery') reads += 1;
        return Reflect.apply(value, target, given);
      };
    },
  });
  const transfers = createTransferLife({ ...ledger.life, db: { ...ledger.db, sql: counted } });
  const { row } = await requestTransfer(ledger, { key: 'unread', from: 'ann', to: 'bob', amountMinor: 7n });
  expect(await transfers.run(row.pkid, { from_wallet: 'ann', to_wallet: 'bob' })).toMatchObject({ to: 'succeeded' });
  expect(reads).toBe(0);
  await transfers.run(row.pkid);
  expect(reads).toBe(1);
});
