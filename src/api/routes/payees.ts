// Payees: the accounts outside that an owner's payouts may go to.

import { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import { PaymentError } from '../../domain/errors.ts';
import { PAYEE_STATUSES } from '../../domain/provider.ts';
import { PayeeEntity } from '../../entities/payee.ts';
import { endpoint, noBody, none } from '../endpoint.ts';
import { account, chosenId, filterId, filterProvider, metadata, provider } from '../fields.ts';
import { intakeReply, taken } from '../intake-reply.ts';
import { createdQuery, given, mapPage, pageOf, pageQuery, readPage } from '../pages.ts';
import { payeeView, presentPayee } from '../views/payee.ts';

const create = endpoint({
  method: 'post',
  path: '/v1/payees',
  tag: 'Payees',
  summary: "Register an owner's account at a provider",
  scope: 'write',
  params: none,
  query: none,
  body: z
    .strictObject({
      payee_id: chosenId('the id of a payee'),
      owner_id: chosenId('the id of an owner'),
      provider,
      account,
      metadata,
    })
    .openapi('NewPayee'),
  answer: payeeView,
  statuses: { 201: 'Registered.', 200: 'A replay: the payee as it is now.' },
  errors: ['not-found', 'wallet-not-allowed', 'key-reused', 'provider-not-able'],
  async handle({ body }, api) {
    const { row, isReplayed } = taken(
      await api.payeeLife.request({
        payeeId: body.payee_id,
        ownerId: body.owner_id,
        provider: body.provider,
        account: body.account,
        metadata: body.metadata,
      }),
      addressOf,
    );
    return intakeReply({ isReplayed, created: 201, location: addressOf(row), body: presentPayee(row) });
  },
});

const get = endpoint({
  method: 'get',
  path: '/v1/payees/{payee_id}',
  tag: 'Payees',
  summary: 'Read a payee',
  scope: 'read',
  params: z.strictObject({ payee_id: filterId }),
  query: none,
  body: noBody,
  answer: payeeView,
  statuses: { 200: 'The payee as it is now.' },
  errors: ['not-found'],
  async handle({ params }, api) {
    const payee = await api.db.em().findOne(PayeeEntity, { payeeId: params.payee_id });
    if (payee === null) throw new PaymentError('not-found', { detail: 'There is no such payee. Check the id.' });
    return { status: 200, body: presentPayee(payee) };
  },
});

const list = endpoint({
  method: 'get',
  path: '/v1/payees',
  tag: 'Payees',
  summary: 'List payees, newest first',
  scope: 'read',
  params: none,
  query: z.strictObject({
    ...pageQuery,
    ...createdQuery,
    owner_id: filterId.optional(),
    provider: filterProvider.optional(),
    status: z.enum(PAYEE_STATUSES).optional(),
  }),
  body: noBody,
  answer: pageOf(payeeView, 'Payee'),
  statuses: { 200: 'One page.' },
  errors: [],
  async handle({ query }, api) {
    const where = given([
      query.owner_id && sql`owner_id = ${query.owner_id}`,
      query.provider && sql`provider = ${query.provider}`,
      query.status && sql`status = ${query.status}`,
    ]);
    const page = await readPage(api.db.sql, {
      table: api.payeeTable,
      id: 'payeeId',
      where,
      page: query,
    });
    return { status: 200, body: mapPage(page, presentPayee) };
  },
});

export const payeeRoutes = [create, get, list];

function addressOf({ payeeId }: { readonly payeeId: string }): string {
  return `/v1/payees/${payeeId}`;
}
