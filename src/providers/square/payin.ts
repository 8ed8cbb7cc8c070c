// Pay-ins through Square in two stages: the first call reserves the money on the buyer's card, completing takes it.
// Completing and cancelling carry no key, so on any doubt the payment itself is read.

import { z } from 'zod';
import { PaymentError } from '../../domain/errors.ts';
import { isPkid, type Pkid } from '../../domain/id.ts';
import { type Money, sameMoney } from '../../domain/money.ts';
import type { Answer, CallLimits, Fee, PayinOrder, Payments, Provider, Reference } from '../../domain/provider.ts';
import { type ProviderLog, providerText, uncertain } from '../surprise.ts';
import { type Bounds, boundsOf, isMissing, PROVIDER, type Refusal, type SquareLine, unexpected } from './call.ts';
import { squareMoney, toSquare } from './money.ts';

/** A card answers at once; what is open longer than this deserves a look. */
const USUAL_MS = 10_000;
/** Square's bound on what it adds to the buyer's statement. */
const DESCRIPTOR_CHARACTERS_MAX = 20;
const NO_TOKEN = 'A Square pay-in needs a token. Send payment_info.token, made by the Web Payments SDK in the browser.';

/** How a till takes money that Square only records. */
const NOT_AT_SQUARE = new Set(['CASH', 'EXTERNAL']);

/** What a create can name that Square does not have. */
const OF_THE_ORDER = /\b(?:nonce|token|source|card|location)\b/i;

const cardError = z.object({ code: z.string().nullish(), detail: z.string().nullish() });
const paymentBody = z.object({
  id: z.string().regex(/^[A-Za-z0-9_-]{1,192}$/),
  status: z.string().min(1).max(50),
  referenceId: z.string().max(40).nullish(),
  sourceType: z.string().nullish(),
  amountMoney: squareMoney,
  /** With a tip, where the buyer gave one. */
  totalMoney: squareMoney.nullish(),
  refundedMoney: squareMoney.nullish(),
  processingFee: z.array(z.object({ type: z.string().nullish(), amountMoney: z.unknown() })).nullish(),
  cardDetails: z
    .object({
      errors: z.array(cardError).nullish(),
      cardPaymentTimeline: z.object({ capturedAt: z.string().nullish() }).nullish(),
    })
    .nullish(),
});
type Payment = z.infer<typeof paymentBody>;

const paymentAnswer = z.object({ payment: paymentBody });
/** A refusal may carry the payment, and the SDK leaves it there as it came. */
const refusedPayment = z.object({
  payment: z.object({ id: paymentBody.shape.id, status: paymentBody.shape.status, reference_id: z.string().nullish() }),
});

interface PayinOptions {
  readonly line: SquareLine;
  readonly locationId: string;
  readonly keyRetentionMs: number;
  readonly log: ProviderLog;
}

export function createSquarePayins({ line, locationId, keyRetentionMs, log }: PayinOptions): Payments<PayinOrder> {
  const { ask } = line;
  const answerOf = (payment: Payment, pkid: Pkid) => answerOfPayment({ payment, pkid, log });

  async function send(order: PayinOrder, limits: CallLimits): Promise<Answer> {
    if (order.token === null) return declined({ detail: NO_TOKEN, externId: null });
    const wire = toSquare(order.money);
    if (wire.refusal !== null) throw new PaymentError('provider-not-able', { detail: wire.refusal });
    const descriptor = order.statementDescriptor?.slice(0, DESCRIPTOR_CHARACTERS_MAX);
    const request = {
      sourceId: order.token,
      idempotencyKey: order.key,
      amountMoney: wire.money,
      autocomplete: false,
      referenceId: order.pkid,
      locationId,
      ...(descriptor === undefined ? {} : { statementDescriptionIdentifier: descriptor }),
      ...(order.buyer.email === null ? {} : { buyerEmailAddress: order.buyer.email }),
    };
    const { value, refusal } = await ask(paymentAnswer, (client) => client.payments.create(request, boundsOf(limits)));
    if (refusal !== null) return declinedCreate(refusal, order.pkid);
    const answer = answerOf(value.payment, order.pkid);
    if (isWaiting(answer) && !sameMoney(moneyOf(value.payment), order.money)) {
      throw uncertain({ provider: PROVIDER, reason: 'another_amount' });
    }
    return answer;
  }

  async function confirm({ pkid, externId }: Reference, limits: CallLimits): Promise<Answer> {
    if (externId === null) {
      throw new PaymentError('internal', { detail: 'A confirm needs the id of the payment. Report the request_id.' });
    }
    const bounds = boundsOf(limits);
    const { value, refusal } = await ask(paymentAnswer, (client) =>
      client.payments.complete({ paymentId: externId }, bounds),
    );
    if (refusal === null) return answerOf(value.payment, pkid);
    const standing = await look({ pkid, externId, bounds });
    // Refused and still reserved: another try could take the money, so it has to be cancelled first.
    return isWaiting(standing) ? { ...declinedBy(refusal), externId, isOpen: true } : standing;
  }

  async function cancel({ pkid, externId }: Reference, limits: CallLimits): Promise<Answer> {
    const bounds = boundsOf(limits);
    if (externId === null) return cancelByKey(pkid, bounds);
    const { value, refusal } = await ask(paymentAnswer, (client) =>
      client.payments.cancel({ paymentId: externId }, bounds),
    );
    if (refusal === null) return answerOf(value.payment, pkid);
    const standing = await look({ pkid, externId, bounds });
    if (isWaiting(standing)) throw unexpected(refusal, 'cancel_refused');
    return standing;
  }

  /** The key of the create is always the pkid. Square answers the same when it finds nothing to void. */
  async function cancelByKey(pkid: Pkid, bounds: Bounds): Promise<Answer> {
    const { refusal } = await ask(z.object({}), (client) =>
      client.payments.cancelByIdempotencyKey({ idempotencyKey: pkid }, bounds),
    );
    if (refusal !== null) throw unexpected(refusal, 'cancel_refused');
    return canceled(null);
  }

  async function find({ pkid, externId }: Reference, limits: CallLimits): Promise<Answer> {
    return externId === null ? { type: 'not_found' } : look({ pkid, externId, bounds: boundsOf(limits) });
  }

  async function look({ pkid, externId, bounds }: { pkid: Pkid; externId: string; bounds: Bounds }): Promise<Answer> {
    const { value, refusal } = await ask(paymentAnswer, (client) =>
      client.payments.get({ paymentId: externId }, bounds),
    );
    if (refusal === null) return answerOf(value.payment, pkid);
    if (isMissing(refusal, externId)) return { type: 'not_found' };
    throw unexpected(refusal);
  }

  return {
    stages: 2,
    keyRetentionMs,
    canFindByKey: false,
    cancelable: true,
    usualMs: USUAL_MS,
    creationEvents: [],
    refusalOf: (money) => toSquare(money).refusal,
    send,
    confirm,
    cancel,
    find,
  };
}

/** A payment by its id, whoever took it. */
export function createPayinLookUp({
  line,
  log,
}: Pick<PayinOptions, 'line' | 'log'>): NonNullable<Provider['findPayin']> {
  return async (externId, limits) => {
    const { value, refusal } = await line.ask(paymentAnswer, (client) =>
      client.payments.get({ paymentId: externId }, boundsOf(limits)),
    );
    if (refusal === null) {
      const { id, referenceId, sourceType } = value.payment;
      // Cash and the like stand in Square's books, and Square never has the money.
      if (NOT_AT_SQUARE.has(sourceType ?? '')) return { pkid: null, answer: canceled(id) };
      const pkid = typeof referenceId === 'string' && isPkid(referenceId) ? referenceId : null;
      return { pkid, answer: saidBy(value.payment, log) };
    }
    if (isMissing(refusal, externId)) return null;
    throw unexpected(refusal);
  };
}

function isWaiting(answer: Answer): boolean {
  return answer.type === 'pending' && answer.awaitsConfirm;
}

interface Shown {
  readonly payment: Payment;
  readonly pkid: Pkid;
  readonly log: ProviderLog;
}

/** Of a payment that is ours: any other one says nothing about this pay-in. */
function answerOfPayment({ payment, pkid, log }: Shown): Answer {
  if (payment.referenceId !== pkid) throw uncertain({ provider: PROVIDER, reason: 'another_payment' });
  return saidBy(payment, log);
}

function saidBy(payment: Payment, log: ProviderLog): Answer {
  const { id: externId, status } = payment;
  switch (status) {
    case 'PENDING':
      return { type: 'pending', externId, awaitsConfirm: false };
    case 'APPROVED':
      return { type: 'pending', externId, awaitsConfirm: true };
    case 'COMPLETED':
      return succeeded(payment, 0n);
    case 'CANCELED':
      return canceled(externId);
    case 'FAILED':
      return wasTaken(payment) ? succeeded(payment, notRefunded(payment)) : declinedAs(payment);
    default:
      log.warn(
        { provider: PROVIDER, extern_id: externId, status: providerText(status) },
        'Unknown payment status, kept pending.',
      );
      return { type: 'pending', externId, awaitsConfirm: false };
  }
}

function succeeded(payment: Payment, reversedMinor: bigint): Answer {
  return {
    type: 'succeeded',
    externId: payment.id,
    money: moneyOf(payment),
    beneficiary: null,
    reversedMinor,
    arrival: null,
    fee: feeOf(payment),
    otherExternIds: [],
  };
}

function moneyOf({ totalMoney, amountMoney }: Payment): Money {
  return totalMoney ?? amountMoney;
}

/** A payment that failed after Square had the money: the buyer's bank took it back. Only proof of it counts. */
function wasTaken({ cardDetails, processingFee }: Payment): boolean {
  return typeof cardDetails?.cardPaymentTimeline?.capturedAt === 'string' || (processingFee ?? []).length > 0;
}

function notRefunded(payment: Payment): bigint {
  const left = moneyOf(payment).amountMinor - (payment.refundedMoney?.amountMinor ?? 0n);
  return left > 0n ? left : 0n;
}

/** Square's fees have no id. There is one first fee of a payment; what it adjusts later cannot be told apart. */
function feeOf({ id, processingFee }: Payment): Fee | null {
  const initial = (processingFee ?? []).find(({ type }) => type === 'INITIAL');
  const money = squareMoney.safeParse(initial?.amountMoney).data;
  return money === undefined || money.amountMinor === 0n ? null : { externId: `${id}:initial`, money };
}

/** What Square says no with. It may name a payment that it made and failed. */
function declinedCreate(refusal: Refusal, pkid: Pkid): Answer {
  // A 404 that names nothing of the order ("Card nonce not found") speaks of the address, which proves nothing.
  if (refusal.httpStatus === 404 && refusal.field === null && !OF_THE_ORDER.test(refusal.detail)) {
    throw unexpected(refusal);
  }
  const payment = refusedPayment.safeParse(refusal.body).data?.payment;
  if (payment === undefined) return declinedBy(refusal);
  if (payment.reference_id !== pkid) throw uncertain({ provider: PROVIDER, reason: 'another_payment' });
  if (payment.status !== 'FAILED' && payment.status !== 'CANCELED') throw unexpected(refusal, 'refused_but_open');
  return { ...declinedBy(refusal), externId: payment.id };
}

function declinedBy({ code, detail }: Refusal) {
  return declined({ detail: providerText(detail) || `Declined by Square (${providerText(code)}).`, externId: null });
}

function declinedAs({ id, cardDetails }: Payment) {
  const error = cardDetails?.errors?.[0];
  const reason = providerText(error?.detail ?? '') || providerText(error?.code ?? '');
  return declined({ detail: reason || 'The payment failed at Square.', externId: id });
}

function declined({ detail, externId }: { detail: string; externId: string | null }) {
  return { type: 'declined', code: 'declined', detail, externId, isOpen: false } as const;
}

function canceled(externId: string | null): Answer {
  const detail = 'Cancelled at Square before it was completed.';
  return { type: 'declined', code: 'canceled', detail, externId, isOpen: false };
}
