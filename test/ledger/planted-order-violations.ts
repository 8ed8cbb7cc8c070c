// One way to break each invariant of an order: its counters, its refunds and disputes, and where its money is.

import { FRESH_ID, type Plant } from './planted-violations.ts';

/** Lets a posting have moved so much more on one of its wallets, with everything that follows from it. */
const shift = (what: { order: string; wallet: string; by: number }) => `
  UPDATE entry e SET balance_after = e.balance_after + ${what.by} FROM posting p JOIN entry first USING (posting_id)
    WHERE p.event = 'order.delivered' AND p.semantic_key = '${what.order}' AND first.wallet_id = '${what.wallet}'
      AND e.wallet_id = first.wallet_id AND e.seq >= first.seq;
  UPDATE entry e SET amount = e.amount + ${what.by} FROM posting p
    WHERE p.event = 'order.delivered' AND p.semantic_key = '${what.order}' AND p.posting_id = e.posting_id
      AND e.wallet_id = '${what.wallet}';
  UPDATE wallet SET posted = posted + ${what.by} WHERE wallet_id = '${what.wallet}';`;

/** An open refund of this order that its counters know, as if two requests had not seen each other. */
const openRefund = ({ order, amount }: { order: string; amount: number }) => `
  INSERT INTO refund SELECT (jsonb_populate_record(r, jsonb_build_object('pkid', ${FRESH_ID}, 'semantic_key', 'unseen',
      'amount', ${amount}, 'status', 'initialized', 'extern_payment_id', NULL, 'attempt', 0, 'final_at', NULL,
      'due_at', now(), 'saw_success', false))).*
    FROM refund r WHERE order_id = '${order}' LIMIT 1;
  INSERT INTO status_change VALUES (${FRESH_ID}, 1, 'refund', NULL, 'initialized', 0, 'requested', now());
  UPDATE seller_order SET open_before = open_before + ${amount} WHERE order_id = '${order}';`;

export const ORDER_VIOLATIONS: readonly Plant[] = [
  {
    violation: 'an order counts a refund that nobody asked for',
    statements: `UPDATE seller_order SET refunded = refunded + 1 WHERE order_id = 'undelivered-0'`,
    check: 'R1',
    alsoNoticedBy: [],
  },
  {
    violation: 'an order forgot a refund that is open',
    statements: `UPDATE seller_order SET open_after = 0 WHERE order_id = 'waiting-0'`,
    check: 'R1',
    alsoNoticedBy: [],
  },
  {
    violation: 'the refunds of an order are more than its amount',
    statements: `ALTER TABLE seller_order DROP CONSTRAINT seller_order_not_exceeded;
      ${openRefund({ order: 'undelivered-0', amount: 801 })}`,
    check: 'R1',
    alsoNoticedBy: ['A13'],
  },
  {
    violation: 'an order gave up more of its fee than went back',
    statements: `UPDATE seller_order SET fee_given = fee_given + 1, released = released + 1 WHERE order_id = 'yen-0'`,
    check: 'R1',
    alsoNoticedBy: ['E1.released'],
  },
  {
    violation: 'an order counts less as disputed than its dispute took',
    statements: `UPDATE seller_order SET taken_before = taken_before - 1 WHERE order_id = 'lost-0'`,
    check: 'R1',
    alsoNoticedBy: ['E1.pending', 'R1.reversed'],
  },
  {
    violation: 'a dispute took from one order twice',
    statements: `UPDATE dispute SET parts = jsonb_build_array(parts->0 || '{"amount": "1000"}',
      parts->0 || '{"amount": "5000"}') WHERE order_id = 'lost-0'`,
    check: 'R1.disputes',
    alsoNoticedBy: [],
  },
  {
    violation: 'an order counts less as reversed than the provider took',
    statements: `UPDATE seller_order SET taken_after = taken_after - 1 WHERE order_id = 'reversed-1'`,
    check: 'R1.reversed',
    alsoNoticedBy: ['E1.released'],
  },
  {
    violation: 'one order released what is pending of another',
    statements: [
      shift({ order: 'lost-delivered-0', wallet: '@pending:gus:USD', by: 1 }),
      shift({ order: 'lost-delivered-1', wallet: 'gus', by: 1 }),
      shift({ order: 'lost-delivered-0', wallet: 'gus', by: -1 }),
      shift({ order: 'lost-delivered-1', wallet: '@pending:gus:USD', by: -1 }),
    ].join(''),
    check: 'E1',
    alsoNoticedBy: [],
  },
  {
    violation: 'a delivery left a part of the order pending',
    statements: [
      shift({ order: 'canceled-0', wallet: '@pending:cid:USD', by: 7 }),
      shift({ order: 'canceled-0', wallet: '@fees:USD', by: -7 }),
    ].join(''),
    check: 'E1',
    alsoNoticedBy: ['E1.pending', 'E1.released'],
  },
  {
    violation: 'money was released of an order that is not delivered',
    statements: `UPDATE seller_order SET delivered_at = NULL, released = 0 WHERE order_id = 'in-debt-1'`,
    check: 'E1',
    alsoNoticedBy: ['A7', 'E1.pending', 'E1.released'],
  },
  {
    violation: 'more is pending of a seller than of their orders',
    statements: `UPDATE unapplied SET applied_to = '@pending:eve:USD' WHERE applied_to = 'eve'`,
    check: 'E1.pending',
    alsoNoticedBy: ['U1.postings'],
  },
  {
    violation: 'a seller got less than the order says, and we more',
    statements: [
      shift({ order: 'half-0', wallet: 'ann', by: -1 }),
      shift({ order: 'half-0', wallet: '@fees:USD', by: 1 }),
    ].join(''),
    check: 'E1.released',
    alsoNoticedBy: [],
  },
];
