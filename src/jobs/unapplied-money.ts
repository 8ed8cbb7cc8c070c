// Money that came in and fits nothing: booked to the platform's own wallet for it, once for each payment, until a
// person says where it belongs.

import { providerWalletId, unappliedWalletId } from '../domain/chart.ts';
import { derivedPkid, type Pkid, postingIdOf } from '../domain/id.ts';
import type { Money } from '../domain/money.ts';
import type { Movement } from '../domain/movements.ts';
import type { Payment } from '../domain/payment.ts';
import type { PaymentKind, Succeeded } from '../domain/provider.ts';
import type { Unapplied } from '../entities/unapplied.ts';
import type { Effects, Held } from './payment-rules.ts';

/** Keeps the money of a payment that cannot be booked as what it was asked for. */
export function strayMoney<Row extends Payment>(
  kind: PaymentKind,
  { row, now }: Held<Row>,
  { success, reason }: { success: Succeeded; reason: string },
): Effects {
  const { externId, money } = success;
  // What is on file under this id was booked when it came.
  if (row.status === 'succeeded' && externId === row.externPaymentId) return { movements: [] };
  return keepUnapplied({ kind, row, externId, money, reason, now });
}

export function keepUnapplied(found: {
  kind: PaymentKind;
  row: Payment;
  externId: string;
  money: Money;
  reason: string;
  now: Date;
}): Effects {
  const { kind, row, externId, money, reason, now } = found;
  const { pkid, semanticKey, provider } = row;
  const unappliedId = unappliedIdOf(row, externId);
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
  const unapplied: Unapplied = {
    unappliedId,
    reason,
    provider,
    externPaymentId: externId,
    operationKind: kind,
    pkid,
    semanticKey,
    amountMinor: money.amountMinor,
    currency: money.currency,
    openedAt: now,
    refundPkid: null,
    resolvedAt: null,
    resolvedBy: null,
    resolvedReason: null,
    appliedTo: null,
  };
  return { movements: [posting], unapplied: [unapplied] };
}

/** One payment of the provider is kept once, however often it is seen. */
function unappliedIdOf({ pkid }: Payment, externId: string): Pkid {
  return derivedPkid(pkid, `unapplied:${externId}`);
}
