// Transfers: money from one person's wallet to another's.

import { z } from '@hono/zod-openapi';
import { PaymentError } from '../../domain/errors.ts';
import { pkidOf } from '../../domain/id.ts';
import { isFinal } from '../../domain/state-machine.ts';
import { endedTransfer, type Transfer } from '../../domain/transfer.ts';
import { batchItems, batchView, takeBatch } from '../batch.ts';
import type { Api } from '../context.ts';
import { endpoint, noBody, none } from '../endpoint.ts';
import { amount, currency, metadata, personsWallet, semanticKey, status, wait, walletId } from '../fields.ts';
import { intakeReply, taken } from '../intake-reply.ts';
import { createdQuery, mapPage, pageOf, pageQuery } from '../pages.ts';
import { readTransferPage } from '../transfer-pages.ts';
import { parseItem } from '../validation.ts';
import { presentTransfer, transferView } from '../views/transfer.ts';

const transferBody = z
  .strictObject({
    semantic_key: semanticKey,
    from_wallet: personsWallet,
    to_wallet: personsWallet.openapi({ example: 'buyer-9' }),
    amount,
    currency,
    metadata,
  })
  .openapi('NewTransfer');

const REQUEST_ERRORS = [
  'not-found',
  'invalid-amount',
  'invalid-currency',
  'same-wallet',
  'wallet-not-allowed',
] as const;

const create = endpoint({
  method: 'post',
  path: '/v1/transfers',
  tag: 'Transfers',
  summary: 'Move money between two wallets',
  scope: 'write',
  params: none,
  query: z.strictObject({ wait }),
  body: transferBody,
  isNamed: true,
  answer: transferView,
  statuses: { 202: 'Accepted; it is done at once or ends as failed.', 200: 'A replay: the transfer as it is now.' },
  errors: [...REQUEST_ERRORS],
  async handle({ body, query, traceparent }, api) {
    const { row, isReplayed } = taken(await api.transfers.request(requestOf(body, traceparent)), addressOf);
    const transfer = await waited(row, query.wait, api);
    return intakeReply({ isReplayed, created: 202, location: addressOf(row), body: presentTransfer(transfer) });
  },
});

const createMany = endpoint({
  method: 'post',
  path: '/v1/transfers/batch',
  tag: 'Transfers',
  summary: 'Take up to 1,000 transfers, each on its own',
  scope: 'write',
  params: none,
  query: none,
  body: z.strictObject({ transfers: batchItems('NewTransfer') }).openapi('TransferBatch'),
  batchOf: 'transfers',
  answer: batchView,
  statuses: { 202: 'One result for each item, in order.' },
  errors: [],
  async handle({ body, requestId, traceparent }, api) {
    const results = await takeBatch(body.transfers, {
      requestId,
      log: api.log,
      async take(item) {
        const request = requestOf(parseItem(transferBody, item), traceparent);
        return taken(await api.transfers.request(request), addressOf).row;
      },
    });
    return { status: 202, body: results };
  },
});

const get = endpoint({
  method: 'get',
  path: '/v1/transfers/{semantic_key}',
  tag: 'Transfers',
  summary: 'Read a transfer',
  scope: 'read',
  params: z.strictObject({ semantic_key: semanticKey }),
  query: z.strictObject({ wait }),
  body: noBody,
  answer: transferView,
  statuses: { 200: 'The transfer as it is now, or as it is when the wait ends.' },
  errors: ['not-found'],
  async handle({ params, query }, api) {
    const transfer = await findTransfer(params.semantic_key, api);
    return { status: 200, body: presentTransfer(await waited(transfer, query.wait, api)) };
  },
});

const list = endpoint({
  method: 'get',
  path: '/v1/transfers',
  tag: 'Transfers',
  summary: 'List transfers, newest first',
  scope: 'read',
  params: none,
  query: z.strictObject({ ...pageQuery, ...createdQuery, status: status.optional(), wallet_id: walletId.optional() }),
  body: noBody,
  answer: pageOf(transferView, 'Transfer'),
  statuses: { 200: 'One page.' },
  errors: [],
  async handle({ query }, api) {
    const { status: asked, wallet_id: id } = query;
    const filters = { status: asked, walletId: id, page: query };
    const page = await readTransferPage(api.db.sql, { table: api.tables.transfer, ...filters });
    return { status: 200, body: mapPage(page, presentTransfer) };
  },
});

export const transferRoutes = [create, createMany, get, list];

function requestOf(body: z.output<typeof transferBody>, traceparent: string | null) {
  return {
    semanticKey: body.semantic_key,
    fromWallet: body.from_wallet,
    toWallet: body.to_wallet,
    amountMinor: body.amount,
    currency: body.currency,
    metadata: body.metadata,
    traceparent,
  };
}

export async function findTransfer(key: string, api: Api): Promise<Transfer> {
  const transfer = await api.transfers.find(pkidOf('transfer', key));
  if (transfer === null) throw new PaymentError('not-found', { detail: 'There is no such transfer. Check the key.' });
  return transfer;
}

/** The row when it is final or the wait is over. */
async function waited(transfer: Transfer, waitMs: number | undefined, api: Api): Promise<Transfer> {
  if (waitMs === undefined || isFinal(transfer.status)) return transfer;
  const end = await api.waiter.wait({ kind: 'transfer', pkid: transfer.pkid }, waitMs);
  return end === null ? findTransfer(transfer.semanticKey, api) : endedTransfer(transfer, end);
}

function addressOf({ semanticKey: key }: { readonly semanticKey: string }): string {
  return `/v1/transfers/${key}`;
}
