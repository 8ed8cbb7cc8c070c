// What errors of a queue say of themselves, and what the queue is told of ours: nothing (done) or a short plain error
// (again, or dead). A result or an error that BullMQ cannot store would make the job run once more.

import { UnrecoverableError } from 'bullmq';
import { PaymentError } from '../../domain/errors.ts';

const REASON_LENGTH_MAX = 200;

/** Messages of foreign errors may quote what they choked on, and the board shows them: name and code only. */
export function plainError(error: unknown, canRetry: boolean): Error {
  const reason =
    error instanceof PaymentError
      ? `${error.code}: ${error.detail}`
      : [error instanceof Error ? error.name : 'Error', codeOf(error)].filter(Boolean).join(' ');
  const text = reason.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, REASON_LENGTH_MAX);
  const plain = canRetry ? new Error(text) : new UnrecoverableError(text);
  plain.stack = '';
  return plain;
}

/** Connection errors of Node may have an empty message and only a code. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  return error.message || codeOf(error) || error.name;
}

export function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
