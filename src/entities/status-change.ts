// One move of an operation, kept for ever. Of a transfer only that it failed is kept here: its row tells when it was
// taken in, its posting that it succeeded. Earlier releases kept more of it, and what they kept stays.

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { OperationKind, Pkid } from '../domain/id.ts';
import type { Status } from '../domain/state-machine.ts';

export const StatusChangeEntity = defineEntity({
  name: 'StatusChange',
  tableName: 'status_change',
  properties: {
    // The operation.
    pkid: p.uuid().$type<Pkid>().fieldName('pkid').primary(),
    // 1 to 3: its place in the chain.
    number: p.smallint().fieldName('number').primary(),
    // The kind of the operation.
    operationKind: p.text().$type<OperationKind>().fieldName('operation_kind'),
    // Null for the first.
    fromStatus: p.text().$type<Status>().fieldName('from_status').nullable(),
    // Where it moved to.
    toStatus: p.text().$type<Status>().fieldName('to_status'),
    // The claim in force.
    attempt: p.integer().fieldName('attempt'),
    // What moved it.
    cause: p.text().fieldName('cause').nullable(),
    // Database time, read after the locks were held.
    createdAt: p.datetime().fieldName('created_at'),
  },
});

export type StatusChange = InferEntity<typeof StatusChangeEntity>;
