// Refunds: money of an order, back to its payer or into the buyer's wallet.

import { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import { REFUND_DESTINATIONS } from '../../domain/refund.ts';
import { endpoint, noBody, none } from '../endpoint.ts';
import {
  amount,
  chosenId,
  externPaymentId,
  filterId,
  filterProvider,
  metadata,
  paymentKey,
  status,
  text,
  walletId,
} from '../fields.ts';
import { intakeReply, taken } from '../intake-reply.ts';
import { createdQuery, given, pageOf, pageQuery, readPage } from '../pages.ts';
import { locationOf, refundDoor, viewAfter } from '../payment-doors.ts';
import { getOf, waiting } from '../payment-endpoints.ts';
import { presentRefunds, refundView } from '../views/refund.ts';

const create = endpoint({
  method: 'post',
  path: '/v1/refunds',
  tag: 'Refunds',
  summary: 'Refund an order, or a part of it',
  scope: 'write',
  params: none,
  query: waiting,
  body: z
    .strictObject({
      semantic_key: paymentKey,
      order_id: chosenId('the id of an order'),
      amount,
      reason: text.optional(),
      to: z
        .enum(REFUND_DESTINATIONS)
        .default('payer')
        .openapi({ description: "wallet: into the buyer's wallet in that currency, at once." }),
      metadata,
    })
    .openapi('NewRefund'),
  isNamed: true,
  answer: refundView,
  statuses: { 202: 'It is on its way.', 200: 'A replay: the refund as it is now.' },
  errors: [
    'not-found',
    'invalid-amount',
    'wallet-not-allowed',
    'refund-exceeds-payment',
    'provider-not-able',
    'invalid-state',
  ],
  async handle({ body, query, traceparent }, api) {
    const { row, isReplayed } = taken(
      await api.refunds.request({
        semanticKey: body.semantic_key,
        orderId: body.order_id,
        amountMinor: body.amount,
        destination: body.to,
        reason: body.reason ?? null,
        metadata: body.metadata,
        traceparent,
      }),
      (refund) => locationOf(refundDoor, refund),
    );
    return intakeReply({
      isReplayed,
      created: 202,
      location: locationOf(refundDoor, row),
      body: await viewAfter(refundDoor, { row, waitMs: query.wait }, api),
    });
  },
});

const list = endpoint({
  method: 'get',
  path: '/v1/refunds',
  tag: 'Refunds',
  summary: 'List refunds, newest first',
  scope: 'read',
  params: none,
  query: z.strictObject({
    ...pageQuery,
    ...createdQuery,
    status: status.optional(),
    checkout_id: filterId.optional(),
    order_id: filterId.optional(),
    seller_id: filterId.optional(),
    wallet_id: walletId.optional(),
    provider: filterProvider.optional(),
    extern_payment_id: externPaymentId.optional(),
  }),
  body: noBody,
  answer: pageOf(refundView, 'Refund'),
  statuses: { 200: 'One page.' },
  errors: [],
  async handle({ query }, api) {
    const where = given([
      query.status && sql`status = ${query.status}`,
      query.checkout_id &&
        sql`order_pkid IN (SELECT o.pkid FROM seller_order o WHERE o.checkout_id = ${query.checkout_id})`,
      query.order_id && sql`order_id = ${query.order_id}`,
      query.seller_id && sql`order_pkid IN (SELECT o.pkid FROM seller_order o WHERE o.seller_id = ${query.seller_id})`,
      query.wallet_id && sql`wallet_id = ${query.wallet_id}`,
      query.provider && sql`provider = ${query.provider}`,
      query.extern_payment_id && sql`extern_payment_id = ${query.extern_payment_id}`,
    ]);
    const page = await readPage(api.db.sql, { table: api.tables.refund, id: 'pkid', where, page: query });
    return { status: 200, body: { ...page, data: await presentRefunds(page.data, api.db.sql) } };
  },
});

export const refundRoutes = [create, getOf(refundDoor), list];
