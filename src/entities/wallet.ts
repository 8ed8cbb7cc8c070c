// Anything with a balance: a person's wallet or a platform wallet (ids that begin with @).

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { Currency } from '../domain/money.ts';

export type WalletKind =
  | 'seller'
  | 'buyer'
  | 'provider'
  | 'pending'
  | 'debt'
  | 'fees'
  | 'costs'
  | 'unapplied'
  | 'bank'
  | 'equity';

export const WalletEntity = defineEntity({
  name: 'Wallet',
  tableName: 'wallet',
  properties: {
    // The caller's id, or the platform wallet's name.
    walletId: p.text().fieldName('wallet_id').primary(),
    // Whose it is; for platform wallets the provider or "@platform".
    ownerId: p.text().fieldName('owner_id'),
    // What it is for; never changes.
    kind: p.text().$type<WalletKind>().fieldName('kind'),
    // ISO 4217 code; never changes.
    currency: p.text().$type<Currency>().fieldName('currency'),
    // Settled balance: the sum of its entries.
    postedMinor: p.bigint().fieldName('posted'),
    // Sum of its active holds.
    heldMinor: p.bigint().fieldName('held'),
    // Number of its last entry.
    seq: p.bigint().fieldName('seq'),
    // Whether available may go below zero (some platform wallets).
    allowNegative: p.boolean().fieldName('allow_negative'),
    // Of the request that made it; null for platform wallets.
    fingerprint: p.blob().$type<Buffer>().fieldName('fingerprint').nullable(),
    // The caller's own fields, returned as they came.
    metadata: p.json<Record<string, unknown>>().fieldName('metadata'),
    // When we wrote it.
    createdAt: p.datetime().fieldName('created_at'),
  },
});

export type Wallet = InferEntity<typeof WalletEntity>;
