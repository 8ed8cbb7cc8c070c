// Refunds of PayPal captures. Our pay-ins are known by their orders, so each call reads the capture from the order
// first; the order also lists its refunds, which is how one of ours is found without its id.

import { PaymentError } from '../../domain/errors.ts';
import type { Pkid } from '../../domain/id.ts';
import type {
  Answer,
  CallLimits,
  Payments,
  Provider,
  Reference,
  RefundOrder,
  RefundView,
} from '../../domain/provider.ts';
import { notTaken, type ProviderLog, parseAnswer, providerText, uncertain } from '../surprise.ts';
import { refusalOf, toWire } from './amount.ts';
import { type Caller, deadlineOf } from './call.ts';
import { paidCaptureIn, pkidOf, readOrder } from './order.ts';
import { declined, declinedBy, isProblem, PROVIDER } from './problem.ts';
import { captureBody, idInLink, type Order, type Refund, refundBody } from './wire.ts';

const KEY_RETENTION_MS = 45 * 24 * 60 * 60 * 1000;
/** Paid from the balance at once; from the bank it takes days. */
const USUAL_MS = 60 * 60 * 1000;

const CAPTURES = '/v2/payments/captures';
const REFUNDS = '/v2/payments/refunds';

/** Done already, perhaps by an earlier call of ours: the refunds of the order tell. */
const DONE_ALREADY = new Set(['CAPTURE_FULLY_REFUNDED', 'DUPLICATE_INVOICE_ID']);
const STATUSES: Readonly<Record<string, RefundView['status']>> = {
  COMPLETED: 'succeeded',
  PENDING: 'pending',
  FAILED: 'failed',
  CANCELLED: 'failed',
};

interface RefundOptions {
  readonly send: Caller;
  readonly keyRetentionMs: number | undefined;
  readonly log: ProviderLog;
}

export function createPaypalRefund({ send, keyRetentionMs, log }: RefundOptions): Payments<RefundOrder> {
  async function refund(order: RefundOrder, limits: CallLimits): Promise<Answer> {
    const { pkid, key, money, payinExternId } = order;
    const wire = toWire(money);
    if (wire.refusal !== null) throw new PaymentError('provider-not-able', { detail: wire.refusal });
    const signal = deadlineOf(limits);
    const payin = await orderBefore(payinExternId, signal);
    const known = ownRefundIn(payin, pkid);
    if (known !== null) return answerOfRefund(known, pkid);
    const capture = paidCaptureIn(payin);
    if (capture === null) throw notTaken({ provider: PROVIDER, reason: 'order_not_captured' });
    const path = `${CAPTURES}/${encodeURIComponent(capture.id)}/refund`;
    const amount = { currency_code: money.currency, value: wire.value };
    const answer = await send({ path, key, body: { amount, custom_id: pkid, invoice_id: pkid }, signal });
    // The capture was there a moment ago.
    if (answer.status === 404) throw uncertain({ provider: PROVIDER, reason: 'unexpected_error', httpStatus: 404 });
    if (!isProblem(answer)) return answerOfRefund(parseAnswer(PROVIDER, refundBody, answer.body), pkid);
    if (!DONE_ALREADY.has(answer.fault.code)) return declinedBy(answer, null, log);
    return afterDone(order, { code: answer.fault.code, detail: answer.fault.message, signal });
  }

  /** Nothing of the refund has left while the order is read, so whatever goes wrong there was not taken. */
  async function orderBefore(payinExternId: string, signal: AbortSignal): Promise<Order> {
    try {
      const payin = await readOrder(send, payinExternId, signal);
      if (payin !== null) return payin;
    } catch (cause) {
      if (!(cause instanceof PaymentError) || cause.surprise?.type !== 'uncertain') throw cause;
      throw notTaken({ provider: PROVIDER, reason: `order_${cause.surprise.reason}`, cause });
    }
    log.warn({ provider: PROVIDER, reason: 'order_not_found' }, 'PayPal does not know the order that is refunded.');
    throw notTaken({ provider: PROVIDER, reason: 'order_not_found', httpStatus: 404 });
  }

  async function afterDone(
    { pkid, payinExternId }: RefundOrder,
    refusal: { readonly code: string; readonly detail: string; readonly signal: AbortSignal },
  ): Promise<Answer> {
    const payin = await readOrder(send, payinExternId, refusal.signal);
    const found = payin === null ? null : ownRefundIn(payin, pkid);
    if (found !== null) return answerOfRefund(found, pkid);
    // Our invoice was refunded, and is not shown yet.
    if (refusal.code !== 'CAPTURE_FULLY_REFUNDED') throw uncertain({ provider: PROVIDER, reason: 'refund_not_shown' });
    return declined({ code: 'declined', externId: null, detail: refusal.detail || 'The payment is refunded already.' });
  }

  async function find({ pkid, externId, payinExternId }: Reference, limits: CallLimits): Promise<Answer> {
    const signal = deadlineOf(limits);
    const known = externId === null ? null : await readRefund(send, externId, signal);
    if (known !== null) return answerOfRefund(known, pkid);
    const payin = payinExternId === null ? null : await readOrder(send, payinExternId, signal);
    const found = payin === null ? null : ownRefundIn(payin, pkid);
    return found === null ? { type: 'not_found' } : answerOfRefund(found, pkid);
  }

  function answerOfRefund(refund: Refund, pkid: Pkid): Answer {
    const { id: externId, status, amount } = refund;
    if (!isNamed(refund, pkid)) throw uncertain({ provider: PROVIDER, reason: 'another_payment' });
    switch (statusOf(status, log)) {
      case 'pending':
        return { type: 'pending', externId, awaitsConfirm: false };
      case 'failed':
        return declined({ code: 'declined', externId, detail: 'PayPal could not pay the refund to the buyer.' });
      case 'succeeded':
        return {
          type: 'succeeded',
          externId,
          money: amount,
          beneficiary: null,
          reversedMinor: 0n,
          arrival: null,
          fee: null,
          otherExternIds: [],
        };
    }
  }

  return {
    stages: 1,
    keyRetentionMs: keyRetentionMs ?? KEY_RETENTION_MS,
    // The order does list our refund, but PayPal does not say how soon.
    canFindByKey: false,
    cancelable: false,
    usualMs: USUAL_MS,
    creationEvents: [],
    refusalOf: (money) => refusalOf('refund', money),
    send: refund,
    confirm: confirmRefund,
    // A refund cannot be taken back; what there is to say about a cancel is what has become of it.
    cancel: find,
    find,
  };
}

/** A refund by its id, whoever made it, and the order that it belongs to. */
export function createRefundLookUp({ send, log }: Pick<RefundOptions, 'send' | 'log'>) {
  const findRefund: NonNullable<Provider['findRefund']> = async (id, limits) => {
    const signal = deadlineOf(limits);
    const refund = await readRefund(send, id, signal);
    if (refund === null) return null;
    const captureId = idInLink(refund.links, { rel: 'up', folder: 'captures' });
    if (captureId === null) throw uncertain({ provider: PROVIDER, reason: 'unexpected_body' });
    const payin = await readPayinOf(send, captureId, signal);
    if (payin === null) return null;
    // A refund made by hand may carry the ids of the payment it refunds.
    const ids = [pkidOf(refund.custom_id), pkidOf(refund.invoice_id)].filter((pkid) => pkid !== payin.pkid);
    return {
      externId: refund.id,
      pkid: ids.find((pkid) => pkid !== null) ?? null,
      payinExternId: payin.externId,
      money: refund.amount,
      status: statusOf(refund.status, log),
    };
  };
  return findRefund;
}

/** The pay-in of a capture; null when the capture is unknown, or belongs to no order. */
export async function readPayinOf(
  send: Caller,
  captureId: string,
  signal: AbortSignal,
): Promise<{ externId: string; pkid: Pkid | null } | null> {
  const answer = await send({ path: `${CAPTURES}/${encodeURIComponent(captureId)}`, signal });
  if (answer.status === 404) return null;
  const { custom_id: customId, supplementary_data: more } = parseAnswer(PROVIDER, captureBody, answer.body);
  const externId = more?.related_ids?.order_id;
  return externId ? { externId, pkid: pkidOf(customId) } : null;
}

async function readRefund(send: Caller, id: string, signal: AbortSignal): Promise<Refund | null> {
  const answer = await send({ path: `${REFUNDS}/${encodeURIComponent(id)}`, signal });
  return answer.status === 404 ? null : parseAnswer(PROVIDER, refundBody, answer.body);
}

function ownRefundIn({ purchase_units: [unit] }: Order, pkid: Pkid): Refund | null {
  return (unit.payments?.refunds ?? []).find((refund) => isNamed(refund, pkid)) ?? null;
}

/** We write our id twice; PayPal may show either. */
function isNamed({ custom_id: customId, invoice_id: invoiceId }: Refund, pkid: Pkid): boolean {
  return customId === pkid || invoiceId === pkid;
}

function statusOf(status: string, log: ProviderLog): RefundView['status'] {
  const known = STATUSES[status];
  if (known !== undefined) return known;
  log.warn({ provider: PROVIDER, status: providerText(status) }, 'Unknown refund status, kept as pending.');
  return 'pending';
}

async function confirmRefund(): Promise<Answer> {
  throw new PaymentError('internal', { detail: 'A PayPal refund has one stage. Report this with the request_id.' });
}
