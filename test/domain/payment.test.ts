// The rules of a payout's row: what confirm, cancel, claim and settle change, and when somebody must look again.

import { describe, expect, test } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import { parseCurrency } from '../../src/domain/money.ts';
import {
  approvalOf,
  cancelPayout,
  claimPayout,
  confirmPayout,
  firstStep,
  hintPatch,
  intentPatch,
  isApproved,
  type Payout,
  settlePatch,
} from '../../src/domain/payout.ts';
import { SUCCESS } from './evidence.ts';

const NOW = new Date('2026-03-01T12:00:00Z');
const later = (seconds: number) => new Date(NOW.getTime() + seconds * 1000);
const TIMING = { leaseMs: 60_000, sendDeadlineMs: 5_000 };
const USD = parseCurrency('USD');
const money = { amountMinor: 1500n, currency: USD };

const AT_REST: Payout = {
  pkid: pkidOf('payout', 'order:42'),
  semanticKey: 'order:42',
  status: 'initialized',
  walletId: 'seller',
  ...money,
  provider: 'stripe',
  payeeId: null,
  destination: 'acct_1',
  beneficiary: 'acct_1',
  approval: approvalOf({ money, provider: 'stripe', beneficiary: 'acct_1' }),
  fingerprint: Buffer.alloc(32),
  metadata: {},
  traceparent: null,
  externPaymentId: null,
  arrival: null,
  failureCode: null,
  failureDetail: null,
  reviewReason: null,
  reviewSince: null,
  waiting: null,
  attempt: 0,
  leased: false,
  hinted: false,
  dueAt: null,
  crashes: 0,
  unknowns: 0,
  pendings: 0,
  calls: 0,
  firstSentAt: null,
  lastSentAt: null,
  confirmSentAt: null,
  storedError: null,
  errorReplays: 0,
  sawSuccess: false,
  sawDecline: false,
  cancelRequestedAt: null,
  returnedMinor: 0n,
  confirmedAt: null,
  expiresAt: null,
  createdAt: NOW,
  updatedAt: NOW,
  finalAt: null,
};
const CONFIRMED: Payout = { ...AT_REST, confirmedAt: NOW, dueAt: later(60) };
const CLAIMED: Payout = { ...CONFIRMED, status: 'in_process', attempt: 1, leased: true };
const WAITING: Payout = { ...CLAIMED, leased: false, dueAt: NOW, firstSentAt: NOW, lastSentAt: NOW };
const FAILED: Payout = { ...AT_REST, status: 'failed', failureCode: 'declined', confirmedAt: NOW, finalAt: NOW };
const SUCCEEDED: Payout = { ...CLAIMED, leased: false, status: 'succeeded', dueAt: null, finalAt: NOW };

describe('confirm', () => {
  test('sets it on its way, due after a lease should the queue lose it', () => {
    expect(confirmPayout(AT_REST, NOW, TIMING)).toEqual({ confirmedAt: NOW, dueAt: later(60), updatedAt: NOW });
  });
  test.each([
    ['confirmed', CONFIRMED],
    ['claimed', CLAIMED],
    ['succeeded', SUCCEEDED],
    ['failed after its confirm', FAILED],
  ])('a second time, %s, changes nothing', (_, payout) => {
    expect(confirmPayout(payout, NOW, TIMING)).toBeNull();
  });
  test.each([
    ['a cancelled one', { ...FAILED, failureCode: 'canceled' as const }, /cancelled\. Make a new one/],
    ['one past its time', { ...AT_REST, expiresAt: NOW }, /expired\. Make a new one/],
    ['one that expired', { ...FAILED, failureCode: 'expired' as const, confirmedAt: null }, /expired\. Make a new one/],
  ])('%s is refused', (_, payout, advice) => {
    expect(() => confirmPayout(payout, NOW, TIMING)).toThrow(advice);
  });
});

describe('cancel', () => {
  test.each([AT_REST, CONFIRMED])('fails it while nobody has claimed it', (payout) => {
    const decision = cancelPayout(payout, NOW, { cancelable: false });
    const patch = { status: 'failed', failureCode: 'canceled', dueAt: null, finalAt: NOW };
    expect(decision).toMatchObject({ type: 'failed', patch });
  });
  test('asks for it where the provider can, and the present claim will look at once', () => {
    const patch = { cancelRequestedAt: NOW, hinted: true, updatedAt: NOW };
    expect(cancelPayout(CLAIMED, NOW, { cancelable: true })).toEqual({ type: 'requested', patch });
  });
  test.each([
    { ...FAILED, failureCode: 'canceled' as const },
    { ...CLAIMED, cancelRequestedAt: NOW },
  ])('twice changes nothing', (payout) => {
    expect(cancelPayout(payout, NOW, { cancelable: true })).toEqual({ type: 'unchanged' });
  });
  test.each([
    ['at a provider that cannot', CLAIMED, false],
    ['once the second step may have left', { ...CLAIMED, confirmSentAt: NOW }, true],
    ['when it has succeeded', SUCCEEDED, true],
    ['when it has failed', FAILED, true],
  ])('%s is refused', (_, payout, cancelable) => {
    expect(() => cancelPayout(payout, NOW, { cancelable })).toThrow(expect.objectContaining({ code: 'invalid-state' }));
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
    expect(claimPayout(payout, NOW, TIMING)).toEqual({ type: 'idle' });
  });

  test('the first one needs no due time and makes the row ours for a lease', () => {
    const patch = { status: 'in_process', attempt: 1, leased: true, hinted: false, crashes: 0, dueAt: later(60) };
    expect(claimPayout(CONFIRMED, NOW, TIMING)).toMatchObject({ type: 'claimed', isFirst: true, patch });
  });

  test('a later one raises the fencing token', () => {
    const patch = { attempt: 2, leased: true, crashes: 0, dueAt: later(60) };
    expect(claimPayout(WAITING, NOW, TIMING)).toMatchObject({ type: 'claimed', isFirst: false, patch });
  });

  test('an unconfirmed one past its time fails as expired', () => {
    const patch = { status: 'failed', failureCode: 'expired', finalAt: NOW, dueAt: null };
    const payout = { ...AT_REST, expiresAt: NOW, dueAt: NOW };
    expect(claimPayout(payout, NOW, TIMING)).toMatchObject({ type: 'expired', patch });
  });

  test('five leases in a row that ran out bring a person, and one settle starts the count again', () => {
    let payout: Payout = CONFIRMED;
    const reasons: (string | null)[] = [];
    for (let claim = 1; claim <= 6; claim += 1) {
      const decision = claimPayout(payout, payout.dueAt ?? NOW, TIMING);
      if (decision.type !== 'claimed') throw new Error('A due row was not claimed.');
      payout = { ...payout, ...decision.patch };
      reasons.push(payout.reviewReason);
    }
    expect(reasons).toEqual([null, null, null, null, null, 'crashed_repeatedly']);
    const settled = { ...payout, ...settlePatch(payout, { type: 'unknown', notBefore: null }, NOW).patch };
    expect(settled).toMatchObject({ crashes: 0, reviewReason: 'crashed_repeatedly', reviewSince: expect.any(Date) });
    expect(claimPayout(settled, later(3600), TIMING)).toMatchObject({ patch: { crashes: 0 } });
  });

  test.each([
    { amountMinor: 1501n },
    { currency: parseCurrency('EUR') },
    { beneficiary: 'acct_2' },
    { provider: 'demobank' as const },
  ])('a row that is not what was approved is held back for a person (%#)', (change) => {
    const payout = { ...CONFIRMED, ...change };
    expect(isApproved(payout)).toBe(false);
    const decision = claimPayout(payout, NOW, TIMING);
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

describe('settle', () => {
  const secondsUntilDue = (payout: Payout, verdict: Parameters<typeof settlePatch>[1]) => {
    const { patch, outcome } = settlePatch(payout, verdict, NOW);
    expect(outcome).toBe('waits');
    expect(patch).toMatchObject({ leased: false, hinted: false, crashes: 0 });
    return ((patch.dueAt?.getTime() ?? 0) - NOW.getTime()) / 1000;
  };
  const unknown = { type: 'unknown', notBefore: null } as const;

  test('success ends it, and the review', () => {
    const payout: Payout = { ...CLAIMED, reviewReason: 'key_expired', reviewSince: NOW };
    const { patch, outcome } = settlePatch(payout, { type: 'succeeded', success: SUCCESS, arrival: null }, NOW);
    expect(outcome).toBe('succeeded');
    const review = { reviewReason: null, reviewSince: null };
    const rest = { leased: false, dueAt: null, finalAt: NOW, externPaymentId: SUCCESS.externId };
    expect(patch).toMatchObject({ status: 'succeeded', ...rest, ...review });
  });

  test('failure ends it with a reason, and long texts of a provider are cut', () => {
    const verdict = { type: 'failed', code: 'declined', detail: 'x'.repeat(10_000) } as const;
    const { patch, outcome } = settlePatch(CLAIMED, verdict, NOW);
    expect(outcome).toBe('failed');
    expect(patch).toMatchObject({
      status: 'failed',
      failureCode: 'declined',
      leased: false,
      dueAt: null,
      finalAt: NOW,
    });
    expect(patch.failureDetail).toHaveLength(500);
  });

  test('unknown is asked again after 1, 2, 5, 10, 30 s, then every minute', () => {
    const waits = [0, 1, 2, 3, 4, 5, 6, 99].map((unknowns) => secondsUntilDue({ ...CLAIMED, unknowns }, unknown));
    expect(waits).toEqual([1, 2, 5, 10, 30, 60, 60, 60]);
  });

  test('pending is asked again after 10 s, 1 m, 10 m, 1 h, then every 6 h', () => {
    const waits = [0, 1, 2, 3, 4, 5, 99].map((pendings) =>
      secondsUntilDue({ ...CLAIMED, pendings }, { type: 'pending' }),
    );
    expect(waits).toEqual([10, 60, 600, 3600, 21_600, 21_600, 21_600]);
  });

  test('unknown is not asked later than when a look-up can first prove something', () => {
    const payout = { ...CLAIMED, unknowns: 4 };
    expect(secondsUntilDue(payout, { type: 'unknown', notBefore: later(7) })).toBe(7);
    expect(secondsUntilDue(payout, { type: 'unknown', notBefore: later(700) })).toBe(30);
    expect(secondsUntilDue(payout, { type: 'unknown', notBefore: later(-7) })).toBe(30);
  });

  test('not taken comes back when the provider says, else on the ladder', () => {
    expect(secondsUntilDue({ ...CLAIMED, unknowns: 3 }, { type: 'not_taken', retryAfterMs: 4_000 })).toBe(4);
    expect(secondsUntilDue({ ...CLAIMED, unknowns: 3 }, { type: 'not_taken', retryAfterMs: 0 })).toBe(0);
    expect(secondsUntilDue({ ...CLAIMED, unknowns: 3 }, { type: 'not_taken', retryAfterMs: null })).toBe(10);
  });

  test('a review is looked at again every minute, since its first day', () => {
    const verdict = { type: 'review', reason: 'key_expired', detail: '', success: null } as const;
    expect(secondsUntilDue(CLAIMED, verdict)).toBe(60);
    expect(settlePatch(CLAIMED, verdict, NOW).patch).toMatchObject({ reviewReason: 'key_expired', reviewSince: NOW });
    const known: Payout = { ...CLAIMED, reviewReason: 'crashed_repeatedly', reviewSince: later(-900) };
    expect(settlePatch(known, verdict, NOW).patch).toMatchObject({ reviewSince: later(-900) });
    expect(secondsUntilDue({ ...known, pendings: 4 }, { type: 'pending' })).toBe(60);
  });

  test('a hint that came during the claim makes it due at once, and one outside of it too', () => {
    const hinted = { ...CLAIMED, ...hintPatch(CLAIMED, NOW) };
    expect(hinted).toMatchObject({ hinted: true, dueAt: CLAIMED.dueAt });
    expect(secondsUntilDue(hinted, unknown)).toBe(0);
    expect(hintPatch({ ...WAITING, dueAt: later(3600) }, NOW)).toEqual({ dueAt: NOW, updatedAt: NOW });
  });
});
