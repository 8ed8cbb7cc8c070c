// What a buyer buys from one seller, and what has become of its amount.

import { defineEntity, p } from '@mikro-orm/core';
import type { Pkid } from '../domain/id.ts';
import type { Currency } from '../domain/money.ts';

export const OrderEntity = defineEntity({
  name: 'Order',
  // "order" is a word of SQL.
  tableName: 'seller_order',
  properties: {
    // Derived from the order's id.
    pkid: p.uuid().$type<Pkid>().fieldName('pkid').primary(),
    // The caller's name for it; unique for ever.
    orderId: p.text().fieldName('order_id'),
    // The checkout it belongs to.
    checkoutId: p.text().fieldName('checkout_id'),
    // The owner of the wallet that gets the money.
    sellerId: p.text().fieldName('seller_id'),
    // That wallet.
    walletId: p.text().fieldName('wallet_id'),
    // What the buyer pays for it, in minor units.
    amountMinor: p.bigint().fieldName('amount'),
    // Of the checkout, and of the wallet.
    currency: p.text().$type<Currency>().fieldName('currency'),
    // Our commission on the whole amount.
    feeMinor: p.bigint().fieldName('fee'),
    // The pay-in that paid for it.
    payinPkid: p.uuid().$type<Pkid>().fieldName('payin_pkid').nullable(),
    // When it was paid.
    paidAt: p.datetime().fieldName('paid_at').nullable(),
    // When the seller's part was released.
    deliveredAt: p.datetime().fieldName('delivered_at').nullable(),
    // Refunds that succeeded.
    refundedMinor: p.bigint().fieldName('refunded'),
    // Open refunds that were asked for before delivery.
    openBeforeMinor: p.bigint().fieldName('open_before'),
    // Open refunds that were asked for after it.
    openAfterMinor: p.bigint().fieldName('open_after'),
    // Disputed or reversed before delivery.
    takenBeforeMinor: p.bigint().fieldName('taken_before'),
    // Disputed or reversed after it.
    takenAfterMinor: p.bigint().fieldName('taken_after'),
    // What the seller got of it.
    releasedMinor: p.bigint().fieldName('released'),
    // How much of the fee was given up for what went back.
    feeGivenMinor: p.bigint().fieldName('fee_given'),
    // When we wrote it.
    createdAt: p.datetime().fieldName('created_at'),
    // The last change of any field.
    updatedAt: p.datetime().fieldName('updated_at'),
  },
});
