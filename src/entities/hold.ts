// Funds reserved for an operation that is not final. It ends once: captured or released.

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { Pkid } from '../domain/id.ts';

export type HoldStatus = 'active' | 'captured' | 'released';

export const HoldEntity = defineEntity({
  name: 'Hold',
  tableName: 'hold',
  properties: {
    // The wallet whose funds are reserved.
    walletId: p.text().fieldName('wallet_id').primary(),
    // The operation's pkid.
    holdId: p.uuid().$type<Pkid>().fieldName('hold_id').primary(),
    // How much is reserved.
    amountMinor: p.bigint().fieldName('amount'),
    // active until the operation is settled.
    status: p.text().$type<HoldStatus>().fieldName('status'),
    // The first claim.
    createdAt: p.datetime().fieldName('created_at'),
    // When it was captured or released.
    endedAt: p.datetime().fieldName('ended_at').nullable(),
  },
});

export type Hold = InferEntity<typeof HoldEntity>;
