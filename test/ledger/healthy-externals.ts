// What somebody did in the provider's dashboard on that day: a refund of more than one order, one of a wallet that was
// loaded, and payments that nobody here had asked for.

import { expect, vi } from 'vitest';
import { derivedPkid, type Pkid, pkidOf } from '../../src/domain/id.ts';
import type { Rig } from '../providers/rig.ts';
import { type Market, PROVIDER } from './market.ts';

export async function moveByHand(rig: Rig, market: Market): Promise<void> {
  const { externals } = market;
  const byHand = (path: string, form: Record<string, string>) => inDashboard(rig, path, form);

  const order = { seller: 'eve', amountMinor: 1_000n, feeMinor: 100n };
  const sold = await market.sell('by-hand', 'tok_ok', order, { ...order, seller: 'fay' });
  await market.deliver('by-hand-0');
  await market.refund('by-hand-0', 300n, 'wallet');
  await market.load('jon', 900n, 'tok_ok');
  await market.payOut('jon', 700n);
  // The last part is of no order: 300 of it are in the buyer's wallet already.
  await refundAll(sold, '2000', 3);
  await refundAll(pkidOf('payin', 'load:jon'), '500', 1);

  for (const amount of ['1100', '1200']) {
    const intent = { amount, currency: 'usd', confirm: 'true', payment_method: 'pm_card_ok' };
    const externId = await byHand('payment_intents', intent);
    await externals.adoptPayin(PROVIDER, externId);
    const pkid = pkidOf('payin', `ext:${PROVIDER}:${externId}`);
    await market.payins.run(pkid);
    const by = { reason: 'test', actor: 'test', applyTo: 'eve' };
    if (amount === '1100') await market.unapplied.resolve(derivedPkid(pkid, `unapplied:${externId}`), by);
    else await adoptRefund(await byHand('refunds', { payment_intent: externId, amount: '600' }), 1);
  }

  await disputeByHand(rig, market);

  async function refundAll(pkid: Pkid, amount: string, parts: number): Promise<void> {
    const paid = await market.payins.find(pkid);
    await adoptRefund(await byHand('refunds', { payment_intent: paid?.externPaymentId ?? '', amount }), parts);
  }

  async function adoptRefund(externId: string, parts: number): Promise<void> {
    await externals.adoptRefund(PROVIDER, externId);
    for (let part = 1; part <= parts; part += 1) {
      const suffix = part === 1 ? '' : `:${part}`;
      await market.refunds.run(pkidOf('refund', `ext:${PROVIDER}:${externId}${suffix}`));
    }
  }
}

/** Gives the provider's id of what was made there. */
async function inDashboard({ url }: Rig, path: string, form: Record<string, string>): Promise<string> {
  const response = await fetch(`${url}/stripe/v1/${path}`, {
    method: 'POST',
    headers: {
      authorization: 'Bearer sk_test_dashboard',
      'content-type': 'application/x-www-form-urlencoded',
      'idempotency-key': crypto.randomUUID(),
    },
    body: new URLSearchParams(form),
  });
  const { id }: { id?: unknown } = JSON.parse(await response.text());
  if (typeof id !== 'string') throw new Error(`${path} was answered ${response.status}.`);
  return id;
}

/** Somebody's payment, whose bank takes it back before anybody has said whose it is. */
async function disputeByHand(rig: Rig, market: Market): Promise<void> {
  const disputes = () =>
    rig.deliveries.flatMap(({ event }) => (event?.subject === 'dispute' ? [event.externId ?? ''] : []));
  const before = new Set(disputes());
  const intent = { amount: '1300', currency: 'usd', confirm: 'true', payment_method: 'pm_dispute_lost' };
  const externId = await inDashboard(rig, 'payment_intents', intent);
  await market.externals.adoptPayin(PROVIDER, externId);
  await market.payins.run(pkidOf('payin', `ext:${PROVIDER}:${externId}`));
  const opened = () => disputes().find((id) => !before.has(id));
  await vi.waitFor(() => expect(opened()).toBeDefined(), { timeout: 40_000, interval: 50 });
  expect(await market.disputes.look(PROVIDER, opened() ?? '')).toBe('applied');
}
