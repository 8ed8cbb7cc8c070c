// What a PayPal order says about a pay-in. The order is the pay-in's id, because it exists before the capture does;
// only a capture in it has moved money.

import { isPkid, type Pkid } from '../../domain/id.ts';
import type { Answer, NextAction, Provider } from '../../domain/provider.ts';
import { type ProviderLog, parseAnswer, providerText, uncertain } from '../surprise.ts';
import { type Caller, deadlineOf } from './call.ts';
import { declined, PROVIDER } from './problem.ts';
import { type Capture, type Order, orderBody } from './wire.ts';

export const ORDERS = '/v2/checkout/orders';

/** Captures whose money came in. A refund is an operation of its own, so what was given back later still came in. */
const PAID = new Set(['COMPLETED', 'PARTIALLY_REFUNDED', 'REFUNDED']);
const REFUSED = new Set(['DECLINED', 'FAILED']);
const WAITING_FOR_BUYER = new Set(['CREATED', 'SAVED', 'PAYER_ACTION_REQUIRED']);
const APPROVE_RELS = new Set(['payer-action', 'approve']);
/** Refunds whose money went, or is going. */
const REFUNDING = new Set(['COMPLETED', 'PENDING']);

/** Null when PayPal does not know the order: it never existed, or the buyer walked away and it is gone. */
export async function readOrder(send: Caller, id: string, signal: AbortSignal): Promise<Order | null> {
  const answer = await send({ path: `${ORDERS}/${encodeURIComponent(id)}`, signal });
  if (answer.status === 404) return null;
  return parseAnswer(PROVIDER, orderBody, answer.body);
}

interface Shown {
  readonly order: Order;
  readonly pkid: Pkid | null;
  readonly log: ProviderLog;
}

/** Of an order that is ours: any other one says nothing about this pay-in. */
export function answerOfOrder(shown: Shown & { readonly pkid: Pkid }): Answer {
  if (!isOurs(shown.order, shown.pkid)) throw uncertain({ provider: PROVIDER, reason: 'another_payment' });
  return saidBy(shown);
}

/** An order by its id, whoever made it. */
export function createPayinLookUp({
  send,
  log,
}: {
  send: Caller;
  log: ProviderLog;
}): NonNullable<Provider['findPayin']> {
  return async (externId, limits) => {
    const order = await readOrder(send, externId, deadlineOf(limits));
    if (order === null) return null;
    const pkid =
      idsIn(order)
        .map(pkidOf)
        .find((id) => id !== null) ?? null;
    return { pkid, answer: saidBy({ order, pkid, log }) };
  };
}

function saidBy({ order, pkid, log }: Shown): Answer {
  const { id: externId, status } = order;
  const captures = capturesIn(order);
  const [paid, ...others] = captures.filter((capture) => PAID.has(capture.status));
  if (paid !== undefined) return succeededBy(order, paid, others);
  const waiting = captures.find((capture) => !REFUSED.has(capture.status));
  if (waiting !== undefined) {
    if (waiting.status !== 'PENDING') warnOf('capture', waiting.status, { pkid, log });
    return { type: 'pending', externId, awaitsConfirm: false };
  }
  if (captures.length > 0) {
    return declined({ code: 'declined', externId, detail: 'PayPal took the payment for review and declined it.' });
  }
  if (WAITING_FOR_BUYER.has(status)) return { type: 'action_required', externId, nextAction: nextActionOf(order) };
  if (status === 'APPROVED') return { type: 'pending', externId, awaitsConfirm: true };
  if (status === 'VOIDED') {
    return declined({ code: 'expired', externId, detail: 'PayPal voided the order before it was captured.' });
  }
  // A completed order without a capture to look at proves nothing either.
  warnOf('order', status, { pkid, log });
  return { type: 'pending', externId, awaitsConfirm: false };
}

export function capturesIn({ purchase_units: [unit] }: Order): readonly Capture[] {
  return unit.payments?.captures ?? [];
}

/** The capture whose money came in, which is what a refund refunds. */
export function paidCaptureIn(order: Order): Capture | null {
  return capturesIn(order).find(({ status }) => PAID.has(status)) ?? null;
}

/** PayPal writes our id on the purchase unit and on its captures; one of them at least, and no other id. */
function isOurs(order: Order, pkid: Pkid): boolean {
  const given = idsIn(order);
  return given.length > 0 && given.every((id) => id === pkid);
}

function idsIn(order: Order): string[] {
  const ids = [order.purchase_units[0].custom_id, ...capturesIn(order).map(({ custom_id: customId }) => customId)];
  return ids.filter((id) => typeof id === 'string');
}

/** In whose name an object was made; our pkid as its custom id, or null. */
export function pkidOf(customId: string | null | undefined): Pkid | null {
  return typeof customId === 'string' && isPkid(customId) ? customId : null;
}

function succeededBy(order: Order, capture: Capture, others: readonly Capture[]): Answer {
  const fee = capture.seller_receivable_breakdown?.paypal_fee;
  return {
    type: 'succeeded',
    externId: order.id,
    money: capture.amount,
    beneficiary: null,
    reversedMinor: reversedMinorOf(order, capture),
    arrival: null,
    fee: fee && fee.amountMinor > 0n ? { externId: capture.id, money: fee } : null,
    otherExternIds: others.map(({ id }) => id),
  };
}

/** All of a capture that is REFUNDED went back; what no refund accounts for was taken by PayPal or the bank. */
function reversedMinorOf({ purchase_units: [unit] }: Order, { amount, status }: Capture): bigint {
  if (status !== 'REFUNDED') return 0n;
  const refunded = (unit.payments?.refunds ?? [])
    .filter((refund) => REFUNDING.has(refund.status))
    .reduce((sum, refund) => sum + refund.amount.amountMinor, 0n);
  return refunded < amount.amountMinor ? amount.amountMinor - refunded : 0n;
}

/** PayPal gives the buyer three hours, or what it agreed with the account, and does not say which. */
function nextActionOf({ links }: Order): NextAction {
  const href = links?.find(({ rel }) => APPROVE_RELS.has(rel))?.href;
  if (href === undefined || !/^https?:/.test(href) || !URL.canParse(href)) {
    throw uncertain({ provider: PROVIDER, reason: 'unexpected_body' });
  }
  return { type: 'redirect', url: href, expiresAt: null };
}

function warnOf(what: string, status: string, { pkid, log }: Pick<Shown, 'pkid' | 'log'>): void {
  const fields = { provider: PROVIDER, pkid, status: providerText(status) };
  log.warn(fields, `PayPal reports an unexpected status of the ${what}, kept as pending.`);
}
