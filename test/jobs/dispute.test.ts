// Disputes at each provider that has them: what is taken when one is opened, whose money it is, and what comes back
// when it is won.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Desk, openShopWithDesk } from '../harness/desk.ts';
import type { Shop } from '../harness/shop.ts';

let shop: Shop;
let desk: Desk;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ shop, desk, close } = await openShopWithDesk());
});
afterAll(() => close());

const AMOUNT = 10_000n;
const FEE = 2_000n;

describe.concurrent.each(['stripe', 'paypal', 'square'] as const)('a dispute at %s', (provider) => {
  const order = (token: string) => ({ amountMinor: AMOUNT, feeMinor: FEE, provider, token });
  const payinOf = async (checkoutId: string) => {
    const [payin] = await shop.app.checkouts.payinsOf(checkoutId);
    if (payin === undefined) throw new Error(`${checkoutId} has no pay-in.`);
    return payin.pkid;
  };

  test('before delivery takes what is pending, and keeps it when it is lost', async () => {
    const name = `${provider}-lost`;
    const seller = await shop.paidOrder(name, order('tok_dispute_lost'));
    const payin = await payinOf(name);
    await desk.dispute(payin, 'open');
    expect(await shop.pending(seller)).toBe(0n);
    const dispute = await desk.dispute(payin, 'lost');
    expect(dispute).toMatchObject({ amountMinor: AMOUNT, orderId: `${name}-1`, uncoveredMinor: 0n });
    expect(await shop.app.orders.find(`${name}-1`)).toMatchObject({ takenBeforeMinor: AMOUNT });
    await shop.deliver(`${name}-1`);
    expect(await shop.available(seller)).toBe(0n);
    expect(await desk.told(dispute.disputeId)).toEqual(['dispute.opened', 'dispute.lost']);
  });

  test('after delivery takes from the seller, and what they lack becomes a debt; won, it is paid back', async () => {
    const name = `${provider}-won`;
    const seller = await shop.paidOrder(name, order('tok_dispute_won'));
    await shop.deliver(`${name}-1`);
    expect(await shop.available(seller)).toBe(8_000n);
    const payin = await payinOf(name);
    await desk.dispute(payin, 'open');
    expect(await shop.available(seller)).toBe(0n);
    expect(await shop.debt(seller)).toBe(-2_000n);
    const dispute = await desk.dispute(payin, 'won');
    expect(await shop.debt(seller)).toBe(0n);
    expect(await shop.available(seller)).toBe(8_000n);
    expect(await desk.told(dispute.disputeId)).toEqual(['dispute.opened', 'dispute.won']);
  });

  test('that is won after its order was delivered releases the money less the fee', async () => {
    const name = `${provider}-late`;
    const seller = await shop.paidOrder(name, order('tok_dispute_won'));
    const payin = await payinOf(name);
    await desk.dispute(payin, 'open');
    await shop.deliver(`${name}-1`);
    expect(await shop.available(seller)).toBe(0n);
    await desk.dispute(payin, 'won');
    expect(await shop.available(seller)).toBe(8_000n);
    expect(await shop.pending(seller)).toBe(0n);
  });

  test('of a checkout with several orders takes each one whole, and gives each one back', async () => {
    const name = `${provider}-many`;
    const [one, two] = await shop.sellers(name, 2, 'USD');
    await shop.checkout(name, {
      provider,
      token: 'tok_dispute_won',
      orders: [
        { seller: one, amountMinor: 6_000n, feeMinor: 600n },
        { seller: two, amountMinor: 4_000n, feeMinor: 0n },
      ],
    });
    await shop.pay(name);
    await shop.deliver(`${name}-1`);
    const payin = await payinOf(name);
    const opened = await desk.dispute(payin, 'open');
    expect(opened).toMatchObject({ orderId: null, amountMinor: AMOUNT });
    expect(await shop.available(one)).toBe(0n);
    expect(await shop.debt(one)).toBe(-600n);
    expect(await shop.pending(two)).toBe(0n);
    await desk.dispute(payin, 'won');
    expect(await shop.available(one)).toBe(5_400n);
    expect(await shop.debt(one)).toBe(0n);
    expect(await shop.pending(two)).toBe(4_000n);
  });

  test('and a refund at the same time take no more than the order, whichever is first at the provider', async () => {
    const name = `${provider}-part`;
    await shop.paidOrder(name, order('tok_dispute_lost'));
    const refund = await shop.requestRefund(`${name}-1`, 3_000n);
    const { amountMinor, uncoveredMinor } = await desk.dispute(await payinOf(name), 'lost');
    expect(uncoveredMinor).toBe(0n);
    await shop.settledRefund(refund);
    const after = await shop.app.orders.find(`${name}-1`);
    if (after === null) throw new Error('The order is gone.');
    expect(amountMinor + after.refundedMinor).toBe(AMOUNT);
    expect(after.takenBeforeMinor).toBe(amountMinor);
    await expect(shop.refund(`${name}-1`, 1n)).rejects.toMatchObject({ code: 'refund-exceeds-payment' });
  });
});

test('after all of them our books agree with those of the providers', () => shop.expectBooksAgree());

describe('a dispute at stripe', () => {
  test('of a pay-in that loaded a wallet takes from it, then from a debt, and pays both back when won', async () => {
    const [wallet] = await shop.sellers('loaded', 1, 'USD');
    const payin = await shop.load(wallet, 5_000n, { token: 'tok_dispute_won' });
    await shop.payOut(wallet, 3_000n);
    await desk.dispute(payin.pkid, 'open');
    expect(await shop.available(wallet)).toBe(0n);
    expect(await shop.debt(wallet)).toBe(-3_000n);
    await shop.expectBooksAgree();
    await desk.dispute(payin.pkid, 'won');
    expect(await shop.debt(wallet)).toBe(0n);
    expect(await shop.available(wallet)).toBe(2_000n);
    await shop.expectBooksAgree();
  });

  test('whose events come twice and in any order is booked once', async () => {
    await desk.control('webhooks', { duplicate: 1, shuffle: true });
    const seller = await shop.paidOrder('shuffled', { amountMinor: AMOUNT, feeMinor: FEE, token: 'tok_dispute_won' });
    const [payin] = await shop.app.checkouts.payinsOf('shuffled');
    if (payin === undefined) throw new Error('There is no pay-in.');
    await desk.dispute(payin.pkid, 'won');
    await desk.eventsDone('stripe');
    await desk.control('webhooks');
    const { pkid, disputeId } = await desk.dispute(payin.pkid, 'won');
    expect(await desk.postings(pkid, 'dispute.opened')).toBe(1);
    expect(await desk.postings(pkid, 'dispute.won')).toBe(1);
    expect(await desk.told(disputeId)).toEqual(['dispute.opened', 'dispute.won']);
    expect(await shop.pending(seller)).toBe(AMOUNT);
    for (const _again of [1, 2]) {
      expect(await shop.app.disputes.look('stripe', disputeId.replace('stripe:', ''))).toBe('no_effect');
    }
    await shop.expectBooksAgree();
  });

  test('that is told before its pay-in was answered waits for the pay-in', async () => {
    const seller = await shop.oneOrder('early', { token: 'tok_paid_then_timeout' });
    const { row } = await shop.tryPay('early', 'pay-early');
    const extern = await desk.until(
      async () => shop.book().find(({ key }) => key === row.pkid)?.extern_id,
      (found) => found !== undefined,
    );
    // The bank is faster than the answer to our call.
    await expect(shop.app.disputes.look('stripe', `dp_${extern?.slice('pi_'.length)}`)).resolves.toBe('no_effect');
    expect(await shop.settledPayin(row.pkid)).toMatchObject({ status: 'succeeded' });
    expect(await shop.pending(seller)).toBe(5_000n);
    await shop.expectBooksAgree();
  });

  test('leaves alone what an open refund has reserved: nothing is taken twice', async () => {
    const token = 'tok_dispute_lost_refund_pending';
    await shop.paidOrder('reserved', { amountMinor: AMOUNT, feeMinor: FEE, token });
    const refund = await shop.requestRefund('reserved-1', 4_000n);
    const [payin] = await shop.app.checkouts.payinsOf('reserved');
    if (payin === undefined) throw new Error('There is no pay-in.');
    expect(await desk.dispute(payin.pkid, 'lost')).toMatchObject({ amountMinor: 6_000n, uncoveredMinor: 0n });
    expect(await shop.settledRefund(refund)).toMatchObject({ status: 'succeeded' });
    const order = await shop.app.orders.find('reserved-1');
    expect(order).toMatchObject({ refundedMinor: 4_000n, takenBeforeMinor: 6_000n, openBeforeMinor: 0n });
    await shop.expectBooksAgree();
  });

  test('that meets a refund on its way waits until that is refused, and takes the whole', async () => {
    const token = 'tok_dispute_lost_refund_timeout_before';
    const seller = await shop.paidOrder('race', { amountMinor: AMOUNT, feeMinor: FEE, token });
    const refund = await shop.requestRefund('race-1', 4_000n);
    const [payin] = await shop.app.checkouts.payinsOf('race');
    if (payin === undefined) throw new Error('There is no pay-in.');
    const dispute = await desk.dispute(payin.pkid, 'lost');
    expect(dispute).toMatchObject({ amountMinor: AMOUNT, uncoveredMinor: 0n });
    expect(await shop.settledRefund(refund)).toMatchObject({ status: 'failed', failureCode: 'declined' });
    expect(await shop.app.orders.find('race-1')).toMatchObject({ takenBeforeMinor: AMOUNT, openBeforeMinor: 0n });
    expect(await shop.pending(seller)).toBe(0n);
    await shop.expectBooksAgree();
  });
});

test('that is won after its checkout was cancelled goes back to the buyer all the same', async () => {
  const of = { amountMinor: AMOUNT, feeMinor: FEE, provider: 'stripe', token: 'tok_dispute_won' } as const;
  const seller = await shop.paidOrder('won-too-late', of);
  const [payin] = await shop.app.checkouts.payinsOf('won-too-late');
  if (payin === undefined) throw new Error('It was not paid.');
  await desk.dispute(payin.pkid, 'open');
  await shop.cancel('won-too-late');
  await shop.compensated('won-too-late');
  await desk.dispute(payin.pkid, 'won');
  await desk.until(
    () => shop.app.orders.find('won-too-late-1'),
    (order) => order?.refundedMinor === AMOUNT,
  );
  expect([await shop.pending(seller), await shop.available(seller)]).toEqual([0n, 0n]);
  await shop.expectBooksAgree();
});

test('a dispute about a second payment takes nothing of the first, and a person is told', async () => {
  const seller = await shop.oneOrder('second');
  const { pkid } = await shop.pay('second');
  const { id } = await desk.stripe('payment_intents', {
    amount: '5000',
    currency: 'usd',
    confirm: 'true',
    payment_method: 'pm_dispute_lost',
    transfer_group: pkid,
    'metadata[pkid]': pkid,
  });
  await desk.unapplied(pkid);
  const disputeId = `dp_${String(id).slice('pi_'.length)}`;
  const told = await desk.until(
    async () => (await shop.app.reviews.attention()).discrepancies,
    (found) => found.some(({ extern_payment_id: externId }) => externId === disputeId),
  );
  expect(told).toContainEqual(expect.objectContaining({ reason: 'unmatched_event', extern_payment_id: disputeId }));
  expect(await desk.disputesOf(pkid)).toEqual([]);
  expect(await shop.pending(seller)).toBe(5_000n);
});
