// Cancel against the steps of a two-stage payout: one of them wins, and the provider's book agrees with the status.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Pkid, pkidOf } from '../../src/domain/id.ts';
import type { Payout } from '../../src/domain/payout.ts';
import { claimPayout, startRemit, type TestRemit } from '../harness/app.ts';

let remit: TestRemit;
beforeAll(async () => {
  remit = await startRemit({ LEASE_MS: '600', PROVIDER_TIMEOUT_MS: '300' }, { withWorkers: false });
});
afterAll(() => remit.stop());

test('a payout cancelled between claim and second step fails before any money moves', async () => {
  const { app } = remit;
  const pkid = await requested('late');
  await claimPayout(app, await read(pkid));
  expect(await app.payouts.cancel(pkid, 'late')).toMatchObject({ isRequested: true });
  await runUntilFinal(pkid);
  expect(await read(pkid)).toMatchObject({ status: 'failed', failureCode: 'canceled' });
  expect(timesPaid(pkid)).toBe(0);
});

test('a payout cancelled while it is being sent is paid once or not at all, and its status says which', async () => {
  const keys = Array.from({ length: 12 }, (_none, n) => `race-${n}`);
  await Promise.all(
    keys.map(async (key, n) => {
      const { payouts } = remit.app;
      const pkid = await requested(key);
      const running = payouts.run(pkid);
      // Each cancel comes a little later in the other's life.
      for (let turn = 0; turn < n; turn += 1) await read(pkid);
      const refusal = await payouts.cancel(pkid, key).then(
        () => null,
        (error: unknown) => error,
      );
      if (refusal !== null) expect(refusal).toMatchObject({ code: 'invalid-state' });
      await running;
      await runUntilFinal(pkid);
      const { status, failureCode } = await read(pkid);
      const whole = status === 'succeeded' ? ['succeeded', null, 1] : ['failed', 'canceled', 0];
      expect([status, failureCode, timesPaid(pkid)]).toEqual(whole);
    }),
  );
});

async function requested(key: string): Promise<Pkid> {
  await remit.fundedWallet(`w-${key}`, 1_000n);
  await remit.payout(key, { walletId: `w-${key}`, amountMinor: 1_000n, provider: 'demobank', to: 'acct_ok_1' });
  return pkidOf('payout', key);
}

async function read(pkid: Pkid): Promise<Payout> {
  const payout = await remit.app.payouts.find(pkid);
  if (payout === null) throw new Error('The payout was not made.');
  return payout;
}

async function runUntilFinal(pkid: Pkid): Promise<void> {
  const look = async () => {
    await remit.app.payouts.run(pkid);
    return (await read(pkid)).finalAt;
  };
  await expect.poll(look, { timeout: 20_000, interval: 50 }).not.toBeNull();
}

function timesPaid(pkid: Pkid): number {
  return remit.sandbox.book().filter((row) => row.key === pkid && row.direction === 'out').length;
}
