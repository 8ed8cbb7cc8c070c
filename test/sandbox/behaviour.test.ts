// Which behaviour word a destination carries.

import { expect, test } from 'vitest';
import { planOf, refundWordOf, wordOf } from '../../src/sandbox/behaviour.ts';

test.each([
  ['acct_1', 'ok'],
  ['acct_ok_1', 'ok'],
  ['acct_decline_17', 'decline'],
  ['tok_paid_then_500', 'paid_then_500'],
  ['acct_paid_then_timeout_3', 'paid_then_timeout'],
  ['acct_pending_then_fail', 'pending_then_fail'],
  ['acct_pending', 'pending'],
  ['acct_error_before_1', 'error_before'],
  ['seller_bounce_1@example.com', 'bounce'],
  ['decline@example.com', 'decline'],
  ['acct-never.1', 'never'],
  ['slow', 'slow'],
  ['acct_decline_paid_then_500', 'paid_then_500'],
  ['acct_declined_1', 'ok'],
  ['acct_slowly', 'ok'],
  ['acct_1never', 'ok'],
  ['pm_refund_decline_1', 'ok'],
  ['pm_slow_refund_decline', 'slow'],
  ['pm_refund', 'ok'],
])('%s behaves as %s', (destination, word) => {
  expect(wordOf(destination)).toBe(word);
});

test.each([
  ['pm_refund_decline_1', 'decline'],
  ['pm_slow_refund_pending_then_fail', 'pending_then_fail'],
  ['tok_refund_paid_then_500', 'paid_then_500'],
  ['pm_decline', 'ok'],
  ['pm_refund', 'ok'],
  ['pm_refund_declined', 'ok'],
])('refunds of what %s paid behave as %s', (destination, word) => {
  expect(refundWordOf(destination)).toBe(word);
});

test.each(['action', 'abandon', 'dispute_won', 'dispute_lost'] as const)('only a pay-in knows the word %s', (word) => {
  expect(planOf(word, 'payout')).toBe(planOf('ok', 'payout'));
  expect(planOf(word, 'refund')).toBe(planOf('ok', 'refund'));
  expect(planOf(word, 'payin')).not.toBe(planOf('ok', 'payin'));
});
