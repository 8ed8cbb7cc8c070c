// Discrepancies: named differences between our books and the outside, closed by a person with a reason, and kept.

import { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import { OPERATION_KINDS } from '../../domain/id.ts';
import type { Discrepancy } from '../../entities/discrepancy.ts';
import { closeDiscrepancy, findDiscrepancy } from '../../jobs/discrepancy.ts';
import { endpoint, noBody, none } from '../endpoint.ts';
import { externPaymentId, filterProvider, text } from '../fields.ts';
import { createdQuery, given, mapPage, pageOf, pageQuery, readPageBy } from '../pages.ts';

const DISCREPANCY_STATUSES = ['open', 'closed'] as const;
const params = z.strictObject({ discrepancy_id: z.uuid() });

const discrepancyView = z
  .object({
    discrepancy_id: z.string(),
    status: z.enum(DISCREPANCY_STATUSES),
    reason: z.string().openapi({ description: 'Which difference; the runbook has a row for each.' }),
    provider: z.string().nullable(),
    kind: z.enum(OPERATION_KINDS).nullable().openapi({ description: 'Of our operation, where one matches.' }),
    semantic_key: z.string().nullable(),
    pkid: z.string().nullable(),
    extern_payment_id: z.string().nullable(),
    amount: z.string().nullable(),
    currency: z.string().nullable(),
    detail: z.string(),
    opened_at: z.string(),
    closed_at: z.string().nullable(),
    closed_by: z.string().nullable().openapi({ description: 'The id of the API key, or what closed it by itself.' }),
    closed_reason: z.string().nullable(),
  })
  .openapi('Discrepancy', {
    example: {
      discrepancy_id: '3e0b9a57-6a6e-5a43-9c0a-0d3c1f7a9b11',
      status: 'closed',
      reason: 'paid_but_failed',
      provider: 'stripe',
      kind: 'payout',
      semantic_key: 'payout-2026-0001',
      pkid: '984d111e-edde-5b38-b1ca-7a1749b2bca4',
      extern_payment_id: 'tr_1',
      amount: '1500',
      currency: 'USD',
      detail: 'The provider shows it as paid.',
      opened_at: '2026-01-31T12:00:00.000Z',
      closed_at: '2026-01-31T15:00:00.000Z',
      closed_by: 'c9b6f0a2-0d7e-4a8c-9a37-6c1f7a9b1122',
      closed_reason: 'Reversed at the provider, ticket 4711',
    },
  });

const get = endpoint({
  method: 'get',
  path: '/v1/discrepancies/{discrepancy_id}',
  tag: 'Operations',
  summary: 'Read a discrepancy, also a closed one',
  scope: 'read',
  params,
  query: none,
  body: noBody,
  answer: discrepancyView,
  statuses: { 200: 'As it stands now.' },
  errors: ['not-found'],
  async handle(request, api) {
    const discrepancy = await findDiscrepancy(api.db, request.params.discrepancy_id);
    return { status: 200, body: presentDiscrepancy(discrepancy) };
  },
});

const list = endpoint({
  method: 'get',
  path: '/v1/discrepancies',
  tag: 'Operations',
  summary: 'List discrepancies, newest first',
  scope: 'read',
  params: none,
  query: z.strictObject({
    ...pageQuery,
    ...createdQuery,
    status: z.enum(DISCREPANCY_STATUSES).optional(),
    provider: filterProvider.optional(),
    extern_payment_id: externPaymentId.optional(),
  }),
  body: noBody,
  answer: pageOf(discrepancyView, 'Discrepancy'),
  statuses: { 200: 'One page, closed ones included.' },
  errors: [],
  async handle({ query }, api) {
    const where = given([
      query.status === 'open' && sql`closed_at IS NULL`,
      query.status === 'closed' && sql`closed_at IS NOT NULL`,
      query.provider && sql`provider = ${query.provider}`,
      query.extern_payment_id && sql`extern_payment_id = ${query.extern_payment_id}`,
    ]);
    const time = { at: sql`date_trunc('milliseconds', opened_at)`, of: (row: Discrepancy) => row.openedAt };
    const { discrepancy: table } = api.tables;
    const page = await readPageBy(api.db.sql, { table, id: 'discrepancyId', where, page: query, time });
    return { status: 200, body: mapPage(page, presentDiscrepancy) };
  },
});

const close = endpoint({
  method: 'post',
  path: '/v1/discrepancies/{discrepancy_id}/resolve',
  tag: 'Operations',
  summary: 'Close a discrepancy that a person has looked into',
  scope: 'operate',
  params,
  query: none,
  body: z.strictObject({ reason: text }).openapi('DiscrepancyResolution'),
  answer: discrepancyView,
  statuses: { 200: 'It is closed. No money was moved by this.' },
  errors: ['not-found', 'invalid-state'],
  async handle({ params: named, body, caller }, api) {
    const closing = { discrepancyId: named.discrepancy_id, reason: body.reason, actor: caller.keyId };
    return { status: 200, body: presentDiscrepancy(await closeDiscrepancy(api.db, closing)) };
  },
});

function presentDiscrepancy(discrepancy: Discrepancy): z.input<typeof discrepancyView> {
  return {
    discrepancy_id: discrepancy.discrepancyId,
    status: discrepancy.closedAt ? 'closed' : 'open',
    reason: discrepancy.reason,
    provider: discrepancy.provider ?? null,
    kind: discrepancy.operationKind ?? null,
    semantic_key: discrepancy.semanticKey ?? null,
    pkid: discrepancy.pkid ?? null,
    extern_payment_id: discrepancy.externPaymentId ?? null,
    amount: discrepancy.amountMinor?.toString() ?? null,
    currency: discrepancy.currency ?? null,
    detail: discrepancy.detail,
    opened_at: discrepancy.openedAt.toISOString(),
    closed_at: discrepancy.closedAt?.toISOString() ?? null,
    closed_by: discrepancy.closedBy ?? null,
    closed_reason: discrepancy.closedReason ?? null,
  };
}

export const discrepancyRoutes = [get, list, close];
