// Stripe's events, verified over their raw bytes. Only what names the payment is read; the rest is asked again.

import { z } from 'zod';
import { PaymentError } from '../../domain/errors.ts';
import type { ProviderEvent } from '../../domain/provider.ts';
import { headerOf, signedJson, verifySignature } from '../signature.ts';
import { pkidIn } from './call.ts';

const event = z.object({
  id: z.string().min(1).max(255),
  type: z.string().min(1).max(100),
  created: z.int().nonnegative().optional(),
  data: z.object({
    object: z.object({
      id: z.string().max(255).nullish(),
      metadata: z.record(z.string(), z.unknown()).nullish(),
      transfer_group: z.string().nullish(),
    }),
  }),
});

type Subject = ProviderEvent['subject'];

/**
 * By how the type begins; the first that fits counts. `charge.refunded` speaks of the charge instead of the refund,
 * and comes with a `refund.created` that names it.
 */
const SUBJECTS: readonly (readonly [string, Subject])[] = [
  ['transfer.', 'payout'],
  ['payment_intent.', 'payin'],
  ['charge.refund.', 'refund'],
  ['refund.', 'refund'],
  ['charge.dispute.', 'dispute'],
  ['account.updated', 'payee'],
];
/** Those whose metadata is ours; a dispute's and an account's are not about a payment of that pkid. */
const WITH_PKID = new Set<Subject>(['payout', 'payin', 'refund']);

interface Delivery {
  readonly raw: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  readonly receivedAt: Date;
}

export function parseStripeEvent({ raw, headers, secrets, receivedAt }: Delivery): ProviderEvent {
  const signedAt = verifySignature({ raw, header: headerOf(headers, 'stripe-signature'), secrets, receivedAt });
  const parsed = event.safeParse(signedJson(raw));
  if (!parsed.success) throw new PaymentError('validation-failed', { cause: parsed.error });
  const { id, type, created, data } = parsed.data;
  const subject = SUBJECTS.find(([start]) => type.startsWith(start))?.[1] ?? null;
  return {
    eventId: id,
    type,
    subject,
    externId: subject === null ? null : (data.object.id ?? null),
    pkid: WITH_PKID.has(subject) ? pkidIn(data.object.metadata?.pkid, data.object.transfer_group) : null,
    occurredAt: new Date((created ?? signedAt) * 1000),
  };
}
