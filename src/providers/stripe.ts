// Stripe, by the official SDK: the nouns of the adapter put together, and our own balance there.

import { z } from 'zod';
import type { Currency } from '../domain/money.ts';
import type { CallLimits, Provider } from '../domain/provider.ts';
import { createPayeeLookUp, refusalOfAccount } from './stripe/account.ts';
import { fromWire } from './stripe/amount.ts';
import { boundsOf, createClient, PROVIDER, type StripeAccess, surpriseOf } from './stripe/call.ts';
import { createDisputeLookUp } from './stripe/dispute.ts';
import { createPayinLookUp, createPayins } from './stripe/payin.ts';
import { createRefundLookUp, createRefunds } from './stripe/refund.ts';
import { createTransfers } from './stripe/transfer.ts';
import { parseStripeEvent } from './stripe/webhook.ts';
import { type ProviderLog, parseAnswer } from './surprise.ts';

/** Keys "may be pruned after 24 hours" (docs.stripe.com/api/idempotent_requests). */
const KEY_RETENTION_MS = 24 * 60 * 60 * 1000;

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
  const { webhookSecrets: secrets, live, log, keyRetentionMs = KEY_RETENTION_MS } = options;
  const access: StripeAccess = { stripe: createClient(options), keyRetentionMs, log };
  return {
    name: PROVIDER,
    live,
    payin: createPayins(access),
    payout: createTransfers(access),
    refund: createRefunds(access),
    refusalOfAccount,
    findPayee: createPayeeLookUp(access),
    findDispute: createDisputeLookUp(access),
    findPayin: createPayinLookUp(access),
    findRefund: createRefundLookUp(access),
    balance: (currency, limits) => balanceOf(access, currency, limits),
    parseWebhook: (raw, headers, receivedAt) => parseStripeEvent({ raw, headers, secrets, receivedAt }),
  };
}

async function balanceOf({ stripe }: StripeAccess, currency: Currency, limits: CallLimits): Promise<bigint | null> {
  try {
    const { available } = parseAnswer(PROVIDER, balanceBody, await stripe.balance.retrieve({}, boundsOf(limits)()));
    const found = available.find((one) => one.currency.toUpperCase() === currency);
    return found === undefined ? null : (fromWire(found)?.amountMinor ?? null);
  } catch (cause) {
    throw surpriseOf(cause);
  }
}
