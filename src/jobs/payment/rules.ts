// What a kind of payment has of its own: which wallets it touches, what its end means for the ledger, and how its call
// to the provider looks. Everything else (claim, call, verdict, settle, review) is the same for all of them.

import { costsWalletId, providerWalletId } from '../../domain/chart.ts';
import type { Pkid } from '../../domain/id.ts';
import { postingIdOf } from '../../domain/id.ts';
import type { Money } from '../../domain/money.ts';
import type { Movement, PostingHead } from '../../domain/movements.ts';
import type { Order } from '../../domain/order.ts';
import type { EventType, OutgoingEvent } from '../../domain/outgoing.ts';
import type { Payment } from '../../domain/payment.ts';
import type { Answer, CallLimits, PaymentKind, Payments, Provider, Succeeded } from '../../domain/provider.ts';
import type { FailureCode } from '../../domain/state-machine.ts';
import type { Discrepancy } from '../../entities/discrepancy.ts';
import type { Unapplied } from '../../entities/unapplied.ts';
import type { Loader } from '../../ledger/loader.ts';
import type { Seen, Step } from '../../ledger/step.ts';

/** What an end, or a taking back, does besides changing the row. */
export interface Effects {
  readonly movements: readonly Movement[];
  readonly orders?: readonly Order[];
  readonly unapplied?: readonly Unapplied[];
  readonly discrepancies?: readonly Discrepancy[];
  readonly events?: readonly OutgoingEvent[];
}

/** What has to be locked with the row to end it. */
export interface Companions {
  readonly walletIds: readonly string[];
  readonly orderPkids: readonly Pkid[];
  readonly unappliedId: Pkid | null;
  /** The wallet that a pay-in has loaded, and that gives back what is taken of it again. */
  readonly loadedId: string | null;
  /** Whose debt grows when a person's wallet cannot give back what is taken from it. */
  readonly debtId: string | null;
}

/** A row with what was locked beside it, and the time. */
export interface Held<Row> {
  readonly row: Row;
  readonly seen: Seen;
  readonly companions: Companions;
  readonly now: Date;
}

/** Why a payment ends before it was ever sent. */
export interface Obstacle {
  readonly code: FailureCode;
  readonly detail: string;
}

export interface PaymentRules<Row extends Payment> {
  readonly kind: PaymentKind;
  readonly direction: 'in' | 'out';
  readonly rows: Loader<Pkid, Row>;
  step<Result>(step: Step<Row, Result>): Promise<Result>;
  /** The provider's account for this kind; null when it does not do such a thing. */
  accountOf(provider: Provider): Pick<Payments<never>, Exclude<keyof Payments<never>, 'send' | 'refusalOf'>> | null;
  /** Whether the first of two steps may move the money already. */
  movesAtSend(provider: Provider, row: Row): boolean;
  send(provider: Provider, row: Row, call: { key: string; limits: CallLimits }): Promise<Answer>;
  /** Null where our own key finds it; else how one is asked about that somebody made at the provider. */
  findExternal(provider: Provider, row: Row, limits: CallLimits): Promise<Answer> | null;
  /** Refunds only: the provider's id of the pay-in. */
  payinExternIdOf(row: Row): string | null;
  /** Why it may not be sent after all, such as a payee who was blocked meanwhile; asked before the first claim. */
  obstacleTo(row: Row): Promise<Obstacle | null>;
  /** Read before the locks: which rows and wallets an end would touch. */
  companionsOf(row: Row): Promise<Companions>;
  /** What is held back at the first claim. */
  claimMovements(row: Row): readonly Movement[];
  /** The row with what an answer tells besides its verdict. */
  learn(row: Row, answer: Answer): Row;
  /** What a change that is no end tells the platform. */
  news(before: Row, after: Row): readonly OutgoingEvent[];
  succeed(held: Held<Row>): Effects;
  /** `wasClaimed`: the first claim held something back, which is given free. */
  fail(held: Held<Row> & { readonly wasClaimed: boolean }): Effects;
  /** The provider took back so much more of a payment that succeeded. */
  takeBack(held: Held<Row>, more: { amountMinor: bigint; totalMinor: bigint }): Effects;
  /** Incoming money that fits nothing; outgoing money that differs moves nothing here. */
  strayMoney(held: Held<Row>, success: Succeeded, reason: string): Effects;
}

export function headOf(
  kind: PaymentKind,
  { pkid, semanticKey }: Payment,
  { step, event, reverses = false }: { step: string; event: string; reverses?: boolean },
): PostingHead {
  return {
    postingId: postingIdOf(pkid, step),
    event,
    kind,
    pkid,
    semanticKey,
    reverses: reverses ? postingIdOf(pkid, 'settle') : null,
  };
}

/** What a provider kept for itself is ours to bear. */
export function feeMovement(posting: PostingHead, { provider, money }: { provider: string; money: Money }): Movement {
  const { amountMinor, currency } = money;
  const lines = [
    { walletId: costsWalletId(provider, currency), amountMinor: -amountMinor },
    { walletId: providerWalletId(provider, currency), amountMinor },
  ];
  return { type: 'post', posting, currency, lines };
}

export function eventOf(kind: PaymentKind, type: EventType, { pkid, semanticKey }: Payment): OutgoingEvent {
  return { type, kind, pkid, semanticKey };
}

export const NO_EFFECTS: Effects = { movements: [] };

export function together(first: Effects, second: Effects): Effects {
  return {
    movements: [...first.movements, ...second.movements],
    // The second one started from what the first one left.
    orders: [...(first.orders ?? []).filter(isNotIn(second.orders ?? [])), ...(second.orders ?? [])],
    unapplied: [...(first.unapplied ?? []), ...(second.unapplied ?? [])],
    discrepancies: [...(first.discrepancies ?? []), ...(second.discrepancies ?? [])],
    events: [...(first.events ?? []), ...(second.events ?? [])],
  };
}

function isNotIn(others: readonly Order[]): (order: Order) => boolean {
  return (order) => !others.some(({ pkid }) => pkid === order.pkid);
}
