// A buyer's money, through a provider, for a checkout or straight into a wallet.

import { defineEntity, p } from '@mikro-orm/core';
import type { Origin, Payin } from '../domain/payin.ts';
import type { NextAction } from '../domain/provider.ts';
import { paymentColumns } from './payment.ts';

export const PayinEntity = defineEntity({
  name: 'Payin',
  tableName: 'payin',
  properties: {
    ...paymentColumns(),
    // Asked for here, or found in the provider's books.
    origin: p.text().$type<Origin>().fieldName('origin'),
    // The checkout it pays for, or null when it loads a wallet.
    checkoutId: p.text().fieldName('checkout_id').nullable(),
    // The wallet it loads, or null when it pays for a checkout.
    walletId: p.text().fieldName('wallet_id').nullable(),
    // The provider's own name for the means of payment; never a card number.
    token: p.text().fieldName('token').nullable(),
    // Where the provider sends the buyer after paying.
    returnUrl: p.text().fieldName('return_url').nullable(),
    // Where it sends a buyer who gives up.
    cancelUrl: p.text().fieldName('cancel_url').nullable(),
    // What the buyer's statement shows.
    statementDescriptor: p.text().fieldName('statement_descriptor').nullable(),
    // What the provider wants to know of the buyer.
    buyer: p.json<NonNullable<Payin['buyer']>>().fieldName('buyer').nullable(),
    // What the buyer has to do; cleared when it is final.
    nextAction: p.json<NextAction>().fieldName('next_action').nullable(),
  },
});
