// A correction by an operator, booked against equity.

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { Pkid, PostingId } from '../domain/id.ts';
import type { Currency } from '../domain/money.ts';

export const AdjustmentEntity = defineEntity({
  name: 'Adjustment',
  tableName: 'adjustment',
  properties: {
    // Derived from the semantic key.
    pkid: p.uuid().$type<Pkid>().fieldName('pkid').primary(),
    // The caller's name for it.
    semanticKey: p.text().fieldName('semantic_key'),
    // The wallet that is corrected.
    walletId: p.text().fieldName('wallet_id'),
    // Signed, never zero.
    amountMinor: p.bigint().fieldName('amount'),
    // The wallet's currency.
    currency: p.text().$type<Currency>().fieldName('currency'),
    // Why, in the operator's words.
    reason: p.text().fieldName('reason'),
    // The API key that did it.
    actor: p.text().fieldName('actor'),
    // What was booked.
    postingId: p.uuid().$type<PostingId>().fieldName('posting_id'),
    // Of the request that made it.
    fingerprint: p.blob().$type<Buffer>().fieldName('fingerprint'),
    // When it was booked.
    createdAt: p.datetime().fieldName('created_at'),
  },
});

export type Adjustment = InferEntity<typeof AdjustmentEntity>;
