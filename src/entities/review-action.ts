// What a person did about an operation, and why.

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { OperationKind, Pkid } from '../domain/id.ts';

export const ReviewActionEntity = defineEntity({
  name: 'ReviewAction',
  tableName: 'review_action',
  properties: {
    // Random.
    reviewActionId: p.uuid().fieldName('review_action_id').primary(),
    // The kind of the operation.
    operationKind: p.text().$type<OperationKind>().fieldName('operation_kind'),
    // The operation.
    pkid: p.uuid().$type<Pkid>().fieldName('pkid'),
    // query or resolve.
    action: p.text().fieldName('action'),
    // For resolve: succeeded or failed.
    verdict: p.text().fieldName('verdict').nullable(),
    // In the person's words.
    reason: p.text().fieldName('reason').nullable(),
    // The API key that did it.
    actor: p.text().fieldName('actor'),
    // When it was done.
    createdAt: p.datetime().fieldName('created_at'),
  },
});

export type ReviewAction = InferEntity<typeof ReviewActionEntity>;
