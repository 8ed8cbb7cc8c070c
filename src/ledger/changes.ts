// Which columns a batch may change, and which are the same in most rows of one, table by table.

import type { Dispute } from '../domain/dispute.ts';
import type { Order } from '../domain/order.ts';
import type { Payin } from '../domain/payin.ts';
import type { Payment } from '../domain/payment.ts';
import type { MovingTransfer, Transfer } from '../domain/transfer.ts';
import type { Posting } from '../entities/posting.ts';
import type { StatusChange } from '../entities/status-change.ts';
import type { Unapplied } from '../entities/unapplied.ts';
import type { CallAnswer } from './step.ts';

/** What was asked for stays as it was; everything else of an operation may change. */
export const PAYMENT_CHANGES = [
  'status',
  'externPaymentId',
  'arrival',
  'failureCode',
  'failureDetail',
  'reviewReason',
  'reviewSince',
  'waiting',
  'attempt',
  'leased',
  'hinted',
  'dueAt',
  'crashes',
  'unknowns',
  'pendings',
  'calls',
  'firstSentAt',
  'lastSentAt',
  'confirmSentAt',
  'storedError',
  'errorReplays',
  'sawSuccess',
  'declineCode',
  'declineDetail',
  'cancelRequestedAt',
  'returnedMinor',
  'feeMinor',
  'feeExternId',
  'confirmedAt',
  'updatedAt',
  'finalAt',
] as const satisfies readonly (keyof Payment)[];
export const PAYIN_CHANGES = [...PAYMENT_CHANGES, 'nextAction'] as const satisfies readonly (keyof Payin)[];
export const ORDER_CHANGES = [
  'payinPkid',
  'paidAt',
  'deliveredAt',
  'refundedMinor',
  'openBeforeMinor',
  'openAfterMinor',
  'takenBeforeMinor',
  'takenAfterMinor',
  'releasedMinor',
  'feeGivenMinor',
  'updatedAt',
] as const satisfies readonly (keyof Order)[];
export const DISPUTE_CHANGES = [
  'status',
  'feeMinor',
  'evidenceDue',
  'parts',
  'uncoveredMinor',
  'updatedAt',
] as const satisfies readonly (keyof Dispute)[];
export const UNAPPLIED_CHANGES = [
  'splitOffMinor',
  'refundPkid',
  'resolvedAt',
  'resolvedBy',
  'resolvedReason',
  'appliedTo',
] as const satisfies readonly (keyof Unapplied)[];
export const TRANSFER_CHANGES = [
  'status',
  'failureCode',
  'failureDetail',
  'dueAt',
  'updatedAt',
  'finalAt',
] as const satisfies readonly (keyof MovingTransfer)[];
/** What is read of a transfer under its lock. */
export const TRANSFER_LOCKED = [
  'pkid',
  'semanticKey',
  'status',
  'fromWallet',
  'toWallet',
  'amountMinor',
  'currency',
  'createdAt',
] as const satisfies readonly (keyof MovingTransfer)[];
export const ANSWER_CHANGES = [
  'answeredAt',
  'latencyMs',
  'outcome',
  'reason',
  'httpStatus',
  'externPaymentId',
  'verdict',
] as const satisfies readonly (keyof CallAnswer)[];

/** Of most batches, which are of transfers. */
export const TRANSFER_STEADY = [
  'status',
  'currency',
  'traceparent',
  'failureCode',
  'failureDetail',
] as const satisfies readonly (keyof Transfer)[];
export const POSTING_STEADY = ['event', 'operationKind', 'reverses'] as const satisfies readonly (keyof Posting)[];
export const STATUS_CHANGE_STEADY = [
  'number',
  'operationKind',
  'fromStatus',
  'toStatus',
  'attempt',
  'cause',
] as const satisfies readonly (keyof StatusChange)[];
