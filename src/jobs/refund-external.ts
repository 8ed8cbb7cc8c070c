// A refund that somebody made at the provider comes into being here: split over the orders that it can be of, in one
// commit under the locks of their pay-in and of all of them, so that it is counted once whoever hears of it first.

import { fingerprintOf } from '../domain/fingerprint.ts';
import { pkidOf } from '../domain/id.ts';
import { type Order, openRefund } from '../domain/order.ts';
import { externalKey } from '../domain/own-key.ts';
import type { Payin } from '../domain/payin.ts';
import type { RefundView } from '../domain/provider.ts';
import type { Refund } from '../domain/refund.ts';
import { shareRefund } from '../domain/share.ts';
import type { Decision } from '../ledger/step.ts';
import type { LifeOptions } from './life.ts';
import { readOrders } from './order-rows.ts';
import { unchanged } from './payment/steps.ts';
import { newRefund } from './refund-request.ts';

interface Found {
  readonly payin: Payin;
  readonly view: RefundView;
}

/** Returns whether it was not known before. Each part is asked about there, and booked like one of ours. */
export function createRefundAdoption(options: LifeOptions) {
  const { db, tables, journal, enqueue, onAccepted, timing, at } = options;
  return async ({ payin, view }: Found): Promise<boolean> => {
    const orders = isOfItsPayment(payin, view) ? await ordersOf(payin) : [];
    if (at) await at('external: before row commit', payin.pkid);
    const made = await journal.stepPayin<readonly Refund[]>({
      pkid: payin.pkid,
      walletIds: [],
      orderPkids: orders.map(({ pkid }) => pkid),
      reads: { refund: pkidOf('refund', keyOfPart(payin, view, 0)) },
      decide: (row, now, { refund, orders: locked }) =>
        refund === null
          ? splitRefund({ payin: row, view }, { orders: locked, leaseMs: timing.leaseMs, now })
          : unchanged([]),
    });
    if (at) await at('external: after row commit', payin.pkid);
    for (const { pkid, semanticKey } of made) {
      onAccepted('refund');
      await enqueue({ kind: 'refund', pkid, semanticKey });
    }
    return made.length > 0;
  };

  async function ordersOf({ checkoutId }: Payin): Promise<Order[]> {
    return checkoutId === null ? [] : readOrders(db.sql, tables.order, checkoutId);
  }
}

/** A second payment under the same id of ours is money that fits nothing: no order and no wallet has it. */
export function isOfItsPayment(payin: Payin, { payinExternId }: Pick<RefundView, 'payinExternId'>): boolean {
  return payin.status === 'succeeded' && payin.externPaymentId === payinExternId;
}

function splitRefund(
  { payin, view }: Found,
  { orders, leaseMs, now }: { orders: readonly Order[]; leaseMs: number; now: Date },
): Decision<Payin, readonly Refund[]> {
  const { shares, restMinor } = shareRefund(orders, view.money.amountMinor);
  const ofOrders = shares.map(({ order, amountMinor }) => ({ ...openRefund(order, amountMinor, now), amountMinor }));
  const ofNone = restMinor > 0n ? [{ order: null, amountMinor: restMinor, beforeDelivery: false }] : [];
  const refunds = [...ofOrders, ...ofNone].map((part, index) =>
    partOf({ payin, view }, { ...part, index, leaseMs }, now),
  );
  return {
    movements: [],
    conclude: () => ({
      next: null,
      path: [],
      cause: null,
      orders: ofOrders.map(({ order }) => order),
      newRefunds: refunds.map((row) => ({ row, path: ['initialized'] })),
      result: refunds,
    }),
  };
}

function partOf(
  { payin, view }: Found,
  part: { order: Order | null; amountMinor: bigint; beforeDelivery: boolean; index: number; leaseMs: number },
  now: Date,
): Refund {
  const { order, amountMinor, beforeDelivery, index, leaseMs } = part;
  const semanticKey = keyOfPart(payin, view, index);
  const asked = { orderId: order?.orderId ?? '', amountMinor, destination: 'payer', reason: REASON } as const;
  return newRefund(
    {
      pkid: pkidOf('refund', semanticKey),
      request: { ...asked, semanticKey, metadata: {}, traceparent: payin.traceparent },
      // What is refunded may be a second payment, which is not the one on file.
      payin: { ...payin, externPaymentId: view.payinExternId, currency: view.money.currency },
      order,
      walletId: null,
      unappliedId: null,
      beforeDelivery,
      fingerprint: fingerprintOf(asked),
      origin: 'external',
      externId: view.externId,
      leaseMs,
    },
    now,
  );
}

const REASON = 'Made at the provider.';

/** The first part has the key that the refund as a whole would have; the others are numbered from 2. */
function keyOfPart({ provider }: Payin, { externId }: RefundView, index: number): string {
  return externalKey(provider, externId, index === 0 ? '' : `:${index + 1}`);
}
