// What somebody does in a provider's own dashboard: it becomes an operation here, once, or a difference that a person
// is told of.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Pkid, pkidOf } from '../../src/domain/id.ts';
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
    expect(await shop.app.externals.adoptRefund(provider, first.externId)).toBe('no_effect');
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
  test('of a whole checkout is split over its orders, once', async () => {
    const name = `${provider}-whole`;
    const [one, two] = await shop.sellers(name, 2, 'USD');
    await shop.checkout(name, {
      provider,
      orders: [
        { seller: one, amountMinor: 6_000n, feeMinor: 600n },
        { seller: two, amountMinor: 4_000n, feeMinor: 400n },
      ],
    });
    await shop.pay(name);
    await shop.deliver(`${name}-1`);
    const { payin, externId } = await refundByHand(provider, name, 10_000);
    const first = await desk.adopted(provider, externId);
    const rest = await shop.settledRefund(pkidOf('refund', `ext:${provider}:${externId}:2`));
    const parts = [first, rest].map(({ orderId, amountMinor, status }) => ({ orderId, amountMinor, status }));
    expect(parts).toEqual([
      { orderId: `${name}-2`, amountMinor: 4_000n, status: 'succeeded' },
      { orderId: `${name}-1`, amountMinor: 6_000n, status: 'succeeded' },
    ]);
    await desk.eventsDone(provider);
    expect(await desk.openRefunds(externId)).toHaveLength(2);
    expect(await desk.discrepancies(payin.pkid)).toEqual([]);
    expect([await shop.pending(one), await shop.pending(two)]).toEqual([0n, 0n]);
    expect([await shop.available(one), await shop.debt(one)]).toEqual([0n, 0n]);
    await shop.expectBooksAgree();
  });

  test('of more than the orders have left is partly ours to bear, and a person is told', async () => {
    const name = `${provider}-more`;
    const seller = await shop.paidOrder(name, { amountMinor: 5_000n, feeMinor: 0n, provider, token: 'tok_ok_1' });
    await shop.buyerWallet(name);
    await shop.refund(`${name}-1`, 2_000n, { destination: 'wallet' });
    const costs = await desk.balance(`@costs:${provider}:USD`);
    const { externId } = await refundByHand(provider, name, 5_000);
    await desk.adopted(provider, externId);
    const rest = await shop.settledRefund(pkidOf('refund', `ext:${provider}:${externId}:2`));
    await desk.eventsDone(provider);
    expect(rest).toMatchObject({ amountMinor: 2_000n, orderPkid: null });
    expect(await desk.discrepancies(rest.pkid)).toEqual(['external_refund']);
    expect(await desk.balance(`@costs:${provider}:USD`)).toBe(costs - 2_000n);
    expect(await shop.pending(seller)).toBe(0n);
    await shop.expectBooksAgree();
  });
});

test('a refund made in the dashboard of what loaded a wallet takes from it, and what it lacks is owed', async () => {
  const buyer = await shop.buyerWallet('loaded');
  const payin = await shop.load(buyer, 3_000n);
  await shop.payOut(buyer, 2_500n);
  const { id } = await desk.stripe('refunds', { payment_intent: payin.externPaymentId ?? '', amount: '1000' });
  expect(await desk.adopted('stripe', String(id))).toMatchObject({ status: 'succeeded', orderPkid: null });
  await desk.eventsDone('stripe');
  expect([await shop.available(buyer), await shop.debt(buyer)]).toEqual([0n, -500n]);
  expect(await desk.discrepancies(payin.pkid)).toEqual([]);
  await shop.expectBooksAgree();
});

/** Takes a payment that names nothing of ours, and gives the provider's id of it. */
const takenByHand: Record<'stripe' | 'paypal' | 'square', (amount: number) => Promise<string>> = {
  async stripe(amount) {
    const intent = { amount: String(amount), currency: 'usd', confirm: 'true', payment_method: 'pm_card_ok' };
    return String((await desk.stripe('payment_intents', intent)).id);
  },
  async paypal(amount) {
    const money = { currency_code: 'USD', value: (amount / 100).toFixed(2) };
    const source = { paypal: { vault_id: 'tok_ok_hand' } };
    const order = { intent: 'CAPTURE', purchase_units: [{ amount: money }], payment_source: source };
    const { id } = await desk.paypal('v2/checkout/orders', order);
    await desk.paypal(`v2/checkout/orders/${String(id)}/capture`, {});
    return String(id);
  },
  async square(amount) {
    const { payment } = await desk.square('payments', {
      source_id: 'cnon_ok',
      idempotency_key: crypto.randomUUID(),
      amount_money: { amount, currency: 'USD' },
    });
    return String(Object(payment).id);
  },
};

describe.each(['stripe', 'paypal', 'square'] as const)("a payment taken in %s's dashboard", (provider) => {
  test('that names nothing of ours is a pay-in whose money waits for a person, who says whose it is', async () => {
    const externId = await takenByHand[provider](4_200);
    const key = `ext:${provider}:${externId}`;
    const payin = await shop.settledPayin(await found(key));
    expect(payin).toMatchObject({ status: 'succeeded', origin: 'external', amountMinor: 4_200n, checkoutId: null });
    const row = await desk.unapplied(payin.pkid);
    expect(row).toMatchObject({ reason: 'external_payin', amountMinor: 4_200n, externPaymentId: externId });
    await desk.eventsDone(provider);
    expect(await shop.app.externals.adoptPayin(provider, externId)).toBe('no_effect');
    expect(await desk.told(key)).toEqual(['payin.succeeded']);
    const wallet = await shop.buyerWallet(`${provider}-whose`);
    const by = { reason: 'The buyer called.', actor: 'tester' };
    await shop.app.unapplied.resolve(row.unappliedId, { applyTo: wallet, ...by });
    expect(await shop.available(wallet)).toBe(4_200n);
    await shop.expectBooksAgree();
  });

  test('and refunded there in part has that much less to decide about, whichever event comes first', async () => {
    await desk.control('webhooks', { drop: 1 });
    const externId = await takenByHand[provider](3_000);
    const refundId = await byHand[provider]?.(externId, 1_000);
    await desk.control('webhooks', { drop: 0, duplicate: 1 });
    if (refundId === undefined) throw new Error('Nothing was refunded.');
    const { externals } = shop.app;
    await expect(externals.adoptRefund(provider, refundId)).rejects.toMatchObject({ code: 'unavailable' });
    const payin = await shop.settledPayin(await found(`ext:${provider}:${externId}`));
    expect(await externals.adoptRefund(provider, refundId)).toBe('applied');
    expect(await desk.adopted(provider, refundId)).toMatchObject({ status: 'succeeded', amountMinor: 1_000n });
    expect(await externals.adoptRefund(provider, refundId)).toBe('no_effect');
    const rows = await desk.unappliedOf(payin.pkid);
    const left = rows.find(({ resolvedAt }) => resolvedAt === null);
    expect(rows).toHaveLength(2);
    expect(left).toMatchObject({ amountMinor: 3_000n, splitOffMinor: 1_000n });
    const by = { reason: 'The buyer called.', actor: 'tester' };
    const wallet = await shop.buyerWallet(`${provider}-rest`);
    await shop.app.unapplied.resolve(left?.unappliedId ?? '', { applyTo: wallet, ...by });
    expect(await shop.available(wallet)).toBe(2_000n);
    await shop.expectBooksAgree();
  });

  test('is there already, so it cannot be cancelled', async () => {
    const externId = await takenByHand[provider](500);
    const key = `ext:${provider}:${externId}`;
    const pkid = await found(key);
    await expect(shop.app.payins.cancel(pkid, key)).rejects.toMatchObject({ code: 'invalid-state' });
    expect(await shop.settledPayin(pkid)).toMatchObject({ status: 'succeeded' });
    await shop.expectBooksAgree();
  });

  test('can be sent back from here, in whole', async () => {
    const externId = await takenByHand[provider](900);
    const payin = await shop.settledPayin(await found(`ext:${provider}:${externId}`));
    const { unappliedId } = await desk.unapplied(payin.pkid);
    const by = { reason: 'Not ours.', actor: 'tester' };
    const { refundPkid } = await shop.app.unapplied.resolve(unappliedId, { applyTo: null, ...by });
    if (!refundPkid) throw new Error('Nothing is on its way back.');
    expect(await shop.settledRefund(refundPkid)).toMatchObject({ status: 'succeeded' });
    await desk.eventsDone(provider);
    expect(await desk.unapplied(payin.pkid)).toMatchObject({ resolvedBy: 'tester' });
    await shop.expectBooksAgree();
  });
});

/** The pay-in of this key, once the provider's event has brought it here. */
async function found(key: string): Promise<Pkid> {
  const pkid = pkidOf('payin', key);
  await desk.until(
    () => shop.app.payins.find(pkid),
    (row) => row !== null,
  );
  return pkid;
}

test('a payment of an operation that is not here is told to a person, once, and not booked', async () => {
  const pkid = pkidOf('payin', 'after-the-backup');
  const { id } = await desk.stripe(
    'payment_intents',
    { ...OF_THE_LOST, transfer_group: pkid, 'metadata[pkid]': pkid, 'metadata[semantic_key]': 'after-the-backup' },
    pkid,
  );
  const told = await desk.until(
    async () => (await shop.app.reviews.attention()).discrepancies.filter((row) => row.extern_payment_id === id),
    (rows) => rows.length > 0,
  );
  await desk.eventsDone('stripe');
  expect(told).toEqual([expect.objectContaining({ reason: 'unmatched_event', provider: 'stripe' })]);
  expect(await shop.app.payins.find(pkidOf('payin', `ext:stripe:${String(id)}`))).toBeNull();
});

const OF_THE_LOST = { amount: '100', currency: 'chf', confirm: 'true', payment_method: 'pm_card_ok' };
