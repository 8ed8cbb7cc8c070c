// What providers charge for taking money: booked as a cost, once, and our wallet at each provider is the provider's
// own book.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Desk, openShopWithDesk } from '../harness/desk.ts';
import type { Shop } from '../harness/shop.ts';

let shop: Shop;
let desk: Desk;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ shop, desk, close } = await openShopWithDesk());
  const fee = { percent: '2.9', fixed: '30' };
  await desk.control('fees', { stripe: fee, paypal: fee, square: fee });
});
afterAll(() => close());

describe.each(['stripe', 'paypal', 'square'] as const)('what %s charges', (provider) => {
  const costs = () => desk.balance(`@costs:${provider}:USD`);

  test('is a cost of ours, once, however often the pay-in is looked at; the sellers get their whole part', async () => {
    const name = `${provider}-fee`;
    const before = await costs();
    const order = { amountMinor: 10_000n, feeMinor: 1_000n, provider, token: 'tok_ok_1' };
    const seller = await shop.paidOrder(name, order);
    const [payin] = await shop.app.checkouts.payinsOf(name);
    if (payin === undefined) throw new Error('There is no pay-in.');
    expect(payin).toMatchObject({ feeMinor: 320n, feeExternId: expect.any(String) });
    await desk.eventsDone(provider);
    for (const _time of [1, 2]) await shop.app.payins.query(payin.pkid, 'tester');
    expect(await costs()).toBe(before - 320n);
    expect(await desk.postings(payin.pkid, 'provider.fee')).toBe(1);
    await shop.deliver(`${name}-1`);
    expect(await shop.available(seller)).toBe(9_000n);
    await shop.expectBooksAgree();
    // A refund does not bring it back.
    expect(await shop.refund(`${name}-1`, 10_000n)).toMatchObject({ status: 'succeeded', feeMinor: null });
    expect(await costs()).toBe(before - 320n);
    await shop.expectBooksAgree();
  });

  test('for a pay-in whose answer was lost is booked when the look-up finds it', async () => {
    const name = `${provider}-lost-answer`;
    const before = await costs();
    await shop.paidOrder(name, { amountMinor: 10_000n, feeMinor: 0n, provider, token: 'tok_paid_then_timeout' });
    await desk.eventsDone(provider);
    expect(await costs()).toBe(before - 320n);
    await shop.expectBooksAgree();
  });
});

describe('what Stripe charges', () => {
  test('for money that fits nothing is a cost, too', async () => {
    await shop.oneOrder('twice');
    const { pkid } = await shop.pay('twice');
    const before = await desk.balance('@costs:stripe:USD');
    await desk.stripe('payment_intents', {
      amount: '10000',
      currency: 'usd',
      confirm: 'true',
      payment_method: 'pm_card_ok',
      transfer_group: pkid,
      'metadata[pkid]': pkid,
    });
    expect(await desk.unapplied(pkid)).toMatchObject({ amountMinor: 10_000n });
    expect(await desk.balance('@costs:stripe:USD')).toBe(before - 320n);
    await desk.eventsDone('stripe');
    await shop.expectBooksAgree();
  });
});
