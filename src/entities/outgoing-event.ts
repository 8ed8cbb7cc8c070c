// Something that happened and that at least one endpoint wanted to hear of; written in the commit in which it happened.

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { EventType, SubjectKind } from '../domain/outgoing.ts';

export const OutgoingEventEntity = defineEntity({
  name: 'OutgoingEvent',
  tableName: 'outgoing_event',
  properties: {
    // Derived from the subject and the sequence; the webhook-id of every attempt at every endpoint.
    eventId: p.uuid().fieldName('event_id').primary(),
    // What happened.
    type: p.text().$type<EventType>().fieldName('type'),
    // What it happened to.
    kind: p.text().$type<SubjectKind>().fieldName('kind'),
    // The subject's own id.
    pkid: p.uuid().fieldName('pkid'),
    // The subject's public id.
    semanticKey: p.text().fieldName('semantic_key'),
    // 1, 2, ... for each subject.
    sequence: p.integer().fieldName('sequence'),
    // When it happened, by the database.
    createdAt: p.datetime().fieldName('created_at'),
  },
});

export type RecordedEvent = InferEntity<typeof OutgoingEventEntity>;
