// Money that came in and fits nothing: booked to the platform's own wallet for it, once for each payment, until a
// person says where it belongs.

import { providerWalletId, unappliedWalletId } from '../domain/chart.ts';
import { derivedPkid, type Pkid, postingIdOf } from '../domain/id.ts';
import type { Money } from '../domain/money.ts';
import type { Movement } from '../domain/movements.ts';
import type { Payment } from '../domain/payment.ts';
import type { PaymentKind, Succeeded } from '../domain/provider.ts';
import type { Evidence } from '../domain/verdict.ts';
import type { Unapplied } from '../entities/unapplied.ts';
import { type Effects, feeMovement, type Held, headOf, NO_EFFECTS } from './payment/rules.ts';

/** Keeps the money of a payment that cannot be booked as what it was asked for, less what the provider charged. */
export function strayMoney<Row extends Payment>(
  kind: PaymentKind,
  { row, seen, now }: Held<Row>,
  { success, reason }: { success: Succeeded; reason: string },
): Effects {
  const { externId, fee } = success;
  // What was taken back of it by now never came in as far as our books go.
  const amountMinor = success.money.amountMinor - success.reversedMinor;
  const money = { ...success.money, amountMinor };
  if (amountMinor <= 0n) return NO_EFFECTS;
  // What is on file under this id was booked when it came, or waits for a verdict that books it as what it is.
  const isOwn = externId === row.externPaymentId && (row.status === 'succeeded' || reason === 'second_reference');
  if (isOwn || seen.unapplied?.unappliedId === unappliedIdOf(row, externId)) return NO_EFFECTS;
  const kept = keepUnapplied({ kind, row, externId, money, reason, now });
  if (fee === null) return kept;
  const posting = headOf(kind, row, { step: `fee:${externId}:${fee.externId}`, event: 'provider.fee' });
  const charge = feeMovement(posting, { provider: row.provider, money: fee.money });
  return { ...kept, movements: [...kept.movements, charge] };
}

/** Where a pay-in's money would be kept that fits nothing; it has to be seen whether it is there already. */
export function strayIdIn(kind: PaymentKind, row: Payment, answer: Evidence['answer']): Pkid | null {
  return answer.type === 'succeeded' ? strayIdOf(kind, row, answer.externId) : null;
}

/** The same, of the payment that a person names, or else of the one on file. */
export function strayIdOf(kind: PaymentKind, row: Payment, externId: string | null): Pkid | null {
  const named = externId ?? row.externPaymentId;
  return kind === 'payin' && named !== null ? unappliedIdOf(row, named) : null;
}

interface Stray {
  readonly kind: PaymentKind;
  readonly row: Payment;
  readonly externId: string;
  readonly money: Money;
  readonly reason: string;
  readonly now: Date;
}

export function keepUnapplied(found: Stray): Effects {
  const { kind, row, money } = found;
  const { pkid, semanticKey, provider } = row;
  const unapplied = unappliedRow(found);
  const { unappliedId } = unapplied;
  const posting: Movement = {
    type: 'post',
    posting: {
      postingId: postingIdOf(unappliedId, 'open'),
      event: 'unapplied.opened',
      kind,
      pkid,
      semanticKey,
      reverses: null,
    },
    currency: money.currency,
    lines: [
      { walletId: providerWalletId(provider, money.currency), amountMinor: -money.amountMinor },
      { walletId: unappliedWalletId(money.currency), amountMinor: money.amountMinor },
    ],
  };
  return { movements: [posting], unapplied: [unapplied] };
}

/** What a person finds of it, until they say where it belongs. */
export function unappliedRow({ kind, row, externId, money, reason, now }: Stray): Unapplied {
  const { pkid, semanticKey, provider } = row;
  return {
    unappliedId: unappliedIdOf(row, externId),
    reason,
    provider,
    externPaymentId: externId,
    operationKind: kind,
    pkid,
    semanticKey,
    amountMinor: money.amountMinor,
    splitOffMinor: 0n,
    currency: money.currency,
    openedAt: now,
    refundPkid: null,
    resolvedAt: null,
    resolvedBy: null,
    resolvedReason: null,
    appliedTo: null,
  };
}

/** One payment of the provider is kept once, however often it is seen. */
function unappliedIdOf({ pkid }: Payment, externId: string): Pkid {
  return derivedPkid(pkid, `unapplied:${externId}`);
}
