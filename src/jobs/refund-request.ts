// How a refund comes into being: under the lock of its order, so that all of them together never exceed it.

import { PaymentError } from '../domain/errors.ts';
import { fingerprintOf } from '../domain/fingerprint.ts';
import { type Pkid, pkidOf } from '../domain/id.ts';
import type { Movement } from '../domain/movements.ts';
import { exceeds, type Order, type OrderChange, openRefund, settleRefund, walletsOfOrder } from '../domain/order.ts';
import type { Origin, Payin } from '../domain/payin.ts';
import { approvalOf } from '../domain/payment.ts';
import type { Refund, RefundDestination } from '../domain/refund.ts';
import { createRowLoader } from '../ledger/loader.ts';
import type { Decision, Intake, Step } from '../ledger/step.ts';
import { isDuplicateKey } from '../runtime/db.ts';
import type { LifeOptions } from './life.ts';
import { readOrder } from './order-rows.ts';
import { untouched } from './payment/records.ts';
import { eventOf, headOf } from './payment/rules.ts';
import { providerOf } from './provider-of.ts';
import { buyersWallet } from './wallet.ts';

export interface RefundRequest {
  readonly semanticKey: string;
  readonly orderId: string;
  readonly amountMinor: bigint;
  readonly destination: RefundDestination;
  readonly reason: string | null;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly traceparent: string | null;
}

export function createRefundRequests(options: LifeOptions) {
  const { db, tables, journal, enqueue, onAccepted, at } = options;
  const payins = createRowLoader(db.sql, tables.payin);

  async function place(facts: Omit<Facts, 'leaseMs'>): Promise<Intake<Refund>> {
    const { pkid, order } = facts;
    const wallet = facts.walletId === null ? [] : [facts.walletId];
    const step: Step<Order, Intake<Refund>> = {
      pkid: order.pkid,
      walletIds: facts.request.destination === 'wallet' ? [...walletsOfOrder(order), ...wallet] : [],
      reads: { refund: pkid },
      decide(locked, now, { refund }) {
        if (refund !== null) return compareWith(refund, facts);
        facts.refuse(locked);
        return admit({ ...facts, order: locked, leaseMs: options.timing.leaseMs }, now);
      },
    };
    if (at) await at('refund: before row commit', pkid);
    // The same key at the same moment on another order, in another process: now it is there, and is compared.
    const intake = await journal.stepOrder(step).catch((error: unknown) => {
      if (isDuplicateKey(error)) return journal.stepOrder(step);
      throw error;
    });
    if (at) await at('refund: after row commit', pkid);
    if (intake.type !== 'created') return intake;
    onAccepted('refund');
    if (facts.walletId === null) await enqueue({ kind: 'refund', pkid, semanticKey: facts.request.semanticKey });
    return intake;
  }

  async function ask(request: RefundRequest, refuse: Facts['refuse']): Promise<Intake<Refund>> {
    const order = await readOrder(db.sql, tables.order, request.orderId);
    if (order === null) throw noSuchOrder(request.orderId);
    const payin = order.payinPkid === null ? null : await payins.load(order.payinPkid);
    if (payin === null) throw notPaid();
    // Ahead of what the provider advises, which would then be refused in turn.
    if (request.amountMinor > order.amountMinor) throw exceeds(order);
    const walletId = request.destination === 'wallet' ? await buyersWallet(db, order) : null;
    if (walletId === null) refuseUnable(request, payin, options);
    const pkid = pkidOf('refund', request.semanticKey);
    const { semanticKey: _key, traceparent: _trace, ...asked } = request;
    return place({
      pkid,
      request,
      order,
      payin,
      walletId,
      fingerprint: fingerprintOf(asked),
      origin: 'api',
      externId: null,
      refuse,
    });
  }

  return {
    /** Reserves and sends it. Throws not-found, invalid-state, refund-exceeds-payment, provider-not-able. */
    request: (request: RefundRequest): Promise<Intake<Refund>> => ask(request, refuseNothing),

    /** The same for a cancelled checkout: an order that was delivered meanwhile stays delivered (invalid-state). */
    compensate: (request: RefundRequest): Promise<Intake<Refund>> => ask(request, refuseDelivered),
  };
}

interface Facts {
  readonly pkid: Pkid;
  readonly request: RefundRequest;
  readonly order: Order;
  readonly payin: Payin;
  /** The buyer's wallet when it goes there. */
  readonly walletId: string | null;
  readonly fingerprint: Buffer;
  readonly origin: Origin;
  readonly externId: string | null;
  /** Throws when this order, as it is under its lock, must not be refunded so. */
  readonly refuse: (order: Order) => void;
  readonly leaseMs: number;
}

function admit(facts: Omit<Facts, 'refuse'>, now: Date): Decision<Order, Intake<Refund>> {
  const { request, order, walletId } = facts;
  const opened = openRefund(order, request.amountMinor, now);
  const row = newRefund({ ...facts, unappliedId: null, beforeDelivery: opened.beforeDelivery }, now);
  if (walletId === null) {
    return {
      movements: [],
      conclude: () => ({
        next: null,
        path: [],
        cause: null,
        orders: [opened.order],
        newRefunds: [{ row, path: ['initialized'] }],
        result: { type: 'created', row },
      }),
    };
  }
  const { order: settled, lines } = settleRefund(opened.order, { ...row, to: walletId }, now);
  const final: Refund = { ...row, status: 'succeeded', attempt: 1, dueAt: null, finalAt: now };
  return {
    movements: [postingFor(final, { event: 'refund.succeeded', lines })],
    conclude([result]) {
      if (result?.type === 'refused') {
        throw new PaymentError('internal', { detail: `The ledger refused a refund: ${result.code}. Run the audit.` });
      }
      return {
        next: null,
        path: [],
        cause: null,
        orders: [settled],
        newRefunds: [{ row: final, path: ['initialized', 'in_process', 'succeeded'] }],
        events: [eventOf('refund', 'refund.succeeded', final)],
        result: { type: 'created', row: final },
      };
    },
  };
}

function compareWith(known: Refund, { fingerprint }: Pick<Facts, 'fingerprint'>): Decision<Order, Intake<Refund>> {
  const type = known.fingerprint.equals(fingerprint) ? 'replayed' : 'key_reused';
  return { movements: [], conclude: () => ({ next: null, path: [], cause: null, result: { type, row: known } }) };
}

/** The one posting of a refund; `repays` pays back the seller's debt from what they get of it. */
export function postingFor(
  row: Refund,
  { event, lines, repays }: { event: string; lines: OrderChange['lines']; repays?: string },
): Movement {
  return {
    type: 'post',
    posting: headOf('refund', row, { step: 'settle', event }),
    currency: row.currency,
    lines,
    ...(repays === undefined ? {} : { repays }),
  };
}

export function newRefund(
  facts: Pick<Facts, 'pkid' | 'request' | 'payin' | 'walletId' | 'fingerprint' | 'origin' | 'externId' | 'leaseMs'> & {
    readonly order: Order | null;
    readonly beforeDelivery: boolean;
    readonly unappliedId: Pkid | null;
  },
  now: Date,
): Refund {
  const { pkid, request, order, payin, walletId, fingerprint, origin, externId, beforeDelivery, leaseMs } = facts;
  const { semanticKey, amountMinor, destination, reason, metadata, traceparent } = request;
  const { provider, currency } = payin;
  const payinExternId = payin.externPaymentId ?? '';
  const beneficiary = walletId ?? payinExternId;
  return {
    ...untouched({ isConfirmed: true, expiresAt: null, leaseMs }, now),
    pkid,
    semanticKey,
    origin,
    orderPkid: order?.pkid ?? null,
    orderId: order?.orderId ?? null,
    unappliedId: facts.unappliedId,
    payinPkid: payin.pkid,
    payinExternId,
    destination,
    walletId,
    beforeDelivery,
    amountMinor,
    currency,
    provider,
    reason,
    beneficiary,
    approval: approvalOf({ money: { amountMinor, currency }, provider, beneficiary }),
    fingerprint,
    metadata,
    traceparent,
    externPaymentId: externId,
  };
}

/** Only money that goes back through the provider asks for what the provider can do. */
function refuseUnable(request: RefundRequest, payin: Payin, { providers }: LifeOptions): void {
  const { refund } = providerOf(providers, payin.provider);
  const money = { amountMinor: request.amountMinor, currency: payin.currency };
  const refusal = refund === null ? 'It gives no refunds. Refund to the wallet instead.' : refund.refusalOf(money);
  if (refusal !== null) throw new PaymentError('provider-not-able', { detail: `${payin.provider}: ${refusal}` });
}

function refuseNothing(): void {}

function refuseDelivered({ deliveredAt }: Order): void {
  if (deliveredAt === null) return;
  throw new PaymentError('invalid-state', { detail: 'The order is delivered. Refund it with POST /v1/refunds.' });
}

export function noSuchOrder(orderId: string): PaymentError {
  return new PaymentError('not-found', {
    detail: `There is no order "${orderId}". Check the id: GET /v1/orders lists them.`,
  });
}

function notPaid(): PaymentError {
  const detail = 'The pay-in of this order has not succeeded, so there is nothing to refund. Cancel the checkout.';
  return new PaymentError('invalid-state', { detail });
}

/** In the metadata of a refund that sends back unapplied money: the person who said so. */
export const DECIDED_BY = 'decided_by';
