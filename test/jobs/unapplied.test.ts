// What people decide about money that fits nothing: it goes to a wallet or back to its payer, once; what cannot be sent
// back is open again, and a refund that comes back is such money, too.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Unapplied } from '../../src/entities/unapplied.ts';
import { type Desk, openShopWithDesk } from '../harness/desk.ts';
import type { Shop } from '../harness/shop.ts';

let shop: Shop;
let desk: Desk;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ shop, desk, close } = await openShopWithDesk());
});
afterAll(() => close());

const UNAPPLIED = '@unapplied:USD';
const decision = { reason: 'agreed with the buyer', actor: 'tester' } as const;

/** A buyer paid an order twice; the second payment is of 30.00, by means that the words of the token speak of. */
async function paidTwice(name: string, token = 'pm_card_ok'): Promise<Unapplied> {
  await shop.oneOrder(name);
  const { pkid } = await shop.pay(name);
  await desk.stripe('payment_intents', {
    amount: '3000',
    currency: 'usd',
    confirm: 'true',
    payment_method: token,
    transfer_group: pkid,
    'metadata[pkid]': pkid,
  });
  return desk.unapplied(pkid);
}

async function refundOf({ pkid, refundPkid }: Unapplied) {
  if (!refundPkid) throw new Error(`Nothing is sent back of ${pkid}.`);
  return shop.settledRefund(refundPkid);
}

describe('unapplied money', () => {
  test("goes to the wallet that is named, and its pay-in's discrepancies are closed", async () => {
    const { unappliedId, pkid } = await paidTwice('to-wallet');
    const wallet = await shop.buyerWallet('to-wallet');
    const resolved = await shop.app.unapplied.resolve(unappliedId, { applyTo: wallet, ...decision });
    expect(resolved).toMatchObject({ appliedTo: wallet, resolvedBy: 'tester', resolvedReason: decision.reason });
    expect(await shop.available(wallet)).toBe(3_000n);
    expect(await desk.discrepancies(pkid)).toEqual([]);
    const repeated = await shop.app.unapplied.resolve(unappliedId, { applyTo: wallet, ...decision });
    expect(repeated).toMatchObject({ resolvedAt: resolved.resolvedAt });
    const other = { applyTo: null, reason: 'second thoughts', actor: 'tester' };
    await expect(shop.app.unapplied.resolve(unappliedId, other)).rejects.toMatchObject({ code: 'invalid-state' });
    expect(await shop.available(wallet)).toBe(3_000n);
    await shop.expectBooksAgree();
  });

  test('that is decided leaves open what is told of another payment of the same pay-in', async () => {
    const { pkid, unappliedId } = await paidTwice('thrice');
    const again = { amount: '700', currency: 'usd', confirm: 'true', payment_method: 'pm_card_ok' };
    await desk.stripe('payment_intents', { ...again, transfer_group: pkid, 'metadata[pkid]': pkid });
    const both = await desk.until(
      () => desk.unappliedOf(pkid),
      (rows) => rows.length === 2,
    );
    const applyTo = await shop.buyerWallet('thrice');
    await shop.app.unapplied.resolve(unappliedId, { applyTo, ...decision });
    expect(await desk.discrepancies(pkid)).toEqual(['second_reference']);
    for (const row of both) await shop.app.unapplied.resolve(row.unappliedId, { applyTo, ...decision });
    expect(await desk.discrepancies(pkid)).toEqual([]);
    expect(await shop.available(applyTo)).toBe(3_700n);
    await shop.expectBooksAgree();
  });

  test('goes nowhere but to a wallet of its currency that a person owns', async () => {
    const { unappliedId } = await paidTwice('nowhere');
    const [yen] = await shop.sellers('yen', 1, 'JPY');
    const to = (applyTo: string) => shop.app.unapplied.resolve(unappliedId, { applyTo, ...decision });
    await expect(to(yen)).rejects.toMatchObject({ code: 'invalid-currency' });
    await expect(to('nobody')).rejects.toMatchObject({ code: 'not-found' });
    await expect(to('@bank:USD')).rejects.toMatchObject({ code: 'not-found' });
    await expect(shop.app.unapplied.resolve(crypto.randomUUID(), { applyTo: null, ...decision })).rejects.toMatchObject(
      {
        code: 'not-found',
      },
    );
    await shop.expectBooksAgree();
  });

  test('is decided about once by two people at once', async () => {
    const { unappliedId, pkid } = await paidTwice('both');
    const before = await desk.balance(UNAPPLIED);
    const wallet = await shop.buyerWallet('both');
    const ends = await Promise.allSettled([
      shop.app.unapplied.resolve(unappliedId, { applyTo: wallet, reason: 'credit', actor: 'one' }),
      shop.app.unapplied.resolve(unappliedId, { applyTo: null, reason: 'back, says two', actor: 'two' }),
      shop.app.unapplied.resolve(unappliedId, { applyTo: wallet, reason: 'credit', actor: 'three' }),
      shop.app.unapplied.resolve(unappliedId, { applyTo: null, reason: 'back, says four', actor: 'four' }),
    ]);
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const codes = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason.code] : []));
    expect(codes).toEqual(['invalid-state', 'invalid-state', 'invalid-state']);
    await desk.unapplied(pkid, ({ resolvedAt }) => resolvedAt !== null);
    expect(await desk.balance(UNAPPLIED)).toBe(before - 3_000n);
    await shop.expectBooksAgree();
  });

  test('goes back to its payer through the payment that it came by, and not through the pay-in beside it', async () => {
    const kept = await paidTwice('back');
    const resolved = await shop.app.unapplied.resolve(kept.unappliedId, { applyTo: null, ...decision });
    const refund = await refundOf(resolved);
    expect(refund).toMatchObject({ status: 'succeeded', orderPkid: null, payinExternId: kept.externPaymentId });
    expect(await desk.unapplied(kept.pkid)).toMatchObject({
      refundPkid: refund.pkid,
      resolvedAt: expect.any(Date),
      resolvedBy: 'tester',
    });
    expect(shop.book().filter(({ direction, key }) => direction === 'refund' && key === refund.pkid)).toHaveLength(1);
    await shop.expectBooksAgree();
  });

  test('whose refund fails is open again, and can be sent again or applied', async () => {
    const kept = await paidTwice('refused', 'pm_refund_decline');
    const before = await desk.balance(UNAPPLIED);
    for (const _try of [1, 2]) {
      const resolved = await shop.app.unapplied.resolve(kept.unappliedId, { applyTo: null, ...decision });
      expect(await refundOf(resolved)).toMatchObject({ status: 'failed', failureCode: 'declined' });
      const open = await desk.unapplied(kept.pkid, ({ refundPkid }) => refundPkid === null);
      expect(open).toMatchObject({ resolvedAt: null, resolvedBy: null, resolvedReason: null });
      expect(await desk.balance(UNAPPLIED)).toBe(before);
    }
    const wallet = await shop.buyerWallet('refused');
    await shop.app.unapplied.resolve(kept.unappliedId, { applyTo: wallet, ...decision });
    expect(await shop.available(wallet)).toBe(3_000n);
    expect(await desk.balance(UNAPPLIED)).toBe(before - 3_000n);
    await shop.expectBooksAgree();
  });
});

describe.each(['stripe', 'paypal', 'square'] as const)('a refund at %s that comes back', (provider) => {
  test("is its buyer's money: unapplied once, with a discrepancy, and sent again when a person says so", async () => {
    const name = `${provider}-bounced`;
    const token = 'tok_refund_bounce';
    const seller = await shop.paidOrder(name, { amountMinor: 10_000n, feeMinor: 2_000n, provider, token });
    await shop.deliver(`${name}-1`);
    const before = await desk.balance(UNAPPLIED);
    const refund = await shop.refund(`${name}-1`, 4_000n);
    expect(refund.status).toBe('succeeded');
    const kept = await desk.unapplied(refund.pkid);
    expect(kept).toMatchObject({ reason: 'refund_returned', amountMinor: 4_000n, operationKind: 'refund' });
    expect(await desk.discrepancies(refund.pkid)).toEqual(['refund_returned']);
    expect(await shop.app.refunds.find(refund.pkid)).toMatchObject({ status: 'succeeded', returnedMinor: 4_000n });
    await desk.eventsDone(provider);
    for (const _time of [1, 2]) await shop.app.refunds.query(refund.pkid, 'tester');
    expect(await desk.postings(refund.pkid, 'unapplied.opened')).toBe(1);
    expect(await desk.balance(UNAPPLIED)).toBe(before + 4_000n);
    expect(await desk.told(refund.semanticKey)).toEqual(['refund.succeeded', 'refund.returned']);
    // The seller gave it and does not get it back: it was the buyer's, and still is.
    expect(await shop.available(seller)).toBe(4_800n);
    await shop.expectBooksAgree();
    const wallet = await shop.buyerWallet(name);
    await shop.app.unapplied.resolve(kept.unappliedId, { applyTo: wallet, ...decision });
    expect(await shop.available(wallet)).toBe(4_000n);
    await shop.expectBooksAgree();
  });
});
