// The saga of a checkout at each provider that takes payments: pay in, deliver or refund order by order, pay the
// sellers out; our books, the wallets and the provider's own book agree to the minor unit.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openShop, type Shop } from '../harness/shop.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.close());

const PAYERS = ['stripe', 'paypal', 'square'] as const;

describe.each(PAYERS)('a checkout paid through %s', (provider) => {
  test.each(['USD', 'JPY'] as const)('splits, releases and compensates to the minor unit in %s', async (currency) => {
    const name = `${provider}-${currency}`.toLowerCase();
    const [one, two, three] = await shop.sellers(name, 3, currency);
    await shop.checkout(name, {
      provider,
      currency,
      orders: [
        { seller: one, amountMinor: 10_000n, feeMinor: 2_000n },
        { seller: two, amountMinor: 5_555n, feeMinor: 333n },
        { seller: three, amountMinor: 3_000n, feeMinor: 0n },
      ],
    });
    await shop.pay(name);
    expect(await shop.pending(one, currency)).toBe(10_000n);
    await shop.deliver(`${name}-1`);
    await shop.deliver(`${name}-2`);
    expect(await shop.available(one)).toBe(8_000n);
    expect(await shop.available(two)).toBe(5_222n);
    expect((await shop.refund(`${name}-3`, 3_000n)).status).toBe('succeeded');
    expect(await shop.pending(three, currency)).toBe(0n);
    expect(await shop.available(three)).toBe(0n);
    await shop.expectBooksAgree();
  });
});

describe('the amounts of the chart', () => {
  test('an order of 100.00 with a fee of 20.00, refunded by 90.00 and delivered, gives the seller 8.00', async () => {
    const seller = await shop.paidOrder('ninety', { amountMinor: 10_000n, feeMinor: 2_000n });
    await shop.refund('ninety-1', 9_000n);
    await shop.deliver('ninety-1');
    expect(await shop.available(seller)).toBe(800n);
    await shop.expectBooksAgree();
  });

  test('a refund after delivery takes what the seller has, the rest as debt that the next delivery pays', async () => {
    const seller = await shop.paidOrder('debtor', { amountMinor: 10_000n, feeMinor: 2_000n });
    await shop.deliver('debtor-1');
    await shop.payOut(seller, 8_000n);
    expect(await shop.available(seller)).toBe(0n);
    await shop.refund('debtor-1', 10_000n);
    expect(await shop.available(seller)).toBe(0n);
    expect(await shop.debt(seller)).toBe(-8_000n);
    await shop.paidOrder('debtor-next', { amountMinor: 9_000n, feeMinor: 0n, seller });
    await shop.deliver('debtor-next-1');
    expect(await shop.debt(seller)).toBe(0n);
    expect(await shop.available(seller)).toBe(1_000n);
    await shop.expectBooksAgree();
  });

  test('of fifty refunds of 10.00 at once on an order of 100.00 exactly ten succeed', async () => {
    await shop.paidOrder('fifty', { amountMinor: 10_000n, feeMinor: 0n });
    const ends = await Promise.allSettled(
      Array.from({ length: 50 }, (_, index) => shop.refund('fifty-1', 1_000n, { key: `fifty-refund-${index}` })),
    );
    const refused = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason.code] : []));
    expect(refused).toEqual(Array.from({ length: 40 }, () => 'refund-exceeds-payment'));
    expect(ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value.status] : []))).toEqual(
      Array.from({ length: 10 }, () => 'succeeded'),
    );
    expect(shop.book().filter(({ direction, amount }) => direction === 'refund' && amount === '1000')).toHaveLength(10);
    await shop.expectBooksAgree();
  });

  test('an order delivered during a refund keeps that part, and releases it when the refund fails', async () => {
    const seller = await shop.paidOrder('open', { amountMinor: 10_000n, feeMinor: 2_000n, token: 'pm_refund_decline' });
    // The worker that claims it first may be done before the delivery: either way the seller ends with the same.
    const refund = await shop.requestRefund('open-1', 4_000n);
    await shop.deliver('open-1');
    expect(await shop.settledRefund(refund)).toMatchObject({ status: 'failed', failureCode: 'declined' });
    expect(await shop.available(seller)).toBe(8_000n);
    expect(await shop.pending(seller)).toBe(0n);
    await shop.expectBooksAgree();
  });

  test("a refund into the buyer's wallet needs no provider", async () => {
    await shop.paidOrder('credit', { amountMinor: 10_000n, feeMinor: 0n });
    const wallet = await shop.buyerWallet('credit');
    expect(await shop.refund('credit-1', 2_500n, { destination: 'wallet' })).toMatchObject({ status: 'succeeded' });
    expect(await shop.available(wallet)).toBe(2_500n);
    await shop.expectBooksAgree();
  });

  test("a refund into the buyer's wallet is nothing to ask a provider about, and no contradiction", async () => {
    await shop.paidOrder('unasked', { amountMinor: 10_000n, feeMinor: 0n });
    await shop.buyerWallet('unasked');
    const { pkid } = await shop.refund('unasked-1', 2_500n, { destination: 'wallet' });
    await expect(shop.app.refunds.query(pkid, 'tester')).rejects.toMatchObject({ code: 'invalid-state' });
    const { discrepancies } = await shop.app.reviews.attention();
    expect(discrepancies.filter((one) => one.pkid === pkid)).toEqual([]);
  });
});

describe('a pay-in', () => {
  test('of two with different keys for one checkout only the first is taken', async () => {
    await shop.oneOrder('two-tabs');
    const [first, second] = await Promise.all([shop.tryPay('two-tabs', 'tab-1'), shop.tryPay('two-tabs', 'tab-2')]);
    expect([first.type, second.type].toSorted()).toEqual(['created', 'taken']);
    expect(first.row.pkid).toBe(second.row.pkid);
  });

  test('that is declined fails after it was cancelled at the provider, and it can be paid again', async () => {
    await shop.oneOrder('declined', { token: 'pm_decline_1' });
    expect(await shop.pay('declined')).toMatchObject({ status: 'failed', failureCode: 'declined' });
    const again = await shop.pay('declined', { key: 'declined-again', token: 'pm_card_ok' });
    expect(again).toMatchObject({ status: 'succeeded' });
    await shop.expectBooksAgree();
  });

  test('waits for its buyer, and succeeds when they approve', async () => {
    await shop.oneOrder('approval', { provider: 'paypal', token: 'tok_action_1' });
    const waiting = await shop.payUntil('approval', ({ nextAction }) => nextAction !== null);
    expect(waiting.nextAction).toMatchObject({ type: 'redirect', url: expect.stringMatching(/^http/) });
    await shop.approve(waiting.externPaymentId ?? '');
    await shop.hint(waiting);
    expect(await shop.settledPayin(waiting.pkid)).toMatchObject({ status: 'succeeded', nextAction: null });
    await shop.expectBooksAgree();
  });

  test('whose buyer never comes back is cancelled at the provider and expires', async () => {
    await shop.oneOrder('gone', { token: 'pm_action_1' });
    const waiting = await shop.payUntil('gone', ({ nextAction }) => nextAction !== null, { expiresInMs: 2_500 });
    expect(await shop.settledPayin(waiting.pkid)).toMatchObject({ status: 'failed', failureCode: 'expired' });
    expect(shop.book().filter(({ key }) => key === waiting.pkid)).toEqual([]);
  });

  test('can load a wallet without a checkout', async () => {
    const [wallet] = await shop.sellers('loader', 1, 'USD');
    expect(await shop.load(wallet, 7_000n)).toMatchObject({ status: 'succeeded' });
    expect(await shop.available(wallet)).toBe(7_000n);
    await shop.expectBooksAgree();
  });
});

describe('a cancelled checkout', () => {
  test('compensates every order that is not delivered, once', async () => {
    const [one, two] = await shop.sellers('cancelled', 2, 'USD');
    await shop.checkout('cancelled', {
      orders: [
        { seller: one, amountMinor: 4_000n, feeMinor: 400n },
        { seller: two, amountMinor: 6_000n, feeMinor: 600n },
      ],
    });
    await shop.pay('cancelled');
    await shop.deliver('cancelled-1');
    await Promise.all([shop.cancel('cancelled'), shop.cancel('cancelled')]);
    await shop.compensated('cancelled');
    expect(await shop.available(one)).toBe(3_600n);
    expect(await shop.available(two)).toBe(0n);
    expect(await shop.pending(two)).toBe(0n);
    const back = shop.book().filter(({ direction, amount }) => direction === 'refund' && amount === '6000');
    expect(back).toHaveLength(1);
    await shop.expectBooksAgree();
  });

  test('that was never paid takes no pay-in any more', async () => {
    await shop.oneOrder('stillborn');
    await shop.cancel('stillborn');
    await expect(shop.tryPay('stillborn', 'too-late')).rejects.toMatchObject({ code: 'invalid-state' });
  });

  test('whose refund fails is shown to a person, and not asked again for ever', async () => {
    await shop.paidOrder('unrefundable', { amountMinor: 3_000n, feeMinor: 0n, token: 'pm_refund_decline' });
    await shop.cancel('unrefundable');
    await shop.compensated('unrefundable');
    const { discrepancies } = await shop.app.reviews.attention();
    expect(discrepancies).toContainEqual(expect.objectContaining({ reason: 'not_compensated', amount: '3000' }));
  });

  test('gives back what its provider can refund, and shows a person the orders that it cannot', async () => {
    const [one, two, three] = await shop.sellers('halves', 3, 'HUF');
    await shop.buyerWallet('halves', 'HUF');
    const orders = [one, two, three].map((seller) => ({ seller, amountMinor: 5_000n, feeMinor: 0n }));
    await shop.checkout('halves', { provider: 'paypal', currency: 'HUF', orders });
    const { semanticKey } = await shop.pay('halves');
    // PayPal moves whole forints only, and what is left of two orders is none.
    await shop.refund('halves-1', 50n, { destination: 'wallet' });
    await shop.refund('halves-2', 150n, { destination: 'wallet' });
    await shop.cancel('halves');
    await shop.compensated('halves');
    expect(await shop.pending(three, 'HUF')).toBe(0n);
    const { discrepancies } = await shop.app.reviews.attention();
    const shown = discrepancies.filter(({ semantic_key: key }) => key === semanticKey);
    expect(shown.map(({ reason, amount }) => `${reason} ${amount}`).toSorted()).toEqual([
      'not_compensated 4850',
      'not_compensated 4950',
    ]);
    await shop.expectBooksAgree();
  });
});
