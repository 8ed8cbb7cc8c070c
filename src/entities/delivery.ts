// One event on its way to one endpoint, with every attempt counted.

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { DeliveryStatus } from '../domain/outgoing.ts';

export const DeliveryEntity = defineEntity({
  name: 'Delivery',
  tableName: 'delivery',
  properties: {
    // Derived from the event and the endpoint.
    deliveryId: p.uuid().fieldName('delivery_id').primary(),
    // What is told.
    eventId: p.uuid().fieldName('event_id'),
    // To whom.
    endpointId: p.uuid().fieldName('endpoint_id'),
    // The event's subject; with the sequence it orders what an endpoint hears.
    pkid: p.uuid().fieldName('pkid'),
    // The event's place among those of its subject.
    sequence: p.integer().fieldName('sequence'),
    // pending until it was taken, or given up; a resend makes it pending again.
    status: p.text().$type<DeliveryStatus>().fieldName('status'),
    // Counts claims for ever; the fencing token of the present one.
    attempt: p.integer().fieldName('attempt'),
    // Claims since it was created or resent; its place on the ladder.
    tries: p.integer().fieldName('tries'),
    // Set by claim, cleared when the attempt is over.
    leased: p.boolean().fieldName('leased'),
    // When somebody must look; null when final.
    dueAt: p.datetime().fieldName('due_at').nullable(),
    // The bytes of every attempt, written by the first one.
    body: p.text().fieldName('body').nullable(),
    // How the last attempt ended.
    outcome: p.text().fieldName('outcome').nullable(),
    // What the endpoint answered, if it did.
    httpStatus: p.smallint().fieldName('http_status').nullable(),
    // When the last attempt began.
    lastAttemptAt: p.datetime().fieldName('last_attempt_at').nullable(),
    // When it was delivered or given up.
    finalAt: p.datetime().fieldName('final_at').nullable(),
    // When we wrote it.
    createdAt: p.datetime().fieldName('created_at'),
  },
});

export type Delivery = InferEntity<typeof DeliveryEntity>;
