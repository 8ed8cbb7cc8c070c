// A provider that gives no answers: nothing more is sent there, the rows wait unharmed, others go on, and when it is
// back everything ends.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import { type Desk, openShopWithDesk } from '../harness/desk.ts';
import type { Shop } from '../harness/shop.ts';
import { until } from '../harness/until.ts';

let shop: Shop;
let desk: Desk;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ shop, desk, close } = await openShopWithDesk());
});
afterAll(() => close());

/** As many calls as open a breaker, and some that then find it open. */
const PAYOUTS = 70;
const FUNDS = 1_000_000n;

const state = (provider: 'stripe' | 'demobank' | 'tipalti') => shop.app.breakers.get(provider)?.state();
const keys = Array.from({ length: PAYOUTS }, (_, index) => `many-${index}`);

describe('a provider that gives no answers', () => {
  test('gets no more sends; its payouts wait while others go, and all end when it is back', async () => {
    await shop.remit.fundedWallet('wallet', FUNDS);
    await desk.control('faults', { seed: 7, rates: { error_before: 1 } });
    const pay = (key: string) => shop.remit.payout(key, { walletId: 'wallet', amountMinor: 100n, to: 'acct_ok_1' });
    await Promise.all(keys.map(pay));
    await until(
      async () => state('stripe'),
      (now) => now === 'open',
    );

    await desk.control('faults', { rates: {} });
    await shop.remit.payout('elsewhere', {
      walletId: 'wallet',
      amountMinor: 100n,
      provider: 'tipalti',
      to: 'payee_ok_1',
    });
    expect(await shop.remit.settled('elsewhere')).toMatchObject({ status: 'succeeded', unknowns: 0 });
    expect(state('tipalti')).toBe('closed');

    for (const key of keys) {
      expect(await shop.remit.settled(key)).toMatchObject({ status: 'succeeded', reviewReason: null });
    }
    expect(state('stripe')).toBe('closed');
    const paid = shop.book().filter(({ provider, direction }) => provider === 'stripe' && direction === 'out');
    expect(paid.map(({ key }) => key).toSorted()).toEqual(keys.map((key) => pkidOf('payout', key)).toSorted());
    expect(await shop.available('wallet')).toBe(FUNDS - 100n * BigInt(PAYOUTS + 1));
    await shop.expectBooksAgree();
  }, 60_000);

  test('leaves what it stops as if it had never been tried', async () => {
    const breaker = shop.app.breakers.get('demobank');
    for (let call = 0; call < 50; call += 1) breaker?.admit(`call-${call}`)?.record('no_answer');
    expect(state('demobank')).toBe('open');
    const order = { walletId: 'wallet', amountMinor: 100n, provider: 'demobank', to: 'acct_ok_1' } as const;
    await shop.remit.payout('stopped', order);
    const pkid = pkidOf('payout', 'stopped');
    const stopped = await shop.remit.settled('stopped', ({ calls, leased }) => calls > 0 && !leased);
    if (stopped.status === 'in_process' && stopped.firstSentAt === null) {
      expect(stopped).toMatchObject({ crashes: 0, unknowns: 0, pendings: 0, reviewReason: null, waiting: null });
      expect(stopped.dueAt).toEqual(expect.any(Date));
      expect((await desk.callsOf(pkid)).filter((call) => call.startsWith('POST'))).toEqual([]);
    }
    expect(await shop.remit.settled('stopped')).toMatchObject({ status: 'succeeded' });
    expect(state('demobank')).toBe('closed');
    await shop.expectBooksAgree();
  });

  test('at which buyers pay loses none of their pay-ins either', async () => {
    await desk.control('faults', { seed: 9, rates: { error_before: 1 } });
    const names = Array.from({ length: 55 }, (_, index) => `buyer-${index}`);
    const [seller] = await shop.sellers('breaker', 1, 'USD');
    await Promise.all(
      names.map(async (name) => {
        await shop.checkout(name, { provider: 'square', orders: [{ seller, amountMinor: 100n, feeMinor: 0n }] });
        await shop.tryPay(name, `pay-${name}`);
      }),
    );
    await desk.until(
      async () => (await shop.app.payins.find(pkidOf('payin', 'pay-buyer-54')))?.calls ?? 0,
      (calls) => calls > 0,
    );
    await desk.control('faults', { rates: {} });
    for (const name of names) {
      expect(await shop.settledPayin(pkidOf('payin', `pay-${name}`))).toMatchObject({ status: 'succeeded' });
    }
    expect(await shop.pending(seller)).toBe(5_500n);
    await shop.expectBooksAgree();
  }, 60_000);
});
