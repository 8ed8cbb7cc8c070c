// A movement between a provider's wallet and the bank's, by an operator.

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { Pkid, PostingId } from '../domain/id.ts';
import type { Currency } from '../domain/money.ts';

export const TreasuryEntity = defineEntity({
  name: 'Treasury',
  tableName: 'treasury',
  properties: {
    // Derived from the semantic key.
    pkid: p.uuid().$type<Pkid>().fieldName('pkid').primary(),
    // The caller's name for it.
    semanticKey: p.text().fieldName('semantic_key'),
    // The platform wallet that gives.
    fromWallet: p.text().fieldName('from_wallet'),
    // The platform wallet that receives.
    toWallet: p.text().fieldName('to_wallet'),
    // What moves, in minor units.
    amountMinor: p.bigint().fieldName('amount'),
    // The currency of both wallets.
    currency: p.text().$type<Currency>().fieldName('currency'),
    // What the bank's statement calls it.
    reference: p.text().fieldName('reference'),
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

export type Treasury = InferEntity<typeof TreasuryEntity>;
