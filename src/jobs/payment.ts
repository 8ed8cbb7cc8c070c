// The life that payouts, pay-ins and refunds share, in the order it happens: confirm or cancel, claim, call, settle,
// and what comes after. A worker and reconcile run the same function; it may be started twice, killed anywhere and
// started again.

import { PaymentError } from '../domain/errors.ts';
import type { Pkid } from '../domain/id.ts';
import { cancelPayment, confirmPayment, hintPatch, type Payment } from '../domain/payment.ts';
import { isFinal } from '../domain/state-machine.ts';
import type { Decision } from '../ledger/step.ts';
import { closeDiscrepanciesOf } from './discrepancy.ts';
import type { LifeOptions } from './life.ts';
import { lookAgain, lookBeside } from './payment/after.ts';
import { callProvider } from './payment/call.ts';
import type { IntendedCall } from './payment/records.ts';
import { askNow, type Resolution, resolvePayment } from './payment/review.ts';
import type { Companions, PaymentRules } from './payment/rules.ts';
import { answerStep, change, claimStep, locking, refuseRefusals, unchanged } from './payment/steps.ts';
import { providerOf } from './provider-of.ts';
import type { RunReport } from './run-log.ts';
import { strayIdOf } from './unapplied-money.ts';

export type PaymentLife<Row extends Payment> = ReturnType<typeof createPaymentLife<Row>>;

/** A claim that looks up, sends, confirms and cancels makes four calls; more is a provider that contradicts itself. */
const CALLS_PER_CLAIM_MAX = 6;

export function createPaymentLife<Row extends Payment>(rules: PaymentRules<Row>, options: LifeOptions) {
  const { kind, rows } = rules;
  const { timing, providers, enqueue, db, at } = options;
  const providerFor = (row: Payment) => providerOf(providers, row.provider);

  async function confirm(pkid: Pkid, semanticKey: string): Promise<Row> {
    if (at) await at(`${kind}: before confirm commit`, pkid);
    const { row: confirmed, isNew } = await rules.step({
      pkid,
      walletIds: [],
      decide(row, now) {
        const patch = confirmPayment(row, now, { kind, leaseMs: timing.leaseMs });
        const next: Row | null = patch === null ? null : { ...row, ...patch };
        return change({ next, cause: null, result: { row: next ?? row, isNew: next !== null } });
      },
    });
    if (at) await at(`${kind}: after confirm commit`, pkid);
    if (isNew) await enqueue({ kind, pkid, semanticKey });
    return confirmed;
  }

  async function run(pkid: Pkid): Promise<RunReport | null> {
    const seen = await rows.load(pkid);
    if (seen === null || isFinal(seen.status)) return null;
    const provider = providerFor(seen);
    const companions = await rules.companionsOf(seen);
    const obstacle = seen.status === 'initialized' && seen.confirmedAt !== null ? await rules.obstacleTo(seen) : null;
    if (at) await at(`${kind}: before claim commit`, pkid);
    // What is asked ahead of the claim, our balance at a provider above all, costs none of the time to leave.
    let startedAt = performance.now();
    const claimed = await rules.step(claimStep(seen, { rules, companions, obstacle, timing }));
    if (claimed.type === 'idle') return null;
    if (at) await at(`${kind}: after claim commit`, pkid);
    if (claimed.type === 'ended') return reportOf(seen, claimed.row, claimed.row.failureCode);
    let call: IntendedCall<Row> = claimed;
    for (let calls = 1; calls <= CALLS_PER_CLAIM_MAX; calls += 1) {
      const answered = await callProvider(call, { rules, provider, startedAt, options });
      startedAt = performance.now();
      const concluded = await rules.step(answerStep(answered, { rules, companions, provider, timing }));
      const isSettled = concluded.type === 'settled';
      if (at) await at(`${kind}: after ${isSettled ? 'settle' : 'next call'} commit`, pkid);
      if (isSettled) return reportOf(seen, concluded.row, concluded.verdict);
      call = concluded;
    }
    // The lease runs out and the next claim starts with a look-up.
    return { ...reportOf(seen, call.row, 'too_many_calls'), level: 'error' };
  }

  return {
    kind,

    /** Sets a payment at rest on its way. Twice is no change. Throws invalid-state when it has ended. */
    confirm,

    /** The same for a repeated request: a payment that has ended is answered as it stands. */
    async confirmReplay(row: Row): Promise<Row> {
      return isFinal(row.status) ? row : confirm(row.pkid, row.semanticKey);
    },

    /** Fails it while nothing was claimed; asks the provider to take it back where that is possible. */
    async cancel(pkid: Pkid, semanticKey: string): Promise<Canceled<Row>> {
      const seen = await rows.load(pkid);
      const cancelable = seen !== null && rules.accountOf(providerFor(seen))?.cancelable === true;
      const companions = seen === null ? NO_COMPANIONS : await rules.companionsOf(seen);
      if (at) await at(`${kind}: before cancel commit`, pkid);
      const canceled = await rules.step({
        pkid,
        ...locking(companions),
        decide(row, now, beside): Decision<Row, Canceled<Row>> {
          const decision = cancelPayment(row, now, { cancelable });
          if (decision.type === 'unchanged') return unchanged({ row, isRequested: false });
          const next: Row = { ...row, ...decision.patch };
          if (decision.type === 'requested') {
            return change({ next, cause: 'canceled', result: { row: next, isRequested: true } });
          }
          const { movements, ...records } = rules.fail({ row: next, seen: beside, companions, now, wasClaimed: false });
          return {
            movements,
            conclude(results) {
              refuseRefusals(results);
              return {
                next,
                path: ['failed'],
                cause: 'canceled',
                ...records,
                result: { row: next, isRequested: false },
              };
            },
          };
        },
      });
      if (at) await at(`${kind}: after cancel commit`, pkid);
      if (canceled.isRequested) await enqueue({ kind, pkid, semanticKey });
      return canceled;
    },

    /**
     * Somebody outside says that there is news: the row is due now, or right after the claim that is running. The
     * provider may also tell the id of a payment whose answer was lost; whether it is ours, the look-up shows.
     */
    async hint(pkid: Pkid, toldExternId: string | null = null): Promise<Row> {
      return rules.step({
        pkid,
        walletIds: [],
        decide(row, now) {
          const isLost = row.externPaymentId === null && !row.leased && row.firstSentAt !== null;
          const told = isLost && toldExternId !== null ? { externPaymentId: toldExternId } : {};
          const isOpen = row.status === 'in_process';
          const next: Row | null = isOpen ? { ...row, ...told, ...hintPatch(row, now) } : null;
          return change({ next, cause: null, result: next ?? row });
        },
      });
    },

    /** Claims the row if it is due and takes it as far as the provider lets it. Safe to run any number of times. */
    run,

    find: (pkid: Pkid): Promise<Row | null> => rows.load(pkid),

    companionsOf: rules.companionsOf,

    /** Compares a final row with the provider. Throws `unavailable` when the provider gives no usable answer. */
    lookAgain: (row: Row) => lookAgain(row, { rules, provider: providerFor(row), options }),

    /** Looks at another payment under the same key, which the provider spoke of. Throws `unavailable` likewise. */
    lookBeside: (row: Row, externId: string) =>
      lookBeside(row, { rules, provider: providerFor(row), options, externId }),

    /** Makes the row due now, or compares a final one with the provider. Throws not-found, invalid-state. */
    async query(pkid: Pkid, actor: string): Promise<void> {
      const asked = await rules.step({
        pkid,
        walletIds: [],
        decide: (row, now) => askNow(row, { kind, actor, now }),
      });
      if (isFinal(asked.status)) await lookAgain(asked, { rules, provider: providerFor(asked), options });
      else await enqueue({ kind, pkid, semanticKey: asked.semanticKey });
    },

    /** A person's verdict on an operation in process. Throws not-found, invalid-state, validation-failed. */
    async resolve(pkid: Pkid, resolution: Resolution): Promise<Row> {
      const seen = await rows.load(pkid);
      if (seen === null) throw new PaymentError('not-found', { detail: `There is no such ${kind}. Check its key.` });
      const companions = await rules.companionsOf(seen);
      const unappliedId = companions.unappliedId ?? strayIdOf(kind, seen, resolution.externPaymentId);
      const resolved = await rules.step({
        pkid,
        ...locking({ ...companions, unappliedId }),
        decide: (row, now, beside) => resolvePayment({ row, seen: beside, companions, now }, rules, resolution),
      });
      // What failed here and was paid there is money that fits nothing, and may not be booked yet. Whoever ends before
      // it is leaves the discrepancies open, and a repeat of the verdict looks again.
      const isPaid = rules.direction === 'in' && resolved.status === 'failed' && resolved.sawSuccess;
      if (isPaid) await lookAgain(resolved, { rules, provider: providerFor(resolved), options });
      await closeDiscrepanciesOf(db, { pkid, ...resolution, openedUntil: resolved.finalAt });
      return resolved;
    },
  };
}

interface Canceled<Row> {
  readonly row: Row;
  /** Nothing has ended yet: the provider decides. */
  readonly isRequested: boolean;
}

const NO_COMPANIONS: Companions = { walletIds: [], orderPkids: [], unappliedId: null, loadedId: null, debtId: null };

function reportOf(before: Payment, after: Payment, verdict: string | null): RunReport {
  const isWaiting = !isFinal(after.status);
  // A buyer takes their time, and nothing is wrong. Of any other verdict the action is only what was known before.
  const isBuyersTurn = isWaiting && verdict === 'pending' && 'nextAction' in after && Boolean(after.nextAction);
  return {
    semanticKey: after.semanticKey,
    attempt: after.attempt,
    from: before.status,
    to: after.status,
    reason: after.failureCode ?? after.reviewReason ?? (isBuyersTurn ? 'waits_for_buyer' : verdict),
    level: after.reviewReason !== null ? 'error' : isWaiting && !isBuyersTurn ? 'warn' : 'info',
  };
}
