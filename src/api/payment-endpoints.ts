// The endpoints that payouts, pay-ins and refunds have alike: reading one, confirming and cancelling it, and what
// operators do: its timeline, asking the provider, deciding.

import { z } from '@hono/zod-openapi';
import type { Payment } from '../domain/payment.ts';
import { isFinal } from '../domain/state-machine.ts';
import { type Endpoint, endpoint, noBody, none } from './endpoint.ts';
import { externPaymentId, semanticKey, text, wait } from './fields.ts';
import { findPayment, locationOf, type PaymentDoor, viewAfter, viewOf } from './payment-doors.ts';
import { readTimeline, timelineView } from './views/timeline.ts';
import { requireForSandbox } from './where-money-starts.ts';

export const keyParams = z.strictObject({ semantic_key: semanticKey });
export const waiting = z.strictObject({ wait });

const resolution = z
  .strictObject({
    verdict: z.enum(['succeeded', 'failed']),
    reason: text,
    extern_payment_id: externPaymentId.optional(),
  })
  .openapi('Resolution');

export function getOf<Row extends Payment, Answer extends z.ZodType>(door: PaymentDoor<Row, Answer>): Endpoint {
  return endpoint({
    method: 'get',
    path: `/v1/${door.plural}/{semantic_key}`,
    tag: door.tag,
    summary: `Read a ${door.noun}`,
    scope: 'read',
    params: keyParams,
    query: waiting,
    body: noBody,
    answer: door.answer,
    statuses: { 200: `The ${door.noun} as it is now, or as it is when the wait ends.` },
    errors: ['not-found'],
    async handle({ params, query }, api) {
      const row = await findPayment(door, params.semantic_key, api);
      return { status: 200, body: await viewAfter(door, { row, waitMs: query.wait }, api) };
    },
  });
}

export function confirmOf<Row extends Payment, Answer extends z.ZodType>(door: PaymentDoor<Row, Answer>): Endpoint {
  return endpoint({
    method: 'post',
    path: `/v1/${door.plural}/{semantic_key}/confirm`,
    tag: door.tag,
    summary: 'Send it; twice is no change',
    scope: 'write',
    params: keyParams,
    query: waiting,
    body: noBody,
    answer: door.answer,
    statuses: { 202: 'It is on its way, or was already.' },
    errors: ['not-found', 'invalid-state'],
    async handle({ params, query, caller }, api) {
      const { pkid, semanticKey: key, provider } = await findPayment(door, params.semantic_key, api);
      requireForSandbox(provider, { caller, api });
      const row = await door.lifeOf(api).confirm(pkid, key);
      const body = await viewAfter(door, { row, waitMs: query.wait }, api);
      return { status: 202, location: locationOf(door, row), body };
    },
  });
}

export function cancelOf<Row extends Payment, Answer extends z.ZodType>(door: PaymentDoor<Row, Answer>): Endpoint {
  return endpoint({
    method: 'post',
    path: `/v1/${door.plural}/{semantic_key}/cancel`,
    tag: door.tag,
    summary: 'Cancel it while that is possible',
    scope: 'write',
    params: keyParams,
    query: waiting,
    body: noBody,
    answer: door.answer,
    statuses: { 200: 'It failed as `canceled`.', 202: 'The provider was asked and decides.' },
    errors: ['not-found', 'invalid-state'],
    async handle({ params, query }, api) {
      const { pkid, semanticKey: key } = await findPayment(door, params.semantic_key, api);
      const { row } = await door.lifeOf(api).cancel(pkid, key);
      const body = await viewAfter(door, { row, waitMs: query.wait }, api);
      return { status: isFinal(row.status) ? 200 : 202, location: locationOf(door, row), body };
    },
  });
}

/** What operators see and do of each one. */
export function operationsOf<Row extends Payment, Answer extends z.ZodType>(
  door: PaymentDoor<Row, Answer>,
): readonly Endpoint[] {
  return [timelineOf(door), queryOf(door), resolveOf(door)];
}

function timelineOf<Row extends Payment, Answer extends z.ZodType>(door: PaymentDoor<Row, Answer>): Endpoint {
  return endpoint({
    method: 'get',
    path: `/v1/${door.plural}/{semantic_key}/timeline`,
    tag: 'Operations',
    summary: `Everything that happened to a ${door.noun}, in order`,
    scope: 'read',
    params: keyParams,
    query: none,
    body: noBody,
    answer: timelineView,
    statuses: { 200: 'Oldest first.' },
    errors: ['not-found'],
    async handle({ params }, api) {
      const { pkid } = await findPayment(door, params.semantic_key, api);
      return { status: 200, body: await readTimeline(api.db, pkid) };
    },
  });
}

function queryOf<Row extends Payment, Answer extends z.ZodType>(door: PaymentDoor<Row, Answer>): Endpoint {
  return endpoint({
    method: 'post',
    path: `/v1/${door.plural}/{semantic_key}/query`,
    tag: 'Operations',
    summary: `Ask the provider about a ${door.noun} now`,
    scope: 'write',
    params: keyParams,
    query: waiting,
    body: noBody,
    answer: door.answer,
    statuses: { 202: 'It is asked as soon as possible.' },
    errors: ['not-found', 'invalid-state'],
    async handle({ params, query, caller }, api) {
      const { pkid } = await findPayment(door, params.semantic_key, api);
      await door.lifeOf(api).query(pkid, caller.keyId);
      const row = await findPayment(door, params.semantic_key, api);
      const body = await viewAfter(door, { row, waitMs: query.wait }, api);
      return { status: 202, location: locationOf(door, row), body };
    },
  });
}

function resolveOf<Row extends Payment, Answer extends z.ZodType>(door: PaymentDoor<Row, Answer>): Endpoint {
  return endpoint({
    method: 'post',
    path: `/v1/${door.plural}/{semantic_key}/resolve`,
    tag: 'Operations',
    summary: `Decide about a ${door.noun} what the machine cannot`,
    scope: 'operate',
    params: keyParams,
    query: none,
    body: resolution,
    answer: door.answer,
    statuses: { 200: 'It is final.' },
    errors: ['not-found', 'invalid-state'],
    async handle({ params, body, caller }, api) {
      const { pkid } = await findPayment(door, params.semantic_key, api);
      const row = await door.lifeOf(api).resolve(pkid, {
        verdict: body.verdict,
        reason: body.reason,
        externPaymentId: body.extern_payment_id ?? null,
        actor: caller.keyId,
      });
      return { status: 200, body: await viewOf(door, row, api) };
    },
  });
}
