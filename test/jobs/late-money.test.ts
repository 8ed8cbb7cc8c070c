// Money that nobody asked for: of another amount, after the end, or twice. It is kept as unapplied, once, however
// often the provider speaks of it.

import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Pkid } from '../../src/domain/id.ts';
import type { Payin } from '../../src/domain/payin.ts';
import { createCheckoutLife } from '../../src/jobs/checkout.ts';
import { createPayinLife, payinRules } from '../../src/jobs/payin.ts';
import { callProvider } from '../../src/jobs/payment/call.ts';
import { answerStep, claimStep } from '../../src/jobs/payment/steps.ts';
import { type Desk, openShopWithDesk } from '../harness/desk.ts';
import type { Shop } from '../harness/shop.ts';

let shop: Shop;
let desk: Desk;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ shop, desk, close } = await openShopWithDesk());
});
afterAll(() => close());

/** A second payment intent under the same pay-in, as a page that was left open makes one. */
async function payAgainAtStripe({ pkid }: { pkid: Pkid }, amount: string): Promise<string> {
  const { id } = await desk.stripe('payment_intents', {
    amount,
    currency: 'usd',
    confirm: 'true',
    payment_method: 'pm_card_ok',
    transfer_group: pkid,
    'metadata[pkid]': pkid,
  });
  return String(id);
}

/** What the buyer approved is captured by a program beside us, after we gave it up. */
async function captureAtPaypal({ externPaymentId }: Payin): Promise<void> {
  await desk.paypal(`v2/checkout/orders/${externPaymentId}/capture`, {});
}

/** Takes the pay-in of a checkout as a worker would, before any other does. */
async function claimPayin(checkoutId: string) {
  const { app } = shop;
  const quiet = { ...app, enqueue: async () => undefined };
  const rules = payinRules(quiet);
  const payins = createPayinLife(quiet);
  const { pkid } = (await createCheckoutLife({ ...quiet, payins, refunds: app.refunds }).pay(checkoutId, PAYMENT)).row;
  const row = await app.payins.find(pkid);
  const provider = app.providers.get('stripe');
  if (row === null || provider === undefined) throw new Error('There is no pay-in to claim.');
  const companions = await rules.companionsOf(row);
  const claimed = await rules.step(claimStep(row, { rules, companions, obstacle: null, timing: app.timing }));
  if (claimed.type !== 'call') throw new Error('Somebody else has claimed it.');
  return { pkid, claimed, rules, companions, provider };
}

const PAYMENT = {
  semanticKey: 'pay-lost-lease',
  paymentInfo: null,
  returnUrl: null,
  cancelUrl: null,
  statementDescriptor: null,
  buyer: null,
  expiresAt: null,
  metadata: {},
  traceparent: null,
  confirm: true,
} as const;

async function lookAgainTwice(pkid: Pkid): Promise<void> {
  for (const _time of [1, 2]) await shop.app.payins.query(pkid, 'tester');
}

describe('money after the end', () => {
  test('that a worker is told of after it had lost its lease is kept at once', async () => {
    // Its event would be a look of its own, at a time of its own.
    await desk.control('webhooks', { drop: 1 });
    onTestFinished(async () => void (await desk.control('webhooks', { drop: 0 })));
    await shop.oneOrder('lost-lease');
    const { pkid, claimed, rules, companions, provider } = await claimPayin('lost-lease');
    const options = shop.app;
    const answered = await callProvider(claimed, { rules, provider, startedAt: performance.now(), options });
    await sql`UPDATE payin SET due_at = clock_timestamp() WHERE pkid = ${pkid}::uuid`.execute(options.db.sql);
    const verdict = { verdict: 'failed', reason: 'Given up.', externPaymentId: null, actor: 'tester' } as const;
    await options.payins.resolve(pkid, verdict);
    await rules.step(answerStep(answered, { rules, companions, provider, timing: options.timing }));
    expect(await desk.unappliedOf(pkid)).toMatchObject([{ reason: 'contradicts_final', amountMinor: 5_000n }]);
    expect(await desk.discrepancies(pkid)).toEqual(['contradicts_final']);
    await lookAgainTwice(pkid);
    expect(await desk.postings(pkid, 'unapplied.opened')).toBe(1);
    await shop.expectBooksAgree();
  });

  test('of a PayPal order that was captured after its pay-in expired is kept, and told of', async () => {
    await shop.oneOrder('expired', { provider: 'paypal', token: 'tok_action_1' });
    const waiting = await shop.payUntil('expired', ({ nextAction }) => nextAction !== null, { expiresInMs: 4_000 });
    expect(await shop.settledPayin(waiting.pkid)).toMatchObject({ status: 'failed', failureCode: 'expired' });
    await shop.approve(waiting.externPaymentId ?? '');
    await captureAtPaypal(waiting);
    const row = await desk.unapplied(waiting.pkid);
    expect(row).toMatchObject({ reason: 'paid_but_failed', amountMinor: 5_000n, refundPkid: null, resolvedAt: null });
    expect(await desk.discrepancies(waiting.pkid)).toEqual(['paid_but_failed']);
    await lookAgainTwice(waiting.pkid);
    expect(await desk.postings(waiting.pkid, 'unapplied.opened')).toBe(1);
    expect(await shop.app.payins.find(waiting.pkid)).toMatchObject({ status: 'failed' });
    await desk.eventsDone('paypal');
    await shop.expectBooksAgree();
  });

  test('of a checkout that was cancelled while its buyer was at PayPal is kept', async () => {
    await shop.oneOrder('given-up', { provider: 'paypal', token: 'tok_action_1' });
    const waiting = await shop.payUntil('given-up', ({ nextAction }) => nextAction !== null);
    await shop.cancel('given-up');
    expect(await shop.settledPayin(waiting.pkid)).toMatchObject({ status: 'failed', failureCode: 'canceled' });
    await shop.compensated('given-up');
    await shop.approve(waiting.externPaymentId ?? '');
    await captureAtPaypal(waiting);
    expect(await desk.unapplied(waiting.pkid)).toMatchObject({ reason: 'paid_but_failed', amountMinor: 5_000n });
    await desk.eventsDone('paypal');
    await shop.expectBooksAgree();
  });

  test('at Stripe, under the id of a pay-in that was declined, is kept', async () => {
    await shop.oneOrder('revived', { token: 'pm_decline_1' });
    const failed = await shop.pay('revived');
    expect(failed).toMatchObject({ status: 'failed', failureCode: 'declined' });
    const externId = await payAgainAtStripe(failed, '5000');
    expect(await desk.unapplied(failed.pkid)).toMatchObject({ externPaymentId: externId, amountMinor: 5_000n });
    await desk.eventsDone('stripe');
    expect(await desk.postings(failed.pkid, 'unapplied.opened')).toBe(1);
    await shop.expectBooksAgree();
  });
});

describe('money that came twice', () => {
  test.each(['5000', '1234'])(
    'is kept beside the pay-in that succeeded, once: a second payment of %s',
    async (amount) => {
      await desk.control('webhooks', { duplicate: 1, shuffle: true });
      const seller = await shop.oneOrder(`twice-${amount}`);
      const payin = await shop.pay(`twice-${amount}`);
      const externId = await payAgainAtStripe(payin, amount);
      const kept = await desk.unapplied(payin.pkid);
      expect(kept).toMatchObject({
        reason: 'second_reference',
        externPaymentId: externId,
        amountMinor: BigInt(amount),
      });
      await desk.eventsDone('stripe');
      await desk.control('webhooks');
      await lookAgainTwice(payin.pkid);
      expect(await desk.discrepancies(payin.pkid)).toEqual(['second_reference']);
      expect(await desk.postings(payin.pkid, 'unapplied.opened')).toBe(1);
      expect(await shop.pending(seller)).toBe(5_000n);
      await shop.expectBooksAgree();
    },
  );

  test('while the pay-in was open sends it to a person, who books the first; the second is kept', async () => {
    const seller = await shop.oneOrder('two-tabs', { token: 'tok_hidden' });
    const { row } = await shop.tryPay('two-tabs', 'pay-two-tabs');
    await desk.until(
      async () => shop.book().filter(({ key }) => key === row.pkid).length,
      (count) => count === 1,
    );
    await payAgainAtStripe(row, '5000');
    const open = await desk.until(
      () => shop.app.payins.find(row.pkid),
      (found) => found?.reviewReason === 'second_reference' || found?.status === 'succeeded',
    );
    await desk.eventsDone('stripe');
    if (open?.status === 'in_process') {
      const verdict = {
        verdict: 'succeeded',
        reason: 'both are paid',
        externPaymentId: null,
        actor: 'tester',
      } as const;
      await desk.until(
        () => shop.app.payins.find(row.pkid),
        (found) => found?.leased === false,
      );
      await shop.app.payins.resolve(row.pkid, verdict);
    }
    expect(await shop.settledPayin(row.pkid)).toMatchObject({ status: 'succeeded' });
    expect(await desk.unapplied(row.pkid)).toMatchObject({ reason: 'second_reference', amountMinor: 5_000n });
    expect(await shop.pending(seller)).toBe(5_000n);
    await shop.expectBooksAgree();
  });
});

describe('money of another amount', () => {
  test('is kept as unapplied, and its pay-in waits for a person without being booked again', async () => {
    const seller = await shop.oneOrder('partial', { token: 'tok_error_before' });
    const { row } = await shop.tryPay('partial', 'pay-partial');
    // The first try was not taken; before the second one somebody charges less under the same id.
    await payAgainAtStripe(row, '4000');
    const held = await desk.until(
      () => shop.app.payins.find(row.pkid),
      (found) => found?.reviewReason === 'success_differs',
    );
    expect(held).toMatchObject({ status: 'in_process' });
    expect(await desk.unapplied(row.pkid)).toMatchObject({ reason: 'success_differs', amountMinor: 4_000n });
    for (const _time of [1, 2]) {
      const before = await shop.app.payins.find(row.pkid);
      await shop.app.payins.query(row.pkid, 'tester');
      await desk.until(
        () => shop.app.payins.find(row.pkid),
        (found) => (found?.calls ?? 0) > (before?.calls ?? 0) && found?.leased === false,
      );
    }
    expect(await desk.postings(row.pkid, 'unapplied.opened')).toBe(1);
    expect(await desk.discrepancies(row.pkid)).toEqual(['success_differs']);
    expect(await shop.pending(seller)).toBe(0n);
    const verdict = { reason: 'too little', externPaymentId: null, actor: 'tester' };
    await expect(shop.app.payins.resolve(row.pkid, { ...verdict, verdict: 'succeeded' })).rejects.toMatchObject({
      code: 'invalid-state',
    });
    await shop.app.payins.resolve(row.pkid, { ...verdict, verdict: 'failed' });
    await lookAgainTwice(row.pkid);
    expect(await desk.postings(row.pkid, 'unapplied.opened')).toBe(1);
    await shop.expectBooksAgree();
  });
});
