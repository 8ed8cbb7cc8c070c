// Treasury: an operator books money on its way between a provider and our bank.

import { z } from '@hono/zod-openapi';
import { PaymentError } from '../../domain/errors.ts';
import { pkidOf } from '../../domain/id.ts';
import { type Treasury, TreasuryEntity } from '../../entities/treasury.ts';
import { readBookingPage } from '../booking-pages.ts';
import { endpoint, noBody, none } from '../endpoint.ts';
import { amount, currency, semanticKey, text, walletId } from '../fields.ts';
import { intakeReply, taken } from '../intake-reply.ts';
import { createdQuery, mapPage, pageOf, pageQuery } from '../pages.ts';

const treasuryView = z
  .object({
    semantic_key: z.string(),
    kind: z.literal('treasury'),
    from: z.string(),
    to: z.string(),
    amount: z.string(),
    currency: z.string(),
    reference: z.string(),
    posting_id: z.string(),
    actor: z.string().openapi({ description: 'The id of the API key that did it.' }),
    created_at: z.string(),
  })
  .openapi('Treasury', {
    example: {
      semantic_key: 'treasury-2026-0001',
      kind: 'treasury',
      from: '@provider:stripe:USD',
      to: '@bank:USD',
      amount: '100000',
      currency: 'USD',
      reference: 'Statement 7, line 3',
      posting_id: '0b7c3f0e-6a6e-5a43-9c0a-0d3c1f7a9b11',
      actor: 'c9b6f0a2-0d7e-4a8c-9a37-6c1f7a9b1122',
      created_at: '2026-01-31T12:00:00.000Z',
    },
  });

const side = walletId.openapi({ example: '@provider:stripe:USD' });

const create = endpoint({
  method: 'post',
  path: '/v1/treasury',
  tag: 'Ledger',
  summary: 'Book money between a provider and the bank',
  scope: 'operate',
  params: none,
  query: none,
  body: z
    .strictObject({
      semantic_key: semanticKey,
      from: side,
      to: side.openapi({ example: '@bank:USD' }),
      amount,
      currency,
      reference: text,
    })
    .openapi('NewTreasury'),
  isNamed: true,
  answer: treasuryView,
  statuses: { 201: 'Booked.', 200: 'A replay: the movement as it was booked.' },
  errors: ['not-found', 'invalid-amount', 'invalid-currency', 'wallet-not-allowed', 'same-wallet', 'limit-exceeded'],
  async handle({ body, caller }, api) {
    const { row, isReplayed } = taken(
      await api.treasuryLife.request({
        semanticKey: body.semantic_key,
        fromWallet: body.from,
        toWallet: body.to,
        amountMinor: body.amount,
        currency: body.currency,
        reference: body.reference,
        actor: caller.keyId,
      }),
      addressOf,
    );
    return intakeReply({ isReplayed, created: 201, location: addressOf(row), body: present(row) });
  },
});

const get = endpoint({
  method: 'get',
  path: '/v1/treasury/{semantic_key}',
  tag: 'Ledger',
  summary: 'Read a treasury movement',
  scope: 'read',
  params: z.strictObject({ semantic_key: semanticKey }),
  query: none,
  body: noBody,
  answer: treasuryView,
  statuses: { 200: 'The movement as it was booked.' },
  errors: ['not-found'],
  async handle({ params }, api) {
    const row = await api.db.em().findOne(TreasuryEntity, { pkid: pkidOf('treasury', params.semantic_key) });
    if (row === null) throw new PaymentError('not-found', { detail: 'There is no such movement. Check the key.' });
    return { status: 200, body: present(row) };
  },
});

const list = endpoint({
  method: 'get',
  path: '/v1/treasury',
  tag: 'Ledger',
  summary: 'List treasury movements, newest first',
  scope: 'read',
  params: none,
  query: z.strictObject({ ...pageQuery, ...createdQuery, wallet_id: walletId.optional() }),
  body: noBody,
  answer: pageOf(treasuryView, 'Treasury'),
  statuses: { 200: 'One page.' },
  errors: [],
  async handle({ query }, api) {
    const page = await readBookingPage(api.db.sql, {
      bookings: api.tables.treasury,
      postings: api.tables.posting,
      event: 'treasury',
      walletId: query.wallet_id,
      page: query,
    });
    return { status: 200, body: mapPage(page, present) };
  },
});

export const treasuryRoutes = [create, get, list];

function present(row: Treasury): z.input<typeof treasuryView> {
  return {
    semantic_key: row.semanticKey,
    kind: 'treasury',
    from: row.fromWallet,
    to: row.toWallet,
    amount: row.amountMinor.toString(),
    currency: row.currency,
    reference: row.reference,
    posting_id: row.postingId,
    actor: row.actor,
    created_at: row.createdAt.toISOString(),
  };
}

function addressOf({ semanticKey: key }: { readonly semanticKey: string }): string {
  return `/v1/treasury/${key}`;
}
