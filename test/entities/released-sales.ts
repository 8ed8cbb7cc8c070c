// What buyers and sellers have left in the books: checkouts, pay-ins, refunds, a dispute, money that fits nothing.

import { pkidOf } from '../../src/domain/id.ts';
import { AT_PROVIDER, type Chapter, keptAs, type Posting, pair } from './released-journal.ts';
import {
  CHANGED,
  DIGEST,
  type Insert,
  type PaymentFacts,
  PROVIDER,
  paymentRows,
  STATES,
  type State,
  THEN,
  USD,
} from './released-payment.ts';

/** What every order of a checkout that waits for its pay-in costs. */
const PRICE = 700;

export function sales(paidExternId: string): Chapter {
  const waiting = STATES.filter((state) => state !== 'succeeded');
  const late = { reason: 'paid_but_failed', provider: PROVIDER, extern_payment_id: 'pi_late', amount: PRICE };
  const failed = { operation_kind: 'payin', pkid: pkidOf('payin', 'pay:failed'), semantic_key: 'pay:failed' };
  const dispute = { dispute_id: 'stripe:dp_1', pkid: pkidOf('dispute', 'stripe:dp_1'), extern_id: 'dp_1' };
  const parts = [{ orderPkid: pkidOf('order', 'disputed-1'), amount: '1000', beforeDelivery: true }];
  const of = { provider: PROVIDER, payin_pkid: pkidOf('payin', 'pay:disputed'), order_id: 'disputed-1' };
  const open = { amount: 1_000, currency: USD, status: 'open', parts, ...CHANGED };
  const refunds = [refund('confirmed', 100), refund('leased', 200), refund('succeeded', 300), refund('failed', 400)];
  return {
    rows: [
      ...waiting.flatMap((state) => saleRows(state, { state, seller: 'bob', amount: PRICE })),
      ...saleRows('cart', { state: 'succeeded', seller: 'ann', amount: 5_000, externId: paidExternId, ...COUNTED }),
      ...saleRows('sent', { state: 'succeeded', seller: 'bob', amount: 2_000, ...DELIVERED }),
      ...saleRows('disputed', { state: 'succeeded', seller: 'ann', amount: 1_000, order: { taken_before: 1_000 } }),
      ...saleRows('off', { state: null, seller: 'bob', amount: PRICE, checkout: { canceled_at: THEN, due_at: THEN } }),
      ...refunds.flatMap((facts) => paymentRows({ ...facts, own: { ...facts.own, payin_extern_id: paidExternId } })),
      ['dispute', { ...dispute, ...of, ...open }],
      [
        'unapplied',
        { ...late, ...failed, unapplied_id: keptAs('pay:failed', 'pi_late'), currency: USD, opened_at: THEN },
      ],
    ],
    postings: [
      paid('cart', 'ann', 5_000),
      paid('sent', 'bob', 2_000),
      paid('disputed', 'ann', 1_000),
      {
        kind: 'refund',
        key: 'back:succeeded',
        event: 'refund.succeeded',
        lines: pair('@pending:ann:USD', AT_PROVIDER, 300),
      },
      {
        kind: 'order',
        key: 'sent-1',
        event: 'order.delivered',
        lines: [...pair('@pending:bob:USD', 'bob', 1_800), ...pair('@pending:bob:USD', '@fees:USD', 200)],
      },
      {
        kind: 'dispute',
        key: 'stripe:dp_1',
        event: 'dispute.opened',
        step: 'open',
        lines: pair('@pending:ann:USD', AT_PROVIDER, 1_000),
      },
      {
        kind: 'payin',
        key: 'pay:failed',
        event: 'unapplied.opened',
        step: 'kept',
        lines: pair(AT_PROVIDER, '@unapplied:USD', PRICE),
      },
    ],
  };
}

function saleRows(
  checkoutId: string,
  sale: {
    readonly state: State | null;
    readonly seller: string;
    readonly amount: number;
    readonly externId?: string;
    readonly order?: Readonly<Record<string, unknown>>;
    readonly checkout?: Readonly<Record<string, unknown>>;
  },
): Insert[] {
  const { state, seller, amount, externId = `pi_${checkoutId}`, order = {}, checkout = {} } = sale;
  const key = `pay:${checkoutId}`;
  const isPaid = state === 'succeeded';
  const made = { total: amount, currency: USD, payment_info: PAYMENT_INFO, fingerprint: DIGEST, created_at: THEN };
  const of = { checkout_id: checkoutId, seller_id: seller, wallet_id: seller, amount, currency: USD, fee: 0 };
  const by = isPaid ? { payin_pkid: pkidOf('payin', key), paid_at: THEN } : {};
  const payment = { kind: 'payin', key, amount, beneficiary: checkoutId, ...(isPaid ? { externId } : {}) } as const;
  const own = { checkout_id: checkoutId, token: 'tok_ok_1', expires_at: new Date(Date.now() + 3_600_000) };
  return [
    ['checkout', { checkout_id: checkoutId, buyer_id: 'buyer', ...made, ...checkout }],
    ...(state === null ? [] : paymentRows({ ...payment, state, own })),
    [
      'seller_order',
      { pkid: pkidOf('order', `${checkoutId}-1`), order_id: `${checkoutId}-1`, ...of, ...by, ...CHANGED, ...order },
    ],
  ];
}

function refund(state: State, amount: number): PaymentFacts {
  const of = { order_pkid: pkidOf('order', 'cart-1'), order_id: 'cart-1', payin_pkid: pkidOf('payin', 'pay:cart') };
  const own = { ...of, destination: 'payer', before_delivery: true };
  const externId = state === 'succeeded' ? { externId: 're_released' } : {};
  return { kind: 'refund', key: `back:${state}`, state, amount, beneficiary: 'payer', own, ...externId };
}

const PAYMENT_INFO = { provider: PROVIDER, token: 'tok_ok_1' };
/** What the refunds of the paid order have come to. */
const COUNTED = { order: { refunded: 300, open_before: 300 } };
const DELIVERED = { order: { fee: 200, delivered_at: THEN, released: 1_800 } };

const paid = (checkoutId: string, seller: string, amount: number): Posting => ({
  kind: 'payin',
  key: `pay:${checkoutId}`,
  event: 'payin.succeeded',
  lines: pair(AT_PROVIDER, `@pending:${seller}:USD`, amount),
});
