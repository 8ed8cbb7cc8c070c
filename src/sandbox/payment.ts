// What the sandbox remembers: payments, idempotency keys, the book of money moved and the events it tells.
// Records are never changed in place, so a snapshot taken once stays what it was.
import { randomUUID } from 'node:crypto';

export type PaymentKind = 'payout' | 'payin' | 'refund';

/**
 * created: nothing asked yet. action: the buyer must act. approved: may be captured. returned: all of it came back.
 */
export type PaymentStatus =
  | 'created'
  | 'action'
  | 'approved'
  | 'pending'
  | 'paid'
  | 'declined'
  | 'canceled'
  | 'returned';

/**
 * What still has to happen to a payment by itself: money moves, is refused, comes back, is told about at last, the
 * buyer is given up, the payer disputes it and then the dispute is decided.
 */
export type DueStep =
  | 'pay'
  | 'decline'
  | 'return'
  | 'reveal'
  | 'expire'
  | 'dispute_then_win'
  | 'dispute_then_lose'
  | 'win'
  | 'lose';

export type MoneyReturn = { id: string; amount: string; at: number; extra: Record<string, unknown> };

export type Dispute = {
  id: string;
  status: 'open' | 'won' | 'lost';
  amount: string;
  openedAt: number;
  closedAt: number | null;
};

export type Payment = {
  id: string;
  provider: string;
  /** Absent: a payout. */
  kind?: PaymentKind;
  /** Of a refund: the pay-in it gives back. */
  parent?: string;
  /** The caller's operation (its pkid, dashed), and the key of the call that moved the money. */
  key: string | null;
  callKey: string | null;
  /** What the provider's look-up by the caller's reference goes by. */
  reference: string | null;
  /** Minor units as a decimal string, currency in upper case. */
  amount: string;
  currency: string;
  destination: string;
  status: PaymentStatus;
  declineCode: string | null;
  returns: MoneyReturn[];
  createdAt: number;
  hiddenUntil: number;
  due: { at: number; step: DueStep } | null;
  /** Money moves in a second call, after the buyer or the card allowed it. */
  captureLater?: boolean;
  /** When the money moved, and what the provider kept of it. */
  paidAt?: number;
  fee?: string;
  dispute?: Dispute;
  /** Fields that only this provider's object shows. */
  extra: Record<string, unknown>;
};

/**
 * live: the answer follows the payment; snapshot: the payment as the same line holds it; fixed: this very text.
 */
export type KeptAnswer =
  | { kind: 'live' }
  | { kind: 'snapshot'; status: number }
  | { kind: 'fixed'; status: number; body: string };

export type KeyRecord = {
  name: string;
  endpoint: string;
  fingerprint: string;
  at: number;
  paymentId: string | null;
  answer: KeptAnswer;
};

export type Direction = 'in' | 'out' | 'refund' | 'return' | 'dispute' | 'dispute_won' | 'fee';

export type BookRow = {
  seq: number;
  at: string;
  provider: string;
  direction: Direction;
  key: string | null;
  call_key: string | null;
  extern_id: string;
  amount: string;
  currency: string;
  destination: string;
};

export type EventRecord = { id: string; type: string; provider: string; at: number; payment: Payment };

export type EventHead = { id: string; type: string };

/** One line of the file. The events are about the payment of the same line, and a fee comes with the row. */
export type Effect = {
  at: number;
  payment?: Payment;
  key?: KeyRecord;
  row?: { direction: Direction; amount: string; callKey: string | null };
  fee?: string;
  events?: EventHead[];
  /** How earlier versions wrote a single event. */
  event?: EventHead;
  /** What a provider must still know after a restart, such as its signing key. */
  note?: { name: string; text: string };
  /** The event with this id needs no more sending. */
  delivered?: string;
};

export function kindOf(payment: Payment): PaymentKind {
  return payment.kind ?? 'payout';
}

export function returnedAmount(payment: Payment): bigint {
  return payment.returns.reduce((sum, one) => sum + BigInt(one.amount), 0n);
}

export function isHidden(payment: Payment, now: number): boolean {
  return payment.hiddenUntil > now;
}

/** 24 random hex characters: enough that two sandboxes on one database never meet. */
export function newId(prefix: string): string {
  return prefix + randomUUID().replaceAll('-', '').slice(0, 24);
}

const PLAIN_UUID = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/i;

/** The dashed form of an operation's id, whichever way the wire carried it. */
export function dashed(key: string): string {
  return PLAIN_UUID.test(key) ? key.replace(PLAIN_UUID, '$1-$2-$3-$4-$5').toLowerCase() : key;
}
