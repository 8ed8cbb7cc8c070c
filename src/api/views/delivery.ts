// A delivery as the API shows it: which event, how often it was tried, how that went.

import { z } from '@hono/zod-openapi';
import { DELIVERY_STATUSES } from '../../domain/outgoing.ts';
import type { Delivery } from '../../entities/delivery.ts';
import type { RecordedEvent } from '../../entities/outgoing-event.ts';
import { isoOrNull } from './operation.ts';

export const deliveryView = z
  .object({
    delivery_id: z.string(),
    endpoint_id: z.string(),
    event: z.object({
      event_id: z.string().openapi({ description: 'The webhook-id of every attempt.' }),
      type: z.string(),
      kind: z.string(),
      semantic_key: z.string(),
      sequence: z.int().openapi({ description: 'Its place among the events of the same object.' }),
    }),
    status: z.enum(DELIVERY_STATUSES),
    attempts: z.int(),
    outcome: z
      .string()
      .nullable()
      .openapi({ description: 'How the last attempt ended: delivered, http_503, redirect, timeout, refused, ...' }),
    http_status: z.int().nullable(),
    last_attempt_at: z.string().nullable(),
    next_attempt_at: z.string().nullable(),
    final_at: z.string().nullable(),
    created_at: z.string(),
  })
  .openapi('Delivery', {
    example: {
      delivery_id: '0f5bbd3b-59a1-5b0f-a2a0-5d4b2b8a7c11',
      endpoint_id: '6d0c2d3e-5f7a-4f0e-8d39-0b0f3c2c9a11',
      event: {
        event_id: '9a7c0a6e-1d2b-5c3d-8e4f-5a6b7c8d9e11',
        type: 'payout.succeeded',
        kind: 'payout',
        semantic_key: 'payout-2026-0001',
        sequence: 1,
      },
      status: 'pending',
      attempts: 1,
      outcome: 'http_503',
      http_status: 503,
      last_attempt_at: '2026-01-31T12:00:00.000Z',
      next_attempt_at: '2026-01-31T12:00:05.000Z',
      final_at: null,
      created_at: '2026-01-31T12:00:00.000Z',
    },
  });

export function presentDelivery(
  delivery: Delivery,
  events: ReadonlyMap<string, RecordedEvent>,
): z.input<typeof deliveryView> {
  const event = events.get(delivery.eventId);
  if (event === undefined) throw new TypeError('A delivery without its event. Run the audit.');
  return {
    delivery_id: delivery.deliveryId,
    endpoint_id: delivery.endpointId,
    event: {
      event_id: event.eventId,
      type: event.type,
      kind: event.kind,
      semantic_key: event.semanticKey,
      sequence: event.sequence,
    },
    status: delivery.status,
    attempts: delivery.attempt,
    outcome: delivery.outcome ?? null,
    http_status: delivery.httpStatus ?? null,
    last_attempt_at: isoOrNull(delivery.lastAttemptAt ?? null),
    next_attempt_at: isoOrNull(delivery.dueAt ?? null),
    final_at: isoOrNull(delivery.finalAt ?? null),
    created_at: delivery.createdAt.toISOString(),
  };
}
