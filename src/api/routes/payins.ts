// Pay-ins: a buyer's money, for a checkout (POST /v1/checkouts/{checkout_id}/pay) or straight into a wallet.

import { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import { endpoint, noBody, none } from '../endpoint.ts';
import { externPaymentId, filterId, filterProvider, status, walletId } from '../fields.ts';
import { intakeReply, taken } from '../intake-reply.ts';
import { createdQuery, given, pageOf, pageQuery, readPage } from '../pages.ts';
import { payinBody, payinRequestOf } from '../payin-request.ts';
import { locationOf, payinDoor, viewAfter } from '../payment-doors.ts';
import { cancelOf, confirmOf, getOf, waiting } from '../payment-endpoints.ts';
import { payinView, presentPayins } from '../views/payin.ts';

const create = endpoint({
  method: 'post',
  path: '/v1/payins',
  tag: 'Pay-ins',
  summary: 'Load a wallet without a checkout',
  scope: 'write',
  params: none,
  query: waiting,
  body: payinBody,
  isNamed: true,
  answer: payinView,
  statuses: { 201: 'It rests until it is confirmed.', 202: 'It is on its way.', 200: 'A replay: as it is now.' },
  errors: [
    'not-found',
    'invalid-amount',
    'invalid-currency',
    'wallet-not-allowed',
    'provider-not-able',
    'invalid-state',
  ],
  async handle({ body, query, caller, traceparent }, api) {
    const request = await payinRequestOf(body, { caller, traceparent, api });
    const { row, isReplayed } = taken(await api.payins.request(request), (payin) => locationOf(payinDoor, payin));
    // What rests would only be waited for in vain.
    const waitMs = row.confirmedAt === null ? undefined : query.wait;
    return intakeReply({
      isReplayed,
      created: body.confirm ? 202 : 201,
      location: locationOf(payinDoor, row),
      body: await viewAfter(payinDoor, { row, waitMs }, api),
    });
  },
});

const list = endpoint({
  method: 'get',
  path: '/v1/payins',
  tag: 'Pay-ins',
  summary: 'List pay-ins, newest first',
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
  answer: pageOf(payinView, 'Payin'),
  statuses: { 200: 'One page.' },
  errors: [],
  async handle({ query }, api) {
    const where = given([
      query.status && sql`status = ${query.status}`,
      query.checkout_id && sql`checkout_id = ${query.checkout_id}`,
      query.order_id &&
        sql`checkout_id IN (SELECT o.checkout_id FROM seller_order o WHERE o.order_id = ${query.order_id})`,
      query.seller_id &&
        sql`checkout_id IN (SELECT o.checkout_id FROM seller_order o WHERE o.seller_id = ${query.seller_id})`,
      query.wallet_id && sql`wallet_id = ${query.wallet_id}`,
      query.provider && sql`provider = ${query.provider}`,
      query.extern_payment_id && sql`extern_payment_id = ${query.extern_payment_id}`,
    ]);
    const page = await readPage(api.db.sql, { table: api.tables.payin, id: 'pkid', where, page: query });
    return { status: 200, body: { ...page, data: await presentPayins(page.data, api.db.sql) } };
  },
});

export const payinRoutes = [create, getOf(payinDoor), list, confirmOf(payinDoor), cancelOf(payinDoor)];
