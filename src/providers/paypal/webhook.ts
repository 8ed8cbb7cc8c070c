// PayPal's events, verified over their raw bytes with PayPal's certificate. The signed text names the webhook as we
// know it, so an event of somebody else's webhook does not verify. Only what names the payment is read.

import { verify } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { PaymentError } from '../../domain/errors.ts';
import type { ProviderEvent } from '../../domain/provider.ts';
import { headerOf, signedJson } from '../signature.ts';
import type { Certificates } from './certificate.ts';
import { pkidOf } from './order.ts';

/** PayPal keeps the time of the first try, and tries for three days. */
const AGE_MS_MAX = 4 * 24 * 60 * 60 * 1000;
/** As for the other signatures; the future is bounded because a stolen key must not sign ahead. */
const AHEAD_MS_MAX = 300_000;
const ALGORITHM = 'SHA256withRSA';
const HEADER_CHARACTERS_MAX = 2048;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

const text = z.string().max(255).nullish();
const event = z.object({
  id: z.string().min(1).max(255),
  event_type: z.string().min(1).max(100),
  create_time: z.string().max(100).nullish(),
  resource_type: text,
  resource: z.looseObject({}).nullish(),
});
const orderResource = z.object({ id: text, purchase_units: z.array(z.object({ custom_id: text })).nullish() });
const captureResource = z.object({
  id: text,
  custom_id: text,
  invoice_id: text,
  supplementary_data: z.object({ related_ids: z.object({ order_id: text }).nullish() }).nullish(),
});
const batchResource = z.object({
  batch_header: z.object({
    payout_batch_id: text,
    sender_batch_header: z.object({ sender_batch_id: text }).nullish(),
  }),
});
const itemResource = z.object({
  payout_batch_id: text,
  payout_item: z.object({ sender_item_id: text }).nullish(),
});
const disputeResource = z.object({ dispute_id: text });

type Named = Pick<ProviderEvent, 'subject' | 'externId' | 'pkid'>;
const NOTHING: Named = { subject: null, externId: null, pkid: null };

interface Delivery {
  readonly raw: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  readonly webhookId: string;
  readonly certificates: Certificates;
  readonly receivedAt: Date;
}

export async function parsePaypalEvent(delivery: Delivery): Promise<ProviderEvent> {
  const { raw, receivedAt } = delivery;
  const signedAt = await verifiedTimeOf(delivery);
  const age = receivedAt.getTime() - signedAt.getTime();
  if (age > AGE_MS_MAX || age < -AHEAD_MS_MAX) throw new PaymentError('stale-timestamp');
  const parsed = event.safeParse(signedJson(raw));
  if (!parsed.success) throw new PaymentError('validation-failed', { cause: parsed.error });
  const { id, event_type: type, create_time: createdAt, resource_type: kind, resource } = parsed.data;
  const created = new Date(createdAt ?? '');
  const occurredAt = Number.isNaN(created.getTime()) ? signedAt : created;
  return { eventId: id, type, ...namedBy(type, { kind, resource }), occurredAt };
}

/** When PayPal first sent it; throws invalid-signature unless PayPal did. */
async function verifiedTimeOf({ raw, headers, webhookId, certificates, receivedAt }: Delivery): Promise<Date> {
  const [id, time, signature, algorithm, url] = ['id', 'time', 'sig']
    .map((name) => headerOf(headers, `paypal-transmission-${name}`) ?? '')
    .concat(headerOf(headers, 'paypal-auth-algo') ?? '', headerOf(headers, 'paypal-cert-url') ?? '');
  if (!id || !time || !signature || !url || algorithm !== ALGORITHM || webhookId === '') throw invalid();
  if ([id, signature, url].some((value) => value.length > HEADER_CHARACTERS_MAX)) throw invalid();
  if (!TIME.test(time) || !BASE64.test(signature)) throw invalid();
  const signedAt = new Date(time);
  if (Number.isNaN(signedAt.getTime())) throw invalid();
  const key = await certificates.keyAt(url, receivedAt);
  const signed = Buffer.from(`${id}|${time}|${webhookId}|${crc32(raw)}`);
  if (key.asymmetricKeyType !== 'rsa' || !verify('sha256', signed, key, Buffer.from(signature, 'base64'))) {
    throw invalid();
  }
  return signedAt;
}

function invalid(): PaymentError {
  return new PaymentError('invalid-signature');
}

/** What the event speaks of; a resource of an unexpected shape names nothing, and the look-ups find it later. */
function namedBy(type: string, { kind, resource }: { kind: string | null | undefined; resource: unknown }): Named {
  if (type.startsWith('CHECKOUT.ORDER.')) {
    const order = orderResource.safeParse(resource).data;
    const pkid = pkidOf(order?.purchase_units?.[0]?.custom_id);
    return order ? { subject: 'payin', externId: order.id ?? null, pkid } : NOTHING;
  }
  if (type.startsWith('PAYMENT.CAPTURE.') || type.startsWith('PAYMENT.REFUND.')) return ofCapture(type, kind, resource);
  if (type.startsWith('PAYMENT.PAYOUTSBATCH.')) {
    const header = batchResource.safeParse(resource).data?.batch_header;
    const pkid = pkidOf(header?.sender_batch_header?.sender_batch_id);
    return header ? { subject: 'payout', externId: header.payout_batch_id ?? null, pkid } : NOTHING;
  }
  if (type.startsWith('PAYMENT.PAYOUTS-ITEM.')) {
    const item = itemResource.safeParse(resource).data;
    const pkid = pkidOf(item?.payout_item?.sender_item_id);
    return item ? { subject: 'payout', externId: item.payout_batch_id ?? null, pkid } : NOTHING;
  }
  if (type.startsWith('CUSTOMER.DISPUTE.')) {
    const dispute = disputeResource.safeParse(resource).data;
    // What it carries is the pay-in's pkid, not one of its own.
    return dispute ? { subject: 'dispute', externId: dispute.dispute_id ?? null, pkid: null } : NOTHING;
  }
  return NOTHING;
}

/**
 * REFUNDED shows the refund. REVERSED may show the refund that took the capture back, which is none of ours: what it
 * speaks of is the pay-in.
 */
function ofCapture(type: string, kind: string | null | undefined, resource: unknown): Named {
  const found = captureResource.safeParse(resource).data;
  if (found === undefined) return NOTHING;
  if (type.startsWith('PAYMENT.REFUND.') || type === 'PAYMENT.CAPTURE.REFUNDED') {
    // A refund made by hand may carry the custom id of the payment it refunds.
    const pkid = found.custom_id === found.invoice_id ? pkidOf(found.custom_id) : null;
    return { subject: 'refund', externId: found.id ?? null, pkid };
  }
  const orderId = kind === 'refund' ? null : found.supplementary_data?.related_ids?.order_id;
  return { subject: 'payin', externId: orderId ?? null, pkid: pkidOf(found.custom_id) };
}
