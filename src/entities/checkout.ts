// One buyer's orders, paid at once. What it is at is read off its orders and pay-ins.

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { Currency } from '../domain/money.ts';
import type { ProviderName } from '../domain/provider.ts';

export const CheckoutEntity = defineEntity({
  name: 'Checkout',
  tableName: 'checkout',
  properties: {
    // The caller's name for it; unique for ever.
    checkoutId: p.text().fieldName('checkout_id').primary(),
    // Who pays.
    buyerId: p.text().fieldName('buyer_id'),
    // Of all its orders.
    currency: p.text().$type<Currency>().fieldName('currency'),
    // The sum of its orders, in minor units.
    totalMinor: p.bigint().fieldName('total'),
    // How it is to be paid unless the pay-in says otherwise; the token is never shown.
    paymentInfo: p.json<{ provider: ProviderName; token: string | null }>().fieldName('payment_info'),
    // Of the request that made it.
    fingerprint: p.blob().$type<Buffer>().fieldName('fingerprint'),
    // The caller's own fields.
    metadata: p.json<Record<string, unknown>>().fieldName('metadata'),
    // When it was cancelled; what was paid and not delivered goes back.
    canceledAt: p.datetime().fieldName('canceled_at').nullable(),
    // When its compensation has to be looked at again.
    dueAt: p.datetime().fieldName('due_at').nullable(),
    // When we wrote it.
    createdAt: p.datetime().fieldName('created_at'),
  },
});
export type Checkout = InferEntity<typeof CheckoutEntity>;
