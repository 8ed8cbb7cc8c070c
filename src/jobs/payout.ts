// The life of a payout, in the order it happens: request, confirm or cancel, claim, call, settle. A worker and
// reconcile run the same function; it may be started twice, killed anywhere and started again.

import { PaymentError } from '../domain/errors.ts';
import { fingerprintOf } from '../domain/fingerprint.ts';
import { type Pkid, pkidOf } from '../domain/id.ts';
import { approvalOf, cancelPayout, confirmPayout, hintPatch, type Payout } from '../domain/payout.ts';
import type { Provider, ProviderName } from '../domain/provider.ts';
import { isFinal } from '../domain/state-machine.ts';
import { PayeeEntity } from '../entities/payee.ts';
import { createRowLoader } from '../ledger/loader.ts';
import type { Intake } from '../ledger/step.ts';
import type { LifeOptions } from './life.ts';
import { callProvider } from './payout-call.ts';
import { type IntendedCall, newPayout, type PayoutRequest } from './payout-records.ts';
import { answerStep, change, claimStep } from './payout-steps.ts';
import type { RunReport } from './runner.ts';
import { noSuchWallet, otherCurrency } from './transfer.ts';

export type PayoutLife = ReturnType<typeof createPayoutLife>;

/** A claim that looks up, sends, confirms and cancels makes four calls; more is a provider that contradicts itself. */
const CALLS_PER_CLAIM_MAX = 6;

export function createPayoutLife(options: LifeOptions) {
  const { journal, tables, db, providers, timing, enqueue, onAccepted } = options;
  const rows = createRowLoader(db.sql, tables.payout);

  async function confirm(pkid: Pkid, semanticKey: string): Promise<Payout> {
    const { payout, isNew } = await journal.stepPayout({
      pkid,
      walletIds: [],
      decide(row, now) {
        const patch = confirmPayout(row, now, timing);
        return change({ patch, cause: null, result: { payout: { ...row, ...patch }, isNew: patch !== null } });
      },
    });
    if (isNew) await enqueue({ kind: 'payout', pkid, semanticKey });
    return payout;
  }

  async function run(pkid: Pkid): Promise<RunReport | null> {
    const seen = await rows.load(pkid);
    if (seen === null || isFinal(seen.status)) return null;
    const provider = providerOf(providers, seen.provider);
    let startedAt = performance.now();
    const claimed = await journal.stepPayout(claimStep(seen, timing));
    if (claimed.type === 'idle') return null;
    if (claimed.type === 'ended') return reportOf(seen, claimed.payout, claimed.payout.failureCode);
    let call: IntendedCall = claimed;
    for (let calls = 1; calls <= CALLS_PER_CLAIM_MAX; calls += 1) {
      const answered = await callProvider(call, { provider, startedAt, options });
      startedAt = performance.now();
      const concluded = await journal.stepPayout(answerStep(answered, provider, timing));
      if (concluded.type === 'settled') return reportOf(seen, concluded.payout, concluded.verdict);
      call = concluded;
    }
    // The lease runs out and the next claim starts with a look-up.
    return { ...reportOf(seen, call.payout, 'too_many_calls'), level: 'error' };
  }

  return {
    /** Commits the intention; with `confirm` it is also on its way. Throws not-found, invalid-currency and others. */
    async request(request: PayoutRequest): Promise<Intake<Payout>> {
      const beneficiary = await approvedBeneficiary(request, options);
      const pkid = pkidOf('payout', request.semanticKey);
      const approval = approvalOf({ money: request, provider: request.provider, beneficiary });
      const fingerprint = fingerprintOf(askedFor(request));
      const facts = { pkid, request, beneficiary, approval, fingerprint, leaseMs: timing.leaseMs };
      const intake = await journal.insertPayout(pkid, (now) => newPayout(facts, now));
      if (intake.type === 'created') onAccepted('payout');
      if (!request.confirm || intake.type === 'key_reused') return intake;
      if (intake.type === 'replayed') return { ...intake, row: await confirmReplay(intake.row) };
      await enqueue({ kind: 'payout', pkid, semanticKey: request.semanticKey });
      return intake;
    },

    confirm,

    /** Fails it while nothing was claimed; asks the provider to take it back where that is possible. */
    async cancel(pkid: Pkid, semanticKey: string): Promise<{ payout: Payout; isRequested: boolean }> {
      const seen = await rows.load(pkid);
      const cancelable = seen !== null && providerOf(providers, seen.provider).cancelable;
      const canceled = await journal.stepPayout({
        pkid,
        walletIds: [],
        decide(row, now) {
          const decision = cancelPayout(row, now, { cancelable });
          const patch = decision.type === 'unchanged' ? null : decision.patch;
          const isRequested = decision.type === 'requested';
          const path = decision.type === 'failed' ? (['failed'] as const) : [];
          const result = { payout: { ...row, ...patch }, isRequested };
          return change({ patch, path, cause: 'canceled', result });
        },
      });
      if (canceled.isRequested) await enqueue({ kind: 'payout', pkid, semanticKey });
      return canceled;
    },

    /** Somebody outside says that there is news: the row is due now, or right after the claim that is running. */
    async hint(pkid: Pkid): Promise<Payout> {
      return journal.stepPayout({
        pkid,
        walletIds: [],
        decide(row, now) {
          const patch = row.status === 'in_process' ? hintPatch(row, now) : null;
          return change({ patch, cause: null, result: { ...row, ...patch } });
        },
      });
    },

    /** Claims the row if it is due and takes it as far as the provider lets it. Safe to run any number of times. */
    run,

    find: (pkid: Pkid): Promise<Payout | null> => rows.load(pkid),
  };

  async function confirmReplay(row: Payout): Promise<Payout> {
    return isFinal(row.status) ? row : confirm(row.pkid, row.semanticKey);
  }
}

export function providerOf(providers: LifeOptions['providers'], name: ProviderName): Provider {
  const provider = providers.get(name);
  if (provider !== undefined) return provider;
  const known = [...providers.keys()].join(', ');
  throw new PaymentError('not-found', { detail: `There is no provider "${name}" here. Use one of: ${known}.` });
}

/** Everything that is fixed before the row is written: the account, and that the provider can do it. */
async function approvedBeneficiary(request: PayoutRequest, { db, wallets, providers }: LifeOptions): Promise<string> {
  const { walletId, currency, payeeId, destination } = request;
  const wallet = await wallets.find(walletId);
  if (wallet === null) throw noSuchWallet(walletId);
  if (wallet.currency !== currency) throw otherCurrency(wallet);
  const provider = providerOf(providers, request.provider);
  const refusal =
    provider.payout === null ? 'It cannot pay out. Choose another provider.' : provider.refusalOf(request);
  if (refusal !== null) throw new PaymentError('provider-not-able', { detail: `${request.provider}: ${refusal}` });
  if (payeeId === null) return destination ?? '';
  const payee = await db.em().findOne(PayeeEntity, { payeeId });
  if (payee === null || payee.ownerId !== wallet.ownerId || payee.provider !== request.provider) {
    const detail =
      `The owner of "${walletId}" has no payee "${payeeId}" at ${request.provider}. ` +
      'Create it with POST /v1/payees under the same owner_id and provider.';
    throw new PaymentError('not-found', { detail });
  }
  return payee.account;
}

function reportOf(before: Payout, after: Payout, verdict: string | null): RunReport {
  const isWaiting = !isFinal(after.status);
  return {
    semanticKey: after.semanticKey,
    attempt: after.attempt,
    from: before.status,
    to: after.status,
    reason: after.failureCode ?? after.reviewReason ?? verdict,
    level: after.reviewReason !== null ? 'error' : isWaiting ? 'warn' : 'info',
  };
}

function askedFor({ semanticKey: _key, confirm: _confirm, traceparent: _trace, ...asked }: PayoutRequest) {
  return asked;
}
