// Adjustments: an operator corrects a person's wallet against equity.

import { z } from '@hono/zod-openapi';
import { PaymentError } from '../../domain/errors.ts';
import { pkidOf } from '../../domain/id.ts';
import { type Adjustment, AdjustmentEntity } from '../../entities/adjustment.ts';
import { readBookingPage } from '../booking-pages.ts';
import { endpoint, noBody, none } from '../endpoint.ts';
import { currency, personsWallet, semanticKey, signedAmount, text, walletId } from '../fields.ts';
import { intakeReply, taken } from '../intake-reply.ts';
import { createdQuery, mapPage, pageOf, pageQuery } from '../pages.ts';

const adjustmentView = z
  .object({
    semantic_key: z.string(),
    kind: z.literal('adjustment'),
    wallet_id: z.string(),
    amount: z.string(),
    currency: z.string(),
    reason: z.string(),
    posting_id: z.string(),
    actor: z.string().openapi({ description: 'The id of the API key that did it.' }),
    created_at: z.string(),
  })
  .openapi('Adjustment', {
    example: {
      semantic_key: 'adjustment-2026-0001',
      kind: 'adjustment',
      wallet_id: 'seller-42-usd',
      amount: '-1500',
      currency: 'USD',
      reason: 'Fee charged twice',
      posting_id: '0b7c3f0e-6a6e-5a43-9c0a-0d3c1f7a9b11',
      actor: 'c9b6f0a2-0d7e-4a8c-9a37-6c1f7a9b1122',
      created_at: '2026-01-31T12:00:00.000Z',
    },
  });

const create = endpoint({
  method: 'post',
  path: '/v1/adjustments',
  tag: 'Ledger',
  summary: 'Correct a wallet',
  scope: 'operate',
  params: none,
  query: none,
  body: z
    .strictObject({ semantic_key: semanticKey, wallet_id: personsWallet, amount: signedAmount, currency, reason: text })
    .openapi('NewAdjustment'),
  isNamed: true,
  answer: adjustmentView,
  statuses: { 201: 'Booked.', 200: 'A replay: the adjustment as it was booked.' },
  errors: [
    'not-found',
    'invalid-amount',
    'invalid-currency',
    'wallet-not-allowed',
    'insufficient-funds',
    'limit-exceeded',
  ],
  async handle({ body, caller }, api) {
    const { row, isReplayed } = taken(
      await api.adjustmentLife.request({
        semanticKey: body.semantic_key,
        walletId: body.wallet_id,
        amountMinor: body.amount,
        currency: body.currency,
        reason: body.reason,
        actor: caller.keyId,
      }),
      addressOf,
    );
    return intakeReply({ isReplayed, created: 201, location: addressOf(row), body: present(row) });
  },
});

const get = endpoint({
  method: 'get',
  path: '/v1/adjustments/{semantic_key}',
  tag: 'Ledger',
  summary: 'Read an adjustment',
  scope: 'read',
  params: z.strictObject({ semantic_key: semanticKey }),
  query: none,
  body: noBody,
  answer: adjustmentView,
  statuses: { 200: 'The adjustment as it was booked.' },
  errors: ['not-found'],
  async handle({ params }, api) {
    const row = await api.db.em().findOne(AdjustmentEntity, { pkid: pkidOf('adjustment', params.semantic_key) });
    if (row === null) throw new PaymentError('not-found', { detail: 'There is no such adjustment. Check the key.' });
    return { status: 200, body: present(row) };
  },
});

const list = endpoint({
  method: 'get',
  path: '/v1/adjustments',
  tag: 'Ledger',
  summary: 'List adjustments, newest first',
  scope: 'read',
  params: none,
  query: z.strictObject({ ...pageQuery, ...createdQuery, wallet_id: walletId.optional() }),
  body: noBody,
  answer: pageOf(adjustmentView, 'Adjustment'),
  statuses: { 200: 'One page.' },
  errors: [],
  async handle({ query }, api) {
    const page = await readBookingPage(api.db.sql, {
      bookings: api.tables.adjustment,
      postings: api.tables.posting,
      event: 'adjustment',
      walletId: query.wallet_id,
      page: query,
    });
    return { status: 200, body: mapPage(page, present) };
  },
});

export const adjustmentRoutes = [create, get, list];

function present(row: Adjustment): z.input<typeof adjustmentView> {
  return {
    semantic_key: row.semanticKey,
    kind: 'adjustment',
    wallet_id: row.walletId,
    amount: row.amountMinor.toString(),
    currency: row.currency,
    reason: row.reason,
    posting_id: row.postingId,
    actor: row.actor,
    created_at: row.createdAt.toISOString(),
  };
}

function addressOf({ semanticKey: key }: { readonly semanticKey: string }): string {
  return `/v1/adjustments/${key}`;
}
