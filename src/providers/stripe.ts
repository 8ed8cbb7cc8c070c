// Payouts through Stripe: one Connect transfer from the platform's balance to the seller's connected account, by the
// official SDK. A transfer is synchronous and has no status: if it exists, the money has moved.

import Stripe from 'stripe';
import { z } from 'zod';
import { PaymentError } from '../domain/errors.ts';
import type { Pkid } from '../domain/id.ts';
import type { Currency, Money } from '../domain/money.ts';
import type { Answer, CallLimits, Provider, Reference, SendOrder } from '../domain/provider.ts';
import { createHttp } from './http.ts';
import { fromWire, toWire } from './stripe-amount.ts';
import { parseStripeEvent } from './stripe-webhook.ts';
import { notTaken, type ProviderLog, parseAnswer, providerText, uncertain } from './surprise.ts';

const PROVIDER = 'stripe';
const STRIPE_URL = 'https://api.stripe.com';
/** Keys "may be pruned after 24 hours" (docs.stripe.com/api/idempotent_requests). */
const KEY_RETENTION_MS = 24 * 60 * 60 * 1000;
/** A transfer answers at once; what is open longer than this deserves a look. */
const USUAL_MS = 10_000;
/** Stripe's largest page. More than one transfer in a group of ours is an alarm already. */
const PAGE_ITEMS_MAX = 100;

/** The SDK makes an invalid request of every 400 and 404, so the type is read as Stripe wrote it. */
const FINAL_TYPES = new Set<string>(['card_error', 'invalid_request_error']);
const FINAL_STATUSES = new Set([400, 402, 404]);
/** What a refusal of the account says with 404. Without it a 404 speaks of the address, which proves nothing. */
const MISSING_CODE = 'resource_missing';

const transferBody = z.object({
  id: z.string().regex(/^tr_[A-Za-z0-9_-]{1,250}$/),
  object: z.literal('transfer'),
  amount: z.int().positive(),
  amount_reversed: z.int().nonnegative(),
  created: z.int().nonnegative(),
  currency: z.string().regex(/^[a-z]{3}$/),
  destination: z.string().min(1).max(255),
  transfer_group: z.string(),
});
type Transfer = z.infer<typeof transferBody>;

const transferList = z.object({ object: z.literal('list'), data: z.array(transferBody).max(PAGE_ITEMS_MAX) });

const balanceBody = z.object({
  object: z.literal('balance'),
  available: z.array(z.object({ amount: z.number().refine(Number.isInteger), currency: z.string() })),
});

interface StripeOptions {
  readonly secretKey: string;
  /** The endpoint secrets of the account and of Connect, old and new ones while they are rotated. */
  readonly webhookSecrets: readonly string[];
  /** Null is Stripe itself. */
  readonly baseUrl: string | null;
  readonly live: boolean;
  readonly keyRetentionMs?: number;
  readonly log: ProviderLog;
}

export function createStripe(options: StripeOptions): Provider {
  const { secretKey, webhookSecrets, live, log } = options;
  const http = createHttp({ provider: PROVIDER, baseUrl: options.baseUrl ?? STRIPE_URL, log });
  const stripe = new Stripe(secretKey, {
    httpClient: Stripe.createFetchHttpClient(http.fetch),
    maxNetworkRetries: 0,
    telemetry: false,
  });

  async function sendPayout(order: SendOrder, limits: CallLimits): Promise<Answer> {
    const { pkid, semanticKey, key, money, beneficiary } = order;
    const wire = toWire(money);
    if (wire.refusal !== null) throw new PaymentError('provider-not-able', { detail: wire.refusal });
    const body = {
      amount: wire.amount,
      currency: money.currency.toLowerCase(),
      destination: beneficiary,
      transfer_group: pkid,
      metadata: { pkid, semantic_key: semanticKey },
    };
    try {
      const transfer = await stripe.transfers.create(body, { ...boundsOf(limits)(), idempotencyKey: key });
      return succeededBy(pkid, [parseAnswer(PROVIDER, transferBody, transfer)]);
    } catch (cause) {
      return declinedBy(cause);
    }
  }

  async function find({ pkid, externId }: Reference, limits: CallLimits): Promise<Answer> {
    try {
      const bound = boundsOf(limits);
      const known = externId === null ? null : await transferOf(externId, bound());
      if (known !== null) return succeededBy(pkid, [known]);
      const page = await stripe.transfers.list({ transfer_group: pkid, limit: PAGE_ITEMS_MAX }, bound());
      // Newest first on the wire; the first one made is the one that counts.
      const transfers = parseAnswer(PROVIDER, transferList, page).data.toReversed();
      const oldestFirst = transfers.toSorted((left, right) => left.created - right.created);
      return oldestFirst.length === 0 ? { type: 'not_found' } : succeededBy(pkid, oldestFirst);
    } catch (cause) {
      throw surpriseOf(cause);
    }
  }

  async function transferOf(externId: string, bound: Bound): Promise<Transfer | null> {
    try {
      return parseAnswer(PROVIDER, transferBody, await stripe.transfers.retrieve(externId, {}, bound));
    } catch (cause) {
      if (cause instanceof Stripe.errors.StripeError && cause.code === MISSING_CODE) return null;
      throw cause;
    }
  }

  async function balance(currency: Currency, limits: CallLimits): Promise<bigint | null> {
    try {
      const { available } = parseAnswer(PROVIDER, balanceBody, await stripe.balance.retrieve({}, boundsOf(limits)()));
      const found = available.find((one) => one.currency.toUpperCase() === currency);
      return found === undefined ? null : (fromWire(found)?.amountMinor ?? null);
    } catch (cause) {
      throw surpriseOf(cause);
    }
  }

  return {
    name: 'stripe',
    live,
    stages: 1,
    keyRetentionMs: options.keyRetentionMs ?? KEY_RETENTION_MS,
    canFindByKey: true,
    cancelable: false,
    usualMs: USUAL_MS,
    payout: { sendPayout, confirmPayout },
    payin: null,
    refusalOf: (money: Money) => toWire(money).refusal,
    // A transfer cannot be taken back; what there is to say about a cancel is what has become of it.
    cancel: find,
    find,
    balance,
    parseWebhook: (raw, headers, receivedAt) => parseStripeEvent({ raw, headers, secrets: webhookSecrets, receivedAt }),
  };
}

async function confirmPayout(): Promise<Answer> {
  throw new PaymentError('internal', { detail: 'A Stripe payout has one stage. Report this with the request_id.' });
}

interface Bound {
  readonly timeout: number;
  readonly maxNetworkRetries: 0;
}

/**
 * What is left of the one deadline that all requests of a look-up share. The SDK takes whole milliseconds, and
 * replaces what it does not like by 80 seconds.
 */
function boundsOf({ timeoutMs }: CallLimits): () => Bound {
  const endsAt = performance.now() + timeoutMs;
  return () => {
    const timeout = Math.floor(endsAt - performance.now());
    if (!(timeout > 0)) throw notTaken({ provider: PROVIDER, reason: 'deadline_before_send' });
    return { timeout, maxNetworkRetries: 0 };
  };
}

/** The first transfer is ours; more of them in the group of one payout are reported with it. */
function succeededBy(pkid: Pkid, transfers: readonly Transfer[]): Answer {
  const [transfer, ...others] = transfers;
  if (transfer?.transfer_group !== pkid) throw uncertain({ provider: PROVIDER, reason: 'another_payment' });
  const money = fromWire(transfer);
  const reversed = fromWire({ amount: transfer.amount_reversed, currency: transfer.currency });
  if (money === null || reversed === null) throw uncertain({ provider: PROVIDER, reason: 'unexpected_body' });
  return {
    type: 'succeeded',
    externId: transfer.id,
    money,
    beneficiary: transfer.destination,
    reversedMinor: reversed.amountMinor,
    arrival: null,
    otherExternIds: others.map(({ id }) => id),
  };
}

/** Final for this body and key: Stripe looked at the request and said no. */
function declinedBy(cause: unknown): Answer {
  if (!(cause instanceof Stripe.errors.StripeError)) throw surpriseOf(cause);
  if (!FINAL_STATUSES.has(cause.statusCode ?? 0) || !FINAL_TYPES.has(cause.rawType ?? '')) throw surpriseOf(cause);
  if (cause.statusCode === 404 && cause.code !== MISSING_CODE) throw surpriseOf(cause);
  const code = cause.code === 'balance_insufficient' ? 'provider_insufficient_funds' : 'declined';
  return { type: 'declined', code, detail: providerText(cause.message) || 'Declined by Stripe.', externId: null };
}

/** What our own fetch threw comes back inside the SDK's connection error. */
function surpriseOf(cause: unknown): PaymentError {
  if (cause instanceof PaymentError) return cause;
  if (!(cause instanceof Stripe.errors.StripeError)) {
    return uncertain({ provider: PROVIDER, reason: 'unexpected_error', cause });
  }
  if (cause.detail instanceof PaymentError) return cause.detail;
  const httpStatus = cause.statusCode === undefined ? {} : { httpStatus: cause.statusCode };
  return uncertain({ provider: PROVIDER, reason: 'unexpected_error', ...httpStatus, cause });
}
