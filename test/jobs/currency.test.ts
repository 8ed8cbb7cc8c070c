// Currencies without decimals and with three of them, all the way from a buyer to a seller; and what a provider cannot
// move is refused before anything is made.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseCurrency } from '../../src/domain/money.ts';
import type { ProviderName } from '../../src/domain/provider.ts';
import { type Desk, openShopWithDesk } from '../harness/desk.ts';
import type { Shop } from '../harness/shop.ts';

let shop: Shop;
let desk: Desk;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ shop, desk, close } = await openShopWithDesk());
});
afterAll(() => close());

async function payOut(walletId: string, to: { provider: ProviderName; account: string; amountMinor: bigint }) {
  const wallet = await shop.app.wallets.find(walletId);
  if (wallet === null) throw new Error(`There is no wallet ${walletId}.`);
  const { provider, account, amountMinor } = to;
  const rest = { payeeId: null, expiresAt: null, metadata: {}, traceparent: null, confirm: true };
  const money = { amountMinor, currency: wallet.currency };
  await shop.app.payouts.request({
    semanticKey: `out-${walletId}`,
    walletId,
    provider,
    destination: account,
    ...money,
    ...rest,
  });
  return shop.remit.settled(`out-${walletId}`);
}

test.each([
  ['stripe', 'KWD', 'stripe', 'acct_ok_1'],
  ['square', 'KWD', 'tipalti', 'payee_ok_1'],
  ['paypal', 'JPY', 'paypal', 'seller_ok_1@example.com'],
  ['square', 'JPY', 'tipalti', 'payee_ok_1'],
  ['stripe', 'JPY', 'stripe', 'acct_ok_1'],
  ['paypal', 'HUF', 'paypal', 'seller_ok_1@example.com'],
] as const)(
  '%s takes %s, and %s pays it to the seller, to the minor unit',
  async (payer, currency, payer2, account) => {
    const name = `${payer}-${currency}`.toLowerCase();
    await desk.control('fees', { [payer]: { percent: '0', fixed: '100' } });
    const [seller, other] = await shop.sellers(name, 2, currency);
    await shop.checkout(name, {
      provider: payer,
      currency,
      orders: [
        { seller, amountMinor: 40_000n, feeMinor: 4_000n },
        { seller: other, amountMinor: 12_300n, feeMinor: 0n },
      ],
    });
    expect(await shop.pay(name)).toMatchObject({ status: 'succeeded', amountMinor: 52_300n });
    await shop.deliver(`${name}-1`);
    expect(await shop.refund(`${name}-1`, 10_000n)).toMatchObject({ status: 'succeeded' });
    expect(await shop.refund(`${name}-2`, 12_300n)).toMatchObject({ status: 'succeeded' });
    expect(await shop.available(seller)).toBe(27_000n);
    const paid = await payOut(seller, { provider: payer2, account, amountMinor: 27_000n });
    expect(paid).toMatchObject({ status: 'succeeded', currency });
    expect(await shop.available(seller)).toBe(0n);
    expect(await desk.balance(`@costs:${payer}:${currency}`)).toBe(-100n);
    await desk.eventsDone(payer);
    await shop.expectBooksAgree();
  },
);

describe('what a provider cannot move', () => {
  test.each([
    ['paypal', 'HUF', 50_050n],
    ['paypal', 'KWD', 50_000n],
    ['stripe', 'KWD', 50_005n],
    ['tipalti', 'USD', 50_000n],
  ] as const)('is refused at the door: %s, %s, %d', async (provider, currency, amountMinor) => {
    const name = `${provider}-${currency}-refused`.toLowerCase();
    const [seller] = await shop.sellers(name, 1, currency);
    const orders = [{ seller, amountMinor, feeMinor: 0n }];
    await expect(shop.checkout(name, { provider, currency, orders })).rejects.toMatchObject({
      code: 'provider-not-able',
    });
    expect(await shop.app.checkouts.find(name)).toBeNull();
  });

  test('is refused for a refund and a payout as well', async () => {
    const [seller] = await shop.sellers('forint', 1, 'HUF');
    await shop.checkout('forint', {
      provider: 'paypal',
      currency: 'HUF',
      orders: [{ seller, amountMinor: 40_000n, feeMinor: 0n }],
    });
    await shop.pay('forint');
    await shop.deliver('forint-1');
    await expect(shop.refund('forint-1', 150n)).rejects.toMatchObject({ code: 'provider-not-able' });
    const out = payOut(seller, { provider: 'paypal', account: 'a@b.example', amountMinor: 150n });
    await expect(out).rejects.toMatchObject({ code: 'provider-not-able' });
    expect(parseCurrency('HUF')).toBe('HUF');
  });
});
