// Pay-ins through Stripe: one PaymentIntent, confirmed as it is made when the means of payment is known, else left to
// the buyer and Stripe's script in the shop's page.

import type Stripe from 'stripe';
import { z } from 'zod';
import type { Pkid } from '../../domain/id.ts';
import type { Answer, CallLimits, PayinOrder, Payments, Provider, Reference } from '../../domain/provider.ts';
import { type ProviderLog, parseAnswer } from '../surprise.ts';
import { refusalOf, wireOf } from './amount.ts';
import {
  type Bound,
  boundsOf,
  type Declined,
  declinedBy,
  isMissing,
  isRefusal,
  marksOf,
  noSecondStage,
  PAGE_ITEMS_MAX,
  PROVIDER,
  pkidIn,
  type StripeAccess,
  surpriseOf,
} from './call.ts';
import { EXPAND, intentAnswer, intentOf, parseIntent } from './intent.ts';

/** A card answers at once, a buyer who must act has an hour; beyond that it deserves a look. */
const USUAL_MS = 60 * 60 * 1000;
/** Of the whole descriptor on a card's statement; Stripe puts the account's prefix before ours and cuts the end. */
const SUFFIX_CHARACTERS_MAX = 22;

const charge = z.object({
  created: z.int().nonnegative(),
  payment_intent: z.string().nullable(),
  status: z.string(),
});
type Charge = z.infer<typeof charge>;
const chargeList = z.object({ object: z.literal('list'), data: z.array(charge).max(PAGE_ITEMS_MAX) });
const searchResult = z.object({
  object: z.literal('search_result'),
  data: z.array(z.object({ id: z.string(), created: z.int().nonnegative() })).max(PAGE_ITEMS_MAX),
});

export function createPayins({ stripe, keyRetentionMs, log }: StripeAccess): Payments<PayinOrder> {
  const look = createLookUp(stripe, log);

  async function send(order: PayinOrder, limits: CallLimits): Promise<Answer> {
    const { pkid, key } = order;
    const body = bodyOf(order);
    try {
      const made = await stripe.paymentIntents.create(body, { ...boundsOf(limits)(), idempotencyKey: key });
      return intentAnswer(intentOf(pkid, made), { log });
    } catch (cause) {
      return refusedBy(pkid, cause, log);
    }
  }

  /** Cancelled or paid is for Stripe to decide: where it refuses, what holds then is the answer. */
  async function cancel(reference: Reference, limits: CallLimits): Promise<Answer> {
    const bound = boundsOf(limits);
    try {
      const found = reference.externId === null ? await look(reference, bound) : null;
      const externId = found === null ? reference.externId : openIdOf(found);
      if (found !== null && externId === null) return found;
      if (externId === null) return { type: 'not_found' };
      try {
        // Without a key of ours: a second cancel moves nothing, and a kept refusal would be repeated for a day.
        const canceled = await stripe.paymentIntents.cancel(externId, {}, bound());
        return intentAnswer(intentOf(reference.pkid, canceled), { log });
      } catch (cause) {
        if (!isRefusal(cause)) throw cause;
        return await look({ ...reference, externId }, bound);
      }
    } catch (cause) {
      throw surpriseOf(cause);
    }
  }

  async function find(reference: Reference, limits: CallLimits): Promise<Answer> {
    try {
      return await look(reference, boundsOf(limits));
    } catch (cause) {
      throw surpriseOf(cause);
    }
  }

  return {
    stages: 1,
    keyRetentionMs,
    canFindByKey: true,
    cancelable: true,
    usualMs: USUAL_MS,
    creationEvents: [],
    refusalOf: (money) => refusalOf(money, 'payin'),
    send,
    confirm: noSecondStage,
    cancel,
    find,
  };
}

/** An intent by its id, whoever made it. */
export function createPayinLookUp({ stripe, log }: StripeAccess): NonNullable<Provider['findPayin']> {
  return async (externId, limits) => {
    try {
      const found = await stripe.paymentIntents.retrieve(externId, { expand: EXPAND }, boundsOf(limits)());
      const intent = parseIntent(found);
      const pkid = pkidIn(intent.metadata?.pkid, intent.transfer_group);
      return { pkid, answer: intentAnswer(intent, { log }) };
    } catch (cause) {
      if (isMissing(cause)) return null;
      throw surpriseOf(cause);
    }
  };
}

type LookUp = (reference: Pick<Reference, 'pkid' | 'externId'>, bound: () => Bound) => Promise<Answer>;

function createLookUp(stripe: Stripe, log: ProviderLog): LookUp {
  return async ({ pkid, externId }, bound) => {
    const known = externId === null ? null : await intentBy(pkid, { externId, otherExternIds: [], bound });
    if (known !== null) return known;
    // No money moves without a charge, and the list of a group is consistent: none in it proves that nothing moved.
    const page = await stripe.charges.list({ transfer_group: pkid, limit: PAGE_ITEMS_MAX }, bound());
    const { first, others } = ownersOf(parseAnswer(PROVIDER, chargeList, page).data);
    // An intent that was never tried has no charge. The search for it lags, which is no harm: nobody can pay it who
    // was not given what its answer holds.
    const id = first ?? (await searched(pkid, bound));
    if (id === null) return { type: 'not_found' };
    return (await intentBy(pkid, { externId: id, otherExternIds: others, bound })) ?? { type: 'not_found' };
  };

  async function intentBy(
    pkid: Pkid,
    asked: { externId: string; otherExternIds: readonly string[]; bound: () => Bound },
  ): Promise<Answer | null> {
    const { externId, otherExternIds, bound } = asked;
    try {
      const found = await stripe.paymentIntents.retrieve(externId, { expand: EXPAND }, bound());
      return intentAnswer(intentOf(pkid, found), { log, otherExternIds });
    } catch (cause) {
      if (isMissing(cause)) return null;
      throw cause;
    }
  }

  async function searched(pkid: Pkid, bound: () => Bound): Promise<string | null> {
    try {
      const query = `metadata['pkid']:'${pkid}'`;
      const found = await stripe.paymentIntents.search({ query, limit: PAGE_ITEMS_MAX }, bound());
      const { data } = parseAnswer(PROVIDER, searchResult, found);
      return oldestFirst(data)[0]?.id ?? null;
    } catch (cause) {
      // Some countries have no search, and everywhere it takes few calls a second; the proof does without it.
      if (isRefusal(cause) || surpriseOf(cause).code === 'rate-limited') return null;
      throw cause;
    }
  }
}

/** The intent whose charge came first, of those paid if any were, and the other paid ones. */
function ownersOf(charges: readonly Charge[]): { first: string | null; others: string[] } {
  const all = oldestFirst(charges).filter(({ payment_intent: intent }) => intent !== null);
  const paid = all.filter(({ status }) => status === 'succeeded');
  const [first = null, ...others] = new Set((paid.length > 0 ? paid : all).flatMap((one) => one.payment_intent ?? []));
  return { first, others: paid.length > 0 ? others : [] };
}

/** From a page with the newest first; of one second the later in the page is the older. */
function oldestFirst<T extends { readonly created: number }>(page: readonly T[]): T[] {
  return page.toReversed().toSorted((left, right) => left.created - right.created);
}

/** The id to cancel, of an intent that may still be paid. */
function openIdOf(answer: Answer): string | null {
  if (answer.type === 'pending' || answer.type === 'action_required') return answer.externId;
  return answer.type === 'declined' && answer.isOpen ? answer.externId : null;
}

function bodyOf(order: PayinOrder): Stripe.PaymentIntentCreateParams {
  const { pkid, money, token, returnUrl, buyer } = order;
  const suffix = suffixOf(order.statementDescriptor ?? '');
  return {
    ...wireOf(money, 'payin'),
    transfer_group: pkid,
    metadata: marksOf(order),
    expand: EXPAND,
    ...(suffix === '' ? {} : { statement_descriptor_suffix: suffix }),
    ...(buyer.email === null ? {} : { receipt_email: buyer.email }),
    ...(token === null ? { automatic_payment_methods: { enabled: true } } : confirmedBy(token, returnUrl)),
  };
}

/** Without a place to come back to, Stripe refuses means of payment that send the buyer away. */
function confirmedBy(token: string, returnUrl: string | null) {
  return {
    confirm: true,
    payment_method: token,
    automatic_payment_methods: {
      enabled: true,
      allow_redirects: returnUrl === null ? ('never' as const) : ('always' as const),
    },
    ...(returnUrl === null ? {} : { return_url: returnUrl }),
  };
}

/**
 * What stands behind the account's own name on the buyer's statement: Latin characters, some of them not allowed,
 * at least one letter. Nothing rather than a payment refused for its name.
 */
function suffixOf(descriptor: string): string {
  const latin = descriptor.normalize('NFKD').replaceAll(/[^\x20-\x7e]|[<>\\'"*]/g, '');
  const suffix = latin.replaceAll(/ +/g, ' ').trim().slice(0, SUFFIX_CHARACTERS_MAX).trim();
  return /[A-Za-z]/.test(suffix) ? suffix : '';
}

/** A card's refusal leaves the intent behind, which stays payable until it is cancelled. */
function refusedBy(pkid: Pkid, cause: unknown, log: ProviderLog): Answer {
  const declined: Declined = declinedBy(cause);
  const left = isRefusal(cause) ? cause.payment_intent : undefined;
  if (left === undefined || left === null) return declined;
  const intent = intentOf(pkid, left);
  const isUnpaid = intent.status === 'requires_payment_method' || intent.status === 'requires_confirmation';
  return isUnpaid ? { ...declined, externId: intent.id, isOpen: true } : intentAnswer(intent, { log });
}
