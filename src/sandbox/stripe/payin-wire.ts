// How Stripe writes down money that comes in: payment intents, their charges, refunds, disputes and what each did to
// the balance. The ids of a payment's objects share their last part, so that each leads to the others.

import { refundedAmount } from '../movement.ts';
import { isHidden, kindOf, type Payment, returnedAmount } from '../payment.ts';
import type { World } from '../world.ts';

const WEEK_S = 7 * 24 * 60 * 60; // how long evidence is taken; shorter than the usual month, and long enough to see

const STATUSES = {
  created: 'requires_payment_method',
  action: 'requires_action',
  approved: 'requires_capture',
  pending: 'processing',
  paid: 'succeeded',
  declined: 'requires_payment_method',
  canceled: 'canceled',
  returned: 'succeeded',
} satisfies Record<Payment['status'], string>;

export function paymentIntent(payment: Payment): { id: string } & Record<string, unknown> {
  const { extra, status } = payment;
  const isMoved = status === 'paid' || status === 'returned';
  const hasMethod = payment.destination !== '';
  const amount = Number(extra.authorized ?? payment.amount);
  return {
    id: payment.id,
    object: 'payment_intent',
    amount,
    amount_capturable: status === 'approved' ? amount : 0,
    amount_received: isMoved ? Number(payment.amount) : 0,
    automatic_payment_methods: { enabled: true },
    canceled_at: status === 'canceled' ? seconds(Number(extra.canceledAt ?? payment.createdAt)) : null,
    cancellation_reason: status === 'canceled' ? (extra.cancellationReason ?? 'abandoned') : null,
    capture_method: payment.captureLater ? 'manual' : 'automatic',
    client_secret: clientSecret(payment),
    confirmation_method: 'automatic',
    created: seconds(payment.createdAt),
    currency: payment.currency.toLowerCase(),
    customer: null,
    description: extra.description ?? null,
    last_payment_error: status === 'declined' ? declineError(payment) : null,
    latest_charge: ['created', 'action', 'canceled'].includes(status) ? null : idOf('ch_', payment),
    livemode: false,
    metadata: extra.metadata ?? {},
    next_action: status === 'action' ? nextAction(payment) : null,
    payment_method: hasMethod && status !== 'declined' ? payment.destination : null,
    payment_method_types: ['card'],
    statement_descriptor: extra.statementDescriptor ?? null,
    status: status === 'created' && hasMethod ? 'requires_confirmation' : STATUSES[status],
    transfer_group: payment.reference,
  };
}

function clientSecret(payment: Payment): string {
  return `${payment.id}_secret_${suffixOf(payment).split('').reverse().join('')}`;
}

function nextAction({ extra }: Payment) {
  return {
    type: 'redirect_to_url',
    redirect_to_url: { return_url: extra.returnUrl ?? null, url: extra.actionUrl },
  };
}

export function declineError(payment: Payment) {
  const isShort = payment.declineCode === 'insufficient_funds';
  return {
    type: 'card_error',
    charge: idOf('ch_', payment),
    code: 'card_declined',
    decline_code: isShort ? 'insufficient_funds' : 'generic_decline',
    message: isShort ? 'Your card has insufficient funds.' : 'Your card was declined.',
  };
}

export function charge(world: World, payment: Payment): { id: string } & Record<string, unknown> {
  const { status, amount } = payment;
  const isMoved = status === 'paid' || status === 'returned';
  const refunded = refundedAmount(world, payment);
  const error = status === 'declined' ? declineError(payment) : null;
  return {
    id: idOf('ch_', payment),
    object: 'charge',
    amount: Number(payment.extra.authorized ?? amount),
    amount_captured: isMoved ? Number(amount) : 0,
    amount_refunded: Number(refunded),
    balance_transaction: isMoved ? idOf('txn_', payment) : null,
    billing_details: { address: null, email: null, name: null, phone: null },
    captured: isMoved,
    created: seconds(payment.paidAt ?? payment.createdAt),
    currency: payment.currency.toLowerCase(),
    description: payment.extra.description ?? null,
    disputed: payment.dispute !== undefined || returnedAmount(payment) > 0n,
    failure_code: error?.code ?? null,
    failure_message: error?.message ?? null,
    livemode: false,
    metadata: payment.extra.metadata ?? {},
    paid: isMoved || status === 'approved',
    payment_intent: payment.id,
    payment_method: payment.destination,
    refunded: isMoved && refunded === BigInt(amount),
    status: isMoved || status === 'approved' ? 'succeeded' : status === 'pending' ? 'pending' : 'failed',
    transfer_group: payment.reference,
  };
}

const REFUND_STATUSES: Partial<Record<Payment['status'], string>> = { paid: 'succeeded', pending: 'pending' };

export function refund(payment: Payment): { id: string } & Record<string, unknown> {
  const { extra, status, parent = '' } = payment;
  const isMoved = status === 'paid' || status === 'returned';
  const hasFailed = status === 'declined' || status === 'returned';
  return {
    id: payment.id,
    object: 'refund',
    amount: Number(payment.amount),
    balance_transaction: isMoved ? idOf('txn_', payment) : null,
    charge: parent.replace(/^pi_/, 'ch_'),
    created: seconds(payment.createdAt),
    currency: payment.currency.toLowerCase(),
    ...(hasFailed ? { failure_reason: 'expired_or_canceled_card' } : {}),
    metadata: extra.metadata ?? {},
    payment_intent: parent,
    reason: extra.reason ?? null,
    receipt_number: null,
    status: REFUND_STATUSES[status] ?? 'failed',
  };
}

/** A dispute, or the dispute that was lost as it began: that is how Stripe tells of a bank taking a payment back. */
export function dispute(payment: Payment): ({ id: string } & Record<string, unknown>) | null {
  const taken = payment.returns[0];
  const own = payment.dispute;
  if (!own && !taken) return null;
  const openedAt = own?.openedAt ?? taken?.at ?? payment.createdAt;
  const status = own?.status ?? 'lost';
  return {
    id: idOf('dp_', payment),
    object: 'dispute',
    amount: Number(own?.amount ?? taken?.amount),
    balance_transactions: [],
    charge: idOf('ch_', payment),
    created: seconds(openedAt),
    currency: payment.currency.toLowerCase(),
    evidence_details: { due_by: seconds(openedAt) + WEEK_S, has_evidence: false, past_due: false, submission_count: 0 },
    is_charge_refundable: false,
    livemode: false,
    metadata: {},
    payment_intent: payment.id,
    reason: own ? 'fraudulent' : 'insufficient_funds',
    status: status === 'open' ? 'needs_response' : status,
  };
}

/** What a payment did to the balance; null for one that moved nothing, or that nobody may see yet. */
export function balanceTransaction(world: World, id: string): ({ id: string } & Record<string, unknown>) | null {
  const suffix = id.replace(/^txn_/, '');
  const owner = ['pi_', 're_', 'tr_'].map((prefix) => world.state.payment(prefix + suffix)).find((one) => one);
  if (owner?.provider !== 'stripe' || !isBooked(owner) || isHidden(owner, world.now())) return null;
  return transactionOf(owner);
}

export function isBooked({ status }: Payment): boolean {
  return status === 'paid' || status === 'returned';
}

export function transactionOf(payment: Payment): { id: string } & Record<string, unknown> {
  const kind = kindOf(payment);
  const amount = (kind === 'payin' ? 1 : -1) * Number(payment.amount);
  const fee = Number(payment.fee ?? 0);
  const currency = payment.currency.toLowerCase();
  const at = seconds(payment.paidAt ?? payment.createdAt);
  const type = { payin: 'charge', refund: 'refund', payout: 'transfer' }[kind];
  const description = 'Stripe processing fees';
  return {
    id: idOf('txn_', payment),
    object: 'balance_transaction',
    amount,
    available_on: at,
    created: at,
    currency,
    description: null,
    exchange_rate: null,
    fee,
    fee_details: fee === 0 ? [] : [{ amount: fee, application: null, currency, description, type: 'stripe_fee' }],
    net: amount - fee,
    reporting_category: type,
    source: kind === 'payin' ? idOf('ch_', payment) : payment.id,
    status: 'available',
    type,
  };
}

/** The pay-in that a charge or a dispute belongs to. */
export function chargeOwner(world: World, id: string): Payment | undefined {
  const payment = world.state.payment(id.replace(/^(ch|dp)_/, 'pi_'));
  return payment?.provider === 'stripe' && !isHidden(payment, world.now()) ? payment : undefined;
}

export function idOf(prefix: 'ch_' | 'txn_' | 'dp_', payment: Payment): string {
  return prefix + suffixOf(payment);
}

function suffixOf({ id }: Payment): string {
  return id.slice(id.indexOf('_') + 1);
}

export function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}
