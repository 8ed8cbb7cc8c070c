// What somebody does in a provider's own dashboard: it becomes an operation here, once, or a difference that a person
// is told of.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ProviderName } from '../../src/domain/provider.ts';
import { type Desk, openShopWithDesk } from '../harness/desk.ts';
import type { Shop } from '../harness/shop.ts';

let shop: Shop;
let desk: Desk;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ shop, desk, close } = await openShopWithDesk());
  await desk.control('webhooks', { duplicate: 1 });
});
afterAll(() => close());

/** Refunds by hand a part of what a checkout was paid with, and gives the provider's id of the refund. */
const byHand: Partial<Record<ProviderName, (payinExternId: string, amount: number) => Promise<string>>> = {
  async stripe(payinExternId, amount) {
    const { id } = await desk.stripe('refunds', { payment_intent: payinExternId, amount: String(amount) });
    return String(id);
  },
  async paypal(payinExternId, amount) {
    const value = (amount / 100).toFixed(2);
    const capture = payinExternId.replace(/^O/, 'C');
    const body = { amount: { currency_code: 'USD', value } };
    const { id } = await desk.paypal(`v2/payments/captures/${capture}/refund`, body);
    return String(id);
  },
  async square(payinExternId, amount) {
    const { refund } = await desk.square('refunds', {
      idempotency_key: crypto.randomUUID(),
      payment_id: payinExternId,
      amount_money: { amount, currency: 'USD' },
    });
    return String(Object(refund).id);
  },
};

async function refundByHand(provider: ProviderName, checkoutId: string, amount: number) {
  const [payin] = await shop.app.checkouts.payinsOf(checkoutId);
  const refund = byHand[provider];
  if (payin?.externPaymentId == null || refund === undefined) throw new Error(`${checkoutId} was not paid.`);
  return { payin, externId: await refund(payin.externPaymentId, amount) };
}

describe.each(['stripe', 'paypal', 'square'] as const)("a refund made in %s's dashboard", (provider) => {
  test('before and after delivery is booked once and counted against its order', async () => {
    const name = `${provider}-by-hand`;
    const seller = await shop.paidOrder(name, { amountMinor: 10_000n, feeMinor: 2_000n, provider, token: 'tok_ok_1' });
    const first = await refundByHand(provider, name, 3_000);
    const refund = await desk.adopted(provider, first.externId);
    expect(refund).toMatchObject({
      status: 'succeeded',
      origin: 'external',
      semanticKey: `ext:${provider}:${first.externId}`,
      externPaymentId: first.externId,
      amountMinor: 3_000n,
    });
    expect(await shop.pending(seller)).toBe(7_000n);
    await shop.deliver(`${name}-1`);
    const second = await refundByHand(provider, name, 5_000);
    expect(await desk.adopted(provider, second.externId)).toMatchObject({ status: 'succeeded', beforeDelivery: false });
    await desk.eventsDone(provider);
    const order = await shop.app.orders.find(`${name}-1`);
    expect(order).toMatchObject({ refundedMinor: 8_000n, openBeforeMinor: 0n, openAfterMinor: 0n });
    expect(await shop.available(seller)).toBe(1_600n);
    expect(await desk.postings(refund.pkid, 'refund.succeeded')).toBe(1);
    expect(await shop.app.externals.adopt(provider, first.externId)).toBe('no_effect');
    await expect(shop.refund(`${name}-1`, 2_001n)).rejects.toMatchObject({ code: 'refund-exceeds-payment' });
    await shop.expectBooksAgree();
  });
});

describe("a payment taken in a provider's dashboard", () => {
  test('of an order that our buyer approved is our own pay-in, once', async () => {
    const seller = await shop.oneOrder('captured', { provider: 'paypal', token: 'tok_action_1' });
    const waiting = await shop.payUntil('captured', ({ nextAction }) => nextAction !== null);
    await shop.approve(waiting.externPaymentId ?? '');
    // Our own capture may come first; then this one finds it done.
    await desk.paypal(`v2/checkout/orders/${waiting.externPaymentId}/capture`, {}).catch(() => null);
    expect(await shop.settledPayin(waiting.pkid)).toMatchObject({ status: 'succeeded', origin: 'api' });
    await desk.eventsDone('paypal');
    expect(shop.book().filter(({ key, direction }) => key === waiting.pkid && direction === 'in')).toHaveLength(1);
    expect(await shop.pending(seller)).toBe(5_000n);
    expect(await desk.unappliedOf(waiting.pkid)).toEqual([]);
    await shop.expectBooksAgree();
  });
});

test('money that fitted nothing and is sent back in the dashboard is resolved by that, once', async () => {
  await shop.oneOrder('twice');
  const { pkid } = await shop.pay('twice');
  const { id } = await desk.stripe('payment_intents', {
    amount: '3000',
    currency: 'usd',
    confirm: 'true',
    payment_method: 'pm_card_ok',
    transfer_group: pkid,
    'metadata[pkid]': pkid,
  });
  await desk.unapplied(pkid);
  const before = await desk.balance('@unapplied:USD');
  const refund = await desk.stripe('refunds', { payment_intent: String(id), amount: '3000' });
  expect(await desk.adopted('stripe', String(refund.id))).toMatchObject({ status: 'succeeded', origin: 'external' });
  await desk.eventsDone('stripe');
  expect(await desk.unapplied(pkid)).toMatchObject({ resolvedAt: expect.any(Date), resolvedBy: 'stripe' });
  expect(await desk.balance('@unapplied:USD')).toBe(before - 3_000n);
  await shop.expectBooksAgree();
});

describe.each(['stripe', 'paypal', 'square'] as const)("a refund made in %s's dashboard", (provider) => {
  test('of a whole checkout with several orders is more than one order holds, so a person is told', async () => {
    const name = `${provider}-whole`;
    const [one, two] = await shop.sellers(name, 2, 'USD');
    await shop.checkout(name, {
      provider,
      orders: [
        { seller: one, amountMinor: 6_000n, feeMinor: 0n },
        { seller: two, amountMinor: 4_000n, feeMinor: 0n },
      ],
    });
    await shop.pay(name);
    const { payin, externId } = await refundByHand(provider, name, 10_000);
    await desk.until(
      () => desk.discrepancies(payin.pkid),
      (reasons) => reasons.length > 0,
    );
    await desk.eventsDone(provider);
    expect(await desk.discrepancies(payin.pkid)).toEqual(['external_refund']);
    expect(await desk.openRefunds(externId)).toEqual([]);
    expect([await shop.pending(one), await shop.pending(two)]).toEqual([6_000n, 4_000n]);
  });
});

describe("a payment taken in a provider's dashboard", () => {
  test('that names nothing of ours is told to a person, once', async () => {
    const intent = { amount: '100', currency: 'chf', confirm: 'true', payment_method: 'pm_card_ok' };
    const { id } = await desk.stripe('payment_intents', intent);
    const found = await desk.until(
      async () => (await shop.app.reviews.attention()).discrepancies.filter((row) => row.extern_payment_id === id),
      (rows) => rows.length > 0,
    );
    await desk.eventsDone('stripe');
    expect(found).toEqual([expect.objectContaining({ reason: 'unmatched_event', provider: 'stripe' })]);
  });
});
