// Our own balance at a provider: a payout that it does not cover waits before it is sent, and goes when it does.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Pkid, pkidOf } from '../../src/domain/id.ts';
import { parseCurrency } from '../../src/domain/money.ts';
import type { ProviderName } from '../../src/domain/provider.ts';
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

/** What every account of the sandbox opens with, in each currency. */
const OPENING = 10n ** 15n;
const EUR = parseCurrency('EUR');

async function payOut(
  semanticKey: string,
  { provider, to, amountMinor }: { provider: ProviderName; to: string; amountMinor: bigint },
): Promise<Pkid> {
  const rest = { payeeId: null, destination: to, expiresAt: null, metadata: {}, traceparent: null, confirm: true };
  await shop.app.payouts.request({ semanticKey, walletId: 'rich', amountMinor, currency: EUR, provider, ...rest });
  return pkidOf('payout', semanticKey);
}

describe('a payout that our balance does not cover', () => {
  test('waits as provider_funds, sends nothing, and goes when money is there', async () => {
    await shop.remit.fundedWallet('rich', 2n * OPENING, 'EUR');
    await payOut('drain', { provider: 'paypal', to: 'a@shop.example', amountMinor: OPENING - 1_000n });
    expect(await shop.remit.settled('drain')).toMatchObject({ status: 'succeeded' });

    const pkid = await payOut('large', { provider: 'paypal', to: 'b@shop.example', amountMinor: 3_000n });
    const waiting = await shop.remit.settled('large', ({ waiting: why }) => why === 'provider_funds');
    expect(waiting).toMatchObject({ status: 'in_process', firstSentAt: null, lastSentAt: null, reviewReason: null });
    for (const _look of [1, 2, 3]) {
      const { calls } = await shop.app.payouts.hint(pkid);
      await shop.remit.settled('large', (seen) => seen.calls > calls && !seen.leased);
    }
    const patient = await shop.remit.settled('large', ({ leased }) => !leased);
    expect(patient).toMatchObject({ status: 'in_process', waiting: 'provider_funds', unknowns: 0, crashes: 0 });
    expect((await desk.callsOf(pkid)).filter((call) => call.startsWith('POST'))).toEqual([]);

    await payOut('small', { provider: 'paypal', to: 'c@shop.example', amountMinor: 400n });
    expect(await shop.remit.settled('small')).toMatchObject({ status: 'succeeded' });

    await shop.oneOrder('arrival', { provider: 'paypal', currency: 'EUR', token: 'tok_ok_1' });
    expect(await shop.pay('arrival')).toMatchObject({ status: 'succeeded' });
    const paid = await until(
      async () => {
        await shop.app.payouts.hint(pkid);
        return shop.app.payouts.find(pkid);
      },
      (seen) => seen?.status === 'succeeded',
    );
    expect(paid).toMatchObject({ waiting: null });
    expect(shop.book().filter(({ key }) => key === pkid)).toHaveLength(1);
    await shop.expectBooksAgree();
  });

  test('is sent all the same where our balance is not told in time', async () => {
    const slow = await openShopWithDesk({ PROVIDER_TIMEOUT_MS: '4000', LEASE_MS: '8000' });
    await slow.shop.remit.fundedWallet('seller', 1_000n);
    await slow.desk.control('faults', { latency_ms: 2_000 });
    await slow.shop.remit.payout('blind', { walletId: 'seller', amountMinor: 500n, to: 'acct_ok_1' });
    expect(await slow.shop.remit.settled('blind')).toMatchObject({ status: 'succeeded' });
    await slow.shop.expectBooksAgree();
    await slow.close();
  });

  test('costs no time to leave: however slowly it is told, a payout leaves with its first claim', async () => {
    const slow = await openShopWithDesk({ PROVIDER_TIMEOUT_MS: '4000', LEASE_MS: '8000' });
    // Longer than a payout has to leave after its claim, and within the time for the question.
    await slow.desk.control('faults', { latency_ms: 1_000 });
    // Each currency has a balance of its own to be asked about. A busy machine may miss one moment, not all four.
    const attempts = await Promise.all(
      ['USD', 'EUR', 'GBP', 'CHF'].map(async (currency) => {
        const walletId = `slow-${currency}`;
        await slow.shop.remit.fundedWallet(walletId, 1_000n, currency);
        const rest = { payeeId: null, expiresAt: null, metadata: {}, traceparent: null, confirm: true };
        const to = { provider: 'stripe', destination: 'acct_ok_1' } as const;
        const money = { amountMinor: 500n, currency: parseCurrency(currency) };
        await slow.shop.app.payouts.request({ semanticKey: walletId, walletId, ...money, ...to, ...rest });
        return (await slow.shop.remit.settled(walletId)).attempt;
      }),
    );
    expect(Math.min(...attempts)).toBe(1);
    await slow.close();
  });
});
