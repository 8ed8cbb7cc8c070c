// What dies beside a call holds no leave to make one: the process that lives on may try whether the provider is back.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import { createPayoutLife } from '../../src/jobs/payout.ts';
import { createBreaker } from '../../src/runtime/breaker.ts';
import { openShop, type Shop } from '../harness/shop.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await openShop({ LEASE_MS: '30000' }, { withWorkers: false });
});
afterAll(() => shop.close());

const HALF_OPEN_AFTER_MS = 1_000;

test('at the gaps before and after a call the breaker lets another one try', async () => {
  let now = 0;
  const breaker = createBreaker({ halfOpenAfterMs: HALF_OPEN_AFTER_MS, clock: () => now, onChange: () => undefined });
  for (let call = 0; call < 50; call += 1) breaker.admit(`call-${call}`)?.record('no_answer');
  expect(breaker.state()).toBe('open');
  now += HALF_OPEN_AFTER_MS;

  const found: Record<string, boolean> = {};
  const payouts = createPayoutLife({
    ...shop.app,
    breakers: new Map([['stripe', breaker]]),
    async at(point) {
      if (!point.endsWith('send call')) return;
      const admission = breaker.admit('the next');
      found[point] = admission !== null;
      admission?.record('not_sent');
    },
  });
  await shop.remit.fundedWallet('w', 1n);
  await shop.remit.payout('one', { walletId: 'w', amountMinor: 1n, provider: 'stripe', to: 'acct_ok_1' });
  await payouts.run(pkidOf('payout', 'one'));

  expect(await payouts.find(pkidOf('payout', 'one'))).toMatchObject({ status: 'succeeded' });
  expect(found).toEqual({ 'payout: before send call': true, 'payout: after send call': true });
  expect(breaker.state()).toBe('closed');
});
