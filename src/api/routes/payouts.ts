// Payouts: money from a person's wallet to an account outside. A payout rests until it is confirmed.

import { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import { PaymentError } from '../../domain/errors.ts';
import { pkidOf } from '../../domain/id.ts';
import type { Payout } from '../../domain/payout.ts';
import { isFinal } from '../../domain/state-machine.ts';
import { batchItems, batchView, takeBatch } from '../batch.ts';
import type { Api } from '../context.ts';
import { endpoint, noBody, none } from '../endpoint.ts';
import { externPaymentId, filterProvider, semanticKey, status, wait, walletId } from '../fields.ts';
import { intakeReply, taken } from '../intake-reply.ts';
import { createdQuery, given, pageOf, pageQuery, readPage } from '../pages.ts';
import { payoutBody, payoutRequestOf } from '../payout-request.ts';
import { parseItem } from '../validation.ts';
import { type PayoutView, payoutView, presentPayout, presentPayouts } from '../views/payout.ts';

const params = z.strictObject({ semantic_key: semanticKey });
const waiting = z.strictObject({ wait });

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
    const { row, isReplayed } = taken(await api.payouts.request(request));
    // What rests would only be waited for in vain.
    const waitMs = row.confirmedAt === null ? undefined : query.wait;
    return intakeReply({
      isReplayed,
      created: body.confirm ? 202 : 201,
      location: `/v1/payouts/${row.semanticKey}`,
      body: await viewAfter(row, waitMs, api),
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
        return taken(await api.payouts.request(request)).row;
      },
    });
    return { status: 202, body: results };
  },
});

const confirm = endpoint({
  method: 'post',
  path: '/v1/payouts/{semantic_key}/confirm',
  tag: 'Payouts',
  summary: 'Send it; twice is no change',
  scope: 'write',
  params,
  query: waiting,
  body: noBody,
  answer: payoutView,
  statuses: { 202: 'It is on its way, or was already.' },
  errors: ['not-found', 'invalid-state'],
  async handle(request, api) {
    const { semantic_key } = request.params;
    const { pkid } = await findPayout(semantic_key, api);
    const payout = await api.payouts.confirm(pkid, semantic_key);
    return { status: 202, location: locationOf(payout), body: await viewAfter(payout, request.query.wait, api) };
  },
});

const cancel = endpoint({
  method: 'post',
  path: '/v1/payouts/{semantic_key}/cancel',
  tag: 'Payouts',
  summary: 'Cancel it while that is possible',
  scope: 'write',
  params,
  query: waiting,
  body: noBody,
  answer: payoutView,
  statuses: { 200: 'It failed as `canceled`.', 202: 'The provider was asked and decides.' },
  errors: ['not-found', 'invalid-state'],
  async handle(request, api) {
    const { semantic_key } = request.params;
    const { pkid } = await findPayout(semantic_key, api);
    const { payout } = await api.payouts.cancel(pkid, semantic_key);
    const body = await viewAfter(payout, request.query.wait, api);
    return { status: isFinal(payout.status) ? 200 : 202, location: locationOf(payout), body };
  },
});

const get = endpoint({
  method: 'get',
  path: '/v1/payouts/{semantic_key}',
  tag: 'Payouts',
  summary: 'Read a payout',
  scope: 'read',
  params,
  query: waiting,
  body: noBody,
  answer: payoutView,
  statuses: { 200: 'The payout as it is now, or as it is when the wait ends.' },
  errors: ['not-found'],
  async handle(request, api) {
    const payout = await findPayout(request.params.semantic_key, api);
    return { status: 200, body: await viewAfter(payout, request.query.wait, api) };
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

export const payoutRoutes = [create, createMany, confirm, cancel, get, list];

export async function findPayout(key: string, api: Api): Promise<Payout> {
  const payout = await api.payouts.find(pkidOf('payout', key));
  if (payout === null) throw new PaymentError('not-found', { detail: 'There is no such payout. Check the key.' });
  return payout;
}

/** The payout when it is final or the wait is over. */
export async function viewAfter(payout: Payout, waitMs: number | undefined, api: Api): Promise<PayoutView> {
  if (waitMs === undefined || isFinal(payout.status)) return presentPayout(payout, api.db.sql);
  await api.waiter.wait({ kind: 'payout', pkid: payout.pkid }, waitMs);
  return presentPayout(await findPayout(payout.semanticKey, api), api.db.sql);
}

function locationOf({ semanticKey: key }: Payout): string {
  return `/v1/payouts/${key}`;
}
