// The states of every operation, as data: state -> states it may move to. Nothing else is a move.

import { PaymentError } from './errors.ts';

export const STATUSES = ['initialized', 'in_process', 'succeeded', 'failed'] as const;
export type Status = (typeof STATUSES)[number];

export const MOVES = {
  initialized: ['in_process', 'failed'],
  in_process: ['succeeded', 'failed'],
  succeeded: [],
  failed: [],
} as const satisfies Record<Status, readonly Status[]>;

/** Why an operation failed, as the API shows it. */
export const FAILURE_CODES = [
  'insufficient_funds',
  'declined',
  'provider_insufficient_funds',
  'provider_error',
  'payee_not_payable',
  'expired',
  'canceled',
  'limit_exceeded',
  'resolved_by_operator',
] as const;
export type FailureCode = (typeof FAILURE_CODES)[number];

export function isFinal(status: Status): boolean {
  return MOVES[status].length === 0;
}

export function canMove(from: Status, to: Status): boolean {
  const allowed: readonly Status[] = MOVES[from];
  return allowed.includes(to);
}

/** The next status, or an error when the table does not allow the move. */
export function move(from: Status, to: Status): Status {
  if (!canMove(from, to)) {
    throw new PaymentError('internal', { detail: `No operation moves from ${from} to ${to}.` });
  }
  return to;
}
