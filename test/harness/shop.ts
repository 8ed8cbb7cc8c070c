// A shop for tests: sellers, buyers, checkouts and what happens to them, on a whole remit without its HTTP.

import { sql } from 'kysely';
import { expect } from 'vitest';
import type { App } from '../../src/app.ts';
import { debtWalletId, pendingWalletId } from '../../src/domain/chart.ts';
import type { Pkid } from '../../src/domain/id.ts';
import { type Currency, parseCurrency } from '../../src/domain/money.ts';
import type { Payin } from '../../src/domain/payin.ts';
import type { ProviderName } from '../../src/domain/provider.ts';
import type { Refund, RefundDestination } from '../../src/domain/refund.ts';
import { isFinal } from '../../src/domain/state-machine.ts';
import type { Intake } from '../../src/ledger/step.ts';
import type { Sandbox } from '../../src/sandbox/server.ts';
import { type RemitOptions, startRemit } from './app.ts';
import { until } from './until.ts';

export interface OrderOf {
  readonly seller: string;
  readonly amountMinor: bigint;
  readonly feeMinor: bigint;
}

interface CheckoutOf {
  readonly provider?: ProviderName;
  readonly token?: string;
  readonly currency?: string;
  readonly orders: readonly OrderOf[];
}

export type Shop = Awaited<ReturnType<typeof openShop>>;

const USD = 'USD';

export async function openShop(env: Record<string, string> = {}, options: RemitOptions = {}) {
  const remit = await startRemit(env, options);
  const { app, sandbox } = remit;

  async function wallet(walletId: string, kind: 'seller' | 'buyer', currency: string): Promise<string> {
    await sql`INSERT INTO wallet (wallet_id, owner_id, kind, currency, created_at)
      VALUES (${walletId}, ${walletId}, ${kind}, ${currency}, now()) ON CONFLICT DO NOTHING`.execute(app.db.sql);
    return walletId;
  }

  async function posted(walletId: string, what: 'posted' | 'posted - held' = 'posted'): Promise<bigint> {
    const { rows } = await sql<{ amount: string }>`
      SELECT (${sql.raw(what)})::text AS amount FROM wallet WHERE wallet_id = ${walletId}`.execute(app.db.sql);
    return BigInt(rows[0]?.amount ?? '0');
  }

  async function tryPay(
    checkoutId: string,
    key: string,
    { token, expiresInMs }: { token?: string; expiresInMs?: number } = {},
  ): Promise<Intake<Payin>> {
    const checkout = await app.checkouts.find(checkoutId);
    if (checkout === null) throw new Error(`There is no checkout ${checkoutId}.`);
    const paymentInfo = token === undefined ? null : { provider: checkout.paymentInfo.provider, token };
    return app.checkouts.pay(checkoutId, {
      semanticKey: key,
      paymentInfo,
      returnUrl: 'https://shop.example/back',
      cancelUrl: 'https://shop.example/cancel',
      statementDescriptor: null,
      buyer: null,
      expiresAt: expiresInMs === undefined ? null : new Date(Date.now() + expiresInMs),
      metadata: {},
      traceparent: null,
      confirm: true,
    });
  }

  async function untilFound<Row>(find: () => Promise<Row | null>, holds: (row: Row) => boolean): Promise<Row> {
    const found = await until(find, (row) => row !== null && holds(row));
    if (found === null) throw new Error('Nothing was found.');
    return found;
  }

  const settledPayin = (pkid: Pkid) =>
    untilFound<Payin>(
      () => app.payins.find(pkid),
      ({ status }) => isFinal(status),
    );
  const settledRefund = (pkid: Pkid) =>
    untilFound<Refund>(
      () => app.refunds.find(pkid),
      ({ status }) => isFinal(status),
    );

  async function requestRefund(
    orderId: string,
    amountMinor: bigint,
    { key, destination = 'payer' }: { key?: string; destination?: RefundDestination } = {},
  ): Promise<Pkid> {
    const semanticKey = key ?? `refund-${orderId}-${amountMinor}`;
    const request = { semanticKey, orderId, amountMinor, destination, reason: null, metadata: {}, traceparent: null };
    return (await app.refunds.request(request)).row.pkid;
  }

  const shop = {
    remit,
    app,
    book: () => sandbox.book(),

    async sellers(name: string, count: number, currency: string): Promise<[string, string, string]> {
      const [one = '', two = '', three = ''] = await Promise.all(
        Array.from({ length: count }, (_, index) => wallet(`${name}-seller-${index + 1}`, 'seller', currency)),
      );
      return [one, two, three];
    },

    async checkout(
      checkoutId: string,
      { provider = 'stripe', token = 'tok_ok_1', currency = USD, orders }: CheckoutOf,
    ) {
      await app.checkouts.request({
        checkoutId,
        buyerId: `${checkoutId}-buyer`,
        currency: parseCurrency(currency),
        provider,
        token,
        orders: orders.map(({ seller, amountMinor, feeMinor }, index) => ({
          orderId: `${checkoutId}-${index + 1}`,
          sellerId: seller,
          amountMinor,
          feeMinor,
        })),
        metadata: {},
      });
    },

    /** A checkout of one order of 50.00. */
    async oneOrder(checkoutId: string, of: Omit<CheckoutOf, 'orders'> = {}): Promise<string> {
      const seller = await wallet(`${checkoutId}-seller`, 'seller', of.currency ?? USD);
      await shop.checkout(checkoutId, { ...of, orders: [{ seller, amountMinor: 5_000n, feeMinor: 500n }] });
      return seller;
    },

    /** The same, of any amount, and paid. Returns the seller's wallet. */
    async paidOrder(
      checkoutId: string,
      of: { amountMinor: bigint; feeMinor: bigint; seller?: string; token?: string; provider?: ProviderName },
    ): Promise<string> {
      const seller = of.seller ?? (await wallet(`${checkoutId}-seller`, 'seller', USD));
      const { amountMinor, feeMinor, ...rest } = of;
      await shop.checkout(checkoutId, { ...rest, orders: [{ seller, amountMinor, feeMinor }] });
      expect(await shop.pay(checkoutId)).toMatchObject({ status: 'succeeded' });
      return seller;
    },

    tryPay,
    async pay(checkoutId: string, { key = `pay-${checkoutId}`, token }: { key?: string; token?: string } = {}) {
      const { row } = await tryPay(checkoutId, key, token === undefined ? {} : { token });
      return settledPayin(row.pkid);
    },
    async payUntil(checkoutId: string, holds: (payin: Payin) => boolean, options: { expiresInMs?: number } = {}) {
      const { row } = await tryPay(checkoutId, `pay-${checkoutId}`, options);
      return untilFound<Payin>(() => app.payins.find(row.pkid), holds);
    },
    settledPayin,
    settledRefund,
    hint: async ({ pkid }: { pkid: Pkid }) => {
      await app.payins.hint(pkid);
      await app.payins.run(pkid);
    },
    async approve(externId: string) {
      const response = await fetch(`${sandbox.url}/_sandbox/approve/${externId}`, { method: 'POST' });
      expect(response.status).toBeLessThan(400);
    },
    async load(
      walletId: string,
      amountMinor: bigint,
      { token = 'tok_ok_1', key = `load-${walletId}` }: { token?: string; key?: string } = {},
    ): Promise<Payin> {
      const { row } = await app.payins.request({
        semanticKey: key,
        checkoutId: null,
        walletId,
        amountMinor,
        currency: parseCurrency(USD),
        provider: 'stripe',
        token,
        returnUrl: null,
        cancelUrl: null,
        statementDescriptor: null,
        buyer: null,
        expiresAt: null,
        metadata: {},
        traceparent: null,
        confirm: true,
      });
      return settledPayin(row.pkid);
    },

    deliver: (orderId: string) => app.orders.deliver(orderId),
    /** Asks for it and waits for its end. */
    async refund(
      orderId: string,
      amountMinor: bigint,
      options: { key?: string; destination?: RefundDestination } = {},
    ) {
      return settledRefund(await requestRefund(orderId, amountMinor, options));
    },
    requestRefund,
    cancel: (checkoutId: string) => app.checkouts.cancel(checkoutId),
    async compensated(checkoutId: string): Promise<void> {
      await untilFound(
        () => app.checkouts.find(checkoutId),
        ({ dueAt }) => dueAt === null,
      );
    },

    buyerWallet: (checkoutId: string, currency = USD) => wallet(`${checkoutId}-buyer`, 'buyer', currency),
    async payOut(walletId: string, amountMinor: bigint, to: { provider?: ProviderName; account?: string } = {}) {
      const { provider = 'stripe', account = 'acct_ok_1' } = to;
      await remit.payout(`out-${walletId}`, { walletId, amountMinor, provider, to: account });
      expect(await remit.settled(`out-${walletId}`)).toMatchObject({ status: 'succeeded' });
    },

    available: (walletId: string) => posted(walletId, 'posted - held'),
    pending: (seller: string, currency = USD) => posted(pendingWalletId(seller, asCurrency(currency))),
    debt: (seller: string, currency = USD) => posted(debtWalletId(seller, asCurrency(currency))),

    /** The audit is clean, and each provider's wallet is what the provider's own book says. */
    async expectBooksAgree(): Promise<void> {
      const { checks } = await app.audit();
      expect(checks.filter(({ violations }) => violations.length > 0)).toEqual([]);
      expect(await providerDifferences(remit)).toEqual([]);
    },
    close: () => remit.stop(),
  };
  return shop;
}

/** Wallets of providers that differ from their own rows: what came in, less what went out, back, or was charged. */
export async function providerDifferences({
  app,
  sandbox,
}: {
  app: Pick<App, 'db'>;
  sandbox: Pick<Sandbox, 'book'>;
}): Promise<{ name: string; theirs: bigint | undefined; ours: bigint | undefined }[]> {
  const sign = { in: 1n, out: -1n, refund: -1n, return: 1n, dispute: -1n, dispute_won: 1n, fee: -1n } as const;
  const theirs = new Map<string, bigint>();
  const book = sandbox.book();
  const payins = new Set(book.flatMap(({ direction, extern_id }) => (direction === 'in' ? [extern_id] : [])));
  for (const { provider, currency, direction, amount, extern_id } of book) {
    const name = `@provider:${provider}:${currency}`;
    // What comes back of a payout or a refund is ours again; what comes back of a pay-in is the buyer's.
    const ours = direction === 'return' && payins.has(extern_id) ? -1n : sign[direction];
    theirs.set(name, (theirs.get(name) ?? 0n) + ours * BigInt(amount));
  }
  const { rows } = await sql<{ wallet_id: string; posted: string }>`
    SELECT wallet_id, posted::text FROM wallet WHERE kind = 'provider'`.execute(app.db.sql);
  const ours = new Map(rows.map((row) => [row.wallet_id, -BigInt(row.posted)]));
  const names = new Set([...theirs.keys(), ...ours.keys()]);
  const differing = [...names].filter((name) => (theirs.get(name) ?? 0n) !== (ours.get(name) ?? 0n));
  return differing.map((name) => ({ name, theirs: theirs.get(name), ours: ours.get(name) }));
}

function asCurrency(code: string): Currency {
  return parseCurrency(code);
}
