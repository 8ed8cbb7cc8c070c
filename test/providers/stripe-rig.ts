// Orders for the Stripe adapter, and how long the sandbox takes for what happens by itself.

import { setTimeout as wait } from 'node:timers/promises';
import { pkidOf } from '../../src/domain/id.ts';
import { type Money, parseCurrency } from '../../src/domain/money.ts';
import type { PayinOrder, Payments, Provider, Reference, RefundOrder } from '../../src/domain/provider.ts';
import { createStripe } from '../../src/providers/stripe.ts';

export const CURRENCIES = ['USD', 'JPY', 'KWD'];
/** For the calls that the sandbox leaves without an answer. */
export const IMPATIENT = { timeoutMs: 800 };
/** The first calls of these words get no answer in time. */
export const SILENT = new Set(['timeout_before', 'paid_then_timeout', 'hidden', 'slow']);

/** Longer than anything the sandbox does by itself, on a busy machine. */
const PATIENCE_MS = 15_000;
const PERIOD_MS = 100;

export interface Stripe extends Provider {
  readonly payin: Payments<PayinOrder>;
  readonly refund: Payments<RefundOrder>;
}

/** At a base URL, with the warnings it writes. */
export function stripeAt(baseUrl: string, warnings: object[] = []): Stripe {
  const log = { warn: (fields: object) => warnings.push(fields), error: () => undefined };
  return whole(createStripe({ secretKey: 'sk_test_canary', webhookSecrets: [], baseUrl, live: false, log }));
}

export function whole(provider: Provider): Stripe {
  const { payin, refund } = provider;
  if (payin === null || refund === null) throw new Error('Stripe takes pay-ins and gives refunds.');
  return { ...provider, payin, refund };
}

export function money(amountMinor: bigint, currency = 'USD'): Money {
  return { amountMinor, currency: parseCurrency(currency) };
}

/** An order of its own for each semantic key. */
export function payinOf(semanticKey: string, more: Partial<PayinOrder> = {}): PayinOrder {
  const pkid = pkidOf('payin', semanticKey);
  return {
    pkid,
    semanticKey,
    key: pkid,
    money: money(1500n),
    token: 'pm_ok_1',
    returnUrl: 'https://shop.example/back',
    cancelUrl: 'https://shop.example/cart',
    statementDescriptor: null,
    buyer: { email: null, ip: null },
    ...more,
  };
}

export function refundOf(semanticKey: string, payinExternId: string, amount = money(500n)): RefundOrder {
  const pkid = pkidOf('refund', semanticKey);
  return { pkid, semanticKey, key: pkid, money: amount, payinExternId };
}

export function referenceOf(order: PayinOrder | RefundOrder, externId: string | null = null): Reference {
  const payinExternId = 'payinExternId' in order ? order.payinExternId : null;
  return { pkid: order.pkid, key: order.pkid, externId, payinExternId };
}

/** Asks until it says so, and returns what it said last. */
export async function until<T>(ask: () => Promise<T>, isSo: (said: T) => boolean): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const said = await ask();
    if (isSo(said) || performance.now() > deadline) return said;
    await wait(PERIOD_MS);
  }
}
