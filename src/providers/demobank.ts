// Payouts through Demobank, the plain two-stage provider of the sandbox: create, then confirm moves the money.
// It shows what every two-stage adapter has to answer, without another company's habits.

import { z } from 'zod';
import { PaymentError } from '../domain/errors.ts';
import { isPkid } from '../domain/id.ts';
import { type Currency, isCurrency } from '../domain/money.ts';
import type { Answer, CallLimits, PayoutOrder, Provider, ProviderEvent, Reference } from '../domain/provider.ts';
import { createHttp, type HttpAnswer } from './http.ts';
import { headerOf, signedJson, verifySignature } from './signature.ts';
import { notTaken, type ProviderLog, parseAnswer, providerText, uncertain } from './surprise.ts';

const PROVIDER = 'demobank';
const KEY_RETENTION_MS = 24 * 60 * 60 * 1000;
/** A confirm answers at once; what is open longer than this deserves a look. */
const USUAL_MS = 10_000;
/** More than one payment under a reference of ours is an alarm already. */
const PAYMENTS_MAX = 100;

/** Answers that mean: looked at and refused. A 404 on a create is a wrong address, not a refusal. */
const FINAL_STATUSES = new Set([400, 402, 422]);

const amountText = z.string().regex(/^(0|[1-9][0-9]{0,17})$/);
const paymentBody = z.object({
  id: z.string().regex(/^dbp_[A-Za-z0-9_-]{1,120}$/),
  reference: z.string().max(255),
  amount: amountText,
  currency: z.string().refine(isCurrency),
  destination: z.string().min(1).max(255),
  status: z.string().min(1).max(50),
  decline_code: z.string().nullable(),
  returned: amountText,
});
type Payment = z.infer<typeof paymentBody>;

const paymentList = z.object({ data: z.array(paymentBody).max(PAYMENTS_MAX) });
const balanceBody = z.object({
  data: z.array(z.object({ currency: z.string(), available: z.string().regex(/^(0|-?[1-9][0-9]{0,17})$/) })),
});
const eventBody = z.object({
  id: z.string().min(1).max(255),
  type: z.string().min(1).max(100),
  created: z.int().nonnegative(),
  data: paymentBody,
});

interface DemobankOptions {
  readonly secretKey: string;
  readonly webhookSecrets: readonly string[];
  readonly baseUrl: string;
  readonly keyRetentionMs?: number;
  readonly log: ProviderLog;
}

interface Call {
  readonly path: string;
  /** Present on the calls that change something. */
  readonly key?: string;
  readonly body?: object;
  readonly conflicts?: readonly string[];
}

export function createDemobank({ secretKey, webhookSecrets, baseUrl, keyRetentionMs, log }: DemobankOptions): Provider {
  const http = createHttp({ provider: PROVIDER, baseUrl, log });
  const answerOf = (payment: Payment, pkid: string): Answer => answerOfPayment({ payment, pkid, log });

  async function send({ path, key, body, conflicts }: Call, signal: AbortSignal): Promise<HttpAnswer> {
    return http.send({
      method: body === undefined ? 'GET' : 'POST',
      path,
      headers: {
        authorization: `Bearer ${secretKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal,
      ...(conflicts === undefined ? {} : { conflicts }),
    });
  }

  /** The first stage: the payment is made, and no money moves before it is confirmed. */
  async function sendPayout({ pkid, key, money, beneficiary }: PayoutOrder, limits: CallLimits): Promise<Answer> {
    const body = {
      reference: pkid,
      amount: money.amountMinor.toString(),
      currency: money.currency,
      destination: beneficiary,
    };
    const answer = await send({ path: '/v1/payments', key, body }, deadlineOf(limits));
    if (answer.status >= 400) return declinedBy(answer, null);
    return answerOf(parseAnswer(PROVIDER, paymentBody, answer.body), pkid);
  }

  async function confirmPayout({ pkid, externId, key }: Reference, limits: CallLimits): Promise<Answer> {
    if (externId === null) {
      throw new PaymentError('internal', { detail: 'A confirm needs the id of the payment. Report the request_id.' });
    }
    const call = { path: `${pathOf(externId)}/confirm`, key, body: {}, conflicts: ['already_canceled'] };
    const answer = await send(call, deadlineOf(limits));
    if (answer.status === 404) return { type: 'not_found' };
    if (answer.fault?.code === 'already_canceled') return canceled(externId);
    if (answer.status >= 400) return declinedBy(answer, externId);
    return answerOf(parseAnswer(PROVIDER, paymentBody, answer.body), pkid);
  }

  async function cancel(reference: Reference, limits: CallLimits): Promise<Answer> {
    const deadline = deadlineOf(limits);
    let externId = reference.externId;
    if (externId === null) {
      const found = await look(reference, deadline);
      if (found.type !== 'pending' || !found.awaitsConfirm || found.externId === null) return found;
      externId = found.externId;
    }
    const call = { path: `${pathOf(externId)}/cancel`, body: {}, conflicts: ['already_paid'] };
    const answer = await send(call, deadline);
    if (answer.status >= 400) return look({ ...reference, externId }, deadline);
    return answerOf(parseAnswer(PROVIDER, paymentBody, answer.body), reference.pkid);
  }

  async function look({ pkid, externId }: Reference, deadline: AbortSignal): Promise<Answer> {
    if (externId !== null) {
      const known = await send({ path: pathOf(externId) }, deadline);
      if (known.status !== 404) return answerOf(parseAnswer(PROVIDER, paymentBody, known.body), pkid);
    }
    const page = await send({ path: `/v1/payments?reference=${encodeURIComponent(pkid)}` }, deadline);
    const payments = parseAnswer(PROVIDER, paymentList, page.body).data;
    const [first, ...others] = payments.toSorted((left, right) => weightOf(left) - weightOf(right));
    if (first === undefined) return { type: 'not_found' };
    const answer = answerOf(first, pkid);
    if (answer.type !== 'succeeded') return answer;
    return { ...answer, otherExternIds: others.filter((one) => weightOf(one) <= 1).map(({ id }) => id) };
  }

  async function balance(currency: Currency, limits: CallLimits): Promise<bigint | null> {
    const { data } = parseAnswer(PROVIDER, balanceBody, (await send({ path: '/v1/balance' }, deadlineOf(limits))).body);
    const found = data.find((one) => one.currency === currency);
    return found === undefined ? null : BigInt(found.available);
  }

  return {
    name: 'demobank',
    live: false,
    payin: null,
    payout: {
      stages: 2,
      keyRetentionMs: keyRetentionMs ?? KEY_RETENTION_MS,
      canFindByKey: true,
      cancelable: true,
      usualMs: USUAL_MS,
      creationEvents: [],
      refusalOf: () => null,
      send: sendPayout,
      confirm: confirmPayout,
      cancel,
      find: (reference, limits) => look(reference, deadlineOf(limits)),
    },
    refund: null,
    refusalOfAccount: () => null,
    findPayee: null,
    findDispute: null,
    findPayin: null,
    findRefund: null,
    balance,
    parseWebhook: (raw, headers, receivedAt) => parseEvent({ raw, headers, secrets: webhookSecrets, receivedAt }),
  };
}

/** One deadline for all requests that a call to the port needs. */
function deadlineOf({ timeoutMs }: CallLimits): AbortSignal {
  if (!(timeoutMs > 0)) throw notTaken({ provider: PROVIDER, reason: 'deadline_before_send' });
  return AbortSignal.timeout(Math.ceil(timeoutMs));
}

interface Shown {
  readonly payment: Payment;
  readonly pkid: string;
  readonly log: ProviderLog;
}

function answerOfPayment({ payment, pkid, log }: Shown): Answer {
  const { id: externId, status } = payment;
  if (payment.reference !== pkid) throw uncertain({ provider: PROVIDER, reason: 'another_payment' });
  switch (status) {
    case 'created':
      return { type: 'pending', externId, awaitsConfirm: true };
    case 'pending':
      return { type: 'pending', externId, awaitsConfirm: false };
    case 'paid':
    case 'returned':
      return {
        type: 'succeeded',
        externId,
        money: { amountMinor: BigInt(payment.amount), currency: payment.currency },
        beneficiary: payment.destination,
        reversedMinor: BigInt(payment.returned),
        arrival: null,
        fee: null,
        otherExternIds: [],
      };
    case 'declined':
      return declined({ code: payment.decline_code ?? '', message: '', externId });
    case 'canceled':
      return canceled(externId);
    default:
      log.warn({ provider: PROVIDER, pkid, status: providerText(status) }, 'Unknown payment status, kept as pending.');
      return { type: 'pending', externId, awaitsConfirm: false };
  }
}

/** Of several payments under one reference, those that moved money come first, then those that still may. */
function weightOf({ status }: Payment): number {
  if (status === 'paid' || status === 'returned') return 0;
  if (status === 'created') return 2;
  return status === 'declined' || status === 'canceled' ? 3 : 1;
}

function declinedBy({ status, fault }: HttpAnswer, externId: string | null): Answer {
  if (!FINAL_STATUSES.has(status))
    throw uncertain({ provider: PROVIDER, reason: 'unexpected_error', httpStatus: status });
  return declined({ code: fault?.code ?? '', message: fault?.message ?? '', externId });
}

function declined({ code, message, externId }: { code: string; message: string; externId: string | null }): Answer {
  const detail = providerText(message) || `Declined by Demobank (${providerText(code) || 'no reason given'}).`;
  if (code === 'insufficient_funds')
    return { type: 'declined', code: 'provider_insufficient_funds', detail, externId, isOpen: false };
  return { type: 'declined', code: 'declined', detail, externId, isOpen: false };
}

function canceled(externId: string): Answer {
  const detail = 'Cancelled at Demobank before it was confirmed.';
  return { type: 'declined', code: 'canceled', detail, externId, isOpen: false };
}

function pathOf(externId: string): string {
  return `/v1/payments/${encodeURIComponent(externId)}`;
}

interface Delivery {
  readonly raw: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  readonly receivedAt: Date;
}

function parseEvent({ raw, headers, secrets, receivedAt }: Delivery): ProviderEvent {
  verifySignature({ raw, header: headerOf(headers, 'demobank-signature'), secrets, receivedAt });
  const result = eventBody.safeParse(signedJson(raw));
  if (!result.success) throw new PaymentError('validation-failed', { cause: result.error });
  const { id, type, created, data } = result.data;
  const pkid = isPkid(data.reference) ? data.reference : null;
  return { eventId: id, type, subject: 'payout', externId: data.id, pkid, occurredAt: new Date(created * 1000) };
}
