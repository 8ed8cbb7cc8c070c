// Webhooks about pay-ins and refunds, as each provider really sends and signs them: late, twice, in any order, before
// our own call has its answer, or never.

import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Desk, openShopWithDesk } from '../harness/desk.ts';
import type { Shop } from '../harness/shop.ts';

let shop: Shop;
let desk: Desk;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ shop, desk, close } = await openShopWithDesk());
});
afterAll(() => close());
beforeEach(() => desk.control('webhooks'));

async function outcomesOf(provider: string): Promise<string[]> {
  const { rows } = await sql<{ outcome: string }>`
    SELECT DISTINCT coalesce(outcome, 'open') AS outcome FROM provider_event WHERE provider = ${provider}
    ORDER BY outcome`.execute(shop.app.db.sql);
  return rows.map(({ outcome }) => outcome);
}

describe.each(['stripe', 'paypal', 'square'] as const)('a webhook of %s', (provider) => {
  test('tells that the buyer has acted, and the pay-in ends without waiting for the next look', async () => {
    const name = `${provider}-acted`;
    await shop.oneOrder(name, { provider, token: 'tok_action_1' });
    const waiting = await shop.payUntil(name, ({ status, externPaymentId, leased }) => {
      return status === 'in_process' && externPaymentId !== null && !leased;
    });
    // The next look of its own is far away.
    await sql`UPDATE payin SET due_at = now() + interval '1 hour' WHERE pkid = ${waiting.pkid}::uuid`.execute(
      shop.app.db.sql,
    );
    await shop.approve(waiting.externPaymentId ?? '');
    expect(await shop.settledPayin(waiting.pkid)).toMatchObject({ status: 'succeeded', nextAction: null });
    await desk.eventsDone(provider);
    expect(await desk.told(waiting.semanticKey)).toContain('payin.succeeded');
    await shop.expectBooksAgree();
  });

  test('sent twice, shuffled and late books a pay-in and its refund once each', async () => {
    await desk.control('webhooks', { duplicate: 1, shuffle: true, delay_ms: 200 });
    const name = `${provider}-shuffled`;
    const token = 'tok_pending_refund_pending';
    const seller = await shop.paidOrder(name, { amountMinor: 10_000n, feeMinor: 0n, provider, token });
    const refund = await shop.refund(`${name}-1`, 4_000n);
    expect(refund.status).toBe('succeeded');
    const [payin] = await shop.app.checkouts.payinsOf(name);
    if (payin === undefined) throw new Error('There is no pay-in.');
    await desk.eventsDone(provider);
    expect(await desk.postings(payin.pkid, 'payin.succeeded')).toBe(1);
    expect(await desk.postings(refund.pkid, 'refund.succeeded')).toBe(1);
    expect(await desk.told(payin.semanticKey)).toEqual(['payin.succeeded']);
    expect(await desk.told(refund.semanticKey)).toEqual(['refund.succeeded']);
    expect(await shop.pending(seller)).toBe(6_000n);
    expect(await desk.discrepancies(payin.pkid)).toEqual([]);
    await shop.expectBooksAgree();
  });

  test('that overtakes the answer to our own call changes nothing twice', async () => {
    const name = `${provider}-overtaken`;
    const seller = await shop.paidOrder(name, { amountMinor: 10_000n, feeMinor: 0n, provider, token: 'tok_slow_1' });
    await desk.eventsDone(provider);
    expect(await shop.pending(seller)).toBe(10_000n);
    expect(
      shop.book().filter(({ destination, direction }) => destination === 'tok_slow_1' && direction === 'in'),
    ).toEqual(expect.arrayContaining([expect.objectContaining({ provider })]));
    await shop.expectBooksAgree();
  });

  test('of a refund that fails in the end gives the order its money again', async () => {
    const name = `${provider}-refund-fails`;
    const token = 'tok_refund_pending_then_fail';
    const seller = await shop.paidOrder(name, { amountMinor: 10_000n, feeMinor: 1_000n, provider, token });
    const refund = await shop.requestRefund(`${name}-1`, 4_000n);
    await desk.until(
      () => shop.app.refunds.find(refund),
      (row) => row?.externPaymentId !== null,
    );
    await shop.deliver(`${name}-1`);
    expect(await shop.available(seller)).toBe(5_400n);
    expect(await shop.settledRefund(refund)).toMatchObject({ status: 'failed', failureCode: 'declined' });
    expect(await shop.available(seller)).toBe(9_000n);
    await desk.eventsDone(provider);
    await shop.expectBooksAgree();
  });

  test('that never comes costs time only', async () => {
    await desk.control('webhooks', { drop: 1 });
    const name = `${provider}-dropped`;
    await shop.oneOrder(name, { provider, token: 'tok_pending_1' });
    const { row } = await shop.tryPay(name, `pay-${name}`);
    await desk.until(
      async () => shop.book().some(({ key }) => key === row.pkid),
      (isPaid) => isPaid,
    );
    await shop.hint(row);
    expect(await shop.settledPayin(row.pkid)).toMatchObject({ status: 'succeeded' });
    await shop.expectBooksAgree();
  });

  test('leaves nothing open and nothing unmatched behind', async () => {
    await desk.eventsDone(provider);
    const outcomes = await outcomesOf(provider);
    expect(outcomes).not.toContain('open');
    expect(outcomes).not.toContain('unmatched');
    const { discrepancies } = await shop.app.reviews.attention();
    expect(discrepancies.filter((one) => one.provider === provider)).toEqual([]);
  });
});
