// Money that came in and fits nothing: late, twice, of another amount, or a refund that came back.

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { OperationKind, Pkid } from '../domain/id.ts';
import type { Currency } from '../domain/money.ts';
import type { ProviderName } from '../domain/provider.ts';

export const UnappliedEntity = defineEntity({
  name: 'Unapplied',
  tableName: 'unapplied',
  properties: {
    // Derived from the provider's id, so that one payment is kept once.
    unappliedId: p.uuid().$type<Pkid>().fieldName('unapplied_id').primary(),
    // Why it fits nothing.
    reason: p.text().fieldName('reason'),
    // Where the money is.
    provider: p.text().$type<ProviderName>().fieldName('provider'),
    // The provider's id of the payment.
    externPaymentId: p.text().fieldName('extern_payment_id'),
    // The kind of the operation it came with.
    operationKind: p.text().$type<OperationKind>().fieldName('operation_kind'),
    // That operation.
    pkid: p.uuid().$type<Pkid>().fieldName('pkid'),
    // That operation's name.
    semanticKey: p.text().fieldName('semantic_key'),
    // How much, in minor units.
    amountMinor: p.bigint().fieldName('amount'),
    // How much of that is a row of its own by now, because it was sent back at the provider.
    splitOffMinor: p.bigint().fieldName('split_off'),
    // Of the payment.
    currency: p.text().$type<Currency>().fieldName('currency'),
    // When it was booked.
    openedAt: p.datetime().fieldName('opened_at'),
    // The refund that sends it back, from the moment it is asked for.
    refundPkid: p.uuid().$type<Pkid>().fieldName('refund_pkid').nullable(),
    // When somebody decided where it belongs, or it was sent back.
    resolvedAt: p.datetime().fieldName('resolved_at').nullable(),
    // Who decided.
    resolvedBy: p.text().fieldName('resolved_by').nullable(),
    // Why.
    resolvedReason: p.text().fieldName('resolved_reason').nullable(),
    // The wallet that got it.
    appliedTo: p.text().fieldName('applied_to').nullable(),
  },
});

/** What of it is still this row's. */
export function unappliedMinor({ amountMinor, splitOffMinor }: Pick<Unapplied, 'amountMinor' | 'splitOffMinor'>) {
  return amountMinor - splitOffMinor;
}

export type Unapplied = InferEntity<typeof UnappliedEntity>;
