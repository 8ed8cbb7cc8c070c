// Refunds through Square, in one stage. A refund has no reference of ours, so its reason names it: that is how an
// answer, a look-up and an event are known to speak of our refund.

import { z } from 'zod';
import { PaymentError } from '../../domain/errors.ts';
import { isPkid, type Pkid } from '../../domain/id.ts';
import type { Answer, CallLimits, Payments, Reference, RefundOrder, RefundView } from '../../domain/provider.ts';
import { type ProviderLog, providerText, uncertain } from '../surprise.ts';
import { boundsOf, isMissing, PROVIDER, type Refusal, type SquareLine, unexpected } from './call.ts';
import { squareMoney, toSquare } from './money.ts';

/** Square waits for the balance and for the bank; what is open for more than two days deserves a look. */
const USUAL_MS = 2 * 24 * 60 * 60 * 1000;
const REASON = /^Refund ([0-9a-f-]{36})$/;

const refundBody = z.object({
  id: z.string().regex(/^[A-Za-z0-9_-]{1,255}$/),
  status: z.string().min(1).max(50),
  paymentId: z.string().min(1).max(192).nullish(),
  amountMoney: squareMoney,
  reason: z.string().max(192).nullish(),
});
type SquareRefund = z.infer<typeof refundBody>;

const refundAnswer = z.object({ refund: refundBody });
/** A refusal may carry the refund, and the SDK leaves it there as it came. */
const refusedRefund = z.object({
  refund: z.object({ id: refundBody.shape.id, status: z.string(), reason: z.string().nullish() }),
});

interface RefundOptions {
  readonly line: SquareLine;
  readonly keyRetentionMs: number;
  readonly log: ProviderLog;
}

interface SquareRefunds {
  readonly refund: Payments<RefundOrder>;
  findRefund(externId: string, limits: CallLimits): Promise<RefundView | null>;
}

export function createSquareRefunds({ line, keyRetentionMs, log }: RefundOptions): SquareRefunds {
  const { ask } = line;

  async function send(order: RefundOrder, limits: CallLimits): Promise<Answer> {
    const { pkid, key, money, payinExternId } = order;
    const wire = toSquare(money);
    if (wire.refusal !== null) throw new PaymentError('provider-not-able', { detail: wire.refusal });
    const request = {
      idempotencyKey: key,
      paymentId: payinExternId,
      amountMoney: wire.money,
      reason: `Refund ${pkid}`,
    };
    const { value, refusal } = await ask(refundAnswer, (client) =>
      client.refunds.refundPayment(request, boundsOf(limits)),
    );
    if (refusal !== null) return declinedBy(refusal, { pkid, payinExternId });
    return answerOf({ refund: value.refund, pkid, payinExternId, log });
  }

  async function find({ pkid, externId, payinExternId }: Reference, limits: CallLimits): Promise<Answer> {
    if (externId === null) return { type: 'not_found' };
    const refund = await refundOf(externId, limits);
    return refund === null ? { type: 'not_found' } : answerOf({ refund, pkid, payinExternId, log });
  }

  async function findRefund(externId: string, limits: CallLimits): Promise<RefundView | null> {
    const refund = await refundOf(externId, limits);
    // Money sent to a card without a payment behind it is no refund of anything that we keep.
    if (refund === null || typeof refund.paymentId !== 'string') return null;
    return {
      externId: refund.id,
      pkid: pkidInReason(refund.reason),
      payinExternId: refund.paymentId,
      money: refund.amountMoney,
      status: statusOf(refund, log),
    };
  }

  async function refundOf(externId: string, limits: CallLimits): Promise<SquareRefund | null> {
    const { value, refusal } = await ask(refundAnswer, (client) =>
      client.refunds.get({ refundId: externId }, boundsOf(limits)),
    );
    if (refusal === null) return value.refund;
    if (isMissing(refusal, externId)) return null;
    throw unexpected(refusal);
  }

  return {
    refund: {
      stages: 1,
      keyRetentionMs,
      canFindByKey: false,
      cancelable: false,
      usualMs: USUAL_MS,
      creationEvents: [],
      refusalOf: (money) => toSquare(money).refusal,
      send,
      confirm: confirmRefund,
      // A refund cannot be taken back; what there is to say about a cancel is what has become of it.
      cancel: find,
      find,
    },
    findRefund,
  };
}

/** Our pkid, when the reason of a refund is one that we wrote. */
export function pkidInReason(reason: string | null | undefined): Pkid | null {
  const text = REASON.exec(reason ?? '')?.[1] ?? '';
  return isPkid(text) ? text : null;
}

async function confirmRefund(): Promise<Answer> {
  throw new PaymentError('internal', { detail: 'A Square refund has one stage. Report this with the request_id.' });
}

interface Shown {
  readonly refund: SquareRefund;
  readonly pkid: Pkid;
  readonly payinExternId: string | null;
  readonly log: ProviderLog;
}

function answerOf({ refund, pkid, payinExternId, log }: Shown): Answer {
  const { id: externId, status } = refund;
  const isOurs = pkidInReason(refund.reason) === pkid;
  if (!isOurs || (payinExternId !== null && refund.paymentId !== payinExternId)) {
    throw uncertain({ provider: PROVIDER, reason: 'another_payment' });
  }
  switch (statusOf(refund, log)) {
    case 'pending':
      return { type: 'pending', externId, awaitsConfirm: false };
    case 'failed': {
      const detail = status === 'REJECTED' ? 'Square rejected the refund.' : 'The refund failed at Square.';
      return { type: 'declined', code: 'declined', detail, externId, isOpen: false };
    }
    case 'succeeded':
      return {
        type: 'succeeded',
        externId,
        money: refund.amountMoney,
        beneficiary: null,
        reversedMinor: 0n,
        arrival: null,
        fee: null,
        otherExternIds: [],
      };
  }
}

function statusOf({ id, status }: SquareRefund, log: ProviderLog): RefundView['status'] {
  switch (status) {
    case 'PENDING':
      return 'pending';
    case 'COMPLETED':
      return 'succeeded';
    case 'REJECTED':
    case 'FAILED':
      return 'failed';
    default:
      log.warn(
        { provider: PROVIDER, extern_id: id, status: providerText(status) },
        'Unknown refund status, kept as pending.',
      );
      return 'pending';
  }
}

/** What Square says no with. It may name a refund that it made and failed. */
function declinedBy(refusal: Refusal, { pkid, payinExternId }: { pkid: Pkid; payinExternId: string }): Answer {
  if (refusal.httpStatus === 404 && !isMissing(refusal, payinExternId)) throw unexpected(refusal);
  const refund = refusedRefund.safeParse(refusal.body).data?.refund;
  if (refund !== undefined && pkidInReason(refund.reason) !== pkid) {
    throw uncertain({ provider: PROVIDER, reason: 'another_payment' });
  }
  if (refund !== undefined && refund.status !== 'FAILED' && refund.status !== 'REJECTED') {
    throw unexpected(refusal, 'refused_but_open');
  }
  const isShort = refusal.code === 'INSUFFICIENT_FUNDS';
  return {
    type: 'declined',
    code: isShort ? 'provider_insufficient_funds' : 'declined',
    detail: providerText(refusal.detail) || `Refused by Square (${providerText(refusal.code)}).`,
    externId: refund?.id ?? null,
    isOpen: false,
  };
}
