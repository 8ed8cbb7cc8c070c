// A pay-in as the API shows it. The token, and what the provider is told of the buyer, are never shown.

import { z } from '@hono/zod-openapi';
import { ORIGINS, type Payin } from '../../domain/payin.ts';
import { isFinal } from '../../domain/state-machine.ts';
import type { Sql } from '../../runtime/db.ts';
import { status } from '../fields.ts';
import { moneyShape, presentMoney, presentProgress, progressExample, progressShape, readReversals } from './payment.ts';

const nextActionView = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('redirect'), url: z.string(), expires_at: z.string().nullable() }),
    z.object({ type: z.literal('client_secret'), client_secret: z.string() }),
  ])
  .nullable()
  .openapi({ description: 'What the buyer has to do; null when nothing, or no longer.' });

export const originView = z
  .enum(ORIGINS)
  .openapi({ description: "external: made in the provider's own dashboard, and booked when we heard of it." });

export const payinView = z
  .object({
    pkid: z.string(),
    semantic_key: z.string(),
    kind: z.literal('payin'),
    status,
    origin: originView,
    checkout_id: z
      .string()
      .nullable()
      .openapi({ description: 'The checkout it pays; null when it loads a wallet, or was made at the provider.' }),
    wallet_id: z
      .string()
      .nullable()
      .openapi({ description: 'The wallet it loads; null when it pays a checkout, or was made at the provider.' }),
    ...moneyShape,
    next_action: nextActionView,
    ...progressShape,
  })
  .openapi('Payin', {
    example: {
      pkid: '7d0c2a9e-6a6e-5a43-9c0a-0d3c1f7a9b11',
      semantic_key: 'payin-2026-0001',
      kind: 'payin',
      status: 'succeeded',
      origin: 'api',
      checkout_id: 'checkout-77',
      wallet_id: null,
      amount: '1500',
      currency: 'USD',
      provider: 'stripe',
      next_action: null,
      extern_payment_id: 'pi_1',
      ...progressExample,
      expires_at: '2026-01-31T13:00:00.000Z',
    },
  });

export type PayinView = z.input<typeof payinView>;

export async function presentPayins(payins: readonly Payin[], client: Sql): Promise<PayinView[]> {
  const reversals = await readReversals(payins, client);
  return payins.map((payin) => ({
    pkid: payin.pkid,
    semantic_key: payin.semanticKey,
    kind: 'payin',
    status: payin.status,
    origin: payin.origin,
    checkout_id: payin.checkoutId,
    wallet_id: payin.walletId,
    ...presentMoney(payin),
    next_action: presentNextAction(payin),
    ...presentProgress(payin, reversals.of(payin)),
  }));
}

function presentNextAction({ status: at, nextAction }: Payin): z.input<typeof nextActionView> {
  if (nextAction === null || isFinal(at)) return null;
  if (nextAction.type === 'client_secret') return { type: 'client_secret', client_secret: nextAction.clientSecret };
  return { type: 'redirect', url: nextAction.url, expires_at: nextAction.expiresAt };
}
