// A payment as an earlier release left it, with everything that its state asks for: its status changes, its hold, its
// provider call. As rows and not through the program, because they have to fit what an earlier schema was.

import { type Pkid, pkidOf } from '../../src/domain/id.ts';
import { parseCurrency } from '../../src/domain/money.ts';
import { approvalOf } from '../../src/domain/payment.ts';
import type { PaymentKind } from '../../src/domain/provider.ts';

export type Row = Readonly<Record<string, unknown>>;
export type Insert = readonly [table: string, row: Row];

export const USD = parseCurrency('USD');
export const PROVIDER = 'stripe';
/** Longer ago than every lease and grace, and not so long that anything is late. */
export const THEN = new Date(Date.now() - 600_000);
export const CHANGED = { created_at: THEN, updated_at: THEN };
/** Any 32 bytes, where nobody compares them. */
export const DIGEST = Buffer.alloc(32, 7);

/** The states in which a release may be stopped. `leased`: its worker died. `asked`: no answer came. */
export const STATES = ['resting', 'confirmed', 'leased', 'asked', 'review', 'succeeded', 'failed'] as const;
export type State = (typeof STATES)[number];

export interface PaymentFacts {
  readonly kind: PaymentKind;
  readonly key: string;
  readonly state: State;
  readonly amount: number;
  readonly beneficiary: string;
  /** The provider's id, where it is known. */
  readonly externId?: string;
  /** What only this kind has. */
  readonly own: Row;
}

const AT_REST = { status: 'initialized', confirmed_at: null, due_at: null };
const CONFIRMED = { status: 'initialized', confirmed_at: THEN, due_at: THEN };
const SENT = { attempt: 1, calls: 1, first_sent_at: THEN, last_sent_at: THEN, confirmed_at: THEN };
const OPEN = { ...SENT, status: 'in_process', due_at: THEN };
const ENDED = { ...SENT, due_at: null, final_at: THEN };
const DECLINED = { failure_code: 'declined', failure_detail: 'The account is closed.' };
const FIELDS: Readonly<Record<State, Row>> = {
  resting: AT_REST,
  confirmed: CONFIRMED,
  leased: { ...OPEN, leased: true },
  asked: { ...OPEN, unknowns: 1 },
  review: { ...OPEN, unknowns: 1, review_reason: 'crashed_repeatedly', review_since: THEN },
  succeeded: { ...ENDED, status: 'succeeded' },
  failed: { ...ENDED, status: 'failed', ...DECLINED },
};
const PATHS: Readonly<Record<State, readonly string[]>> = {
  resting: ['initialized'],
  confirmed: ['initialized'],
  leased: ['initialized', 'in_process'],
  asked: ['initialized', 'in_process'],
  review: ['initialized', 'in_process'],
  succeeded: ['initialized', 'in_process', 'succeeded'],
  failed: ['initialized', 'in_process', 'failed'],
};
const HOLDS: Readonly<Record<State, string | null>> = {
  resting: null,
  confirmed: null,
  leased: 'active',
  asked: 'active',
  review: 'active',
  succeeded: 'captured',
  failed: 'released',
};
const ANSWERS: Readonly<Record<State, Row | null>> = {
  resting: null,
  confirmed: null,
  leased: { answered_at: null, outcome: null },
  asked: { answered_at: THEN, outcome: 'surprise', reason: 'timeout', verdict: 'unknown' },
  review: { answered_at: THEN, outcome: 'surprise', reason: 'timeout', verdict: 'unknown' },
  succeeded: { answered_at: THEN, outcome: 'succeeded', verdict: 'succeeded' },
  failed: { answered_at: THEN, outcome: 'declined', verdict: 'failed' },
};

export function paymentRows(facts: PaymentFacts): Insert[] {
  const { kind, key, state, amount, beneficiary, externId = null, own } = facts;
  const pkid = pkidOf(kind, key);
  const approval = approvalOf({
    money: { amountMinor: BigInt(amount), currency: USD },
    provider: PROVIDER,
    beneficiary,
  });
  const money = { amount, currency: USD, provider: PROVIDER };
  const row = { pkid, semantic_key: key, ...money, beneficiary, approval, fingerprint: DIGEST, ...CHANGED };
  const call = ANSWERS[state];
  const subject = { pkid, operation_kind: kind };
  const sent = { ...subject, number: 1, attempt: 1, provider: PROVIDER, step: 'send', key: pkid, intent_at: THEN };
  return [
    [kind, { ...row, extern_payment_id: externId, ...FIELDS[state], ...own }],
    ...statusChanges(kind, pkid, PATHS[state]),
    ...(call === null ? [] : [['provider_call', { ...sent, ...call, extern_payment_id: externId }] as const]),
  ];
}

export function holdRows({ key, state, amount }: PaymentFacts, walletId: string): Insert[] {
  const status = HOLDS[state];
  const times = { created_at: THEN, ended_at: status === 'active' ? null : THEN };
  const row = { wallet_id: walletId, hold_id: pkidOf('payout', key), amount, status, ...times };
  return status === null ? [] : [['hold', row]];
}

export function statusChanges(kind: string, pkid: Pkid, path: readonly string[]): Insert[] {
  return path.map((status, index) => [
    'status_change',
    {
      pkid,
      number: index + 1,
      operation_kind: kind,
      from_status: path[index - 1] ?? null,
      to_status: status,
      attempt: index === 0 ? 0 : 1,
      created_at: THEN,
    },
  ]);
}
