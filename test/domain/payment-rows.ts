// Payments at common moments of their lives, for the rules of their rows.

import { pkidOf } from '../../src/domain/id.ts';
import { parseCurrency } from '../../src/domain/money.ts';
import { approvalOf, type Payment } from '../../src/domain/payment.ts';

export const NOW = new Date('2026-03-01T12:00:00Z');
export const later = (seconds: number) => new Date(NOW.getTime() + seconds * 1000);
export const PAYOUT = { kind: 'payout', leaseMs: 60_000 } as const;
const USD = parseCurrency('USD');
const money = { amountMinor: 1500n, currency: USD };

export const AT_REST: Payment = {
  pkid: pkidOf('payout', 'order:42'),
  semanticKey: 'order:42',
  status: 'initialized',
  ...money,
  provider: 'stripe',
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
  declineCode: null,
  declineDetail: null,
  cancelRequestedAt: null,
  returnedMinor: 0n,
  feeMinor: null,
  feeExternId: null,
  confirmedAt: null,
  expiresAt: null,
  createdAt: NOW,
  updatedAt: NOW,
  finalAt: null,
};
export const CONFIRMED: Payment = { ...AT_REST, confirmedAt: NOW, dueAt: later(60) };
export const CLAIMED: Payment = { ...CONFIRMED, status: 'in_process', attempt: 1, leased: true };
export const WAITING: Payment = { ...CLAIMED, leased: false, dueAt: NOW, firstSentAt: NOW, lastSentAt: NOW };
export const FAILED: Payment = {
  ...AT_REST,
  status: 'failed',
  failureCode: 'declined',
  confirmedAt: NOW,
  finalAt: NOW,
};
export const SUCCEEDED: Payment = { ...CLAIMED, leased: false, status: 'succeeded', dueAt: null, finalAt: NOW };
