// Money of an order, or money that fitted nothing, back to its payer or into the buyer's wallet.

import { defineEntity, p } from '@mikro-orm/core';
import type { Pkid } from '../domain/id.ts';
import type { Origin } from '../domain/payin.ts';
import type { RefundDestination } from '../domain/refund.ts';
import { paymentColumns } from './payment.ts';

export const RefundEntity = defineEntity({
  name: 'Refund',
  tableName: 'refund',
  properties: {
    ...paymentColumns(),
    // Asked for here, or found in the provider's books.
    origin: p.text().$type<Origin>().fieldName('origin'),
    // The order it is taken from; null when it sends back unapplied money.
    orderPkid: p.uuid().$type<Pkid>().fieldName('order_pkid').nullable(),
    // The same order by its own id.
    orderId: p.text().fieldName('order_id').nullable(),
    // The unapplied money it sends back, or null.
    unappliedId: p.uuid().$type<Pkid>().fieldName('unapplied_id').nullable(),
    // The pay-in whose money it is.
    payinPkid: p.uuid().$type<Pkid>().fieldName('payin_pkid'),
    // The provider's id of that pay-in.
    payinExternId: p.text().fieldName('payin_extern_id'),
    // Back to the payer, or into the buyer's wallet.
    destination: p.text().$type<RefundDestination>().fieldName('destination'),
    // The buyer's wallet when it goes there.
    walletId: p.text().fieldName('wallet_id').nullable(),
    // Whether it was asked for before delivery; its money is then still pending.
    beforeDelivery: p.boolean().fieldName('before_delivery'),
    // The caller's words.
    reason: p.text().fieldName('reason').nullable(),
  },
});
