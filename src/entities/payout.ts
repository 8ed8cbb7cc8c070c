// Money from a person's wallet to an account outside, through a provider.

import { defineEntity, p } from '@mikro-orm/core';
import { paymentColumns } from './payment.ts';

export const PayoutEntity = defineEntity({
  name: 'Payout',
  tableName: 'payout',
  properties: {
    ...paymentColumns(),
    // The wallet that pays.
    walletId: p.text().fieldName('wallet_id'),
    // The payee, or null when a destination was given.
    payeeId: p.text().fieldName('payee_id').nullable(),
    // A free account, or null when a payee was given.
    destination: p.text().fieldName('destination').nullable(),
  },
});
