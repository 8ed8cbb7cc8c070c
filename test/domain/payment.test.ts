// The rules of a payment's row: what confirm, cancel, claim and an intent to call change.

import { describe, expect, test } from 'vitest';
import { parseCurrency } from '../../src/domain/money.ts';
import {
  cancelPayment,
  claimPayment,
  confirmPayment,
  firstStep,
  intentPatch,
  isApproved,
  isExpiring,
  type Payment,
  returnedOf,
} from '../../src/domain/payment.ts';
import { settlePatch } from '../../src/domain/payment-settle.ts';
import { AT_REST, CLAIMED, CONFIRMED, FAILED, later, NOW, PAYOUT, SUCCEEDED, WAITING } from './payment-rows.ts';

describe('confirm', () => {
  test('sets it on its way, due after a lease should the queue lose it', () => {
    expect(confirmPayment(AT_REST, NOW, PAYOUT)).toEqual({ confirmedAt: NOW, dueAt: later(60), updatedAt: NOW });
  });
  test.each([
    ['confirmed', CONFIRMED],
    ['claimed', CLAIMED],
    ['succeeded', SUCCEEDED],
    ['failed after its confirm', FAILED],
  ])('a second time, %s, changes nothing', (_, payout) => {
    expect(confirmPayment(payout, NOW, PAYOUT)).toBeNull();
  });
  test.each([
    ['a cancelled one', { ...FAILED, failureCode: 'canceled' as const }, /cancelled\. Make a new one/],
    ['one past its time', { ...AT_REST, expiresAt: NOW }, /expired\. Make a new one/],
    ['one that expired', { ...FAILED, failureCode: 'expired' as const, confirmedAt: null }, /expired\. Make a new one/],
  ])('%s is refused', (_, payout, advice) => {
    expect(() => confirmPayment(payout, NOW, PAYOUT)).toThrow(advice);
  });
});

describe('cancel', () => {
  test.each([AT_REST, CONFIRMED])('fails it while nobody has claimed it', (payout) => {
    const decision = cancelPayment(payout, NOW, { cancelable: false });
    const patch = { status: 'failed', failureCode: 'canceled', dueAt: null, finalAt: NOW };
    expect(decision).toMatchObject({ type: 'failed', patch });
  });
  test('asks for it where the provider can, and the present claim will look at once', () => {
    const patch = { cancelRequestedAt: NOW, hinted: true, updatedAt: NOW };
    expect(cancelPayment(CLAIMED, NOW, { cancelable: true })).toEqual({ type: 'requested', patch });
  });
  test.each([
    { ...FAILED, failureCode: 'canceled' as const },
    { ...CLAIMED, cancelRequestedAt: NOW },
  ])('twice changes nothing', (payout) => {
    expect(cancelPayment(payout, NOW, { cancelable: true })).toEqual({ type: 'unchanged' });
  });
  test.each([
    ['at a provider that cannot', CLAIMED, false],
    ['once the second step may have left', { ...CLAIMED, confirmSentAt: NOW }, true],
    ['when it has succeeded', SUCCEEDED, true],
    ['when it has failed', FAILED, true],
  ])('%s is refused', (_, payout, cancelable) => {
    expect(() => cancelPayment(payout, NOW, { cancelable })).toThrow(
      expect.objectContaining({ code: 'invalid-state' }),
    );
  });
});

describe('claim', () => {
  test.each([
    ['at rest', AT_REST],
    ['at rest and not yet past its time', { ...AT_REST, expiresAt: later(1), dueAt: later(1) }],
    ['leased by another', { ...CLAIMED, dueAt: later(1) }],
    ['not yet due', { ...WAITING, dueAt: later(1) }],
    ['failed', FAILED],
    ['succeeded', SUCCEEDED],
  ])('takes nothing: %s', (_, payout) => {
    expect(claimPayment(payout, NOW, PAYOUT)).toEqual({ type: 'idle' });
  });

  test('the first one needs no due time and makes the row ours for a lease', () => {
    const patch = { status: 'in_process', attempt: 1, leased: true, hinted: false, crashes: 0, dueAt: later(60) };
    expect(claimPayment(CONFIRMED, NOW, PAYOUT)).toMatchObject({ type: 'claimed', isFirst: true, patch });
  });

  test('a later one raises the fencing token', () => {
    const patch = { attempt: 2, leased: true, crashes: 0, dueAt: later(60) };
    expect(claimPayment(WAITING, NOW, PAYOUT)).toMatchObject({ type: 'claimed', isFirst: false, patch });
  });

  test('an unconfirmed one past its time fails as expired', () => {
    const patch = { status: 'failed', failureCode: 'expired', finalAt: NOW, dueAt: null };
    const payout = { ...AT_REST, expiresAt: NOW, dueAt: NOW };
    expect(claimPayment(payout, NOW, PAYOUT)).toMatchObject({ type: 'expired', patch });
  });

  test('five leases in a row that ran out bring a person, and one settle starts the count again', () => {
    let payout: Payment = CONFIRMED;
    const reasons: (string | null)[] = [];
    for (let claim = 1; claim <= 6; claim += 1) {
      const decision = claimPayment(payout, payout.dueAt ?? NOW, PAYOUT);
      if (decision.type !== 'claimed') throw new Error('A due row was not claimed.');
      payout = { ...payout, ...decision.patch };
      reasons.push(payout.reviewReason);
    }
    expect(reasons).toEqual([null, null, null, null, null, 'crashed_repeatedly']);
    const settled = { ...payout, ...settlePatch(payout, { type: 'unknown', notBefore: null }, NOW).patch };
    expect(settled).toMatchObject({ crashes: 0, reviewReason: 'crashed_repeatedly', reviewSince: expect.any(Date) });
    expect(claimPayment(settled, later(3600), PAYOUT)).toMatchObject({ patch: { crashes: 0 } });
  });

  test.each([
    { amountMinor: 1501n },
    { currency: parseCurrency('EUR') },
    { beneficiary: 'acct_2' },
    { provider: 'demobank' as const },
  ])('a row that is not what was approved is held back for a person (%#)', (change) => {
    const payout = { ...CONFIRMED, ...change };
    expect(isApproved(payout)).toBe(false);
    const decision = claimPayment(payout, NOW, PAYOUT);
    expect(decision).toMatchObject({ patch: { reviewReason: 'approval_differs', reviewSince: NOW } });
    if (decision.type === 'claimed') expect(firstStep({ ...payout, ...decision.patch })).toBe('find');
  });
});

test.each([
  ['nothing was sent', CLAIMED, 'send'],
  ['a send may have left', { ...CLAIMED, firstSentAt: NOW }, 'find'],
  ['the provider gave an id', { ...CLAIMED, externPaymentId: 'p_1' }, 'find'],
  ['a person must look', { ...CLAIMED, reviewReason: 'crashed_repeatedly' as const }, 'find'],
  ['a cancel was asked for', { ...CLAIMED, cancelRequestedAt: NOW }, 'find'],
] as const)('when %s, a claim begins with %s', (_, payout, step) => {
  expect(firstStep(payout)).toBe(step);
});

test('an intent to send is stamped once as first and each time as last; a look-up is only counted', () => {
  const sent = { ...CLAIMED, ...intentPatch(CLAIMED, 'send', NOW) };
  expect(sent).toMatchObject({ calls: 1, firstSentAt: NOW, lastSentAt: NOW, confirmSentAt: null });
  const confirmed = { ...sent, ...intentPatch(sent, 'confirm', later(9)) };
  expect(confirmed).toMatchObject({ calls: 2, firstSentAt: NOW, lastSentAt: later(9), confirmSentAt: later(9) });
  expect(intentPatch(confirmed, 'confirm', later(20))).toMatchObject({ confirmSentAt: later(9) });
  for (const step of ['find', 'cancel'] as const) {
    expect(intentPatch(confirmed, step, later(30))).toEqual({ calls: 3, updatedAt: later(30) });
  }
});

describe('a pay-in whose buyer did not come', () => {
  const PAYIN = { ...PAYOUT, kind: 'payin' } as const;
  const LATE: Payment = { ...WAITING, expiresAt: NOW };

  test('is cancelled from its time on, so that the provider closes its page first', () => {
    const decision = claimPayment(LATE, NOW, PAYIN);
    expect(decision).toMatchObject({ type: 'claimed', patch: { status: 'in_process', cancelRequestedAt: NOW } });
    if (decision.type !== 'claimed') return;
    const claimed = { ...LATE, ...decision.patch };
    expect([isExpiring(claimed), firstStep(claimed)]).toEqual([true, 'find']);
  });

  test.each([
    ['before its time', { ...LATE, expiresAt: later(1) }],
    ['without a time', { ...LATE, expiresAt: null }],
    ['once the money may be on its way', { ...LATE, confirmSentAt: NOW }],
  ])('is not cancelled %s', (_, payin) => {
    const decision = claimPayment(payin, NOW, PAYIN);
    expect(decision.type === 'claimed' && 'cancelRequestedAt' in decision.patch).toBe(false);
  });

  test('and was cancelled by a person before, does not count as expired', () => {
    const canceled = { ...LATE, cancelRequestedAt: later(-1) };
    const decision = claimPayment(canceled, NOW, PAYIN);
    expect(decision).toMatchObject({ type: 'claimed' });
    if (decision.type === 'claimed') expect(isExpiring({ ...canceled, ...decision.patch })).toBe(false);
  });

  test('leaves payouts alone: what was confirmed in time goes on', () => {
    const decision = claimPayment(LATE, NOW, PAYOUT);
    expect(decision.type === 'claimed' && 'cancelRequestedAt' in decision.patch).toBe(false);
  });
});

test('a message names what it is about', () => {
  expect(() => confirmPayment({ ...AT_REST, expiresAt: NOW }, NOW, { ...PAYOUT, kind: 'payin' })).toThrow(
    /The payin is/,
  );
});

test('never more is taken back than was paid', () => {
  expect([0n, 1n, 1500n, 1501n].map((minor) => returnedOf(SUCCEEDED, minor))).toEqual([0n, 1n, 1500n, 1500n]);
});
