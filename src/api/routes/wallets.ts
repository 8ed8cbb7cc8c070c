// Wallets: making and reading them, with their entries and their balance at a time.

import { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import { PaymentError } from '../../domain/errors.ts';
import type { Api } from '../context.ts';
import { endpoint, noBody, none } from '../endpoint.ts';
import { chosenId, currency, metadata, time, walletId } from '../fields.ts';
import { intakeReply, taken } from '../intake-reply.ts';
import { createdQuery, cut, given, mapPage, pageOf, pageQuery } from '../pages.ts';
import { pastTime } from '../past-time.ts';
import { balanceView, entryView, readBalanceAt, readEntries } from '../views/entry.ts';
import { presentWallet, readWallets, WALLET_KINDS, type WalletView, walletView } from '../views/wallet.ts';

const params = z.strictObject({ wallet_id: walletId });

const create = endpoint({
  method: 'post',
  path: '/v1/wallets',
  tag: 'Wallets',
  summary: "Make a seller's or a buyer's wallet",
  scope: 'write',
  params: none,
  query: none,
  body: z
    .strictObject({
      wallet_id: chosenId('the id of a new wallet'),
      owner_id: chosenId('the id of an owner'),
      kind: z.enum(['seller', 'buyer']),
      currency,
      metadata,
    })
    .openapi('NewWallet'),
  answer: walletView,
  statuses: { 201: 'Made.', 200: 'A replay: the wallet as it is now.' },
  errors: ['invalid-currency', 'wallet-not-allowed', 'key-reused', 'invalid-state'],
  async handle({ body }, api) {
    const { row, isReplayed } = taken(
      await api.walletLife.request({
        walletId: body.wallet_id,
        ownerId: body.owner_id,
        kind: body.kind,
        currency: body.currency,
        metadata: body.metadata,
      }),
      addressOf,
    );
    return intakeReply({ isReplayed, created: 201, location: addressOf(row), body: await readOne(row.walletId, api) });
  },
});

const get = endpoint({
  method: 'get',
  path: '/v1/wallets/{wallet_id}',
  tag: 'Wallets',
  summary: 'Read a wallet',
  scope: 'read',
  params,
  query: none,
  body: noBody,
  answer: walletView,
  statuses: { 200: 'The wallet as it is now.' },
  errors: ['not-found'],
  async handle(request, api) {
    return { status: 200, body: await readOne(request.params.wallet_id, api) };
  },
});

const list = endpoint({
  method: 'get',
  path: '/v1/wallets',
  tag: 'Wallets',
  summary: 'List wallets, newest first',
  scope: 'read',
  params: none,
  query: z.strictObject({
    ...pageQuery,
    ...createdQuery,
    // The owners of platform wallets begin with "@" too.
    owner_id: walletId.optional(),
    kind: z.enum(WALLET_KINDS).optional(),
    currency: currency.optional(),
  }),
  body: noBody,
  answer: pageOf(walletView, 'Wallet'),
  statuses: { 200: 'One page.' },
  errors: ['invalid-currency'],
  async handle({ query }, api) {
    const where = given([
      query.owner_id && sql`w.owner_id = ${query.owner_id}`,
      query.kind && sql`w.kind = ${query.kind}`,
      query.currency && sql`w.currency = ${query.currency}`,
    ]);
    const rows = await readWallets(api.db.sql, { table: api.walletTable, where, page: query });
    const page = cut(rows, query.limit, ({ wallet }) => ({ at: wallet.createdAt.toISOString(), id: wallet.walletId }));
    return { status: 200, body: mapPage(page, presentWallet) };
  },
});

const entries = endpoint({
  method: 'get',
  path: '/v1/wallets/{wallet_id}/entries',
  tag: 'Wallets',
  summary: 'A statement of account, newest first',
  scope: 'read',
  params,
  query: z.strictObject({ ...pageQuery, ...createdQuery }),
  body: noBody,
  answer: pageOf(entryView, 'Entry'),
  statuses: { 200: 'One page.' },
  errors: ['not-found'],
  async handle(request, api) {
    const { wallet_id } = request.params;
    await requireWallet(wallet_id, api);
    return { status: 200, body: await readEntries(api.db.sql, { walletId: wallet_id, page: request.query }) };
  },
});

const balance = endpoint({
  method: 'get',
  path: '/v1/wallets/{wallet_id}/balance',
  tag: 'Wallets',
  summary: 'The balance at a time',
  scope: 'read',
  params,
  query: z.strictObject({ at: time.optional() }),
  body: noBody,
  answer: balanceView,
  statuses: { 200: 'The balance then; without `at`, now.' },
  errors: ['not-found'],
  async handle(request, api) {
    const wallet = await requireWallet(request.params.wallet_id, api);
    const at = await pastTime(request.query.at, api);
    return { status: 200, body: await readBalanceAt(api.db.sql, { wallet, at }) };
  },
});

export const walletRoutes = [create, list, get, entries, balance];

async function readOne(id: string, api: Api): Promise<WalletView> {
  const [found] = await readWallets(api.db.sql, {
    table: api.walletTable,
    where: [sql`w.wallet_id = ${id}`],
    page: { limit: 1 },
  });
  if (found === undefined) throw noSuchWallet();
  return presentWallet(found);
}

async function requireWallet(id: string, api: Api) {
  const wallet = await api.wallets.find(id);
  if (wallet === null) throw noSuchWallet();
  return wallet;
}

function noSuchWallet(): PaymentError {
  return new PaymentError('not-found', { detail: 'There is no such wallet. Check the id, or list GET /v1/wallets.' });
}

function addressOf({ walletId: id }: { readonly walletId: string }): string {
  return `/v1/wallets/${id}`;
}
