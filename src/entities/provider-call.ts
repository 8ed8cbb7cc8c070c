// One call to a provider: the intent, committed before a byte leaves, and then the answer.

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { OperationKind, Pkid } from '../domain/id.ts';
import type { ProviderName } from '../domain/provider.ts';
import type { Step } from '../domain/verdict.ts';

export const ProviderCallEntity = defineEntity({
  name: 'ProviderCall',
  tableName: 'provider_call',
  properties: {
    // The operation it is made for.
    pkid: p.uuid().$type<Pkid>().fieldName('pkid').primary(),
    // Counts the operation's calls from 1.
    number: p.integer().fieldName('number').primary(),
    // The kind of the operation.
    operationKind: p.text().$type<OperationKind>().fieldName('operation_kind'),
    // Who is called.
    provider: p.text().$type<ProviderName>().fieldName('provider'),
    // The claim that makes it.
    attempt: p.integer().fieldName('attempt'),
    // What is asked.
    step: p.text().$type<Step>().fieldName('step'),
    // The idempotency key on the wire.
    key: p.text().fieldName('key'),
    // When it was committed that the call will be made.
    intentAt: p.datetime().fieldName('intent_at'),
    // When its answer was written; null means it may or may not have left.
    answeredAt: p.datetime().fieldName('answered_at').nullable(),
    // How long the provider took.
    latencyMs: p.integer().fieldName('latency_ms').nullable(),
    // What came back.
    outcome: p.text().fieldName('outcome').nullable(),
    // The provider's or the network's word for it.
    reason: p.text().fieldName('reason').nullable(),
    // As received, where there was one.
    httpStatus: p.integer().fieldName('http_status').nullable(),
    // The provider's id in the answer.
    externPaymentId: p.text().fieldName('extern_payment_id').nullable(),
    // What we concluded.
    verdict: p.text().fieldName('verdict').nullable(),
  },
});

export type ProviderCall = InferEntity<typeof ProviderCallEntity>;
