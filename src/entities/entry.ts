// One signed line of a posting on one wallet; + grows the wallet.

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { PostingId } from '../domain/id.ts';
import type { Currency } from '../domain/money.ts';

export const EntryEntity = defineEntity({
  name: 'Entry',
  tableName: 'entry',
  properties: {
    // The wallet it changes.
    walletId: p.text().fieldName('wallet_id').primary(),
    // Counts the wallet's entries from 1, without gaps.
    seq: p.bigint().fieldName('seq').primary(),
    // The posting it belongs to.
    postingId: p.uuid().$type<PostingId>().fieldName('posting_id'),
    // The wallet's currency.
    currency: p.text().$type<Currency>().fieldName('currency'),
    // Signed, never zero.
    amountMinor: p.bigint().fieldName('amount'),
    // The wallet's posted balance after this entry.
    balanceAfterMinor: p.bigint().fieldName('balance_after'),
    // The posting's time.
    createdAt: p.datetime().fieldName('created_at'),
  },
});

export type Entry = InferEntity<typeof EntryEntity>;
