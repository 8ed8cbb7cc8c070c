// A refund as the API shows it.

import { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import type { Pkid } from '../../domain/id.ts';
import { REFUND_DESTINATIONS, type Refund } from '../../domain/refund.ts';
import type { Sql } from '../../runtime/db.ts';
import { status } from '../fields.ts';
import { originView } from './payin.ts';
import { moneyShape, presentMoney, presentProgress, progressExample, progressShape, readReversals } from './payment.ts';

export const refundView = z
  .object({
    pkid: z.string(),
    semantic_key: z.string(),
    kind: z.literal('refund'),
    status,
    origin: originView,
    order_id: z
      .string()
      .nullable()
      .openapi({ description: 'Null when it sends back money that fitted nothing, or more than the orders had left.' }),
    unapplied_id: z.string().nullable().openapi({ description: 'The unapplied money that it sends back.' }),
    payin: z.string().openapi({ description: 'The semantic_key of the pay-in whose money it is.' }),
    to: z.enum(REFUND_DESTINATIONS),
    wallet_id: z.string().nullable().openapi({ description: "The buyer's wallet, when it goes there." }),
    ...moneyShape,
    reason: z.string().nullable(),
    ...progressShape,
  })
  .openapi('Refund', {
    example: {
      pkid: '9a1f6b0c-6a6e-5a43-9c0a-0d3c1f7a9b11',
      semantic_key: 'refund-2026-0001',
      kind: 'refund',
      status: 'succeeded',
      origin: 'api',
      order_id: 'order-77-1',
      unapplied_id: null,
      payin: 'payin-2026-0001',
      to: 'payer',
      wallet_id: null,
      amount: '500',
      currency: 'USD',
      provider: 'stripe',
      reason: 'Arrived broken',
      extern_payment_id: 're_1',
      ...progressExample,
    },
  });

export type RefundView = z.input<typeof refundView>;

export async function presentRefunds(refunds: readonly Refund[], client: Sql): Promise<RefundView[]> {
  const reversals = await readReversals(refunds, client);
  const keys = await readKeys('payin', { pkids: refunds.map((refund) => refund.payinPkid), client });
  return refunds.map((refund) => ({
    pkid: refund.pkid,
    semantic_key: refund.semanticKey,
    kind: 'refund',
    status: refund.status,
    origin: refund.origin,
    order_id: refund.orderId,
    unapplied_id: refund.unappliedId,
    payin: keys.get(refund.payinPkid) ?? '',
    to: refund.destination,
    wallet_id: refund.walletId,
    ...presentMoney(refund),
    reason: refund.reason,
    ...presentProgress(refund, reversals.of(refund)),
  }));
}

/** The names under which callers know operations. */
export async function readKeys(
  table: 'payin' | 'refund',
  { pkids, client }: { pkids: readonly Pkid[]; client: Sql },
): Promise<ReadonlyMap<Pkid, string>> {
  if (pkids.length === 0) return new Map();
  const { rows } = await sql<{ pkid: Pkid; semantic_key: string }>`
    SELECT pkid, semantic_key FROM ${sql.table(table)} WHERE pkid = ANY(${[...pkids]}::uuid[])`.execute(client);
  return new Map(rows.map((row) => [row.pkid, row.semantic_key]));
}
