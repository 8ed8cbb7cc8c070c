// Where the platform's web app wants to hear of events. Never deleted, so that its deliveries stay explained.

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

export type EndpointStatus = 'enabled' | 'disabled';
/** requested: by a user. gone: it answered 410. */
export type DisabledReason = 'requested' | 'gone';

export const WebhookEndpointEntity = defineEntity({
  name: 'WebhookEndpoint',
  tableName: 'webhook_endpoint',
  properties: {
    // Random.
    endpointId: p.uuid().fieldName('endpoint_id').primary(),
    // As it was accepted; checked again at every attempt. May hold the platform's own token, so it is not logged.
    url: p.text().fieldName('url'),
    // Event types, and patterns such as payout.*
    events: p.json<string[]>().fieldName('events'),
    // Only enabled ones get new events; deliveries to a disabled one fail when they are due.
    status: p.text().$type<EndpointStatus>().fieldName('status'),
    // Set while it is disabled.
    disabledReason: p.text().$type<DisabledReason>().fieldName('disabled_reason').nullable(),
    // From this time on no event that it subscribes to is missing; null while it is disabled.
    enabledSince: p.datetime().fieldName('enabled_since').nullable(),
    // 32 random bytes that sign; shown once, and needed in clear to sign.
    secret: p.blob().$type<Buffer>().fieldName('secret'),
    // The one before, which signs too until its time is over.
    previousSecret: p.blob().$type<Buffer>().fieldName('previous_secret').nullable(),
    // When the one before ends.
    previousUntil: p.datetime().fieldName('previous_until').nullable(),
    // When we wrote it.
    createdAt: p.datetime().fieldName('created_at'),
    // The last change of any field.
    updatedAt: p.datetime().fieldName('updated_at'),
  },
});

export type WebhookEndpoint = InferEntity<typeof WebhookEndpointEntity>;
