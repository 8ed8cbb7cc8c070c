// How Square writes things down: payments, refunds, disputes, events and errors.
import { hash } from 'node:crypto';
import { type Answer, jsonAnswer } from '../answer.ts';
import { type Dispute, type EventRecord, kindOf, type Payment, returnedAmount } from '../payment.ts';
import type { Defect } from '../schema.ts';

const MERCHANT_ID = 'MLSANDBOX00001';
export const LOCATION_ID = 'LSANDBOX00001';
const DAY_MS = 24 * 60 * 60 * 1000;
const CAPTURE_WITHIN_MS = 7 * DAY_MS; // Square's own for cards that are not present
const EVIDENCE_WITHIN_MS = 13 * DAY_MS; // as Square grants its sellers

/** `refunds` of it, where the object is shown after they may have been made. */
export function payment(one: Payment, refunds: Payment[] = []) {
  const status = paymentStatus(one);
  const money = { amount: Number(one.amount), currency: one.currency };
  const taken = refunds.filter((refund) => refund.status === 'paid' || refund.status === 'pending');
  return {
    id: one.id,
    created_at: time(one.createdAt),
    updated_at: time(updatedAt(one)),
    amount_money: money,
    total_money: money,
    ...(status === 'APPROVED' || status === 'COMPLETED' ? { approved_money: money } : {}),
    ...(one.fee === undefined ? {} : { processing_fee: [processingFee(one, one.fee)] }),
    ...(taken.length > 0 ? { refund_ids: taken.map(({ id }) => id), refunded_money: sum(one, taken) } : {}),
    status,
    delay_duration: 'PT168H',
    delay_action: 'CANCEL',
    delayed_until: time(one.createdAt + CAPTURE_WITHIN_MS),
    source_type: 'CARD',
    card_details: card(one, status),
    ...(one.reference === null ? {} : { reference_id: one.reference }),
    receipt_number: one.id.slice(-4),
    receipt_url: `https://squareup.com/receipt/preview/${one.id}`,
    ...shown(one),
  };
}

export function refund(one: Payment) {
  return {
    id: one.id,
    status: refundStatus(one),
    unlinked: false,
    destination_type: 'CARD',
    amount_money: { amount: Number(one.amount), currency: one.currency },
    payment_id: one.parent ?? null,
    created_at: time(one.createdAt),
    updated_at: time(updatedAt(one)),
    ...shown(one),
  };
}

export function dispute(of: Payment, { id, status, amount, openedAt, closedAt }: Dispute) {
  return {
    id,
    dispute_id: id,
    amount_money: { amount: Number(amount), currency: of.currency },
    reason: 'NO_KNOWLEDGE',
    state: { open: 'EVIDENCE_REQUIRED', won: 'WON', lost: 'LOST' }[status],
    due_at: time(openedAt + EVIDENCE_WITHIN_MS),
    disputed_payment: { payment_id: of.id },
    card_brand: 'VISA',
    created_at: time(openedAt),
    updated_at: time(closedAt ?? openedAt),
    reported_at: time(openedAt),
    version: closedAt === null ? 1 : 2,
    location_id: locationId(of),
  };
}

export function event({ id, type, at, payment: one }: EventRecord) {
  return {
    merchant_id: MERCHANT_ID,
    location_id: locationId(one),
    type,
    event_id: eventId(id),
    created_at: time(at),
    data: eventData(type, one),
  };
}

export function location() {
  return {
    id: LOCATION_ID,
    name: 'Sandbox',
    status: 'ACTIVE',
    merchant_id: MERCHANT_ID,
    country: 'US',
    currency: 'USD',
    capabilities: ['CREDIT_CARD_PROCESSING'],
  };
}

type Problem = { category: string; code: string; detail: string; field?: string };

/** `more`: the object that a refusal is about. */
export function problem(status: number, error: Problem, more: Record<string, unknown> = {}): Answer {
  return jsonAnswer(status, { errors: [error], ...more });
}

export function invalid(code: string, detail: string, status = 400): Answer {
  return problem(status, { category: 'INVALID_REQUEST_ERROR', code, detail });
}

export function notFound(what: string): Answer {
  return invalid('NOT_FOUND', `Could not find ${what}. Check the id.`, 404);
}

export function unauthorized(): Answer {
  const detail = 'This request could not be authorized. Send `Authorization: Bearer <token>`; in the sandbox any does.';
  return problem(401, { category: 'AUTHENTICATION_ERROR', code: 'UNAUTHORIZED', detail });
}

export function badField({ kind, field: bracketed, detail }: Defect): Answer {
  const field = bracketed.replaceAll('[', '.').replaceAll(']', '');
  const messages = {
    unknown: `The field named '${field}' is unrecognized. Remove it.`,
    missing: `Missing required parameter. Send ${field}.`,
    wrong: `Field ${detail}. Correct it and send again.`,
  };
  const code = kind === 'unknown' ? 'BAD_REQUEST' : kind === 'missing' ? 'MISSING_REQUIRED_PARAMETER' : wrong(detail);
  return problem(400, { category: 'INVALID_REQUEST_ERROR', code, detail: messages[kind], field });
}

/** What a payment or a refund is refused with, by the reason the sandbox has in mind. */
export function refusal(one: Payment): Answer {
  const isShort = one.declineCode === 'insufficient_funds';
  if (kindOf(one) === 'refund') {
    const code = isShort ? 'INSUFFICIENT_FUNDS' : 'REFUND_DECLINED';
    const detail = isShort ? 'The balance does not cover the refund.' : 'The refund was declined.';
    return problem(400, { category: 'REFUND_ERROR', code, detail }, { refund: refund(one) });
  }
  return problem(400, decline(one), { payment: payment(one) });
}

function decline({ declineCode }: Payment): Problem {
  const isShort = declineCode === 'insufficient_funds';
  return {
    category: 'PAYMENT_METHOD_ERROR',
    code: isShort ? 'INSUFFICIENT_FUNDS' : 'GENERIC_DECLINE',
    detail: isShort ? 'The funding source has insufficient funds.' : 'Authorization error: the card was declined.',
  };
}

const TYPE_CODES: [RegExp, string][] = [
  [/be integer/, 'EXPECTED_INTEGER'],
  [/be string/, 'EXPECTED_STRING'],
  [/be boolean/, 'EXPECTED_BOOLEAN'],
  [/be object/, 'EXPECTED_OBJECT'],
  [/more than \d+ characters/, 'VALUE_TOO_LONG'],
  [/fewer than \d+ characters/, 'VALUE_TOO_SHORT'],
  [/allowed values/, 'INVALID_ENUM_VALUE'],
];

function wrong(detail: string): string {
  return TYPE_CODES.find(([pattern]) => pattern.test(detail))?.[1] ?? 'INVALID_VALUE';
}

const STATUSES = {
  created: 'PENDING',
  action: 'PENDING',
  approved: 'APPROVED',
  pending: 'PENDING',
  paid: 'COMPLETED',
  declined: 'FAILED',
  canceled: 'CANCELED',
  // A bank debit that the bank sends back fails after it was completed.
  returned: 'FAILED',
} satisfies Record<Payment['status'], string>;

function paymentStatus({ status }: Payment): string {
  return STATUSES[status];
}

function refundStatus({ status }: Payment): string {
  return status === 'approved' ? 'PENDING' : STATUSES[status];
}

const CARD_STATUSES: Record<string, string> = {
  APPROVED: 'AUTHORIZED',
  COMPLETED: 'CAPTURED',
  CANCELED: 'VOIDED',
  FAILED: 'FAILED',
};

function card(one: Payment, status: string) {
  return {
    status: CARD_STATUSES[status] ?? 'PENDING',
    card: { card_brand: 'VISA', last_4: '1111', exp_month: 11, exp_year: 2030, card_type: 'CREDIT' },
    entry_method: 'KEYED',
    cvv_status: 'CVV_ACCEPTED',
    avs_status: 'AVS_ACCEPTED',
    card_payment_timeline: timeline(one, status),
    ...(one.status === 'declined' ? { errors: [decline(one)] } : {}),
  };
}

/** A payment that was taken and came back failed as well as one that never was; only the first was captured. */
function timeline(one: Payment, status: string) {
  const isCaptured = one.paidAt !== undefined && status !== 'APPROVED';
  return {
    ...(isCaptured || status === 'APPROVED' ? { authorized_at: time(one.createdAt) } : {}),
    ...(isCaptured ? { captured_at: time(one.paidAt ?? one.createdAt) } : {}),
    ...(status === 'CANCELED' ? { voided_at: time(updatedAt(one)) } : {}),
  };
}

function processingFee(one: Payment, fee: string) {
  const amountMoney = { amount: Number(fee), currency: one.currency };
  return { effective_at: time(one.paidAt ?? one.createdAt), type: 'INITIAL', amount_money: amountMoney };
}

function sum({ currency }: Payment, refunds: Payment[]) {
  const amount = refunds.reduce((total, one) => total + BigInt(one.amount) - returnedAmount(one), 0n);
  return { amount: Number(amount), currency };
}

function updatedAt(one: Payment): number {
  const { changedAt } = one.extra;
  const returned = one.returns.map(({ at }) => at);
  const disputed = one.dispute ? [one.dispute.openedAt, one.dispute.closedAt ?? 0] : [];
  return Math.max(
    one.createdAt,
    one.paidAt ?? 0,
    typeof changedAt === 'number' ? changedAt : 0,
    ...returned,
    ...disputed,
  );
}

function eventData(type: string, one: Payment) {
  if (type.startsWith('dispute') && one.dispute) {
    return { type: 'dispute', id: one.dispute.id, object: { dispute: dispute(one, one.dispute) } };
  }
  return kindOf(one) === 'refund'
    ? { type: 'refund', id: one.id, object: { refund: refund(one) } }
    : { type: 'payment', id: one.id, object: { payment: payment(one) } };
}

/** The fields of the request that Square shows as they came. */
function shown(one: Payment): Record<string, unknown> {
  const fields = one.extra.shown;
  return typeof fields === 'object' && fields !== null ? { ...fields } : {};
}

function locationId(one: Payment): unknown {
  return shown(one).location_id ?? LOCATION_ID;
}

/** Square's event ids are UUIDs. */
function eventId(id: string): string {
  return hash('sha256', id, 'hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5');
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}
