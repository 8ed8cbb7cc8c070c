// A balanced, immutable set of entries written at once.

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { Kind, Pkid, PostingId } from '../domain/id.ts';

export const PostingEntity = defineEntity({
  name: 'Posting',
  tableName: 'posting',
  properties: {
    // Derived from the operation (and the step, where it has several), so that nothing is booked twice.
    postingId: p.uuid().$type<PostingId>().fieldName('posting_id').primary(),
    // The event of the chart of wallets that it books.
    event: p.text().fieldName('event'),
    // The kind of what caused it.
    operationKind: p.text().$type<Kind>().fieldName('operation_kind'),
    // What caused it.
    operationPkid: p.uuid().$type<Pkid>().fieldName('operation_pkid'),
    // The caller's name of what caused it.
    semanticKey: p.text().fieldName('semantic_key'),
    // The posting that this one takes back.
    reverses: p.uuid().$type<PostingId>().fieldName('reverses').nullable(),
    // Database time, read after the locks were held.
    createdAt: p.datetime().fieldName('created_at'),
  },
});

export type Posting = InferEntity<typeof PostingEntity>;
