// What a case of the crash bench asks for: one operation of one kind at one provider, whose behaviour word decides what
// the provider does with it.

import type { App } from '../../src/app.ts';
import { type OperationKind, pkidOf } from '../../src/domain/id.ts';
import type { ProviderName } from '../../src/domain/provider.ts';
import type { FailureCode } from '../../src/domain/state-machine.ts';
import type { ReviewReason } from '../../src/domain/verdict.ts';
import type { CrashPoint } from '../../src/runtime/crash-point.ts';
import type { Word } from '../../src/sandbox/behaviour.ts';
import type { Direction } from '../../src/sandbox/payment.ts';
import { adjust, openWallets, USD } from '../harness/ledger.ts';

export const AMOUNT = 1_000n;

/** `after` is what becomes of the money after it was paid: at the provider, or because somebody gives it back. */
export type End = (
  | { readonly status: 'succeeded'; readonly after?: readonly ('return' | 'dispute' | 'dispute_won' | 'refund')[] }
  | {
      readonly status: 'failed';
      readonly code: FailureCode;
      /** The same, where only a look-up told of it, and the provider's look-ups give no reason. */
      readonly codeWhenFound?: FailureCode;
      readonly moved?: readonly Direction[];
    }
  /** It waits for a provider that never decides, or for a person. */
  | { readonly status: 'in_process'; readonly review?: ReviewReason; readonly moved?: readonly Direction[] }
) & {
  /** Of what is told to people for it, the reason; else nothing may be told. */
  readonly reports?: string;
  /** The same, where a worker that had lost its claim was the last to hear of it. */
  readonly reportsWhenLate?: string;
};

export const PAID: End = { status: 'succeeded' };
const DECLINED: End = { status: 'failed', code: 'declined' };
const SHORT = { status: 'failed', code: 'provider_insufficient_funds' } as const satisfies End;

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

export function endOf(word: Word, { kind, provider }: { kind: OperationKind; provider: ProviderName }): End {
  // Of a buyer, "too little" is a declined card.
  if (word === 'insufficient' && kind === 'payin') return DECLINED;
  if (word === 'insufficient' && kind === 'refund' && provider === 'square')
    return { ...SHORT, codeWhenFound: 'declined' };
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
  /** What the provider is told to do; a flow without one is a story of its own. */
  readonly word?: Word;
  /** How it may end, each status once; what it ends as without a crash comes first. */
  readonly ends: readonly [End, ...End[]];
  /** The buyer has to approve it. */
  readonly isApproved?: boolean;
  /** The ids, besides its own, of what is done for it before the database knows whose it is. */
  readonly aliases?: (key: string) => readonly string[];
  /** What must be there before the operation of this key can be asked for. */
  prepare(clerk: App, key: string): Promise<void>;
  /** What the client asks for, one after the other, each again until it is answered. */
  readonly requests: readonly ((app: App, key: string, sandboxUrl: string) => Promise<unknown>)[];
  /** The client asks for this while the operation passes a gap. */
  readonly meanwhile?: { readonly point: CrashPoint; readonly act: (app: App, key: string) => Promise<unknown> };
}

/** The end of this status; undefined where it may not end so. */
export function endAs({ ends }: Flow, status: string | undefined): End | undefined {
  return ends.find((end) => end.status === status);
}

export const NOTHING = { metadata: {}, traceparent: null, expiresAt: null } as const;

export const walletOf = (key: string) => `w-${key}`;
export const orderOf = (key: string) => `order-${key}`;

/** Each provider has its own names for who is paid. */
const beneficiaryOf = (provider: ProviderName, word: Word) =>
  provider === 'paypal' ? `seller_${word}_1@example.com` : `acct_${word}_1`;

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
      destination: beneficiaryOf(provider, word),
      confirm,
    });
  const confirm = (app: App, key: string) => app.payouts.confirm(pkidOf('payout', key), key);
  return {
    name: `a payout at ${provider}, "${word}"`,
    kind: 'payout',
    word,
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
