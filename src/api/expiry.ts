// When an operation that rests, or waits for its buyer, may expire.

import { PaymentError } from '../domain/errors.ts';

/** Refuses a time that has passed, or that is further away than `withinMs`. */
export function refuseExpiry(expiresAt: Date, { withinMs }: { withinMs: number | null }): void {
  const leftMs = expiresAt.getTime() - Date.now();
  if (leftMs <= 0) throw invalid('expires_at has passed already. Send a time in the future, or leave it out.');
  if (withinMs !== null && leftMs > withinMs) {
    throw invalid(`Send a time within ${Math.floor(withinMs / DAY_MS)} days from now, or leave it out.`);
  }
}

export const DAY_MS = 24 * 60 * 60 * 1000;

function invalid(detail: string): PaymentError {
  return new PaymentError('validation-failed', { detail, errors: [{ pointer: '/expires_at', detail }] });
}
