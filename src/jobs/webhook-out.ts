// The life of a delivery: render once, claim, send, write how it ended, go on with the subject's next. At least once:
// a worker that dies between the answer and the last write sends again, under the same webhook-id and with the same
// bytes. Whatever the queue loses is found by due_at.

import type { Logger } from 'pino';
import { PaymentError } from '../domain/errors.ts';
import { RETRY_LADDER_MS, retryAfterMs, type Subject } from '../domain/outgoing.ts';
import type { AtCrashPoint } from '../runtime/crash-point.ts';
import type { Db } from '../runtime/db.ts';
import {
  type Claim,
  claimDelivery,
  type DueDelivery,
  ENDPOINT_DISABLED,
  type Ending,
  endAttempt,
  GONE,
  NOT_SENT,
  postpone,
  readDelivery,
  readDue,
} from './webhook-out/rows.ts';
import { createSend, DELIVERED, SEND_TIMEOUT_MS, type Sent } from './webhook-out/send.ts';
import { createStrikes } from './webhook-out/strikes.ts';
import { signedHeaders } from './webhook-signature.ts';
import { createUrlCheck, type Lookup } from './webhook-url.ts';

export type WebhookOut = ReturnType<typeof createWebhookOut>;

/** How one attempt ended, for metrics. */
export interface DeliveryAttempt {
  readonly result: 'delivered' | 'retry' | 'failed';
  readonly outcome: string;
  readonly durationMs: number;
}

export interface WebhookOutOptions {
  readonly db: Db;
  readonly log: Logger;
  /** The resource as GET returns it. */
  readonly render: (subject: Subject) => Promise<unknown>;
  /** "host:port" that may be reached by http and on private addresses. */
  readonly allowHosts: readonly string[];
  readonly onAttempt: (attempt: DeliveryAttempt) => void;
  /** Only the crash bench hands it in. */
  readonly at?: AtCrashPoint | undefined;
  /** The resolver, the pauses and the times, for those who need others. */
  readonly lookup?: Lookup;
  readonly ladderMs?: readonly number[];
  readonly timeoutMs?: number;
  readonly leaseMs?: number;
}

/** Above the send's bound, with room for a slow database around it. */
const LEASE_MS = 30_000;
/** An attempt that begins later than this share of its lease might still be out when another one claims. */
const SEND_SHARE_OF_LEASE = 1 / 3;
/** How soon it is tried again, as if it had not been taken. */
const NOT_SENT_RETRY_MS = 1_000;
/** What cannot be rendered is a defect, or the database is away; neither is over soon. */
const UNRENDERED_MS = 60_000;
/** How long a delivery stands back while its endpoint is out and has its few attempts under way. */
const STAND_BACK_MS = 5_000;

export function createWebhookOut(options: WebhookOutOptions) {
  const { db, log, render, onAttempt, ladderMs = RETRY_LADDER_MS, leaseMs = LEASE_MS } = options;
  const { allowHosts, lookup, timeoutMs = SEND_TIMEOUT_MS, at } = options;
  const checkUrl = createUrlCheck({ allowHosts, ...(lookup !== undefined && { lookup }) });
  const send = createSend({ checkUrl, timeoutMs });
  const strikes = createStrikes();
  const underWay = new Set<Promise<void>>();
  const closing = new AbortController();

  /** One attempt at one delivery. Returns what the same subject has to tell the same endpoint next. */
  async function attemptOne(deliveryId: string): Promise<string | null> {
    const due = await readDelivery(db, deliveryId);
    if (due === null) return null;
    if (!strikes.enter(due.endpointId)) {
      await postpone(db, deliveryId, STAND_BACK_MS);
      return null;
    }
    let attempt: 'delivered' | 'refused' | 'nothing' = 'nothing';
    try {
      const body = due.body ?? (await rendered(deliveryId, due));
      if (at) await at('webhook-out: before claim commit', deliveryId);
      const claimingAt = performance.now();
      const claimed = await claimDelivery(db, { deliveryId, body, leaseMs, triesMax: ladderMs.length + 1 });
      if (claimed.type === 'nothing') return null;
      if (claimed.type === 'failed') {
        report(deliveryId, due, { outcome: claimed.outcome, result: 'failed', attempt: 0, durationMs: 0 });
        return claimed.next;
      }
      if (at) await at('webhook-out: after claim commit', deliveryId);
      const { outcome, next } = await sendClaimed(claimed, { due, claimingAt });
      if (outcome === DELIVERED) attempt = 'delivered';
      // This process was late: that says nothing about the endpoint.
      else if (outcome !== NOT_SENT) attempt = 'refused';
      return next;
    } finally {
      strikes.leave(due.endpointId, attempt);
    }
  }

  async function rendered(deliveryId: string, { type, sequence, subject }: DueDelivery): Promise<string> {
    try {
      return JSON.stringify({ type, sequence, data: await render(subject) });
    } catch (cause) {
      await postpone(db, deliveryId, UNRENDERED_MS);
      if (cause instanceof PaymentError && cause.kind === 'unavailable') throw cause;
      const detail = `The event ${type} of ${subject.semanticKey} cannot be rendered. It is tried again in a minute.`;
      throw new PaymentError('internal', { detail, cause });
    }
  }

  async function sendClaimed(
    claim: Claim,
    { due, claimingAt }: { due: DueDelivery; claimingAt: number },
  ): Promise<{ outcome: string; next: string | null }> {
    const sent = await sendInTime(claim, { eventId: due.eventId, claimingAt });
    const durationMs = Math.round(performance.now() - claimingAt);
    if (at) await at('webhook-out: after send', claim.deliveryId);
    const ending = endingOf(sent, retryAfterMs(claim.tries, { ladderMs, random: Math.random }));
    const { isWritten, next } = await endAttempt(db, claim, ending);
    if (at) await at('webhook-out: after settle commit', claim.deliveryId);
    const result = ending.status === 'pending' ? 'retry' : ending.status;
    const outcome = isWritten ? ending.outcome : 'lease_lost';
    report(claim.deliveryId, due, { outcome, result, attempt: claim.attempt, durationMs });
    return { outcome: ending.outcome, next };
  }

  /** A process that was paused in its claim must not send beside the one that took over. */
  async function sendInTime(
    { url, body, secrets, at: claimedAt }: Claim,
    { eventId, claimingAt }: { eventId: string; claimingAt: number },
  ): Promise<Sent> {
    const headers = signedHeaders({ id: eventId, at: claimedAt, body, secrets });
    const isLate = performance.now() - claimingAt > leaseMs * SEND_SHARE_OF_LEASE;
    return isLate ? { outcome: NOT_SENT, httpStatus: null } : send({ url, headers, body }, closing.signal);
  }

  function report(
    deliveryId: string,
    { subject }: DueDelivery,
    end: { outcome: string; result: DeliveryAttempt['result']; attempt: number; durationMs: number },
  ): void {
    const { outcome, result, attempt, durationMs } = end;
    const { kind, pkid, semanticKey } = subject;
    const level = levelOf(result, outcome);
    const fields = {
      job_id: deliveryId,
      kind,
      pkid,
      semantic_key: semanticKey,
      attempt,
      to: result,
      outcome,
      durationMs,
    };
    log[level](fields, 'delivery');
    onAttempt({ result, outcome, durationMs });
  }

  async function deliverInOrder(deliveryId: string): Promise<void> {
    let next: string | null = deliveryId;
    while (next !== null && !closing.signal.aborted) next = await attemptOne(next);
  }

  return {
    /** Attempts a delivery that is due, and after its success those of the same subject that waited for it. */
    deliver(deliveryId: string): Promise<void> {
      if (closing.signal.aborted) return Promise.resolve();
      const run = deliverInOrder(deliveryId);
      underWay.add(run);
      return run.finally(() => underWay.delete(run));
    },

    /** Deliveries to attempt now, for reconcile: some of each endpoint, oldest first. */
    due: (limit: number): Promise<string[]> => readDue(db, limit),

    /** Lets attempts end for a while, then ends them; those are sent again after a first pause. */
    async close(graceMs: number): Promise<void> {
      const timer = setTimeout(() => closing.abort(), graceMs);
      while (underWay.size > 0) await Promise.allSettled(underWay);
      clearTimeout(timer);
      closing.abort();
    },
  };
}

function endingOf({ outcome, httpStatus }: Sent, retryMs: number | null): Ending {
  if (outcome === NOT_SENT) return { status: 'pending', outcome, httpStatus, retryMs: NOT_SENT_RETRY_MS };
  if (outcome === DELIVERED) return { status: 'delivered', outcome, httpStatus };
  if (outcome === GONE || retryMs === null) return { status: 'failed', outcome, httpStatus };
  return { status: 'pending', outcome, httpStatus, retryMs };
}

/** What was given up after a day is for a person; what somebody switched off is not. */
function levelOf(result: DeliveryAttempt['result'], outcome: string): 'info' | 'warn' | 'error' {
  if (result === 'delivered') return 'info';
  return result === 'retry' || outcome === ENDPOINT_DISABLED ? 'warn' : 'error';
}
