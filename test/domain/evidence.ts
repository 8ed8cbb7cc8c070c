// Evidence to judge, as it stands at common moments of a payout's life.

import { parseCurrency } from '../../src/domain/money.ts';
import type { Answer, DeclineCode, Succeeded } from '../../src/domain/provider.ts';
import type { Evidence } from '../../src/domain/verdict.ts';

export const USD = parseCurrency('USD');
export const NOW = new Date('2026-03-01T12:00:00Z');
export const ago = (seconds: number) => new Date(NOW.getTime() - seconds * 1000);
export const GRACE_S = 60;
export const WINDOW_S = 12 * 3600;

const BENEFICIARY = 'acct_1';

export const SUCCESS: Succeeded = {
  type: 'succeeded',
  externId: 'tr_1',
  money: { amountMinor: 1500n, currency: USD },
  beneficiary: BENEFICIARY,
  reversedMinor: 0n,
  arrival: null,
  fee: null,
  otherExternIds: [],
};
export const NOT_FOUND = { type: 'not_found' } as const;
export const PENDING = { type: 'pending', externId: 'p_1', awaitsConfirm: false } as const;
export const WAITING = { type: 'pending', externId: 'p_1', awaitsConfirm: true } as const;
/** The buyer has to approve it at the provider. */
export const ACTION = {
  type: 'action_required',
  externId: 'p_1',
  nextAction: { type: 'redirect', url: 'https://provider.test/approve', expiresAt: null },
} as const;
export const declined = (code: DeclineCode): Answer => ({
  type: 'declined',
  code,
  detail: 'No.',
  externId: null,
  isOpen: false,
});
/** Declined, but the buyer could still try again at the provider. */
export const stillOpen = (code: DeclineCode): Answer => ({
  type: 'declined',
  code,
  detail: 'No.',
  externId: 'p_1',
  isOpen: true,
});
export const surprise = (
  type: 'not_taken' | 'uncertain' | 'key_conflict',
  retryAfterMs: number | null = null,
  reason = 'test',
) =>
  ({
    type: 'surprise',
    surprise: { type, reason, httpStatus: null, storedError: null },
    retryAfterMs,
  }) as const;

/** A one-stage payout that was sent ten minutes ago: past grace, inside the resend window. */
export const SENT: Evidence = {
  direction: 'out',
  step: 'find',
  answer: NOT_FOUND,
  money: SUCCESS.money,
  beneficiary: BENEFICIARY,
  externId: null,
  stages: 1,
  canFindByKey: true,
  moneyIntendedAt: ago(600),
  lastSentBy: ago(595),
  firstSentAt: ago(600),
  errorReplays: 0,
  sawSuccess: false,
  decline: null,
  cancelRequested: false,
  isExpiring: false,
  inReview: false,
  now: NOW,
  graceMs: GRACE_S * 1000,
  resendWindowMs: WINDOW_S * 1000,
};
/** A two-stage payout whose first step stands and whose second was never intended. */
export const CREATED: Evidence = { ...SENT, stages: 2, moneyIntendedAt: null, externId: 'p_1' };
export const CONFIRMED: Evidence = { ...CREATED, moneyIntendedAt: ago(600) };
export const UNSENT: Evidence = { ...SENT, moneyIntendedAt: null, lastSentBy: null, firstSentAt: null };
export const EARLY = { lastSentBy: ago(GRACE_S - 1), firstSentAt: ago(GRACE_S), moneyIntendedAt: ago(GRACE_S) };
export const LATE = { lastSentBy: ago(WINDOW_S), firstSentAt: ago(WINDOW_S + 1), moneyIntendedAt: ago(WINDOW_S + 1) };
/** A pay-in that was sent ten minutes ago; the provider says nothing of a beneficiary. */
export const PAYIN: Evidence = { ...SENT, direction: 'in', externId: 'p_1' };
export const PAID: Succeeded = { ...SUCCESS, externId: 'p_1', beneficiary: null };
/** What the provider said at first, before the buyer tried again or the cancel. */
export const FIRST_NO = { code: 'provider_insufficient_funds', detail: 'The first no.' } as const;
