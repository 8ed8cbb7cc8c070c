// Every gap between two effects at which a process may die, by name. Production hands in no function, so that a gap
// costs a look at an undefined; the crash bench hands in one that never returns, which is what a death looks like.

import { PAYMENT_KINDS, type PaymentKind } from '../domain/provider.ts';
import type { Step } from '../domain/verdict.ts';

const OPERATION_GAPS = [
  'before row commit',
  'after row commit',
  'after enqueue',
  'before claim commit',
  'after claim commit',
  // Extern_payment_id and the intent of the next call.
  'after next call commit',
  'after settle commit',
  // A final payment is compared with the provider once more.
  'before look commit',
  'after comparison commit',
  'before job ack',
] as const;

/** Of a payment that may rest until it is confirmed, and be cancelled. */
const WISH_GAPS = [
  'before confirm commit',
  'after confirm commit',
  'before cancel commit',
  'after cancel commit',
] as const;

const TWO_STAGES = ['send', 'confirm', 'find', 'cancel'] as const satisfies readonly Step[];
const CALLS = { payin: TWO_STAGES, payout: TWO_STAGES, refund: ['send', 'find'] } as const;

type PaymentGap =
  | (typeof OPERATION_GAPS)[number]
  | (typeof WISH_GAPS)[number]
  /** `after` is when the answer has come and nothing was written: so it is before the commit that has it. */
  | `${'before' | 'after'} ${Step} call`;

const TRANSFER_GAPS = [
  'before row commit',
  'after row commit',
  'after enqueue',
  'before settle commit',
  'after settle commit',
  'before job ack',
] as const;

/** A cancelled checkout is looked at until nothing is left; its pay-in and its refunds have gaps of their own. */
const CHECKOUT_GAPS = [
  'before cancel commit',
  'after cancel commit',
  'after pay-in cancel',
  'after report commit',
  'before settle commit',
  'after settle commit',
] as const;

/** Before the call is where its event was claimed. */
const DISPUTE_GAPS = ['after look call', 'after booking commit', 'after wake commit'] as const;

/** Of a refund that somebody made at the provider, until it is one of ours; before the call is as above. */
const EXTERNAL_GAPS = ['after look call', 'before row commit', 'after row commit'] as const;

const WEBHOOK_IN_GAPS = [
  'before row commit',
  'after row commit',
  'after enqueue',
  'before claim commit',
  'after claim commit',
  'after hint commit',
  'before settle commit',
  'after settle commit',
  'before job ack',
] as const;

const WEBHOOK_OUT_GAPS = [
  'before claim commit',
  'after claim commit',
  'after send',
  'after settle commit',
  'before job ack',
] as const;

/** What is done for many at once, and so by no operation. */
export const PROCESS_CRASH_POINTS = [
  'reconcile: before reading',
  'reconcile: after reading',
  'reconcile: after heartbeat',
  'reconcile: after rows',
  'webhook-out: before enqueue',
  'webhook-out: after enqueue',
] as const;

export type CrashPoint =
  | `${PaymentKind}: ${PaymentGap}`
  | `transfer: ${(typeof TRANSFER_GAPS)[number]}`
  | `checkout: ${(typeof CHECKOUT_GAPS)[number]}`
  | `dispute: ${(typeof DISPUTE_GAPS)[number]}`
  | `external: ${(typeof EXTERNAL_GAPS)[number]}`
  | `webhook-in: ${(typeof WEBHOOK_IN_GAPS)[number]}`
  | `webhook-out: ${(typeof WEBHOOK_OUT_GAPS)[number]}`
  | (typeof PROCESS_CRASH_POINTS)[number];

export const OPERATION_CRASH_POINTS: readonly CrashPoint[] = [
  ...PAYMENT_KINDS.flatMap((kind) => [
    ...OPERATION_GAPS.map((gap) => `${kind}: ${gap}` as const),
    ...(kind === 'refund' ? [] : WISH_GAPS).map((gap) => `${kind}: ${gap}` as const),
    ...CALLS[kind].flatMap((call) => [`${kind}: before ${call} call`, `${kind}: after ${call} call`] as const),
  ]),
  ...TRANSFER_GAPS.map((gap) => `transfer: ${gap}` as const),
  ...CHECKOUT_GAPS.map((gap) => `checkout: ${gap}` as const),
  ...DISPUTE_GAPS.map((gap) => `dispute: ${gap}` as const),
  ...EXTERNAL_GAPS.map((gap) => `external: ${gap}` as const),
  ...WEBHOOK_IN_GAPS.map((gap) => `webhook-in: ${gap}` as const),
  ...WEBHOOK_OUT_GAPS.map((gap) => `webhook-out: ${gap}` as const),
];

/**
 * Called at each gap with the id of what is worked on: an operation's pkid, a checkout's or a delivery's id, of a
 * dispute or a refund made at the provider its pay-in's pkid or extern_payment_id, or of a provider's event the pkid
 * it names, else its own id. What it never answers goes no further in this process.
 */
export type AtCrashPoint = (point: CrashPoint, subject: string) => Promise<void>;
