// Payouts through PayPal: one item a batch, because the batch's id of ours is the only guard against paying twice. A
// second batch under it is refused, with a link to the first. PayPal's id of the batch is the payout's id here.

import { PaymentError } from '../../domain/errors.ts';
import type { Pkid } from '../../domain/id.ts';
import type {
  Answer,
  CallLimits,
  DeclineCode,
  PayeeView,
  Payments,
  PayoutOrder,
  Reference,
} from '../../domain/provider.ts';
import { type ProviderLog, parseAnswer, providerText, uncertain } from '../surprise.ts';
import { refusalOf, toWire } from './amount.ts';
import { type Caller, deadlineOf } from './call.ts';
import { declined, declinedBy, isProblem, linksIn, PROVIDER, SHORT_OF_MONEY } from './problem.ts';
import { type Batch, batchBody, createdBatchBody, idInLink, type PayoutItem } from './wire.ts';

/** A batch id of ours is refused for 30 days, and taken for a new payout after. */
const KEY_RETENTION_MS = 30 * 24 * 60 * 60 * 1000;
/** Batches take minutes; one that waits for its receiver to open an account deserves a look. */
const USUAL_MS = 60 * 60 * 1000;
const RECEIVER_MAX = 127;

const BATCHES = '/v1/payments/payouts';
const DUPLICATE = 'USER_BUSINESS_ERROR';
const DUPLICATE_ISSUE = /duplicate batch/i;
const EMAIL = /^[^@\s]+@[^@\s]+$/;
const PHONE = /^\+[0-9][0-9 -]{4,19}$/;
const PAYPAL_ID = /^[A-Za-z0-9_.-]+$/;

const WAITING = new Set(['PENDING', 'ONHOLD', 'UNCLAIMED']);
const REFUSED = new Set(['FAILED', 'BLOCKED']);
/** Paid, and taken back since. */
const TAKEN_BACK = new Set(['REFUNDED', 'REVERSED']);
const BATCH_REFUSED = new Set(['DENIED', 'CANCELED']);
const BATCH_WORKING = new Set(['PENDING', 'PROCESSING', 'SUCCESS']);

interface PayoutOptions {
  readonly send: Caller;
  readonly keyRetentionMs: number | undefined;
  readonly log: ProviderLog;
}

export function createPaypalPayout({ send, keyRetentionMs, log }: PayoutOptions): Payments<PayoutOrder> {
  async function pay(order: PayoutOrder, limits: CallLimits): Promise<Answer> {
    const { pkid, key } = order;
    const signal = deadlineOf(limits);
    const answer = await send({ path: BATCHES, body: batchOf(order), signal });
    if (answer.status === 404) throw uncertain({ provider: PROVIDER, reason: 'unexpected_error', httpStatus: 404 });
    if (isProblem(answer)) {
      if (answer.fault.type !== DUPLICATE || !DUPLICATE_ISSUE.test(answer.fault.code)) {
        return declinedBy(answer, null, log);
      }
      const first = idInLink(linksIn(answer.body), { rel: 'self', folder: 'payouts' });
      // Paid before under this id; which payout that was, PayPal does not always say.
      if (first === null) throw uncertain({ provider: PROVIDER, reason: 'duplicate_batch', httpStatus: answer.status });
      const found = await look({ pkid, externId: first }, signal);
      if (found.type === 'not_found') throw uncertain({ provider: PROVIDER, reason: 'duplicate_batch' });
      return found;
    }
    const { batch_header: header } = parseAnswer(PROVIDER, createdBatchBody, answer.body);
    if (header.sender_batch_header.sender_batch_id !== key) {
      throw uncertain({ provider: PROVIDER, reason: 'another_payment' });
    }
    return itemOfCreated({ pkid, externId: header.payout_batch_id }, signal);
  }

  /** The batch was taken, whatever becomes of the look at its item. */
  async function itemOfCreated(batch: { pkid: Pkid; externId: string }, signal: AbortSignal): Promise<Answer> {
    const taken: Answer = { type: 'pending', externId: batch.externId, awaitsConfirm: false };
    try {
      const found = await look(batch, signal);
      return found.type === 'not_found' ? taken : found;
    } catch (cause) {
      if (cause instanceof PaymentError && cause.surprise !== undefined) return taken;
      throw cause;
    }
  }

  async function look({ pkid, externId }: { pkid: Pkid; externId: string }, signal: AbortSignal): Promise<Answer> {
    const answer = await send({ path: `${BATCHES}/${encodeURIComponent(externId)}?page_size=2`, signal });
    if (answer.status === 404) return { type: 'not_found' };
    return answerOfBatch({ batch: parseAnswer(PROVIDER, batchBody, answer.body), pkid, log });
  }

  const find = async ({ pkid, externId }: Reference, limits: CallLimits): Promise<Answer> =>
    externId === null ? { type: 'not_found' } : look({ pkid, externId }, deadlineOf(limits));

  return {
    stages: 1,
    keyRetentionMs: keyRetentionMs ?? KEY_RETENTION_MS,
    canFindByKey: false,
    cancelable: false,
    usualMs: USUAL_MS,
    creationEvents: [],
    refusalOf: (money) => refusalOf('payout', money),
    send: pay,
    confirm: confirmPayout,
    // A batch cannot be taken back; what there is to say about a cancel is what has become of it.
    cancel: find,
    find,
  };
}

export function refusalOfReceiver(account: string): string | null {
  if (recipientTypeOf(account) !== null) return null;
  return 'PayPal pays an e-mail address, a phone number that begins with "+", or a PayPal id. Send one of them.';
}

/** PayPal pays whoever can be written to: without an account the receiver has 30 days to open one. */
export async function findPaypalPayee(account: string): Promise<PayeeView | null> {
  return recipientTypeOf(account) === null ? null : { status: 'payable', blockedReason: null, onboardingUrl: null };
}

/** Null for what PayPal could not even read. */
function recipientTypeOf(receiver: string): 'EMAIL' | 'PHONE' | 'PAYPAL_ID' | null {
  if (receiver.length > RECEIVER_MAX) return null;
  if (receiver.includes('@')) return EMAIL.test(receiver) ? 'EMAIL' : null;
  if (receiver.startsWith('+')) return PHONE.test(receiver) ? 'PHONE' : null;
  return PAYPAL_ID.test(receiver) ? 'PAYPAL_ID' : null;
}

function batchOf({ pkid, key, money, beneficiary }: PayoutOrder): object {
  const wire = toWire(money);
  if (wire.refusal !== null) throw new PaymentError('provider-not-able', { detail: wire.refusal });
  const item = {
    // A receiver that fits nothing is left to PayPal, whose refusal is final.
    recipient_type: recipientTypeOf(beneficiary) ?? 'PAYPAL_ID',
    receiver: beneficiary,
    sender_item_id: pkid,
    amount: { value: wire.value, currency: money.currency },
  };
  return { sender_batch_header: { sender_batch_id: key, email_subject: 'You have been paid' }, items: [item] };
}

interface Shown {
  readonly batch: Batch;
  readonly pkid: Pkid;
  readonly log: ProviderLog;
}

function answerOfBatch({ batch, pkid, log }: Shown): Answer {
  const { batch_header: header, items } = batch;
  const externId = header.payout_batch_id;
  const item = items?.[0];
  const ourId = item === undefined ? header.sender_batch_header.sender_batch_id : item.payout_item.sender_item_id;
  if (ourId !== pkid) throw uncertain({ provider: PROVIDER, reason: 'another_payment' });
  if (BATCH_REFUSED.has(header.batch_status)) {
    return declined({ code: codeOf(item), externId, detail: wordsOf(item) ?? 'PayPal refused the payout.' });
  }
  if (item?.transaction_status) return answerOfItem({ externId, item, status: item.transaction_status, pkid, log });
  if (!BATCH_WORKING.has(header.batch_status)) warnOf(header.batch_status, { pkid, log });
  return { type: 'pending', externId, awaitsConfirm: false };
}

interface ShownItem extends Pick<Shown, 'pkid' | 'log'> {
  readonly externId: string;
  readonly item: PayoutItem;
  readonly status: string;
}

function answerOfItem({ externId, item, status, pkid, log }: ShownItem): Answer {
  if (status === 'SUCCESS') return succeededBy(externId, item, 0n);
  const returnedMinor = item.return_amount?.amountMinor ?? 0n;
  if (TAKEN_BACK.has(status)) {
    return succeededBy(externId, item, returnedMinor || item.payout_item.amount.amountMinor);
  }
  if (status === 'RETURNED') {
    if (returnedMinor > 0n) return succeededBy(externId, item, returnedMinor);
    const detail = wordsOf(item) ?? 'The receiver did not claim the money, and PayPal gave it back.';
    return declined({ code: 'declined', externId, detail });
  }
  if (REFUSED.has(status)) {
    return declined({ code: codeOf(item), externId, detail: wordsOf(item) ?? `PayPal reports ${status}.` });
  }
  if (!WAITING.has(status)) warnOf(status, { pkid, log });
  return { type: 'pending', externId, awaitsConfirm: false };
}

function succeededBy(externId: string, item: PayoutItem, reversedMinor: bigint): Answer {
  const { payout_item_id: itemId, payout_item_fee: fee, payout_item: paid } = item;
  return {
    type: 'succeeded',
    externId,
    money: paid.amount,
    beneficiary: paid.receiver,
    reversedMinor,
    arrival: null,
    fee: fee && fee.amountMinor > 0n ? { externId: itemId, money: fee } : null,
    otherExternIds: [],
  };
}

function codeOf(item: PayoutItem | undefined): DeclineCode {
  return SHORT_OF_MONEY.has(item?.errors?.name ?? '') ? 'provider_insufficient_funds' : 'declined';
}

function wordsOf(item: PayoutItem | undefined): string | null {
  const text = item?.errors?.message || item?.errors?.name;
  return text ? providerText(text) : null;
}

function warnOf(status: string, { pkid, log }: Pick<Shown, 'pkid' | 'log'>): void {
  log.warn({ provider: PROVIDER, pkid, status: providerText(status) }, 'Unknown payout status, kept as pending.');
}

async function confirmPayout(): Promise<Answer> {
  throw new PaymentError('internal', { detail: 'A PayPal payout has one stage. Report this with the request_id.' });
}
