// The Tipalti adapter at the sandbox: what each behaviour word comes to, by the first answer, by look-ups and by a
// resend, and how often money moved.

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { errorFrom, outcomeOf } from './outcome.ts';
import { LIMITS, money, openSandbox, orderTo, payoutsOf, referenceOf, tipaltiAt, until } from './tipalti-rig.ts';

vi.setConfig({ maxConcurrency: 30, testTimeout: 40_000 });

let sandbox: Awaited<ReturnType<typeof openSandbox>>;
beforeAll(async () => {
  sandbox = await openSandbox();
});
afterAll(() => sandbox.close());

/** For answers that never come: long enough for the look before, on a busy machine. */
const SILENCE = { timeoutMs: 5_000 };

const payouts = () => payoutsOf(tipaltiAt(sandbox.url));

interface Row {
  readonly word: string;
  readonly first: string;
  /** What look-ups come to in the end. */
  readonly found: string;
  readonly again: string;
  readonly limits?: { readonly timeoutMs: number };
  readonly moved: number;
}

const paid = { found: 'succeeded', again: 'succeeded', moved: 1 };
const late = { found: 'not_found', again: 'succeeded', moved: 1 };
const table: Row[] = [
  { word: 'ok', first: 'succeeded', ...paid },
  { word: 'decline', first: 'declined:declined', found: 'declined:declined', again: 'declined:declined', moved: 0 },
  {
    word: 'insufficient',
    first: 'declined:provider_insufficient_funds',
    found: 'declined:provider_insufficient_funds',
    again: 'declined:provider_insufficient_funds',
    moved: 0,
  },
  { word: 'error_before', first: 'uncertain:http_503', ...late },
  {
    word: 'error_stored',
    first: 'uncertain:http_500 stored',
    found: 'not_found',
    again: 'uncertain:http_500 stored',
    moved: 0,
  },
  { word: 'paid_then_500', first: 'uncertain:http_500 stored', ...paid },
  { word: 'timeout_before', first: 'uncertain:timeout', limits: SILENCE, ...late },
  { word: 'paid_then_timeout', first: 'uncertain:timeout', limits: SILENCE, ...paid },
  { word: 'paid_then_reset', first: 'uncertain:reset', ...paid },
  { word: 'hidden', first: 'uncertain:timeout', limits: SILENCE, ...paid },
  { word: 'html', first: 'uncertain:http_502', ...late },
  { word: 'rate_limit', first: 'not_taken:http_429', ...late },
  { word: 'slow', first: 'succeeded', ...paid },
  { word: 'pending', first: 'pending', ...paid },
  { word: 'pending_then_fail', first: 'pending', found: 'declined:declined', again: 'declined:declined', moved: 0 },
  { word: 'never', first: 'pending', found: 'pending', again: 'pending', moved: 0 },
  {
    word: 'bounce',
    first: 'succeeded',
    found: 'succeeded:reversed 1500',
    again: 'succeeded:reversed 1500',
    moved: 1,
  },
  { word: 'action', first: 'succeeded', ...paid },
  { word: 'abandon', first: 'succeeded', ...paid },
  { word: 'dispute_won', first: 'succeeded', ...paid },
  { word: 'dispute_lost', first: 'succeeded', ...paid },
];

describe('each behaviour word', () => {
  test.concurrent.each(table)('$word', async ({ word, first, found, again, limits = LIMITS, moved }) => {
    const order = orderTo(`seller_${word}_1`);
    expect(await outcomeOf(payouts().send(order, limits))).toBe(first);
    const look = () => outcomeOf(payouts().find(referenceOf(order), LIMITS));
    await until(look, (outcome) => outcome === found);
    // Two resends: the second proves that nothing is paid again, whatever the first did.
    expect(await outcomeOf(payouts().send(order, LIMITS))).toBe(again);
    expect(await outcomeOf(payouts().send(order, LIMITS))).toBe(again);
    expect(sandbox.timesMoved(order.pkid)).toBe(moved);
  });

  test('a limit on the rate says when to come back', async () => {
    const error = await errorFrom(payouts().send(orderTo('other_rate_limit_2'), LIMITS));
    expect([error.code, error.retryAfterMs]).toEqual(['rate-limited', 1000]);
  });

  test('success names the payee, the amount and the payment of the book', async () => {
    const order = orderTo('seller_ok_2');
    const answer = await payouts().send(order, LIMITS);
    expect(answer).toEqual({
      type: 'succeeded',
      externId: sandbox.rows(order.pkid)[0]?.extern_id,
      money: order.money,
      beneficiary: 'seller_ok_2',
      reversedMinor: 0n,
      arrival: null,
      fee: null,
      otherExternIds: [],
    });
    expect(await payouts().find(referenceOf(order), LIMITS)).toEqual(answer);
    expect(await payouts().cancel(referenceOf(order), LIMITS)).toEqual(answer);
  });

  test('a decline carries the reason in the words of Tipalti', async () => {
    expect(await payouts().send(orderTo('seller_decline_3'), LIMITS)).toEqual({
      type: 'declined',
      code: 'declined',
      detail: 'Rejected by Tipalti: The payment was refused for this payee.',
      externId: expect.stringMatching(/^tpp_/),
      isOpen: false,
    });
  });
});

test.each([
  ['USD', 1n, '0.01'],
  ['JPY', 1500n, '1500'],
  ['KWD', 1234n, '1.234'],
  ['HUF', 7010n, '70.10'],
  ['USD', 999_999_999_999_999n, '9999999999999.99'],
])('%s %s moves to the last digit', async (currency, amountMinor) => {
  const order = orderTo('seller_ok_4', money(amountMinor, currency));
  const own = await openSandbox();
  try {
    const provider = tipaltiAt(own.url);
    expect(await payoutsOf(provider).send(order, LIMITS)).toMatchObject({ type: 'succeeded', money: order.money });
    expect(own.rows(order.pkid)).toMatchObject([{ amount: amountMinor.toString(), currency }]);
    expect(await provider.balance(order.money.currency, LIMITS)).toBe(10n ** 15n - amountMinor);
  } finally {
    await own.close();
  }
});

describe('nothing is paid twice', () => {
  test('an answer that was lost is found by the next send, which posts nothing', async () => {
    const order = orderTo('lost_paid_then_reset_5');
    expect(await outcomeOf(payouts().send(order, LIMITS))).toBe('uncertain:reset');
    expect(await outcomeOf(payouts().send(order, LIMITS))).toBe('succeeded');
    expect(await sandbox.timesAsked(order.pkid, 'POST')).toBe(1);
    expect(sandbox.timesMoved(order.pkid)).toBe(1);
  });

  test('even where Tipalti forgets reference codes', async () => {
    const own = await openSandbox();
    try {
      await own.control('/retention', { ms: 0 });
      const order = orderTo('seller_paid_then_500_6');
      for (const outcome of ['uncertain:http_500 stored', 'succeeded', 'succeeded']) {
        expect(await outcomeOf(payoutsOf(tipaltiAt(own.url)).send(order, LIMITS))).toBe(outcome);
      }
      expect(own.timesMoved(order.pkid)).toBe(1);
    } finally {
      await own.close();
    }
  });

  test('by two sends of one process at once, of which one stands back', async () => {
    const order = orderTo('seller_ok_7');
    const both = payouts();
    const outcomes = await Promise.all([1, 2].map(() => outcomeOf(both.send(order, LIMITS))));
    expect(outcomes).toEqual(['succeeded', 'uncertain:key_in_use']);
    expect(await outcomeOf(both.send(order, LIMITS))).toBe('succeeded');
    expect(sandbox.timesMoved(order.pkid)).toBe(1);
  });

  test('by the sends of several processes at once', async () => {
    const order = orderTo('seller_ok_8');
    const outcomes = await Promise.all([1, 2, 3, 4].map(() => outcomeOf(payouts().send(order, LIMITS))));
    expect(outcomes).toContain('succeeded');
    expect(sandbox.timesMoved(order.pkid)).toBe(1);
  });

  test('by a resend while the payment is hidden from look-ups', async () => {
    const order = orderTo('seller_hidden_9');
    const first = outcomeOf(payouts().send(order, SILENCE));
    await until(
      () => sandbox.timesMoved(order.pkid),
      (times) => times === 1,
    );
    expect(await outcomeOf(payouts().find(referenceOf(order), LIMITS))).toBe('not_found');
    expect(await outcomeOf(payouts().send(order, LIMITS))).toBe('uncertain:http_409');
    expect(await first).toBe('uncertain:timeout');
    expect(sandbox.timesMoved(order.pkid)).toBe(1);
  });
});

test.each([
  ['seller_ok', { status: 'payable', blockedReason: null, onboardingUrl: null }],
  ['seller_onboarding', { status: 'pending', blockedReason: 'No payment method yet', onboardingUrl: null }],
  ['seller_blocked_1', { status: 'blocked', blockedReason: 'Blocked by compliance', onboardingUrl: null }],
])('the payee %s reads as Tipalti has it', async (account, view) => {
  const { findPayee } = tipaltiAt(sandbox.url);
  expect(await findPayee?.(account, LIMITS)).toEqual(view);
});

test('a payee who cannot be paid is declined with the reason, and nothing moves', async () => {
  const order = orderTo('seller_blocked_2');
  expect(await payouts().send(order, LIMITS)).toMatchObject({
    type: 'declined',
    code: 'declined',
    detail: 'Deferred by Tipalti: The payee cannot be paid yet, or no longer.',
  });
  expect(sandbox.timesMoved(order.pkid)).toBe(0);
});

test('a token that was withdrawn meanwhile is renewed, and nobody notices', async () => {
  const own = await openSandbox();
  try {
    const logged: { level: 'warn' | 'error'; fields: object }[] = [];
    const provider = tipaltiAt(own.url, { logged });
    expect(await outcomeOf(payoutsOf(provider).send(orderTo('seller_ok_10'), LIMITS))).toBe('succeeded');
    await own.control('/tokens', { revoke: true });
    expect(await outcomeOf(payoutsOf(provider).send(orderTo('seller_ok_11'), LIMITS))).toBe('succeeded');
    expect(logged).toEqual([]);
  } finally {
    await own.close();
  }
});

test('a refresh token that was withdrawn takes no call, and says what to check', async () => {
  const logged: { level: 'warn' | 'error'; fields: object }[] = [];
  const provider = tipaltiAt(sandbox.url, { refreshToken: 'revoked_1', logged });
  const order = orderTo('seller_ok_12');
  expect(await outcomeOf(payoutsOf(provider).send(order, LIMITS))).toBe('not_taken:sign_in_invalid_grant');
  expect(logged).toMatchObject([{ level: 'error', fields: { reason: 'invalid_grant' } }]);
  expect(sandbox.timesMoved(order.pkid)).toBe(0);
});
