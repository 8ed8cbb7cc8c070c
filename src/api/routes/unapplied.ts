// Unapplied money: what came in and fits nothing. An operator says to which wallet it belongs, or sends it back.

import { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import { isPlatformWalletId } from '../../domain/chart.ts';
import { PaymentError } from '../../domain/errors.ts';
import type { Unapplied } from '../../entities/unapplied.ts';
import type { Api } from '../context.ts';
import { endpoint, noBody, none } from '../endpoint.ts';
import { currency, filterProvider, text, walletId } from '../fields.ts';
import { createdQuery, given, pageOf, pageQuery, readPageBy } from '../pages.ts';
import {
  presentUnapplied,
  UNAPPLIED_STATUSES,
  type UnappliedView,
  unappliedStatusSql,
  unappliedView,
} from '../views/unapplied.ts';

const params = z.strictObject({ unapplied_id: z.uuid() });

const get = endpoint({
  method: 'get',
  path: '/v1/unapplied/{unapplied_id}',
  tag: 'Operations',
  summary: 'Read money that fits nothing',
  scope: 'read',
  params,
  query: none,
  body: noBody,
  answer: unappliedView,
  statuses: { 200: 'As it stands now.' },
  errors: ['not-found'],
  async handle(request, api) {
    return { status: 200, body: await viewOf(await api.unapplied.find(request.params.unapplied_id), api) };
  },
});

const list = endpoint({
  method: 'get',
  path: '/v1/unapplied',
  tag: 'Operations',
  summary: 'List money that fits nothing, newest first',
  scope: 'read',
  params: none,
  query: z.strictObject({
    ...pageQuery,
    ...createdQuery,
    status: z.enum(UNAPPLIED_STATUSES).optional(),
    provider: filterProvider.optional(),
    currency: currency.optional(),
  }),
  body: noBody,
  answer: pageOf(unappliedView, 'Unapplied'),
  statuses: { 200: 'One page, what is resolved included.' },
  errors: ['invalid-currency'],
  async handle({ query }, api) {
    const where = given([
      query.status && sql`${unappliedStatusSql} = ${query.status}`,
      query.provider && sql`provider = ${query.provider}`,
      query.currency && sql`currency = ${query.currency}`,
    ]);
    const time = { at: sql.ref('opened_at'), of: (row: Unapplied) => row.openedAt };
    const page = await readPageBy(api.db.sql, {
      table: api.tables.unapplied,
      id: 'unappliedId',
      where,
      page: query,
      time,
    });
    return { status: 200, body: { ...page, data: await presentUnapplied(page.data, api.db.sql) } };
  },
});

const resolve = endpoint({
  method: 'post',
  path: '/v1/unapplied/{unapplied_id}/resolve',
  tag: 'Operations',
  summary: 'Say where the money belongs',
  scope: 'operate',
  params,
  query: none,
  body: z
    .strictObject({
      apply_to: walletId.optional().openapi({ description: "The person's wallet that gets it." }),
      refund: z.literal(true, 'Send true, or leave it out.').optional().openapi({
        description: 'Sends it back to its payer.',
      }),
      reason: text,
    })
    .superRefine(({ apply_to, refund }, ctx) => {
      if ((apply_to === undefined) !== (refund === undefined)) return;
      ctx.addIssue({ code: 'custom', path: ['apply_to'], message: 'Send either apply_to or refund: true.' });
    })
    .openapi('UnappliedResolution'),
  answer: unappliedView,
  statuses: { 200: 'The wallet has it.', 202: 'A refund sends it back to its payer.' },
  errors: ['not-found', 'wallet-not-allowed', 'invalid-currency', 'invalid-state', 'provider-not-able'],
  async handle({ params: named, body, caller }, api) {
    const applyTo = body.apply_to ?? null;
    if (applyTo !== null) refusePlatformWallets(applyTo);
    const resolution = { applyTo, reason: body.reason, actor: caller.keyId };
    const view = await viewOf(await api.unapplied.resolve(named.unapplied_id, resolution), api);
    if (view.refund === null) return { status: 200, body: view };
    return { status: 202, location: `/v1/refunds/${view.refund}`, body: view };
  },
});

export const unappliedRoutes = [get, list, resolve];

/** Pending money leaves by its order only, so what belongs to no order must not become pending. */
function refusePlatformWallets(id: string): void {
  if (!isPlatformWalletId(id)) return;
  throw new PaymentError('wallet-not-allowed', {
    detail: `"${id}" cannot get this money. Name a person's wallet, such as the seller's.`,
  });
}

async function viewOf(row: Unapplied, api: Api): Promise<UnappliedView> {
  const [view] = await presentUnapplied([row], api.db.sql);
  if (view === undefined) throw new TypeError('One in, one out.');
  return view;
}
