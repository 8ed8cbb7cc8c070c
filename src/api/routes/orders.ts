// Orders: what a buyer buys from one seller. Delivery releases the seller's part.

import { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import { PaymentError } from '../../domain/errors.ts';
import { ORDER_STATUSES } from '../../domain/order.ts';
import { endpoint, noBody, none } from '../endpoint.ts';
import { filterId, walletId } from '../fields.ts';
import { createdQuery, given, mapPage, pageOf, pageQuery, readPage } from '../pages.ts';
import { orderStatusSql, orderView, presentOrder } from '../views/order.ts';

const params = z.strictObject({ order_id: filterId });

const deliver = endpoint({
  method: 'post',
  path: '/v1/orders/{order_id}/deliver',
  tag: 'Orders',
  summary: "Release the seller's part; twice is no change",
  scope: 'write',
  params,
  query: none,
  body: noBody,
  answer: orderView,
  statuses: { 200: 'Delivered, now or before. What open refunds and disputes hold stays where it is.' },
  errors: ['not-found', 'invalid-state'],
  async handle(request, api) {
    return { status: 200, body: presentOrder(await api.orders.deliver(request.params.order_id)) };
  },
});

const get = endpoint({
  method: 'get',
  path: '/v1/orders/{order_id}',
  tag: 'Orders',
  summary: 'Read an order',
  scope: 'read',
  params,
  query: none,
  body: noBody,
  answer: orderView,
  statuses: { 200: 'The order as it is now.' },
  errors: ['not-found'],
  async handle(request, api) {
    const order = await api.orders.find(request.params.order_id);
    if (order === null) throw new PaymentError('not-found', { detail: 'There is no such order. Check the id.' });
    return { status: 200, body: presentOrder(order) };
  },
});

const list = endpoint({
  method: 'get',
  path: '/v1/orders',
  tag: 'Orders',
  summary: 'List orders, newest first',
  scope: 'read',
  params: none,
  query: z.strictObject({
    ...pageQuery,
    ...createdQuery,
    status: z.enum(ORDER_STATUSES).optional(),
    checkout_id: filterId.optional(),
    order_id: filterId.optional(),
    seller_id: filterId.optional(),
    wallet_id: walletId.optional(),
  }),
  body: noBody,
  answer: pageOf(orderView, 'Order'),
  statuses: { 200: 'One page.' },
  errors: [],
  async handle({ query }, api) {
    const where = given([
      query.status && sql`${orderStatusSql} = ${query.status}`,
      query.checkout_id && sql`checkout_id = ${query.checkout_id}`,
      query.order_id && sql`order_id = ${query.order_id}`,
      query.seller_id && sql`seller_id = ${query.seller_id}`,
      query.wallet_id && sql`wallet_id = ${query.wallet_id}`,
    ]);
    const page = await readPage(api.db.sql, { table: api.tables.order, id: 'orderId', where, page: query });
    return { status: 200, body: mapPage(page, presentOrder) };
  },
});

export const orderRoutes = [get, list, deliver];
