// How the sandbox's Tipalti writes things down: payments, batches, payees, balances, notifications and errors. The REST
// reference is not public, so names follow what its published clients send and read.
import { type Answer, jsonAnswer } from '../answer.ts';
import { LATER_MS } from '../behaviour.ts';
import { CURRENCIES } from '../currency.ts';
import { type EventRecord, isHidden, type Payment } from '../payment.ts';
import type { State } from '../state.ts';
import { jsonNumber, majorUnits } from './amount.ts';

/** Paid is Tipalti's word for "sent"; a payment that has not come back well after the others do is cleared. */
const CLEARED_AFTER_MS = 2 * LATER_MS;

export function payment(one: Payment, now: number) {
  return {
    id: one.id,
    batchId: batchId(one),
    refCode: one.reference,
    payeeId: one.destination,
    amountSubmitted: money(one),
    status: status(one, now),
    reason: reason(one),
    submittedDate: new Date(one.createdAt).toISOString(),
  };
}

/** A batch holds one instruction, so either id follows from the other. */
export function batchId({ id }: Payment): string {
  return id.replace(/^tpp_/, 'tpb_');
}

export function paymentId(batch: string): string {
  return batch.replace(/^tpb_/, 'tpp_');
}

export function batch(one: Payment, now: number) {
  return {
    id: batchId(one),
    createdDate: new Date(one.createdAt).toISOString(),
    paymentInstructions: [instruction(one, now)],
  };
}

export function instruction(one: Payment, now: number) {
  const { id, refCode, payeeId, amountSubmitted, status: stands, reason: why } = payment(one, now);
  return { id: `${id}_i`, paymentId: id, refCode, payeeId, amountSubmitted, status: stands, reason: why };
}

export function list(items: unknown[], nextPageCursor: string | null = null) {
  return { items, nextPageCursor };
}

/** The words in a payee's id decide how far the payee has come. */
export function payee(id: string) {
  const [state, reasonText] = /(?:^|[^A-Za-z0-9])blocked(?:$|[^A-Za-z0-9])/.test(id)
    ? (['BLOCKED', 'Blocked by compliance'] as const)
    : /(?:^|[^A-Za-z0-9])onboarding(?:$|[^A-Za-z0-9])/.test(id)
      ? (['PENDING', 'No payment method yet'] as const)
      : (['ACTIVE', null] as const);
  return { id, refCode: id, status: state, isPayable: state === 'ACTIVE', notPayableReason: reasonText };
}

export function balances(state: State) {
  const currencies = [...new Set([...CURRENCIES, ...state.currencies('tipalti')])];
  return list(
    currencies.map((currency) => {
      const amount = String(state.available({ provider: 'tipalti', currency }));
      return { currency, availableBalance: money({ amount, currency }) };
    }),
  );
}

/** The form of a notification. The same event always gives the same bytes: that is how it is verified. */
export function notification({ id, at, payment: one }: EventRecord): string {
  const why = reason(one);
  return new URLSearchParams({
    key: id.replace(/^evt_/, 'ipn_'),
    c_date: String(Math.floor(at / 1000)),
    type: notificationType(one),
    payment_id: one.id,
    ref_code: one.reference ?? '',
    payee_id: one.destination,
    amount_submitted: majorUnits(one),
    currency: one.currency,
    payment_status: status(one, 0),
    ...(why ? { error_code: why.code, error_message: why.message } : {}),
  }).toString();
}

export function eventId(form: string): string {
  return (new URLSearchParams(form).get('key') ?? '').replace(/^ipn_/, 'evt_');
}

export function problem(status: number, code: string, message: string): Answer {
  return jsonAnswer(status, { code, message });
}

export function unauthorized(): Answer {
  const message = 'No valid token was given. Get one at /connect/token and send `Authorization: Bearer <token>`.';
  return { ...problem(401, 'Unauthorized', message), headers: { 'www-authenticate': 'Bearer', ...JSON_TYPE } };
}

export function notFound(what: string): Answer {
  return problem(404, 'NotFound', `There is no such ${what}. Check the id.`);
}

const JSON_TYPE = { 'content-type': 'application/json' };

function money({ amount, currency }: { amount: string; currency: string }) {
  return { amount: jsonNumber({ amount, currency }), currency };
}

function status(one: Payment, now: number): string {
  if (one.status === 'declined') return isDeferred(one) ? 'Deferred' : 'Rejected';
  if (one.status === 'returned') return 'Rejected';
  if (one.status === 'canceled') return 'Canceled';
  if (one.status !== 'paid') return one.due ? 'Scheduled' : 'Submitted';
  const isSettled = one.due === null && !isHidden(one, now) && now > (one.paidAt ?? one.createdAt) + CLEARED_AFTER_MS;
  return isSettled ? 'Cleared' : 'Paid';
}

/** Tipalti defers what may be possible another day, with another reference; what a bank refused is rejected. */
function isDeferred({ declineCode }: Payment): boolean {
  return declineCode === 'insufficient_funds' || declineCode === 'payee_not_payable';
}

function reason(one: Payment): { code: string; message: string } | null {
  if (one.status === 'returned') return { code: 'ReturnedByBank', message: 'The bank sent the money back.' };
  if (one.status !== 'declined') return null;
  if (one.declineCode === 'insufficient_funds') {
    return { code: 'InsufficientFunds', message: 'The payer account does not hold enough.' };
  }
  if (one.declineCode === 'payee_not_payable') {
    return { code: 'PayeeNotPayable', message: 'The payee cannot be paid yet, or no longer.' };
  }
  return { code: 'ProviderRejected', message: 'The payment was refused for this payee.' };
}

function notificationType(one: Payment): string {
  if (one.status === 'pending') return 'payment_submitted';
  if (one.status === 'paid') return 'completed';
  if (one.status === 'canceled') return 'payment_cancelled';
  return one.status === 'declined' && isDeferred(one) ? 'deferred' : 'error';
}
