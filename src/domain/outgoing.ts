// What the platform's web app may hear of, which endpoint wants to hear it, and how long we keep trying to tell it.

export const EVENT_TYPES = [
  'payin.action_required',
  'payin.succeeded',
  'payin.failed',
  'payin.reversed',
  'order.delivered',
  'refund.succeeded',
  'refund.failed',
  'refund.returned',
  'payout.succeeded',
  'payout.failed',
  'payout.returned',
  'transfer.succeeded',
  'transfer.failed',
  'dispute.opened',
  'dispute.won',
  'dispute.lost',
  'payee.updated',
  'review.opened',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

export type SubjectKind = 'payin' | 'payout' | 'transfer' | 'refund' | 'order' | 'dispute' | 'payee';

/** What an event speaks of. */
export interface Subject {
  readonly kind: SubjectKind;
  /** The subject's own id, a uuid. */
  readonly pkid: string;
  /** The id under which GET finds it. */
  readonly semanticKey: string;
}

export interface OutgoingEvent extends Subject {
  readonly type: EventType;
}

export type DeliveryStatus = 'pending' | 'delivered' | 'failed';
export const DELIVERY_STATUSES = ['pending', 'delivered', 'failed'] as const satisfies readonly DeliveryStatus[];

const EVERYTHING = '*';
/** Everything an endpoint may subscribe to: a type, all types of one noun ("payout.*"), or all ("*"). */
export const EVENT_PATTERNS: readonly string[] = [
  EVERYTHING,
  ...new Set(EVENT_TYPES.map((type) => `${nounOf(type)}.${EVERYTHING}`)),
  ...EVENT_TYPES,
];

export function isSubscribed(patterns: readonly string[], type: EventType): boolean {
  const wanted = [type, `${nounOf(type)}.${EVERYTHING}`, EVERYTHING];
  return patterns.some((pattern) => wanted.includes(pattern));
}

function nounOf(type: string): string {
  return type.slice(0, type.indexOf('.'));
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/**
 * The pause after each attempt that failed; after the last one the delivery is given up. Together with the jitter
 * and the time of the attempts themselves they stay within 24 hours.
 */
export const RETRY_LADDER_MS: readonly number[] = [
  5 * SECOND,
  30 * SECOND,
  2 * MINUTE,
  10 * MINUTE,
  30 * MINUTE,
  1 * HOUR,
  2 * HOUR,
  4 * HOUR,
  6 * HOUR,
  8 * HOUR,
];
/** Spreads the deliveries that failed together, so that an endpoint that is back is not hit by all at once. */
export const RETRY_JITTER = 0.1;

/** How long to wait after the attempt with this number (1 is the first); null when it was the last. */
export function retryAfterMs(
  tries: number,
  { ladderMs, random }: { readonly ladderMs: readonly number[]; readonly random: () => number },
): number | null {
  const step = ladderMs[tries - 1];
  return step === undefined ? null : Math.round(step * (1 + RETRY_JITTER * random()));
}
