// The lives of a marketplace at one provider, each call run as far as the provider lets it; no queue and no HTTP.

import type { Pkid } from '../../src/domain/id.ts';
import type { Currency } from '../../src/domain/money.ts';
import { createCheckoutLife } from '../../src/jobs/checkout.ts';
import { createDisputeLife } from '../../src/jobs/dispute.ts';
import { createExternals } from '../../src/jobs/external.ts';
import type { LifeOptions } from '../../src/jobs/life.ts';
import { createOrderLife } from '../../src/jobs/order.ts';
import { createPayinLife } from '../../src/jobs/payin.ts';
import { createPayoutLife } from '../../src/jobs/payout.ts';
import { createRefundLife } from '../../src/jobs/refund.ts';
import { createUnappliedLife } from '../../src/jobs/unapplied.ts';
import { USD } from '../harness/ledger.ts';

export const PROVIDER = 'stripe' as const;

interface OrderFacts {
  readonly seller: string;
  readonly amountMinor: bigint;
  readonly feeMinor: bigint;
}

export type Market = ReturnType<typeof openMarket>;

export function openMarket(life: LifeOptions) {
  const payins = createPayinLife(life);
  const refunds = createRefundLife(life);
  const checkouts = createCheckoutLife({ ...life, payins, refunds });
  const orders = createOrderLife(life);
  const payouts = createPayoutLife(life);
  const unapplied = createUnappliedLife(life);
  const externals = createExternals(life, { payin: payins, refund: refunds, unapplied });
  const nothingElse = { metadata: {}, traceparent: null } as const;
  const noPage = { returnUrl: null, cancelUrl: null, statementDescriptor: null, buyer: null, expiresAt: null } as const;

  const market = {
    payins,
    refunds,
    disputes: createDisputeLife(life, { payins, externals }),
    externals,
    unapplied,

    async checkout(checkoutId: string, token: string, facts: readonly OrderFacts[], currency: Currency = USD) {
      const requested = facts.map(({ seller, ...rest }, index) => ({
        orderId: `${checkoutId}-${index}`,
        sellerId: seller,
        ...rest,
      }));
      const request = { checkoutId, buyerId: `buyer-${checkoutId}`, currency, provider: PROVIDER, token, metadata: {} };
      await checkouts.request({ ...request, orders: requested });
    },

    /** Requests it and takes it as far as the provider lets it. */
    async pay(checkoutId: string, { key = `pay:${checkoutId}`, token, confirm = true }: Pay = {}): Promise<Pkid> {
      const paymentInfo = token === undefined ? null : { provider: PROVIDER, token };
      const { row } = await checkouts.pay(checkoutId, {
        semanticKey: key,
        paymentInfo,
        confirm,
        ...noPage,
        ...nothingElse,
      });
      await payins.run(row.pkid);
      return row.pkid;
    },

    /** A paid checkout. */
    async sell(checkoutId: string, token: string, ...facts: readonly OrderFacts[]): Promise<Pkid> {
      await market.checkout(checkoutId, token, facts);
      return market.pay(checkoutId);
    },

    async load(walletId: string, amountMinor: bigint, token: string): Promise<Pkid> {
      const money = { amountMinor, currency: USD, provider: PROVIDER, token, checkoutId: null, walletId };
      const request = { semanticKey: `load:${walletId}`, confirm: true, ...money, ...noPage, ...nothingElse };
      const { row } = await payins.request(request);
      await payins.run(row.pkid);
      return row.pkid;
    },

    deliver: (orderId: string) => orders.deliver(orderId),

    async askForRefund(orderId: string, amountMinor: bigint, to: 'payer' | 'wallet' = 'payer'): Promise<Pkid> {
      const request = { semanticKey: `refund:${orderId}:${amountMinor}`, orderId, amountMinor, destination: to };
      return (await refunds.request({ ...request, reason: null, ...nothingElse })).row.pkid;
    },

    async refund(orderId: string, amountMinor: bigint, to: 'payer' | 'wallet' = 'payer'): Promise<Pkid> {
      const pkid = await market.askForRefund(orderId, amountMinor, to);
      await refunds.run(pkid);
      return pkid;
    },

    async payOut(walletId: string, amountMinor: bigint): Promise<void> {
      const to = { provider: PROVIDER, payeeId: null, destination: 'acct_ok', currency: USD, expiresAt: null } as const;
      const request = { semanticKey: `empty:${walletId}`, walletId, amountMinor, confirm: true, ...to, ...nothingElse };
      const { row } = await payouts.request(request);
      await payouts.run(row.pkid);
    },

    cancel: (checkoutId: string) => checkouts.cancel(checkoutId),
  };
  return market;
}

interface Pay {
  readonly key?: string;
  readonly token?: string;
  readonly confirm?: boolean;
}
