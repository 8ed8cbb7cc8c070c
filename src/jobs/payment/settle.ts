// What a verdict, once it is no call to make, writes: the row, and by the rules of its kind the money.

import { type Payment, returnedOf } from '../../domain/payment.ts';
import { settlePatch } from '../../domain/payment-settle.ts';
import type { Succeeded } from '../../domain/provider.ts';
import type { Status } from '../../domain/state-machine.ts';
import type { Verdict } from '../../domain/verdict.ts';
import type { Conclusion } from '../../ledger/step.ts';
import { discrepancyOf, type IntendedCall } from './records.ts';
import {
  type Effects,
  eventOf,
  feeMovement,
  type Held,
  headOf,
  NO_EFFECTS,
  type PaymentRules,
  together,
} from './rules.ts';

type Settled<Row> = Omit<Conclusion<Row, never>, 'result' | 'next'> & { readonly next: Row };

export function settle<Row extends Payment>(
  held: Held<Row>,
  context: {
    rules: PaymentRules<Row>;
    /** The row as it was before the answer taught it anything. */
    before: Row;
    verdict: Exclude<Verdict, { type: 'act' }>;
    unsent: IntendedCall<Row>['before'];
  },
): { movements: Effects['movements']; conclusion: Settled<Row> } {
  const { rules, before, verdict, unsent } = context;
  const { row, now } = held;
  const { patch, outcome } = settlePatch(row, verdict, now);
  const settled = { ...row, ...patch, ...(verdict.type === 'not_taken' ? unsent : {}) };
  const ended = effectsOf({ ...held, row: settled }, { rules, verdict });
  const { movements, ...records } = together(ended, newsOf(rules, { before, after: settled }));
  const path: readonly Status[] = outcome === 'waits' ? [] : [outcome];
  const success = verdict.type === 'succeeded' ? verdict.success : null;
  const next = success === null ? settled : { ...settled, ...chargedBy(row, success) };
  return { movements, conclusion: { next, path, cause: verdict.type, ...records } };
}

function effectsOf<Row extends Payment>(
  held: Held<Row>,
  { rules, verdict }: { rules: PaymentRules<Row>; verdict: Exclude<Verdict, { type: 'act' }> },
): Effects {
  const { row, now } = held;
  switch (verdict.type) {
    case 'succeeded':
      return succeedWith(held, rules, verdict.success);
    case 'failed':
      return rules.fail({ ...held, wasClaimed: true });
    case 'review': {
      const discrepancies = [discrepancyOf(rules.kind, row, { ...verdict, now })];
      const { success } = verdict;
      const stray = success === null ? NO_EFFECTS : rules.strayMoney(held, success, verdict.reason);
      return together({ movements: [], discrepancies }, stray);
    }
    case 'pending':
    case 'not_taken':
    case 'unknown':
      return NO_EFFECTS;
  }
}

function succeedWith<Row extends Payment>(held: Held<Row>, rules: PaymentRules<Row>, success: Succeeded): Effects {
  const settled = together(rules.succeed(held), feeEffects(held, rules, success));
  return together(settled, returnEffects(heldAfter(held, settled), rules, success));
}

/** What was taken back beyond what we know of. */
export function returnEffects<Row extends Payment>(
  held: Held<Row>,
  rules: PaymentRules<Row>,
  success: Succeeded,
): Effects {
  const totalMinor = returnedOf(held.row, success.reversedMinor);
  const amountMinor = totalMinor - held.row.returnedMinor;
  return amountMinor > 0n ? rules.takeBack(held, { amountMinor, totalMinor }) : NO_EFFECTS;
}

/** The provider's charge, once; it may become known only later. */
export function feeEffects<Row extends Payment>(
  held: Held<Row>,
  rules: PaymentRules<Row>,
  success: Succeeded,
): Effects {
  const { row } = held;
  const { fee } = success;
  if (fee === null || row.feeExternId !== null || fee.money.amountMinor <= 0n) return NO_EFFECTS;
  const posting = headOf(rules.kind, row, { step: `fee:${fee.externId}`, event: 'provider.fee' });
  return { movements: [feeMovement(posting, { provider: row.provider, money: fee.money })] };
}

/** The row's part of the two above. */
export function chargedBy(row: Payment, { fee, reversedMinor }: Succeeded) {
  const isNewFee = fee !== null && row.feeExternId === null && fee.money.amountMinor > 0n;
  const returnedMinor = returnedOf(row, reversedMinor);
  return {
    ...(isNewFee ? { feeMinor: fee.money.amountMinor, feeExternId: fee.externId } : {}),
    ...(returnedMinor > row.returnedMinor ? { returnedMinor } : {}),
  };
}

/** What comes next starts from the orders as this leaves them. */
function heldAfter<Row>(held: Held<Row>, { orders = [] }: Effects): Held<Row> {
  const changed = new Map(orders.map((order) => [order.pkid, order]));
  const seen = { ...held.seen, orders: held.seen.orders.map((order) => changed.get(order.pkid) ?? order) };
  return { ...held, seen };
}

function newsOf<Row extends Payment>(
  rules: PaymentRules<Row>,
  { before, after }: { before: Row; after: Row },
): Effects {
  const isOpened = before.reviewReason === null && after.reviewReason !== null;
  const opened = isOpened ? [eventOf(rules.kind, 'review.opened', after)] : [];
  return { movements: [], events: [...rules.news(before, after), ...opened] };
}
