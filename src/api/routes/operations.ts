// What operators look at and do: timelines, what needs attention, asking the provider, deciding, and the audit.

import { z } from '@hono/zod-openapi';
import { endpoint, noBody, none } from '../endpoint.ts';
import { payinDoor, payoutDoor, refundDoor } from '../payment-doors.ts';
import { keyParams, operationsOf } from '../payment-endpoints.ts';
import { readTimeline, timelineView } from '../views/timeline.ts';
import { findTransfer } from './transfers.ts';

const attentionView = z
  .object({
    review: z.array(z.unknown()).openapi({ description: 'Operations that a person must decide.' }),
    discrepancies: z.array(z.unknown()).openapi({ description: 'Open differences between our books and the outside.' }),
    unapplied: z.array(z.unknown()).openapi({ description: 'Money that fits nothing yet.' }),
    disputes: z
      .array(z.unknown())
      .openapi({ description: 'Open disputes; the one whose evidence is due first comes first.' }),
    webhook_endpoints: z.array(z.unknown()).openapi({ description: 'Endpoints with deliveries that were given up.' }),
    provider_events: z
      .array(z.unknown())
      .openapi({ description: 'Events of providers that could not be applied for an hour.' }),
    oldest_unfinished: z.array(z.object({ kind: z.string(), age_seconds: z.number(), count: z.int() })),
    stale: z.array(z.unknown()).openapi({ description: 'At a provider for longer than its usual time.' }),
  })
  .openapi('Attention');

const auditView = z
  .object({
    ok: z.boolean(),
    checks: z.array(
      z.object({ id: z.string(), title: z.string(), violations: z.array(z.unknown()).openapi({ maxItems: 100 }) }),
    ),
  })
  .openapi('Audit', { example: { ok: true, checks: [{ id: 'A1', title: 'Postings sum to zero', violations: [] }] } });

const transferTimeline = endpoint({
  method: 'get',
  path: '/v1/transfers/{semantic_key}/timeline',
  tag: 'Operations',
  summary: 'Everything that happened to a transfer, in order',
  scope: 'read',
  params: keyParams,
  query: none,
  body: noBody,
  answer: timelineView,
  statuses: { 200: 'Oldest first.' },
  errors: ['not-found'],
  async handle(request, api) {
    const { pkid } = await findTransfer(request.params.semantic_key, api);
    return { status: 200, body: await readTimeline(api.db, pkid) };
  },
});

const attention = endpoint({
  method: 'get',
  path: '/v1/attention',
  tag: 'Operations',
  summary: 'Everything that needs a person',
  scope: 'read',
  params: none,
  query: none,
  body: noBody,
  answer: attentionView,
  statuses: { 200: 'Oldest first.' },
  errors: [],
  async handle(_request, api) {
    const { review, discrepancies, unapplied, oldest_unfinished, stale, ...rest } = await api.reviews.attention();
    return {
      status: 200,
      body: {
        review: [...review],
        discrepancies: [...discrepancies],
        unapplied: [...unapplied],
        disputes: [...rest.disputes],
        webhook_endpoints: [...rest.webhook_endpoints],
        provider_events: [...rest.provider_events],
        oldest_unfinished: [...oldest_unfinished],
        stale: [...stale],
      },
    };
  },
});

const audit = endpoint({
  method: 'post',
  path: '/v1/audit',
  tag: 'Operations',
  summary: 'Prove the books',
  scope: 'write',
  params: none,
  query: none,
  body: noBody,
  answer: auditView,
  statuses: { 200: 'Every check with what violates it.' },
  errors: [],
  async handle(_request, api) {
    const { ok, checks } = await api.audit();
    return {
      status: 200,
      body: { ok, checks: checks.map(({ id, title, violations }) => ({ id, title, violations: [...violations] })) },
    };
  },
});

export const operationRoutes = [
  ...operationsOf(payoutDoor),
  ...operationsOf(payinDoor),
  ...operationsOf(refundDoor),
  transferTimeline,
  attention,
  audit,
];
