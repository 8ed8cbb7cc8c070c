// A payout as the API shows it.

import { z } from '@hono/zod-openapi';
import type { Payout } from '../../domain/payout.ts';
import type { Sql } from '../../runtime/db.ts';
import { status } from '../fields.ts';
import { moneyShape, presentMoney, presentProgress, progressExample, progressShape, readReversals } from './payment.ts';

export const payoutView = z
  .object({
    pkid: z.string(),
    semantic_key: z.string(),
    kind: z.literal('payout'),
    status,
    wallet_id: z.string(),
    ...moneyShape,
    payee_id: z.string().nullable(),
    destination: z.string().nullable(),
    ...progressShape,
  })
  .openapi('Payout', {
    example: {
      pkid: '3b3e6a4e-6a6e-5a43-9c0a-0d3c1f7a9b11',
      semantic_key: 'payout-2026-0001',
      kind: 'payout',
      status: 'succeeded',
      wallet_id: 'seller-42-usd',
      amount: '1500',
      currency: 'USD',
      provider: 'stripe',
      payee_id: 'payee-42',
      destination: null,
      extern_payment_id: 'tr_1',
      ...progressExample,
    },
  });

export type PayoutView = z.input<typeof payoutView>;

export async function presentPayouts(payouts: readonly Payout[], client: Sql): Promise<PayoutView[]> {
  const reversals = await readReversals(payouts, client);
  return payouts.map((payout) => ({
    pkid: payout.pkid,
    semantic_key: payout.semanticKey,
    kind: 'payout',
    status: payout.status,
    wallet_id: payout.walletId,
    ...presentMoney(payout),
    payee_id: payout.payeeId,
    destination: payout.destination,
    ...presentProgress(payout, reversals.of(payout)),
  }));
}
