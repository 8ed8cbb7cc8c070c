// Pay-ins through PayPal: an order that the buyer approves, then a capture that moves the money. PayPal has no look-up
// by our own id, so an order whose answer was lost is asked for by creating it again under the same key.

import { PaymentError } from '../../domain/errors.ts';
import type { Answer, CallLimits, PayinOrder, Payments, Reference } from '../../domain/provider.ts';
import { type ProviderLog, parseAnswer, uncertain } from '../surprise.ts';
import { refusalOf, toWire } from './amount.ts';
import { type Caller, deadlineOf } from './call.ts';
import { answerOfOrder, ORDERS, readOrder } from './order.ts';
import { declined, declinedBy, isProblem, PROVIDER } from './problem.ts';
import { orderBody } from './wire.ts';

/** Of orders, the shorter of the two keys; that of a capture lives 45 days. */
const KEY_RETENTION_MS = 6 * 60 * 60 * 1000;
/** A buyer who must approve has an hour; beyond that it deserves a look. */
const USUAL_MS = 60 * 60 * 1000;
const SOFT_DESCRIPTOR_MAX = 22;
/** Enough for every capture whose answer was lost in an outage; the oldest give way. */
const CAPTURES_REMEMBERED_MAX = 10_000;

/** Agreements of the older kind; every other token is one of PayPal's vault. */
const BILLING_AGREEMENT = /^BA?-/;
/** The buyer has to go to PayPal first, so nothing was captured. */
const NOT_APPROVED = new Set(['ORDER_NOT_APPROVED', 'PAYER_ACTION_REQUIRED']);
/** Done already, by this or another call: the order tells how it ended. */
const DONE_ALREADY = new Set(['ORDER_ALREADY_CAPTURED', 'ORDER_COMPLETION_IN_PROGRESS', 'DUPLICATE_INVOICE_ID']);

interface PayinOptions {
  readonly send: Caller;
  readonly keyRetentionMs: number | undefined;
  readonly log: ProviderLog;
}

export function createPaypalPayin({ send, keyRetentionMs, log }: PayinOptions): Payments<PayinOrder> {
  // Orders whose capture may be under way: these are never reported as cancelled.
  const capturing = new Set<string>();

  async function create(order: PayinOrder, limits: CallLimits): Promise<Answer> {
    const signal = deadlineOf(limits);
    const answer = await send({ path: ORDERS, key: order.key, body: orderOf(order), signal });
    // A wrong address is no refusal.
    if (answer.status === 404) throw uncertain({ provider: PROVIDER, reason: 'unexpected_error', httpStatus: 404 });
    if (answer.status >= 400) return declinedBy(answer, null, log);
    return answerOfOrder({ order: parseAnswer(PROVIDER, orderBody, answer.body), pkid: order.pkid, log });
  }

  async function capture(reference: Reference, limits: CallLimits): Promise<Answer> {
    const { externId } = reference;
    if (externId === null) {
      throw new PaymentError('internal', { detail: 'A capture needs the id of the order. Report the request_id.' });
    }
    const signal = deadlineOf(limits);
    remember(externId);
    const answer = await captureOnce({ ...reference, externId }, signal);
    if (answer.type !== 'pending' && answer.type !== 'not_found') capturing.delete(externId);
    return answer;
  }

  async function captureOnce(reference: Reference & { externId: string }, signal: AbortSignal): Promise<Answer> {
    const { externId, key, pkid } = reference;
    const path = `${ORDERS}/${encodeURIComponent(externId)}/capture`;
    const answer = await send({ path, key, body: {}, signal });
    if (answer.status === 404) return { type: 'not_found' };
    if (!isProblem(answer)) {
      return answerOfOrder({ order: parseAnswer(PROVIDER, orderBody, answer.body), pkid, log });
    }
    const { code } = answer.fault;
    if (!NOT_APPROVED.has(code) && !DONE_ALREADY.has(code)) return declinedBy(answer, externId, log);
    const found = await look(reference, signal);
    // The invoice was paid by another order, or the capture is too new to be shown: neither may be sent again blindly.
    if (DONE_ALREADY.has(code) && found.type === 'pending' && found.awaitsConfirm) {
      throw uncertain({ provider: PROVIDER, reason: 'captured_elsewhere', httpStatus: answer.status });
    }
    return found;
  }

  /**
   * PayPal has no call that voids an order. One that was never captured moves no money, whatever its buyer does, and
   * ends by itself within hours; so it counts as cancelled, unless a capture of it may be under way.
   */
  async function cancel(reference: Reference, limits: CallLimits): Promise<Answer> {
    const { externId } = reference;
    const found = await look(reference, deadlineOf(limits));
    if (externId === null || capturing.has(externId)) return found;
    const isUncaptured = found.type === 'action_required' || found.type === 'not_found';
    if (!isUncaptured && !(found.type === 'pending' && found.awaitsConfirm)) return found;
    return declined({ code: 'canceled', externId, detail: 'Cancelled before the order was captured at PayPal.' });
  }

  async function look({ externId, pkid }: Reference, signal: AbortSignal): Promise<Answer> {
    const order = externId === null ? null : await readOrder(send, externId, signal);
    return order === null ? { type: 'not_found' } : answerOfOrder({ order, pkid, log });
  }

  function remember(externId: string): void {
    capturing.add(externId);
    const [oldest] = capturing;
    if (capturing.size > CAPTURES_REMEMBERED_MAX && oldest !== undefined) capturing.delete(oldest);
  }

  return {
    stages: 2,
    // PayPal captures an order at its creation when the means of payment was saved before.
    movesAtSend: (token) => token !== null,
    keyRetentionMs: keyRetentionMs ?? KEY_RETENTION_MS,
    canFindByKey: false,
    cancelable: true,
    usualMs: USUAL_MS,
    creationEvents: [],
    refusalOf: (money) => refusalOf('payin', money),
    send: create,
    confirm: capture,
    cancel,
    find: (reference, limits) => look(reference, deadlineOf(limits)),
  };
}

/** The same for the same order, because PayPal compares what comes under a key. */
function orderOf({ pkid, money, token, returnUrl, cancelUrl, statementDescriptor }: PayinOrder): object {
  const wire = toWire(money);
  if (wire.refusal !== null) throw new PaymentError('provider-not-able', { detail: wire.refusal });
  const context = {
    user_action: 'PAY_NOW',
    shipping_preference: 'NO_SHIPPING',
    ...(returnUrl === null ? {} : { return_url: returnUrl }),
    ...(cancelUrl === null ? {} : { cancel_url: cancelUrl }),
  };
  return {
    intent: 'CAPTURE',
    purchase_units: [
      {
        custom_id: pkid,
        // Where the account blocks invoices that come twice, this is a second guard against paying twice.
        invoice_id: pkid,
        amount: { currency_code: money.currency, value: wire.value },
        ...(statementDescriptor === null ? {} : { soft_descriptor: statementDescriptor.slice(0, SOFT_DESCRIPTOR_MAX) }),
      },
    ],
    payment_source:
      token !== null && BILLING_AGREEMENT.test(token)
        ? { token: { id: token, type: 'BILLING_AGREEMENT' } }
        : { paypal: { ...(token === null ? {} : { vault_id: token }), experience_context: context } },
  };
}
