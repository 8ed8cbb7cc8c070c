// Disputes: what buyers' banks took back. They are made by provider events, and only read here.

import { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import { PaymentError } from '../../domain/errors.ts';
import { pkidOf } from '../../domain/id.ts';
import { DISPUTE_STATUSES } from '../../domain/provider.ts';
import { endpoint, noBody, none } from '../endpoint.ts';
import { filterId, filterProvider, semanticKey } from '../fields.ts';
import { createdQuery, given, pageOf, pageQuery, readPage } from '../pages.ts';
import { disputeView, presentDisputes } from '../views/dispute.ts';

/** The provider's name, and its own id. */
const DISPUTE_ID = /^[a-z]+:[\x21-\x7e]{1,255}$/;

const disputeId = z
  .string()
  .regex(DISPUTE_ID, 'Send the id of a dispute, such as "stripe:dp_1".')
  .openapi({ description: 'The provider and its own id of the dispute.', example: 'stripe:dp_1' });

const get = endpoint({
  method: 'get',
  path: '/v1/disputes/{dispute_id}',
  tag: 'Disputes',
  summary: 'Read a dispute',
  scope: 'read',
  params: z.strictObject({ dispute_id: disputeId }),
  query: none,
  body: noBody,
  answer: disputeView,
  statuses: { 200: 'The dispute as it is now.' },
  errors: ['not-found'],
  async handle({ params }, api) {
    const where = [sql`dispute_id = ${params.dispute_id}`];
    const page = await readPage(api.db.sql, { table: api.tables.dispute, id: 'disputeId', where, page: { limit: 1 } });
    const [view] = await presentDisputes(page.data, api.db.sql);
    if (view === undefined) throw new PaymentError('not-found', { detail: 'There is no such dispute. Check the id.' });
    return { status: 200, body: view };
  },
});

const list = endpoint({
  method: 'get',
  path: '/v1/disputes',
  tag: 'Disputes',
  summary: 'List disputes, newest first',
  scope: 'read',
  params: none,
  query: z.strictObject({
    ...pageQuery,
    ...createdQuery,
    status: z.enum(DISPUTE_STATUSES).optional(),
    provider: filterProvider.optional(),
    payin: semanticKey.optional(),
    checkout_id: filterId.optional(),
    order_id: filterId.optional(),
    seller_id: filterId.optional(),
  }),
  body: noBody,
  answer: pageOf(disputeView, 'Dispute'),
  statuses: { 200: 'One page.' },
  errors: [],
  async handle({ query }, api) {
    const where = given([
      query.status && sql`status = ${query.status}`,
      query.provider && sql`provider = ${query.provider}`,
      query.payin && sql`payin_pkid = ${pkidOf('payin', query.payin)}::uuid`,
      query.checkout_id && sql`payin_pkid IN (SELECT p.pkid FROM payin p WHERE p.checkout_id = ${query.checkout_id})`,
      query.order_id && takenFrom(sql`o.order_id = ${query.order_id}`),
      query.seller_id && takenFrom(sql`o.seller_id = ${query.seller_id}`),
    ]);
    const page = await readPage(api.db.sql, { table: api.tables.dispute, id: 'disputeId', where, page: query });
    return { status: 200, body: { ...page, data: await presentDisputes(page.data, api.db.sql) } };
  },
});

export const disputeRoutes = [get, list];

/** One dispute may take from several orders. */
function takenFrom(order: ReturnType<typeof sql>) {
  return sql`EXISTS (
    SELECT FROM jsonb_array_elements(parts) part JOIN seller_order o ON o.pkid = (part->>'orderPkid')::uuid
    WHERE ${order})`;
}
