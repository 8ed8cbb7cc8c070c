// Refunds through Stripe, of a PaymentIntent. Most succeed at once; one that fails later sends the money back to us.

import type Stripe from 'stripe';
import { z } from 'zod';
import type { Pkid } from '../../domain/id.ts';
import type { Money } from '../../domain/money.ts';
import type {
  Answer,
  CallLimits,
  Payments,
  Provider,
  Reference,
  RefundOrder,
  RefundView,
} from '../../domain/provider.ts';
import { type ProviderLog, parseAnswer, uncertain } from '../surprise.ts';
import { fromWire, refusalOf, wireOf } from './amount.ts';
import {
  type Bound,
  boundsOf,
  declinedBy,
  isMissing,
  marksOf,
  noSecondStage,
  PAGE_ITEMS_MAX,
  PROVIDER,
  pkidIn,
  type StripeAccess,
  surpriseOf,
} from './call.ts';
import { balanceLineOrId, feeOf } from './fee.ts';
import { metadataBody } from './intent.ts';

/** A card's refund is made at once; one that waits for our balance or for the payer deserves a look. */
const USUAL_MS = 60 * 60 * 1000;
/** A thousand refunds of one payment are more than anybody makes; beyond them a look-up proves nothing. */
const PAGES_MAX = 10;

const refundBody = z.object({
  id: z.string().regex(/^(re|pyr)_[A-Za-z0-9_-]{1,250}$/),
  object: z.literal('refund'),
  amount: z.int().positive(),
  balance_transaction: balanceLineOrId,
  created: z.int().nonnegative(),
  currency: z.string().regex(/^[a-z]{3}$/),
  failure_reason: z.string().nullish(),
  metadata: metadataBody,
  payment_intent: z.string().nullish(),
  status: z.string().nullable(),
});
type Refund = z.infer<typeof refundBody>;

const refundList = z.object({
  object: z.literal('list'),
  data: z.array(refundBody).max(PAGE_ITEMS_MAX),
  has_more: z.boolean(),
});

const EXPAND = ['balance_transaction'];
const EXPAND_LIST = ['data.balance_transaction'];

export function createRefunds({ stripe, keyRetentionMs, log }: StripeAccess): Payments<RefundOrder> {
  async function send(order: RefundOrder, limits: CallLimits): Promise<Answer> {
    const { pkid, key, money, payinExternId } = order;
    const { amount } = wireOf(money, 'refund');
    const body = { payment_intent: payinExternId, amount, metadata: marksOf(order), expand: EXPAND };
    try {
      const made = await stripe.refunds.create(body, { ...boundsOf(limits)(), idempotencyKey: key });
      const refund = ownRefund(pkid, parseAnswer(PROVIDER, refundBody, made));
      return refund.status === 'failed' ? declined(refund) : refundAnswer(refund, { log });
    } catch (cause) {
      return declinedBy(cause);
    }
  }

  async function find({ pkid, externId, payinExternId }: Reference, limits: CallLimits): Promise<Answer> {
    const bound = boundsOf(limits);
    try {
      const known = externId === null ? null : await refundBy(stripe, externId, bound());
      if (known !== null) return refundAnswer(ownRefund(pkid, known), { log });
      if (payinExternId === null) throw uncertain({ provider: PROVIDER, reason: 'payin_not_named' });
      const ours = (await refundsOf(stripe, payinExternId, bound)).filter(({ metadata }) => metadata?.pkid === pkid);
      // One that failed moved nothing, so a later one under the same pkid is the one that counts.
      const [refund, ...others] = [...ours.filter(isAlive), ...ours.filter((one) => !isAlive(one))];
      if (refund === undefined) return { type: 'not_found' };
      return refundAnswer(refund, { log, otherExternIds: others.filter(isAlive).map(({ id }) => id) });
    } catch (cause) {
      throw surpriseOf(cause);
    }
  }

  return {
    stages: 1,
    keyRetentionMs,
    canFindByKey: true,
    cancelable: false,
    usualMs: USUAL_MS,
    creationEvents: [],
    refusalOf: (money: Money) => refusalOf(money, 'refund'),
    send,
    confirm: noSecondStage,
    // A refund that was sent cannot be taken back; what there is to say about a cancel is what has become of it.
    cancel: find,
    find,
  };
}

async function refundBy(stripe: Stripe, externId: string, bound: Bound): Promise<Refund | null> {
  try {
    return parseAnswer(PROVIDER, refundBody, await stripe.refunds.retrieve(externId, { expand: EXPAND }, bound));
  } catch (cause) {
    if (isMissing(cause)) return null;
    throw cause;
  }
}

/** All of one pay-in, oldest first. The list is consistent, so what is not in it was not made. */
async function refundsOf(stripe: Stripe, payinExternId: string, bound: () => Bound): Promise<Refund[]> {
  const found: Refund[] = [];
  for (let pages = 0; pages < PAGES_MAX; pages += 1) {
    const last = found.at(-1);
    const from = last === undefined ? {} : { starting_after: last.id };
    const query = { payment_intent: payinExternId, limit: PAGE_ITEMS_MAX, expand: EXPAND_LIST, ...from };
    const page = parseAnswer(PROVIDER, refundList, await stripe.refunds.list(query, bound()));
    found.push(...page.data);
    if (!page.has_more) return found.toReversed();
  }
  throw uncertain({ provider: PROVIDER, reason: 'too_many_refunds' });
}

const VIEW_STATUSES: Readonly<Record<string, RefundView['status']>> = {
  pending: 'pending',
  requires_action: 'pending',
  succeeded: 'succeeded',
  failed: 'failed',
  canceled: 'failed',
};

export function createRefundLookUp({ stripe, log }: StripeAccess): NonNullable<Provider['findRefund']> {
  return async (externId, limits) => {
    try {
      const found = await stripe.refunds.retrieve(externId, {}, boundsOf(limits)());
      const refund = parseAnswer(PROVIDER, refundBody, found);
      const { payment_intent: payinExternId, metadata } = refund;
      // Of a charge without an intent, so of none of our pay-ins.
      if (!payinExternId) return null;
      const status = VIEW_STATUSES[refund.status ?? ''];
      if (status === undefined) warnUnknown(log, refund);
      const view = { externId: refund.id, pkid: pkidIn(metadata?.pkid), payinExternId, money: moneyOf(refund) };
      return { ...view, status: status ?? 'pending' };
    } catch (cause) {
      if (isMissing(cause)) return null;
      throw surpriseOf(cause);
    }
  };
}

interface Occasion {
  readonly log: ProviderLog;
  readonly otherExternIds?: readonly string[];
}

function refundAnswer(refund: Refund, { log, otherExternIds = [] }: Occasion): Answer {
  const { id, status } = refund;
  switch (status) {
    case 'succeeded':
      return succeeded(refund, { otherExternIds, reversedMinor: 0n });
    case 'failed':
      // A line of the balance says that the money had left; Stripe then has put it back.
      return refund.balance_transaction
        ? succeeded(refund, { otherExternIds, reversedMinor: moneyOf(refund).amountMinor })
        : declined(refund);
    case 'canceled':
      return declined(refund);
    case 'pending':
    case 'requires_action':
      return { type: 'pending', externId: id, awaitsConfirm: false };
    default:
      warnUnknown(log, refund);
      return { type: 'pending', externId: id, awaitsConfirm: false };
  }
}

function succeeded(
  refund: Refund,
  { otherExternIds, reversedMinor }: { otherExternIds: readonly string[]; reversedMinor: bigint },
): Answer {
  return {
    type: 'succeeded',
    externId: refund.id,
    money: moneyOf(refund),
    beneficiary: null,
    reversedMinor,
    arrival: null,
    fee: feeOf(refund.balance_transaction),
    otherExternIds,
  };
}

function declined({ id, status, failure_reason: reason }: Refund): Answer {
  const why = reason ? ` (${reason.replaceAll(/[^a-z_]/g, '').slice(0, 60)})` : '';
  return status === 'canceled'
    ? { type: 'declined', code: 'canceled', detail: 'Cancelled at Stripe.', externId: id, isOpen: false }
    : { type: 'declined', code: 'declined', detail: `The refund failed${why}.`, externId: id, isOpen: false };
}

function isAlive({ status, balance_transaction: line }: Refund): boolean {
  return (status !== 'failed' && status !== 'canceled') || Boolean(line);
}

function ownRefund(pkid: Pkid, refund: Refund): Refund {
  if (refund.metadata?.pkid !== pkid) throw uncertain({ provider: PROVIDER, reason: 'another_payment' });
  return refund;
}

function moneyOf({ amount, currency }: Refund): Money {
  const money = fromWire({ amount, currency });
  if (money === null) throw uncertain({ provider: PROVIDER, reason: 'unexpected_body' });
  return money;
}

function warnUnknown(log: ProviderLog, { status }: Refund): void {
  log.warn({ provider: PROVIDER, status }, 'Stripe reports a refund status that is not known here. It is asked again.');
}
