// Checkouts: one buyer's orders, paid at once, and given back where they are not delivered.

import { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import { CHECKOUT_STATUSES } from '../../domain/checkout.ts';
import { PaymentError } from '../../domain/errors.ts';
import type { Checkout } from '../../entities/checkout.ts';
import { checkoutBody, checkoutRequestOf } from '../checkout-request.ts';
import type { Api } from '../context.ts';
import { endpoint, noBody, none } from '../endpoint.ts';
import { filterId, filterProvider } from '../fields.ts';
import { intakeReply, taken } from '../intake-reply.ts';
import { createdQuery, given, pageOf, pageQuery, readPage } from '../pages.ts';
import { payBody, payRequestOf } from '../payin-request.ts';
import { locationOf, payinDoor, viewAfter } from '../payment-doors.ts';
import { waiting } from '../payment-endpoints.ts';
import { type CheckoutView, checkoutStatusSql, checkoutView, presentCheckouts } from '../views/checkout.ts';
import { payinView } from '../views/payin.ts';

const params = z.strictObject({ checkout_id: filterId });

const create = endpoint({
  method: 'post',
  path: '/v1/checkouts',
  tag: 'Checkouts',
  summary: 'Make a checkout with its orders',
  scope: 'write',
  params: none,
  query: none,
  body: checkoutBody,
  answer: checkoutView,
  statuses: { 201: 'Made; nothing is paid yet.', 200: 'A replay: the checkout as it is now.' },
  errors: [
    'not-found',
    'invalid-amount',
    'invalid-currency',
    'wallet-not-allowed',
    'key-reused',
    'provider-not-able',
    'invalid-state',
  ],
  async handle({ body }, api) {
    const { row, isReplayed } = taken(await api.checkouts.request(checkoutRequestOf(body)), addressOf);
    return intakeReply({ isReplayed, created: 201, location: addressOf(row), body: await viewOf(row, api) });
  },
});

const pay = endpoint({
  method: 'post',
  path: '/v1/checkouts/{checkout_id}/pay',
  tag: 'Checkouts',
  summary: 'Pay all its orders with one pay-in',
  scope: 'write',
  params,
  query: waiting,
  body: payBody,
  isNamed: true,
  isConflictLocated: true,
  answer: payinView,
  statuses: { 201: 'It rests until it is confirmed.', 202: 'It is on its way.', 200: 'A replay: as it is now.' },
  errors: ['not-found', 'provider-not-able', 'invalid-state'],
  async handle({ params: named, body, query, caller, traceparent }, api) {
    const request = await payRequestOf(body, { checkoutId: named.checkout_id, caller, traceparent, api });
    const intake = await api.checkouts.pay(named.checkout_id, request);
    if (intake.type === 'taken') {
      const { semanticKey, status } = intake.row;
      const wayOut =
        status === 'succeeded'
          ? 'It is paid; open another checkout for another purchase.'
          : 'Follow that one; a new one is possible once it failed.';
      const detail = `The checkout has the pay-in "${semanticKey}", which is ${status}. ${wayOut}`;
      throw new PaymentError('invalid-state', { detail, location: locationOf(payinDoor, intake.row) });
    }
    const { row, isReplayed } = taken(intake, (payin) => locationOf(payinDoor, payin));
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

const cancel = endpoint({
  method: 'post',
  path: '/v1/checkouts/{checkout_id}/cancel',
  tag: 'Checkouts',
  summary: 'Cancel it; what is paid and not delivered goes back',
  scope: 'write',
  params,
  query: waiting,
  body: noBody,
  answer: checkoutView,
  statuses: { 200: 'It is cancelled, and nothing is left to give back.', 202: 'What was paid is on its way back.' },
  errors: ['not-found', 'invalid-state'],
  async handle({ params: { checkout_id: id }, query }, api) {
    const checkout = await api.checkouts.cancel(id);
    const location = addressOf(checkout);
    if ((checkout.dueAt ?? null) === null) return { status: 200, location, body: await viewOf(checkout, api) };
    // The view reads orders and pay-ins anew, and a cancelled checkout itself does not change any more.
    if (query.wait !== undefined) await api.waiter.waitForCheckout(id, query.wait);
    return { status: 202, location, body: await viewOf(checkout, api) };
  },
});

const get = endpoint({
  method: 'get',
  path: '/v1/checkouts/{checkout_id}',
  tag: 'Checkouts',
  summary: 'Read a checkout with its orders and pay-ins',
  scope: 'read',
  params,
  query: none,
  body: noBody,
  answer: checkoutView,
  statuses: { 200: 'The checkout as it is now.' },
  errors: ['not-found'],
  async handle(request, api) {
    const checkout = await api.checkouts.find(request.params.checkout_id);
    if (checkout === null) throw new PaymentError('not-found', { detail: 'There is no such checkout. Check the id.' });
    return { status: 200, body: await viewOf(checkout, api) };
  },
});

const list = endpoint({
  method: 'get',
  path: '/v1/checkouts',
  tag: 'Checkouts',
  summary: 'List checkouts, newest first',
  scope: 'read',
  params: none,
  query: z.strictObject({
    ...pageQuery,
    ...createdQuery,
    status: z.enum(CHECKOUT_STATUSES).optional(),
    buyer_id: filterId.optional(),
    order_id: filterId.optional(),
    seller_id: filterId.optional(),
    provider: filterProvider.optional(),
  }),
  body: noBody,
  answer: pageOf(checkoutView, 'Checkout'),
  statuses: { 200: 'One page.' },
  errors: [],
  async handle({ query }, api) {
    const where = given([
      query.status && checkoutStatusSql[query.status],
      query.buyer_id && sql`buyer_id = ${query.buyer_id}`,
      query.order_id &&
        sql`checkout_id IN (SELECT o.checkout_id FROM seller_order o WHERE o.order_id = ${query.order_id})`,
      query.seller_id &&
        sql`checkout_id IN (SELECT o.checkout_id FROM seller_order o WHERE o.seller_id = ${query.seller_id})`,
      query.provider && sql`payment_info->>'provider' = ${query.provider}`,
    ]);
    const page = await readPage(api.db.sql, { table: api.checkoutTable, id: 'checkoutId', where, page: query });
    return { status: 200, body: { ...page, data: await viewsOf(page.data, api) } };
  },
});

export const checkoutRoutes = [create, get, list, pay, cancel];

function viewsOf(checkouts: readonly Checkout[], { db, tables }: Api): Promise<CheckoutView[]> {
  return presentCheckouts(checkouts, { client: db.sql, tables });
}

async function viewOf(checkout: Checkout, api: Api): Promise<CheckoutView> {
  const [view] = await viewsOf([checkout], api);
  if (view === undefined) throw new TypeError('One checkout in, one out.');
  return view;
}

function addressOf({ checkoutId }: Checkout): string {
  return `/v1/checkouts/${checkoutId}`;
}
