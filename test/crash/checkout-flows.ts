// What a case of the crash bench asks for where a buyer's money comes in: a pay-in, a refund of one, and the stories in
// which other things are done because of it: a cancelled checkout, a refund that somebody makes at the provider.

import type { App } from '../../src/app.ts';
import { PaymentError } from '../../src/domain/errors.ts';
import { pkidOf } from '../../src/domain/id.ts';
import { compensationKey } from '../../src/domain/own-key.ts';
import type { ProviderName } from '../../src/domain/provider.ts';
import type { Word } from '../../src/sandbox/behaviour.ts';
import { openWallets, USD } from '../harness/ledger.ts';
import { until } from '../harness/until.ts';
import { AMOUNT, endOf, type Flow, NOTHING, orderOf, PAID, walletOf } from './flows.ts';

const PAY = {
  returnUrl: 'https://shop.example/back',
  cancelUrl: null,
  statementDescriptor: null,
  buyer: null,
} as const;

export function payins(provider: ProviderName, word: Word): Flow {
  const token = `tok_${word}_1`;
  const request = (confirm: boolean) => (app: App, key: string) =>
    app.checkouts.pay(key, { ...NOTHING, ...PAY, semanticKey: key, paymentInfo: null, confirm });
  const confirm = (app: App, key: string) => app.payins.confirm(pkidOf('payin', key), key);
  return {
    name: `a pay-in at ${provider}, "${word}"`,
    kind: 'payin',
    word,
    ends: [endOf(word, { kind: 'payin', provider })],
    isApproved: word === 'action',
    async prepare(clerk, key) {
      await openWallets(clerk, [walletOf(key)]);
      await openCheckout(clerk, { key, provider, token });
    },
    requests: provider === 'stripe' ? [request(true)] : [request(false), confirm],
  };
}

/** The buyer goes away at the moment at which the money is reserved. */
export function canceledPayins(): Flow {
  const flow = payins('square', 'ok');
  const act = (app: App, key: string) => app.payins.cancel(pkidOf('payin', key), key);
  return {
    ...flow,
    name: 'a pay-in at square, cancelled while it is reserved',
    ends: [{ status: 'failed', code: 'canceled' }, PAID],
    meanwhile: { point: 'payin: before send call', act },
  };
}

/** Each of a payment of its own: refunds of one payment would wait for each other. */
export function refunds(provider: ProviderName, word: Word): Flow {
  return {
    name: `a refund at ${provider}, "${word}"`,
    kind: 'refund',
    word,
    ends: word === 'bounce' ? BOUNCED : [endOf(word, { kind: 'refund', provider })],
    prepare: (clerk, key) => openPaid(clerk, { key, provider, token: `tok_refund_${word}_1`, payKey: `pay-${key}` }),
    requests: [
      (app, key) =>
        app.refunds.request({
          semanticKey: key,
          orderId: orderOf(key),
          amountMinor: AMOUNT,
          destination: 'payer',
          reason: null,
          metadata: {},
          traceparent: null,
        }),
    ],
  };
}

/**
 * A lease takes nearly as long as the way back. Who looks only then is shown a refund that failed, and none here has
 * seen that it was paid: the money is back, and it fails. Where the first had lost its claim when it heard of the
 * success, and the next one hears of the failure, both were heard, and a person decides; or is told, where it has
 * failed by then.
 */
const BOUNCED: Flow['ends'] = [
  { status: 'succeeded', after: ['return'], reports: 'refund_returned' },
  { status: 'failed', code: 'declined', moved: ['refund', 'return'], reportsWhenLate: 'contradicts_final' },
  { status: 'in_process', review: 'success_and_decline', moved: ['refund', 'return'], reports: 'success_and_decline' },
];

/** It was paid, and is cancelled: its order is refunded, as the word says of refunds. */
export function compensations(provider: ProviderName, word: 'ok' | 'decline' | 'paid_then_500'): Flow {
  const isGivenBack = word !== 'decline';
  return {
    name: `a paid checkout at ${provider}, cancelled, its refund "${word}"`,
    kind: 'payin',
    ends: [isGivenBack ? GIVEN_BACK : { ...PAID, reports: 'not_compensated' }],
    aliases: compensationNames,
    prepare: (clerk, key) => openPaid(clerk, { key, provider, token: `tok_refund_${word}_1`, payKey: key }),
    requests: [(app, key) => app.checkouts.cancel(key)],
  };
}

/** The checkout is cancelled when its money is about to be taken: ahead of the look at the time left to send. */
export function compensatedPayins(provider: 'square' | 'stripe'): Flow {
  return {
    ...payins(provider, 'ok'),
    name: `a pay-in at ${provider} whose checkout is cancelled meanwhile`,
    // Whether the cancel comes before the money is taken; where it is late, the refund gives it back.
    ends: [{ status: 'failed', code: 'canceled' }, GIVEN_BACK],
    aliases: compensationNames,
    meanwhile: { point: 'payin: after claim commit', act: (app, key) => app.checkouts.cancel(key) },
  };
}

/** Somebody gives the money back in the provider's own pages, and the provider's event is all that we hear of it. */
export function externalRefunds(): Flow {
  return {
    name: "a refund made in stripe's dashboard",
    kind: 'payin',
    ends: [GIVEN_BACK],
    prepare: (clerk, key) => openPaid(clerk, { key, provider: 'stripe', token: 'tok_ok_1', payKey: key }),
    requests: [
      async (app, key, sandboxUrl) => {
        const payin = await app.payins.find(pkidOf('payin', key));
        const response = await fetch(`${sandboxUrl}/stripe/v1/refunds`, {
          method: 'POST',
          headers: { authorization: 'Bearer sk_test_dashboard', 'idempotency-key': `dashboard-${key}` },
          body: new URLSearchParams({ payment_intent: payin?.externPaymentId ?? '' }),
        }).catch(() => null);
        // No answer on a busy machine, or asked twice at once: a person asks once more.
        if (response === null || response.status === 409) throw new PaymentError('unavailable', { retryAfterMs: 1000 });
        if (!response.ok) throw new Error(`The refund was answered ${response.status}: ${await response.text()}`);
      },
    ],
  };
}

const GIVEN_BACK = { status: 'succeeded', after: ['refund'] } as const;

/** The checkout's, and that of the refund which gives back its order. */
function compensationNames(key: string): readonly string[] {
  const order = { pkid: pkidOf('order', orderOf(key)), refundedMinor: 0n, leftMinor: AMOUNT };
  return [key, pkidOf('refund', compensationKey(order))];
}

async function openPaid(
  clerk: App,
  { key, provider, token, payKey }: { key: string; provider: ProviderName; token: string; payKey: string },
): Promise<void> {
  await openWallets(clerk, [walletOf(key)]);
  await openCheckout(clerk, { key, provider, token });
  const asked = { ...NOTHING, ...PAY, semanticKey: payKey, paymentInfo: null, confirm: true };
  const { pkid } = (await clerk.checkouts.pay(key, asked)).row;
  const paid = async () => {
    await clerk.payins.run(pkid);
    const payin = await clerk.payins.find(pkid);
    // On a busy machine an answer may be late more than once; nobody waits for the longer pauses.
    if (payin !== null && payin.unknowns > 1) await clerk.payins.hint(pkid);
    return payin;
  };
  await until(paid, (payin) => payin?.status === 'succeeded');
}

/** Of one order. */
async function openCheckout(
  { checkouts }: Pick<App, 'checkouts'>,
  { key, provider, token }: { key: string; provider: ProviderName; token: string },
): Promise<void> {
  const order = { orderId: orderOf(key), sellerId: walletOf(key), amountMinor: AMOUNT, feeMinor: 0n };
  const request = { checkoutId: key, buyerId: 'buyer', currency: USD, provider, token, orders: [order], metadata: {} };
  await checkouts.request(request);
}
