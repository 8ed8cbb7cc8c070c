// Payouts: money from a person's wallet to an account outside. A payout rests until it is confirmed.

import { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import { batchItems, batchView, takeBatch } from '../batch.ts';
import { endpoint, noBody, none } from '../endpoint.ts';
import { externPaymentId, filterProvider, status, walletId } from '../fields.ts';
import { intakeReply, taken } from '../intake-reply.ts';
import { createdQuery, given, pageOf, pageQuery, readPage } from '../pages.ts';
import { locationOf, payoutDoor, viewAfter } from '../payment-doors.ts';
import { cancelOf, confirmOf, getOf, waiting } from '../payment-endpoints.ts';
import { payoutBody, payoutRequestOf } from '../payout-request.ts';
import { parseItem } from '../validation.ts';
import { payoutView, presentPayouts } from '../views/payout.ts';

const create = endpoint({
  method: 'post',
  path: '/v1/payouts',
  tag: 'Payouts',
  summary: 'Create a payout, and confirm it if asked',
  scope: 'write',
  params: none,
  query: waiting,
  body: payoutBody,
  isNamed: true,
  answer: payoutView,
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
    const request = await payoutRequestOf(body, { caller, traceparent, api });
    const { row, isReplayed } = taken(await api.payouts.request(request), addressOf);
    // What rests would only be waited for in vain.
    const waitMs = row.confirmedAt === null ? undefined : query.wait;
    return intakeReply({
      isReplayed,
      created: body.confirm ? 202 : 201,
      location: addressOf(row),
      body: await viewAfter(payoutDoor, { row, waitMs }, api),
    });
  },
});

const createMany = endpoint({
  method: 'post',
  path: '/v1/payouts/batch',
  tag: 'Payouts',
  summary: 'Take up to 1,000 payouts, each on its own',
  scope: 'write',
  params: none,
  query: none,
  body: z.strictObject({ payouts: batchItems('NewPayout') }).openapi('PayoutBatch'),
  batchOf: 'payouts',
  answer: batchView,
  statuses: { 202: 'One result for each item, in order.' },
  errors: [],
  async handle({ body, caller, requestId, traceparent }, api) {
    const results = await takeBatch(body.payouts, {
      requestId,
      log: api.log,
      async take(item) {
        const request = await payoutRequestOf(parseItem(payoutBody, item), { caller, traceparent, api });
        return taken(await api.payouts.request(request), addressOf).row;
      },
    });
    return { status: 202, body: results };
  },
});

const list = endpoint({
  method: 'get',
  path: '/v1/payouts',
  tag: 'Payouts',
  summary: 'List payouts, newest first',
  scope: 'read',
  params: none,
  query: z.strictObject({
    ...pageQuery,
    ...createdQuery,
    status: status.optional(),
    wallet_id: walletId.optional(),
    provider: filterProvider.optional(),
    extern_payment_id: externPaymentId.optional(),
  }),
  body: noBody,
  answer: pageOf(payoutView, 'Payout'),
  statuses: { 200: 'One page.' },
  errors: [],
  async handle({ query }, api) {
    const where = given([
      query.status && sql`status = ${query.status}`,
      query.wallet_id && sql`wallet_id = ${query.wallet_id}`,
      query.provider && sql`provider = ${query.provider}`,
      query.extern_payment_id && sql`extern_payment_id = ${query.extern_payment_id}`,
    ]);
    const page = await readPage(api.db.sql, { table: api.tables.payout, id: 'pkid', where, page: query });
    return { status: 200, body: { ...page, data: await presentPayouts(page.data, api.db.sql) } };
  },
});

export const payoutRoutes = [create, createMany, confirmOf(payoutDoor), cancelOf(payoutDoor), getOf(payoutDoor), list];

function addressOf(named: { readonly semanticKey: string }): string {
  return locationOf(payoutDoor, named);
}
