// Says in a few words what a provider call came to, so that a table of promises stays readable.

import { PaymentError } from '../../src/domain/errors.ts';
import type { Answer } from '../../src/domain/provider.ts';

/** "succeeded", "declined:canceled", "pending:awaits_confirm", "not_taken:refused", "uncertain:http_500 stored". */
export async function outcomeOf(call: Promise<Answer>): Promise<string> {
  try {
    return inWords(await call);
  } catch (error) {
    const { surprise } = errorOf(error);
    if (surprise === undefined) throw error;
    return `${surprise.type}:${surprise.reason}${surprise.storedError === null ? '' : ' stored'}`;
  }
}

export async function errorFrom(call: Promise<unknown>): Promise<PaymentError> {
  try {
    await call;
  } catch (error) {
    return errorOf(error);
  }
  throw new Error('The call was expected to throw, and answered.');
}

function inWords(answer: Answer): string {
  if (answer.type === 'declined') return `declined:${answer.code}`;
  if (answer.type === 'pending' && answer.awaitsConfirm) return 'pending:awaits_confirm';
  if (answer.type === 'succeeded' && answer.reversedMinor > 0n) return `succeeded:reversed ${answer.reversedMinor}`;
  return answer.type;
}

function errorOf(error: unknown): PaymentError {
  if (error instanceof PaymentError) return error;
  throw error;
}
