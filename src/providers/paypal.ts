// PayPal: pay-ins by orders and captures, refunds of captures, payouts by batches of one. By our own client, because
// PayPal's SDK knows no payouts and no other host than PayPal's.

import { PaymentError } from '../domain/errors.ts';
import type { Currency } from '../domain/money.ts';
import type { CallLimits, Provider } from '../domain/provider.ts';
import { createCaller, deadlineOf } from './paypal/call.ts';
import { createCertificates } from './paypal/certificate.ts';
import { createDisputeLookUp } from './paypal/dispute.ts';
import { createPayinLookUp } from './paypal/order.ts';
import { createPaypalPayin } from './paypal/payin.ts';
import { createPaypalPayout, findPaypalPayee, refusalOfReceiver } from './paypal/payout.ts';
import { PROVIDER } from './paypal/problem.ts';
import { createPaypalRefund, createRefundLookUp } from './paypal/refund.ts';
import { parsePaypalEvent } from './paypal/webhook.ts';
import { balancesBody } from './paypal/wire.ts';
import { type ProviderLog, parseAnswer } from './surprise.ts';

const PAYPAL_URL = 'https://api-m.paypal.com';

export interface PaypalOptions {
  readonly clientId: string;
  readonly clientSecret: string;
  /** The id of our webhook at PayPal, which is part of what PayPal signs. */
  readonly webhookId: string;
  /** Null is PayPal itself. */
  readonly baseUrl: string | null;
  readonly live: boolean;
  readonly keyRetentionMs?: number;
  readonly log: ProviderLog;
}

export function createPaypal(options: PaypalOptions): Provider {
  const { clientId, clientSecret, webhookId, live, keyRetentionMs, log } = options;
  const baseUrl = options.baseUrl ?? PAYPAL_URL;
  const send = createCaller({ clientId, clientSecret, baseUrl, log });
  const certificates = createCertificates({ standInUrl: live ? null : baseUrl, log });

  // An account without the right to reports is asked once, because each refusal is an error in the log.
  let isTold = true;

  /** PayPal's figure may be some hours old. */
  async function balance(currency: Currency, limits: CallLimits): Promise<bigint | null> {
    if (!isTold) return null;
    const path = `/v1/reporting/balances?currency_code=${encodeURIComponent(currency)}`;
    try {
      const answer = await send({ path, signal: deadlineOf(limits) });
      if (answer.status >= 400) return null;
      const { balances } = parseAnswer(PROVIDER, balancesBody, answer.body);
      const found = balances.find((one) => one.currency === currency);
      return (found?.available_balance ?? found?.total_balance)?.amountMinor ?? null;
    } catch (cause) {
      if (!(cause instanceof PaymentError) || cause.surprise?.reason !== 'http_403') throw cause;
      isTold = false;
      return null;
    }
  }

  return {
    name: PROVIDER,
    live,
    payin: createPaypalPayin({ send, keyRetentionMs, log }),
    payout: createPaypalPayout({ send, keyRetentionMs, log }),
    refund: createPaypalRefund({ send, keyRetentionMs, log }),
    refusalOfAccount: refusalOfReceiver,
    findPayee: findPaypalPayee,
    findDispute: createDisputeLookUp({ send, log }),
    findPayin: createPayinLookUp({ send, log }),
    findRefund: createRefundLookUp({ send, log }),
    balance,
    parseWebhook: (raw, headers, receivedAt) => parsePaypalEvent({ raw, headers, webhookId, certificates, receivedAt }),
  };
}
