// Everything that happened to one operation, in order: its status changes, the calls to its provider with their
// answers, the provider's events, its postings, and what people did.

import { z } from '@hono/zod-openapi';
import type { Pkid } from '../../domain/id.ts';
import { postingIdsOfTransfer, type Transfer } from '../../domain/transfer.ts';
import { type Posting, PostingEntity } from '../../entities/posting.ts';
import { type ProviderCall, ProviderCallEntity } from '../../entities/provider-call.ts';
import { type ProviderEvent, ProviderEventEntity } from '../../entities/provider-event.ts';
import { type ReviewAction, ReviewActionEntity } from '../../entities/review-action.ts';
import { type StatusChange, StatusChangeEntity } from '../../entities/status-change.ts';
import { TransferEntity } from '../../entities/transfer.ts';
import type { Db } from '../../runtime/db.ts';
import { status } from '../fields.ts';
import { isoOrNull } from './operation.ts';
import { type PostingView, postingView, presentPostings } from './posting.ts';

const itemView = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('status_change'),
    at: z.string(),
    from: status.nullable(),
    to: status,
    attempt: z.int(),
    cause: z.string().nullable(),
  }),
  z.object({
    type: z.literal('provider_call'),
    at: z.string().openapi({ description: 'When the intent was committed.' }),
    number: z.int(),
    attempt: z.int(),
    provider: z.string(),
    step: z.string(),
    key: z.string().openapi({ description: 'The idempotency key on the wire.' }),
    answered_at: z.string().nullable(),
    latency_ms: z.int().nullable(),
    outcome: z.string().nullable(),
    reason: z.string().nullable(),
    http_status: z.int().nullable(),
    extern_payment_id: z.string().nullable(),
    verdict: z.string().nullable(),
  }),
  z.object({
    type: z.literal('provider_event'),
    at: z.string().openapi({ description: 'When it was received.' }),
    provider: z.string(),
    event_id: z.string(),
    event: z.string(),
    occurred_at: z.string(),
    extern_payment_id: z.string().nullable(),
    outcome: z.string().nullable(),
  }),
  z.object({ type: z.literal('posting'), at: z.string(), posting: postingView }),
  z.object({
    type: z.literal('review_action'),
    at: z.string(),
    action: z.string(),
    verdict: z.string().nullable(),
    reason: z.string().nullable(),
    actor: z.string(),
  }),
]);

export const timelineView = z.object({ data: z.array(itemView) }).openapi('Timeline');

type Item = z.input<typeof itemView>;

export async function readTimeline(db: Db, pkid: Pkid): Promise<z.input<typeof timelineView>> {
  const em = db.em();
  const [{ transfer, postings }, changes, calls, events, actions] = await Promise.all([
    findPostings(db, pkid),
    em.fork().find(StatusChangeEntity, { pkid }, { orderBy: { number: 'asc' } }),
    em.fork().find(ProviderCallEntity, { pkid }, { orderBy: { number: 'asc' } }),
    em.fork().find(ProviderEventEntity, { pkid }, { orderBy: { receivedAt: 'asc' } }),
    em.fork().find(ReviewActionEntity, { pkid }, { orderBy: { createdAt: 'asc' } }),
  ]);
  const items = [
    ...(transfer === null ? changes : movesOf(transfer, { changes, postings })).map(presentChange),
    ...calls.map(presentCall),
    ...events.map(presentEvent),
    ...(await presentPostings(postings, db.sql)).map(presentPosting),
    ...actions.map(presentAction),
  ];
  return { data: items.sort(inOrder) };
}

/** No index finds a transfer's postings by its pkid, and for other kinds only who leaves transfers out can use one. */
async function findPostings(db: Db, pkid: Pkid) {
  const em = db.em();
  const transfer = await em.findOne(TransferEntity, { pkid });
  const ofOperation =
    transfer === null
      ? { operationPkid: pkid, operationKind: { $ne: 'transfer' as const } }
      : { postingId: { $in: postingIdsOfTransfer(transfer) }, operationPkid: pkid };
  const postings = await em.find(PostingEntity, ofOperation, { orderBy: { createdAt: 'asc', postingId: 'asc' } });
  return { transfer, postings };
}

/** What one commit wrote has one time; then the order is that of its life: claim, call, posting, final state. */
function inOrder(left: Item, right: Item): number {
  if (left.at !== right.at) return left.at < right.at ? -1 : 1;
  return rankOf(left) - rankOf(right);
}

function rankOf(item: Item): number {
  if (item.type === 'status_change') return { initialized: 0, in_process: 1, succeeded: 6, failed: 6 }[item.to];
  return { provider_call: 2, provider_event: 3, review_action: 4, posting: 5 }[item.type];
}

/**
 * Of a transfer only its failure is written. When it was taken in stands in its row, when it succeeded in its posting,
 * and it passes in_process inside the commit that ends it. Books of earlier releases have some or all of it written.
 */
function movesOf(
  { pkid, createdAt }: Pick<Transfer, 'pkid' | 'createdAt'>,
  { changes, postings }: { changes: readonly StatusChange[]; postings: readonly Posting[] },
): StatusChange[] {
  const written = new Map(changes.map((change) => [change.number, change]));
  const head = { pkid, operationKind: 'transfer', attempt: 0 } as const;
  const requested = { fromStatus: null, toStatus: 'initialized', cause: 'requested' } as const;
  const succeeded = { fromStatus: 'in_process', toStatus: 'succeeded', cause: null } as const;
  const passed = { fromStatus: 'initialized', toStatus: 'in_process' } as const;
  const first = written.get(1) ?? { ...head, number: 1, ...requested, createdAt };
  // What repaid a debt before the money moved is no settle posting.
  const settle = postings.find(({ event }) => event === 'transfer');
  const last = written.get(3) ?? (settle && { ...head, number: 3, ...succeeded, createdAt: settle.createdAt });
  const claim = written.get(2) ?? (last && { ...last, number: 2, ...passed });
  return [first, claim, last].filter((change) => change !== undefined);
}

function presentChange(change: StatusChange): Item {
  return {
    type: 'status_change',
    at: change.createdAt.toISOString(),
    from: change.fromStatus ?? null,
    to: change.toStatus,
    attempt: change.attempt,
    cause: change.cause ?? null,
  };
}

function presentCall(call: ProviderCall): Item {
  return {
    type: 'provider_call',
    at: call.intentAt.toISOString(),
    number: call.number,
    attempt: call.attempt,
    provider: call.provider,
    step: call.step,
    key: call.key,
    answered_at: isoOrNull(call.answeredAt ?? null),
    latency_ms: call.latencyMs ?? null,
    outcome: call.outcome ?? null,
    reason: call.reason ?? null,
    http_status: call.httpStatus ?? null,
    extern_payment_id: call.externPaymentId ?? null,
    verdict: call.verdict ?? null,
  };
}

function presentEvent(event: ProviderEvent): Item {
  return {
    type: 'provider_event',
    at: event.receivedAt.toISOString(),
    provider: event.provider,
    event_id: event.eventId,
    event: event.type,
    occurred_at: event.occurredAt.toISOString(),
    extern_payment_id: event.externPaymentId ?? null,
    outcome: event.outcome ?? null,
  };
}

function presentPosting(posting: PostingView): Item {
  return { type: 'posting', at: posting.created_at, posting };
}

function presentAction(action: ReviewAction): Item {
  return {
    type: 'review_action',
    at: action.createdAt.toISOString(),
    action: action.action,
    verdict: action.verdict ?? null,
    reason: action.reason ?? null,
    actor: action.actor,
  };
}
