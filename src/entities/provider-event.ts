// The inbox of webhooks: stored and committed before the provider hears 200.

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { Pkid } from '../domain/id.ts';
import type { ProviderEvent as EventSaid, ProviderName } from '../domain/provider.ts';

export const ProviderEventEntity = defineEntity({
  name: 'ProviderEvent',
  tableName: 'provider_event',
  properties: {
    // Who sent it.
    provider: p.text().$type<ProviderName>().fieldName('provider').primary(),
    // The provider's id of the event; a second delivery meets the primary key.
    eventId: p.text().fieldName('event_id').primary(),
    // The provider's name of what happened.
    type: p.text().fieldName('type'),
    // What it speaks of; null when it concerns nothing that we keep.
    subject: p.text().$type<EventSaid['subject']>().fieldName('subject').nullable(),
    // The provider's id of the payment it speaks of.
    externPaymentId: p.text().fieldName('extern_payment_id').nullable(),
    // Our operation, where the event names it or it was matched.
    pkid: p.uuid().$type<Pkid>().fieldName('pkid').nullable(),
    // The event as it came.
    body: p.json<Record<string, unknown>>().fieldName('body'),
    // When the provider says it happened.
    occurredAt: p.datetime().fieldName('occurred_at'),
    // When we stored it.
    receivedAt: p.datetime().fieldName('received_at'),
    // When it was applied or found without effect.
    processedAt: p.datetime().fieldName('processed_at').nullable(),
    // What processing it did.
    outcome: p.text().fieldName('outcome').nullable(),
    // When reconcile must process it; null when done.
    dueAt: p.datetime().fieldName('due_at').nullable(),
  },
});

export type ProviderEvent = InferEntity<typeof ProviderEventEntity>;
