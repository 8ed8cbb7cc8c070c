// A buyer's complaint at their bank: the provider takes the money until it is decided.

import { defineEntity, p } from '@mikro-orm/core';
import type { Dispute } from '../domain/dispute.ts';
import type { Pkid } from '../domain/id.ts';
import type { Currency } from '../domain/money.ts';
import type { DisputeStatus, ProviderName } from '../domain/provider.ts';

export const DisputeEntity = defineEntity({
  name: 'Dispute',
  tableName: 'dispute',
  properties: {
    // "<provider>:<the provider's id>".
    disputeId: p.text().fieldName('dispute_id').primary(),
    // Derived from that; its postings carry it.
    pkid: p.uuid().$type<Pkid>().fieldName('pkid'),
    // Who told us.
    provider: p.text().$type<ProviderName>().fieldName('provider'),
    // The provider's own id.
    externId: p.text().fieldName('extern_id'),
    // The pay-in it is about.
    payinPkid: p.uuid().$type<Pkid>().fieldName('payin_pkid'),
    // The order it is about, where it is about one only.
    orderId: p.text().fieldName('order_id').nullable(),
    // What is disputed, in minor units.
    amountMinor: p.bigint().fieldName('amount'),
    // Of the pay-in.
    currency: p.text().$type<Currency>().fieldName('currency'),
    // What the provider charges for it.
    feeMinor: p.bigint().fieldName('fee'),
    // Only ever from open to won or lost.
    status: p.text().$type<DisputeStatus>().fieldName('status'),
    // Until when evidence may be given.
    evidenceDue: p.datetime().fieldName('evidence_due').nullable(),
    // How it was taken, order by order.
    parts: p.json<Dispute['parts']>().fieldName('parts'),
    // What no order or wallet could give, and therefore we gave.
    uncoveredMinor: p.bigint().fieldName('uncovered'),
    // When we heard of it.
    createdAt: p.datetime().fieldName('created_at'),
    // The last change of any field.
    updatedAt: p.datetime().fieldName('updated_at'),
  },
});
