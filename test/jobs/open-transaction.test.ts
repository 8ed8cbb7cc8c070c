// No transaction is open while a provider is asked: one that hangs holds no lock of ours, and no session of the
// database.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import { createPayinLife } from '../../src/jobs/payin.ts';
import { createPayoutLife } from '../../src/jobs/payout.ts';
import { createRefundLife } from '../../src/jobs/refund.ts';
import type { AtCrashPoint } from '../../src/runtime/crash-point.ts';
import { openShop, type Shop } from '../harness/shop.ts';

let shop: Shop;
let found: { point: string; open: number }[] = [];
beforeAll(async () => {
  shop = await openShop({ LEASE_MS: '30000' }, { withWorkers: false });
});
afterAll(() => shop.close());

/** At each gap around a call: how many sessions of the program have a transaction open, but the one that asks. */
const look: AtCrashPoint = async (point) => {
  if (!point.endsWith(' call')) return;
  const { rows } = await sql<{ open: number }>`
    SELECT count(*)::int AS open FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
      AND application_name = 'remit'`.execute(shop.app.db.sql);
  found.push({ point, open: rows[0]?.open ?? -1 });
};

test('a transaction that is open would be seen', async () => {
  found = [];
  await shop.app.db.transaction(async (tx) => {
    await sql`SELECT 1`.execute(tx);
    await look('payout: before send call', '');
  });
  expect(found).toEqual([{ point: 'payout: before send call', open: 1 }]);
});

test('none is open while a payout, a pay-in or a refund is at its provider, in either of two steps', async () => {
  found = [];
  const watched = { ...shop.app, at: look };
  const [payouts, payins] = [createPayoutLife(watched), createPayinLife(watched)];
  const refunds = createRefundLife(watched);

  await shop.remit.fundedWallet('w', 2n);
  for (const provider of ['stripe', 'demobank'] as const) {
    await shop.remit.payout(provider, { walletId: 'w', amountMinor: 1n, provider, to: 'acct_ok_1' });
    await payouts.run(pkidOf('payout', provider));
    expect(await payouts.find(pkidOf('payout', provider))).toMatchObject({ status: 'succeeded' });
  }
  await shop.oneOrder('bought', { provider: 'square' });
  const { row } = await shop.tryPay('bought', 'pay');
  await payins.run(row.pkid);
  expect(await payins.find(row.pkid)).toMatchObject({ status: 'succeeded' });
  const refund = await shop.requestRefund('bought-1', 10n);
  await refunds.run(refund);
  expect(await refunds.find(refund)).toMatchObject({ status: 'succeeded' });
  await shop.app.payouts.query(pkidOf('payout', 'stripe'), 'tester');

  expect(found.filter(({ open }) => open > 0)).toEqual([]);
  const calls = ['payout: after send call', 'payout: after confirm call', 'payin: after send call'];
  expect(found.map(({ point }) => point)).toEqual(expect.arrayContaining([...calls, 'refund: after send call']));
});
