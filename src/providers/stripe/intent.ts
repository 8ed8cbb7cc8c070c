// A PaymentIntent of Stripe, as an answer to the questions of the port.

import { z } from 'zod';
import type { Pkid } from '../../domain/id.ts';
import type { Answer, NextAction } from '../../domain/provider.ts';
import { type ProviderLog, parseAnswer, uncertain } from '../surprise.ts';
import { fromWire } from './amount.ts';
import { declineText, PROVIDER } from './call.ts';
import { balanceLineOrId, feeOf } from './fee.ts';

/** Puts the charge, and what Stripe kept of it, in place of their ids. */
export const EXPAND = ['latest_charge.balance_transaction'];

export const metadataBody = z.record(z.string(), z.string()).nullish();

const intentBody = z.object({
  id: z.string().regex(/^pi_[A-Za-z0-9_-]{1,250}$/),
  object: z.literal('payment_intent'),
  amount_received: z.int().nonnegative(),
  client_secret: z.string().min(1).max(500).nullish(),
  currency: z.string().regex(/^[a-z]{3}$/),
  last_payment_error: z.object({ message: z.string().nullish() }).nullish(),
  latest_charge: z.union([z.object({ balance_transaction: balanceLineOrId }), z.string(), z.null()]).optional(),
  metadata: metadataBody,
  next_action: z
    .object({
      redirect_to_url: z.object({ url: z.url({ protocol: /^https?$/ }).max(5000) }).nullish(),
    })
    .nullish(),
  status: z.string(),
  transfer_group: z.string().nullish(),
});
export type Intent = z.infer<typeof intentBody>;

export function parseIntent(body: unknown): Intent {
  return parseAnswer(PROVIDER, intentBody, body);
}

/** Of an intent that is ours: any other body says nothing about this pay-in. */
export function intentOf(pkid: Pkid, body: unknown): Intent {
  const intent = parseIntent(body);
  // Metadata can be edited in the dashboard; the group cannot.
  if (intent.metadata?.pkid !== pkid && intent.transfer_group !== pkid) {
    throw uncertain({ provider: PROVIDER, reason: 'another_payment' });
  }
  return intent;
}

interface Occasion {
  readonly log: ProviderLog;
  /** Further paid intents under the same pkid. */
  readonly otherExternIds?: readonly string[];
}

export function intentAnswer(intent: Intent, { log, otherExternIds = [] }: Occasion): Answer {
  const { id, status } = intent;
  switch (status) {
    case 'succeeded':
      return succeededBy(intent, otherExternIds);
    case 'requires_action':
    case 'requires_confirmation':
      return waitsForBuyer(intent, log);
    case 'requires_payment_method':
      return intent.last_payment_error ? declinedBy(intent) : waitsForBuyer(intent, log);
    case 'canceled': {
      const detail = 'The payment was cancelled at Stripe.';
      return { type: 'declined', code: 'canceled', detail, externId: id, isOpen: false };
    }
    // requires_capture is none that we make, and moves no money until somebody captures it in the dashboard.
    case 'processing':
    case 'requires_capture':
      return { type: 'pending', externId: id, awaitsConfirm: false };
    default:
      log.warn({ provider: PROVIDER, status }, 'Stripe reports a status that is not known here. It is asked again.');
      return { type: 'pending', externId: id, awaitsConfirm: false };
  }
}

function succeededBy(intent: Intent, otherExternIds: readonly string[]): Answer {
  const money = fromWire({ amount: intent.amount_received, currency: intent.currency });
  if (money === null || money.amountMinor === 0n) throw uncertain({ provider: PROVIDER, reason: 'unexpected_body' });
  const charge = intent.latest_charge;
  return {
    type: 'succeeded',
    externId: intent.id,
    money,
    beneficiary: null,
    // What the bank takes back is a dispute at Stripe, even one that is lost as it begins.
    reversedMinor: 0n,
    arrival: null,
    fee: feeOf(typeof charge === 'object' ? charge?.balance_transaction : null),
    otherExternIds,
  };
}

/** The card said no. The intent can be paid with another one, as long as it is not cancelled. */
function declinedBy({ id, last_payment_error: error }: Intent): Answer {
  return { type: 'declined', code: 'declined', detail: declineText(error?.message), externId: id, isOpen: true };
}

function waitsForBuyer(intent: Intent, log: ProviderLog): Answer {
  const nextAction = nextActionOf(intent);
  if (nextAction !== null) return { type: 'action_required', externId: intent.id, nextAction };
  log.warn({ provider: PROVIDER, status: intent.status }, 'Stripe waits for the buyer, and does not say how.');
  return { type: 'pending', externId: intent.id, awaitsConfirm: false };
}

/** What has no page of its own is done by Stripe's script in the shop's page, which needs the client secret. */
function nextActionOf({ next_action: action, client_secret: clientSecret }: Intent): NextAction | null {
  const url = action?.redirect_to_url?.url;
  if (url !== undefined) return { type: 'redirect', url, expiresAt: null };
  return clientSecret ? { type: 'client_secret', clientSecret } : null;
}
