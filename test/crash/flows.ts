// What a case of the crash bench asks for: one operation of one kind at one provider, whose behaviour word decides what
// the provider does with it.

import type { App } from '../../src/app.ts';
import { type OperationKind, pkidOf } from '../../src/domain/id.ts';
import type { ProviderName } from '../../src/domain/provider.ts';
import type { FailureCode } from '../../src/domain/state-machine.ts';
import type { CrashPoint } from '../../src/runtime/crash-point.ts';
import type { Word } from '../../src/sandbox/behaviour.ts';
import { adjust, openWallets, USD } from '../harness/ledger.ts';
import { until } from '../harness/until.ts';

export const AMOUNT = 1_000n;

/** `after` is what the provider does by itself after it has paid. */
export type End =
  | { readonly status: 'succeeded'; readonly after?: readonly ('return' | 'dispute' | 'dispute_won')[] }
  | { readonly status: 'failed'; readonly code: FailureCode }
  /** It waits for a provider that never decides. */
  | { readonly status: 'in_process' };

const PAID: End = { status: 'succeeded' };
const DECLINED: End = { status: 'failed', code: 'declined' };
const SHORT: End = { status: 'failed', code: 'provider_insufficient_funds' };

/** The table of the providers' page. */
const ENDS: Readonly<Record<Word, End>> = {
  ok: PAID,
  decline: DECLINED,
  insufficient: SHORT,
  error_before: PAID,
  error_stored: { status: 'failed', code: 'provider_error' },
  paid_then_500: PAID,
  timeout_before: PAID,
  paid_then_timeout: PAID,
  paid_then_reset: PAID,
  hidden: PAID,
  html: PAID,
  rate_limit: PAID,
  slow: PAID,
  pending: PAID,
  pending_then_fail: DECLINED,
  never: { status: 'in_process' },
  bounce: { status: 'succeeded', after: ['return'] },
  action: PAID,
  abandon: { status: 'failed', code: 'expired' },
  dispute_won: { status: 'succeeded', after: ['dispute', 'dispute_won'] },
  dispute_lost: { status: 'succeeded', after: ['dispute'] },
};

function endOf(word: Word, { kind, provider }: { kind: OperationKind; provider: ProviderName }): End {
  // Of a buyer, "too little" is a declined card.
  if (word === 'insufficient' && kind === 'payin') return DECLINED;
  // A transfer of Stripe's that is refused late was refused for want of our own funds.
  if (word === 'pending_then_fail' && kind === 'payout' && provider === 'stripe') return SHORT;
  // One has no look-up by our key, so that nothing is proved before the key is old; the other carries a resend out.
  if (word === 'error_stored' && provider === 'square') return { status: 'in_process' };
  if (word === 'error_stored' && provider === 'paypal') return PAID;
  return ENDS[word];
}

export interface Flow {
  readonly name: string;
  readonly kind: OperationKind;
  /** How it may end; what it ends as without a crash comes first. */
  readonly ends: readonly [End, ...End[]];
  /** The buyer has to approve it. */
  readonly isApproved?: boolean;
  /** What must be there before the operation of this key can be asked for. */
  prepare(clerk: App, key: string): Promise<void>;
  /** What the client asks for, one after the other, each again until it is answered. */
  readonly requests: readonly ((app: App, key: string) => Promise<unknown>)[];
  /** The client asks for this while the operation passes a gap. */
  readonly meanwhile?: { readonly point: CrashPoint; readonly act: (app: App, key: string) => Promise<unknown> };
}

const NOTHING = { metadata: {}, traceparent: null, expiresAt: null } as const;

export const walletOf = (key: string) => `w-${key}`;
const orderOf = (key: string) => `order-${key}`;

export function payouts(provider: ProviderName, word: Word): Flow {
  const request = (confirm: boolean) => (app: App, key: string) =>
    app.payouts.request({
      ...NOTHING,
      semanticKey: key,
      walletId: walletOf(key),
      amountMinor: AMOUNT,
      currency: USD,
      provider,
      payeeId: null,
      destination: `acct_${word}_1`,
      confirm,
    });
  const confirm = (app: App, key: string) => app.payouts.confirm(pkidOf('payout', key), key);
  return {
    name: `a payout at ${provider}, "${word}"`,
    kind: 'payout',
    ends: [endOf(word, { kind: 'payout', provider })],
    async prepare(clerk, key) {
      await openWallets(clerk, [walletOf(key)]);
      await adjust(clerk, { key: `fund-${key}`, walletId: walletOf(key), amountMinor: AMOUNT });
    },
    // One provider's are sent with the request, the other's rest until they are confirmed.
    requests: provider === 'stripe' ? [request(true)] : [request(false), confirm],
  };
}

/** The seller cancels at the moment at which the provider is asked to prepare the payment. */
export function canceledPayouts(): Flow {
  const flow = payouts('demobank', 'ok');
  const act = (app: App, key: string) => app.payouts.cancel(pkidOf('payout', key), key);
  return {
    ...flow,
    name: 'a payout at demobank, cancelled while it is prepared',
    // Where the cancel itself comes too late for a crash, it is refused.
    ends: [{ status: 'failed', code: 'canceled' }, PAID],
    meanwhile: { point: 'payout: before send call', act },
  };
}

/** "insufficient" finds its wallet empty. */
export function transfers(word: 'ok' | 'insufficient'): Flow {
  return {
    name: `a transfer, "${word}"`,
    kind: 'transfer',
    ends: [word === 'ok' ? PAID : { status: 'failed', code: 'insufficient_funds' }],
    async prepare(clerk, key) {
      await openWallets(clerk, [walletOf(key), walletOf(`${key}-to`)]);
      if (word === 'ok') await adjust(clerk, { key: `fund-${key}`, walletId: walletOf(key), amountMinor: AMOUNT });
    },
    requests: [
      (app, key) =>
        app.transfers.request({
          semanticKey: key,
          fromWallet: walletOf(key),
          toWallet: walletOf(`${key}-to`),
          amountMinor: AMOUNT,
          currency: USD,
          metadata: {},
          traceparent: null,
        }),
    ],
  };
}

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
  const token = `tok_refund_${word}_1`;
  const pay = async ({ checkouts, payins: life }: App, key: string) => {
    await openCheckout({ checkouts }, { key, provider, token });
    const asked = { ...NOTHING, ...PAY, semanticKey: `pay-${key}`, paymentInfo: null, confirm: true };
    const { row } = await checkouts.pay(key, asked);
    const paid = async () => {
      await life.run(row.pkid);
      const payin = await life.find(row.pkid);
      // On a busy machine an answer may be late more than once; nobody waits for the longer pauses.
      if (payin !== null && payin.unknowns > 1) await life.hint(row.pkid);
      return payin;
    };
    await until(paid, (payin) => payin?.status === 'succeeded');
  };
  return {
    name: `a refund at ${provider}, "${word}"`,
    kind: 'refund',
    ends: [endOf(word, { kind: 'refund', provider })],
    async prepare(clerk, key) {
      await openWallets(clerk, [walletOf(key)]);
      await pay(clerk, key);
    },
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

/** Of one order. */
async function openCheckout(
  { checkouts }: Pick<App, 'checkouts'>,
  { key, provider, token }: { key: string; provider: ProviderName; token: string },
): Promise<void> {
  const order = { orderId: orderOf(key), sellerId: walletOf(key), amountMinor: AMOUNT, feeMinor: 0n };
  const request = { checkoutId: key, buyerId: 'buyer', currency: USD, provider, token, orders: [order], metadata: {} };
  await checkouts.request(request);
}
