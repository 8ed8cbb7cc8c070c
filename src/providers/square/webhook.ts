// Square's events, verified over the address they were registered for and their raw bytes. The signature holds no
// time, so it cannot be stale: the event id keeps a replay from counting twice.

import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { PaymentError } from '../../domain/errors.ts';
import { isPkid, type Pkid } from '../../domain/id.ts';
import type { ProviderEvent } from '../../domain/provider.ts';
import { headerOf, signedJson } from '../signature.ts';
import { pkidInReason } from './refund.ts';

const id = z.string().min(1).max(255).nullish();
const event = z.object({
  event_id: z.string().min(1).max(255),
  type: z.string().min(1).max(100),
  created_at: z.iso.datetime({ offset: true }).nullish(),
  data: z.object({
    id,
    object: z
      .object({
        payment: z.object({ id, reference_id: z.string().nullish() }).nullish(),
        refund: z.object({ id, reason: z.string().nullish() }).nullish(),
        dispute: z.object({ id, dispute_id: id }).nullish(),
      })
      .nullish(),
  }),
});
type EventData = z.infer<typeof event>['data'];

interface Delivery {
  readonly raw: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  /** Any of these may have signed, so that keys can be rotated. */
  readonly signatureKeys: readonly string[];
  /** As registered at Square, byte for byte; what address the request came in by says nothing behind a proxy. */
  readonly notificationUrl: string;
  readonly receivedAt: Date;
}

export function parseSquareEvent(delivery: Delivery): ProviderEvent {
  if (!isSigned(delivery)) throw new PaymentError('invalid-signature');
  const parsed = event.safeParse(signedJson(delivery.raw));
  if (!parsed.success) throw new PaymentError('validation-failed', { cause: parsed.error });
  const { event_id: eventId, type, created_at: createdAt, data } = parsed.data;
  const occurredAt = typeof createdAt === 'string' ? new Date(createdAt) : delivery.receivedAt;
  return { eventId, type, ...aboutOf(type, data), occurredAt };
}

function aboutOf(
  type: string,
  { id: dataId, object }: EventData,
): Pick<ProviderEvent, 'subject' | 'externId' | 'pkid'> {
  const otherwise = dataId ?? null;
  if (type.startsWith('payment.')) {
    const payment = object?.payment;
    return { subject: 'payin', externId: payment?.id ?? otherwise, pkid: pkidIn(payment?.reference_id) };
  }
  if (type.startsWith('refund.')) {
    const refund = object?.refund;
    return { subject: 'refund', externId: refund?.id ?? otherwise, pkid: pkidInReason(refund?.reason) };
  }
  if (type.startsWith('dispute.')) {
    const dispute = object?.dispute;
    return { subject: 'dispute', externId: dispute?.id ?? dispute?.dispute_id ?? otherwise, pkid: null };
  }
  return { subject: null, externId: null, pkid: null };
}

function pkidIn(reference: string | null | undefined): Pkid | null {
  return typeof reference === 'string' && isPkid(reference) ? reference : null;
}

/** Compares with every key, without stopping at a match, so that the time taken tells nothing. */
function isSigned({ raw, headers, signatureKeys, notificationUrl }: Delivery): boolean {
  const given = Buffer.from(headerOf(headers, 'x-square-hmacsha256-signature') ?? '');
  let matched = false;
  for (const key of signatureKeys.filter((text) => text !== '')) {
    const expected = Buffer.from(createHmac('sha256', key).update(notificationUrl).update(raw).digest('base64'));
    if (given.length === expected.length && timingSafeEqual(given, expected)) matched = true;
  }
  return matched;
}
