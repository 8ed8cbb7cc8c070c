// Which behaviour word a destination carries.

import { expect, test } from 'vitest';
import { wordOf } from '../../src/sandbox/behaviour.ts';

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
])('%s behaves as %s', (destination, word) => {
  expect(wordOf(destination)).toBe(word);
});
