// What people see of operations that need them, and the kinds that can be asked about and decided.

import { PaymentError } from '../domain/errors.ts';
import type { OperationKind, Pkid } from '../domain/id.ts';
import { readAttention } from './attention.ts';
import type { LifeOptions } from './life.ts';
import type { PayinLife } from './payin.ts';
import type { PayoutLife } from './payout.ts';
import type { RefundLife } from './refund.ts';

export interface PaymentLives {
  readonly payin: PayinLife;
  readonly payout: PayoutLife;
  readonly refund: RefundLife;
}

export function createReviews({ db, providers }: LifeOptions, lives: PaymentLives) {
  return {
    attention: () => readAttention(db, providers.values()),

    /** Makes the row due now, or compares a final one with the provider. Throws not-found, invalid-state. */
    async query(kind: OperationKind, pkid: Pkid, actor: string): Promise<void> {
      if (kind === 'transfer') {
        throw new PaymentError('invalid-state', { detail: 'A transfer has no provider to ask. Read it instead.' });
      }
      await lives[kind].query(pkid, actor);
    },
  };
}
