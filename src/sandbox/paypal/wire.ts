// How PayPal writes down orders, captures, refunds, disputes and payouts. The ids of a payment's objects share all but
// their first letter, so that each leads to the others.
import { refundedAmount } from '../movement.ts';
import { isHidden, type Payment, returnedAmount } from '../payment.ts';
import type { World } from '../world.ts';
import { amountText } from './amount.ts';

/** O: order, C: capture, D: dispute, R: refund, B: batch of payouts, I: item of a batch. */
export type Letter = 'O' | 'C' | 'D' | 'R' | 'B' | 'I';

type Shown = { id?: string } & Record<string, unknown>;

/** The code of a payment that was taken for review and refused then: PayPal shows its capture, as denied. */
export const DENIED_LATE = 'denied_late';

export function idOf(letter: Letter, { id }: { id: string }): string {
  return letter + id.slice(1);
}

export function order(world: World, payment: Payment): Shown {
  const { extra } = payment;
  const hasCapture = isCaptured(payment) && !isHidden(payment, world.now());
  return {
    id: payment.id,
    intent: 'CAPTURE',
    status: orderStatus(payment, hasCapture),
    ...(extra.hasSource ? { payment_source: { paypal: {} } } : {}),
    purchase_units: [
      {
        reference_id: extra.referenceId ?? 'default',
        ...named(payment),
        amount: money(payment, payment.amount),
        ...(hasCapture
          ? { payments: { captures: [capture(world, payment)], refunds: refundsIn(world, payment) } }
          : {}),
      },
    ],
    create_time: time(payment.createdAt),
    update_time: time(payment.paidAt ?? payment.createdAt),
    links: orderLinks(world, payment),
  };
}

function orderStatus({ status, extra }: Payment, hasCapture: boolean): string {
  if (hasCapture) return 'COMPLETED';
  if (status === 'canceled') return 'VOIDED';
  if (status === 'action') return extra.hasSource ? 'PAYER_ACTION_REQUIRED' : 'CREATED';
  return 'APPROVED';
}

function orderLinks(world: World, payment: Payment) {
  const self = { href: `${world.url()}/paypal/v2/checkout/orders/${payment.id}`, rel: 'self', method: 'GET' };
  const href = `${world.url()}/_sandbox/approve/${payment.id}`;
  if (payment.status === 'action') {
    return [self, { href, rel: payment.extra.hasSource ? 'payer-action' : 'approve', method: 'GET' }];
  }
  return payment.status === 'approved'
    ? [self, { href: `${self.href}/capture`, rel: 'capture', method: 'POST' }]
    : [self];
}

/** Whether PayPal has a capture to show: money that moved, waits, or was refused after it had waited. */
export function isCaptured({ status, declineCode }: Payment): boolean {
  return ['paid', 'returned', 'pending'].includes(status) || declineCode === DENIED_LATE;
}

export function capture(world: World, payment: Payment): Shown {
  const { status } = payment;
  const refunded = refundedAmount(world, payment);
  const isWhole = refunded === BigInt(payment.amount);
  const paid = isWhole ? 'REFUNDED' : refunded > 0n ? 'PARTIALLY_REFUNDED' : 'COMPLETED';
  const fee = BigInt(payment.fee ?? 0);
  return {
    id: idOf('C', payment),
    status:
      status === 'pending' ? 'PENDING' : status === 'declined' ? 'DECLINED' : status === 'returned' ? 'REFUNDED' : paid,
    ...(status === 'pending' ? { status_details: { reason: 'PENDING_REVIEW' } } : {}),
    ...named(payment),
    amount: money(payment, payment.amount),
    final_capture: true,
    ...(status === 'paid' || status === 'returned'
      ? {
          seller_receivable_breakdown: {
            gross_amount: money(payment, payment.amount),
            paypal_fee: money(payment, fee),
            net_amount: money(payment, BigInt(payment.amount) - fee),
          },
        }
      : {}),
    supplementary_data: { related_ids: { order_id: payment.id } },
    create_time: time(payment.paidAt ?? payment.createdAt),
    update_time: time(payment.paidAt ?? payment.createdAt),
    links: [{ href: `${world.url()}/paypal/v2/payments/captures/${idOf('C', payment)}`, rel: 'self', method: 'GET' }],
  };
}

function refundsIn(world: World, payment: Payment): Shown[] {
  return world.state
    .refundsOf(payment.id)
    .filter(isRefundMade)
    .map((one) => refund(world, one));
}

const REFUND_STATUSES = { paid: 'COMPLETED', pending: 'PENDING', canceled: 'CANCELLED' };

/** A refund that we could not pay is refused before it is made. */
export function isRefundMade({ status, declineCode }: Payment): boolean {
  return status !== 'declined' || declineCode === DENIED_LATE;
}

export function refund(world: World, payment: Payment): Shown {
  const status = Object.entries(REFUND_STATUSES).find(([own]) => own === payment.status)?.[1] ?? 'FAILED';
  const self = `${world.url()}/paypal/v2/payments/refunds/${payment.id}`;
  const up = `${world.url()}/paypal/v2/payments/captures/${idOf('C', { id: payment.parent ?? '' })}`;
  return {
    id: payment.id,
    status,
    ...(status === 'PENDING' ? { status_details: { reason: 'ECHECK' } } : {}),
    amount: money(payment, payment.amount),
    ...named(payment),
    ...(typeof payment.extra.note === 'string' ? { note_to_payer: payment.extra.note } : {}),
    create_time: time(payment.createdAt),
    update_time: time(payment.paidAt ?? payment.createdAt),
    links: [
      { href: self, rel: 'self', method: 'GET' },
      { href: up, rel: 'up', method: 'GET' },
    ],
  };
}

export function dispute(payment: Payment): Shown | null {
  const own = payment.dispute;
  if (!own) return null;
  const outcomes = { open: null, won: 'RESOLVED_SELLER_FAVOUR', lost: 'RESOLVED_BUYER_FAVOUR' };
  const outcome = outcomes[own.status];
  return {
    dispute_id: idOf('D', payment),
    create_time: time(own.openedAt),
    update_time: time(own.closedAt ?? own.openedAt),
    disputed_transactions: [
      {
        seller_transaction_id: idOf('C', payment),
        custom: payment.extra.customId ?? '',
        seller_protection_eligible: true,
      },
    ],
    reason: 'UNAUTHORISED',
    status: own.status === 'open' ? 'OPEN' : 'RESOLVED',
    dispute_amount: money(payment, own.amount),
    ...(outcome ? { dispute_outcome: { outcome_code: outcome } } : {}),
    dispute_life_cycle_stage: 'CHARGEBACK',
    seller_response_due_date: time(own.openedAt + WEEK_MS),
  };
}

const WEEK_MS = 7 * 24 * 60 * 60 * 1000; // PayPal grants ten days and more; a week is long enough to see

export function batch(world: World, payment: Payment): Shown {
  const href = `${world.url()}/paypal/v1/payments/payouts/${payment.id}`;
  const amount = payoutMoney(payment, payment.amount);
  return {
    batch_header: {
      payout_batch_id: payment.id,
      batch_status: isUnclaimed(payment) || payment.status !== 'pending' ? 'SUCCESS' : 'PENDING',
      time_created: time(payment.createdAt),
      ...(payment.paidAt === undefined ? {} : { time_completed: time(payment.paidAt) }),
      sender_batch_header: { sender_batch_id: payment.callKey ?? '', email_subject: payment.extra.emailSubject ?? '' },
      amount,
      fees: payoutMoney(payment, 0n),
    },
    links: [{ href, rel: 'self', method: 'GET', encType: 'application/json' }],
  };
}

/** Waiting for a receiver who has no account: what the word `never` is here, and what may be cancelled. */
export function isUnclaimed({ status, due }: Payment): boolean {
  return status === 'pending' && due === null;
}

export function item(world: World, payment: Payment): Shown {
  const { extra, status } = payment;
  const statuses = { paid: 'SUCCESS', returned: 'RETURNED', canceled: 'RETURNED', declined: 'FAILED' };
  const found = Object.entries(statuses).find(([own]) => own === status)?.[1];
  const returned = returnedAmount(payment);
  const message = 'The receiver cannot take this payment. Ask the receiver for another account.';
  return {
    payout_item_id: idOf('I', payment),
    transaction_id: idOf('I', payment).slice(1, 18),
    transaction_status: found ?? (isUnclaimed(payment) ? 'UNCLAIMED' : 'PENDING'),
    payout_item_fee: payoutMoney(payment, 0n),
    payout_batch_id: payment.id,
    sender_batch_id: payment.callKey ?? '',
    payout_item: {
      recipient_type: extra.recipientType,
      amount: payoutMoney(payment, payment.amount),
      receiver: payment.destination,
      sender_item_id: extra.senderItemId ?? '',
      recipient_wallet: 'PAYPAL',
    },
    time_processed: time(payment.paidAt ?? payment.createdAt),
    ...(status === 'declined'
      ? { errors: { name: 'RECEIVER_ACCOUNT_LOCKED', message, debug_id: payment.id.slice(1, 14).toLowerCase() } }
      : {}),
    ...(returned > 0n ? { return_amount: payoutMoney(payment, returned) } : {}),
    links: [
      { href: `${world.url()}/paypal/v1/payments/payouts-item/${idOf('I', payment)}`, rel: 'item', method: 'GET' },
      { href: `${world.url()}/paypal/v1/payments/payouts/${payment.id}`, rel: 'batch', method: 'GET' },
    ],
  };
}

export function money({ currency }: { currency: string }, minor: bigint | string) {
  return { currency_code: currency, value: amountText({ minor: BigInt(minor), currency }) };
}

/** Payouts name the currency by another word than all else. */
function payoutMoney({ currency }: Payment, minor: bigint | string) {
  return { currency, value: amountText({ minor: BigInt(minor), currency }) };
}

function named({ extra }: Payment) {
  return {
    ...(typeof extra.customId === 'string' ? { custom_id: extra.customId } : {}),
    ...(typeof extra.invoiceId === 'string' ? { invoice_id: extra.invoiceId } : {}),
  };
}

export function time(ms: number): string {
  return new Date(ms).toISOString();
}
