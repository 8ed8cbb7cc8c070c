// The ledger, to be read: postings with their entries, and the trial balance.

import { z } from '@hono/zod-openapi';
import { PaymentError } from '../../domain/errors.ts';
import type { PostingId } from '../../domain/id.ts';
import { PostingEntity } from '../../entities/posting.ts';
import { postedAs } from '../booking-pages.ts';
import { endpoint, noBody, none } from '../endpoint.ts';
import { currency, time, walletId } from '../fields.ts';
import { createdQuery, isUuid, pageOf, pageQuery, readPage } from '../pages.ts';
import { pastTime } from '../past-time.ts';
import { postingView, presentPostings, readTrialBalance, trialBalanceView } from '../views/posting.ts';

const trialBalance = endpoint({
  method: 'get',
  path: '/v1/trial-balance',
  tag: 'Ledger',
  summary: 'Every kind of wallet with its sum; the total is zero',
  scope: 'read',
  params: none,
  query: z.strictObject({ currency: currency.optional(), at: time.optional() }),
  body: noBody,
  answer: trialBalanceView,
  statuses: { 200: 'The sums, now or at a time.' },
  errors: ['invalid-currency'],
  async handle({ query }, api) {
    const asked = { currency: query.currency ?? null, at: query.at ?? null };
    const at = await pastTime(query.at, api);
    const sums = await readTrialBalance(api.db.sql, asked);
    return { status: 200, body: { currency: asked.currency, at: at.toISOString(), ...sums } };
  },
});

const list = endpoint({
  method: 'get',
  path: '/v1/postings',
  tag: 'Ledger',
  summary: 'List postings, newest first',
  scope: 'read',
  params: none,
  query: z.strictObject({
    ...pageQuery,
    ...createdQuery,
    wallet_id: walletId.optional(),
    event: z
      .string()
      .regex(/^[a-z][a-z_.]{0,63}$/, 'Send an event such as "payout.succeeded".')
      .optional(),
  }),
  body: noBody,
  answer: pageOf(postingView, 'Posting'),
  statuses: { 200: 'One page.' },
  errors: [],
  async handle({ query }, api) {
    const where = postedAs(query.event, query.wallet_id);
    const page = await readPage(api.db.sql, { table: api.tables.posting, id: 'postingId', where, page: query });
    return { status: 200, body: { ...page, data: await presentPostings(page.data, api.db.sql) } };
  },
});

const get = endpoint({
  method: 'get',
  path: '/v1/postings/{posting_id}',
  tag: 'Ledger',
  summary: 'Read a posting with its entries',
  scope: 'read',
  params: z.strictObject({ posting_id: z.string().refine(isPostingId) }),
  query: none,
  body: noBody,
  answer: postingView,
  statuses: { 200: 'The posting.' },
  errors: ['not-found'],
  async handle({ params }, api) {
    const { posting_id } = params;
    const posting = isPostingId(posting_id)
      ? await api.db.em().findOne(PostingEntity, { postingId: posting_id })
      : null;
    if (posting === null) throw noSuchPosting();
    const [view] = await presentPostings([posting], api.db.sql);
    if (view === undefined) throw noSuchPosting();
    return { status: 200, body: view };
  },
});

export const ledgerRoutes = [trialBalance, list, get];

function isPostingId(text: string): text is PostingId {
  return isUuid(text);
}

function noSuchPosting(): PaymentError {
  return new PaymentError('not-found', {
    detail: 'There is no such posting. Its id stands in the entries of a wallet.',
  });
}
