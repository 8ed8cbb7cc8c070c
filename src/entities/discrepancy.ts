// A named difference between our books and the outside, until somebody closes it.

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { OperationKind, Pkid } from '../domain/id.ts';
import type { Currency } from '../domain/money.ts';
import type { ProviderName } from '../domain/provider.ts';
import type { ReviewReason } from '../domain/verdict.ts';

/** Every review has one of its own reason. The runbook says of each what to do. */
export type DiscrepancyReason =
  | ReviewReason
  | 'paid_but_failed'
  | 'contradicts_final'
  | 'return_withdrawn'
  | 'refund_returned'
  | 'external_refund'
  | 'external_reversed'
  | 'not_compensated'
  | 'unmatched_event';

export const DiscrepancyEntity = defineEntity({
  name: 'Discrepancy',
  tableName: 'discrepancy',
  properties: {
    // Derived from its operation and reason, so the same one is opened once.
    discrepancyId: p.uuid().fieldName('discrepancy_id').primary(),
    // Which difference.
    reason: p.text().$type<DiscrepancyReason>().fieldName('reason'),
    // Whose books differ.
    provider: p.text().$type<ProviderName>().fieldName('provider').nullable(),
    // The kind of our operation.
    operationKind: p.text().$type<OperationKind>().fieldName('operation_kind').nullable(),
    // Our operation, where one matches.
    pkid: p.uuid().$type<Pkid>().fieldName('pkid').nullable(),
    // The caller's name of it.
    semanticKey: p.text().fieldName('semantic_key').nullable(),
    // The provider's id.
    externPaymentId: p.text().fieldName('extern_payment_id').nullable(),
    // How much is in question.
    amountMinor: p.bigint().fieldName('amount').nullable(),
    // In which currency.
    currency: p.text().$type<Currency>().fieldName('currency').nullable(),
    // What differs, in words.
    detail: p.text().fieldName('detail'),
    // When it was seen first.
    openedAt: p.datetime().fieldName('opened_at'),
    // When it was closed.
    closedAt: p.datetime().fieldName('closed_at').nullable(),
    // Who closed it.
    closedBy: p.text().fieldName('closed_by').nullable(),
    // Why, in that person's words.
    closedReason: p.text().fieldName('closed_reason').nullable(),
  },
});

export type Discrepancy = InferEntity<typeof DiscrepancyEntity>;
