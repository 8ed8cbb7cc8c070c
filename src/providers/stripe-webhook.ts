// Stripe's events, verified over their raw bytes. Only what names the payment is read; the rest is asked again.

import { z } from 'zod';
import { PaymentError } from '../domain/errors.ts';
import { isPkid, type Pkid } from '../domain/id.ts';
import type { ProviderEvent } from '../domain/provider.ts';
import { headerOf, signedJson, verifySignature } from './signature.ts';

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
  return {
    eventId: id,
    type,
    externId: type.startsWith('transfer.') ? (data.object.id ?? null) : null,
    pkid: pkidIn(data.object.metadata?.pkid, data.object.transfer_group),
    occurredAt: new Date((created ?? signedAt) * 1000),
  };
}

/** Metadata can be edited in Stripe's dashboard, the transfer group cannot; both must look like ours to count. */
function pkidIn(...candidates: readonly unknown[]): Pkid | null {
  for (const candidate of candidates) {
    if (typeof candidate === 'string' && isPkid(candidate)) return candidate;
  }
  return null;
}
