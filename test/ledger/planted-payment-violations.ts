// One way to break each invariant of pay-ins, refunds, disputes, fees, debts, unapplied money and what is told of them.

import { book, FRESH_ID, type Plant } from './planted-violations.ts';

const refund = (key: string) => `semantic_key = '${key}'`;
const pkidOf = (table: string, key: string) => `(SELECT pkid FROM ${table} WHERE semantic_key = '${key}')`;

export const PAYMENT_VIOLATIONS: readonly Plant[] = [
  {
    violation: 'an order is in another currency than its seller',
    statements: `UPDATE seller_order SET currency = 'CHF' WHERE order_id = 'unpaid-0'`,
    check: 'A6',
    alsoNoticedBy: [],
  },
  {
    violation: 'somebody owes less than nothing',
    statements: `ALTER TABLE wallet DROP CONSTRAINT wallet_debt_negative;
      ${book({
        head: `SELECT ${FRESH_ID}, 'adjustment', 'adjustment', ${FRESH_ID}, 'generous', NULL, now()`,
        from: '@equity:USD',
        to: '@debt:fay:USD',
        amount: 100,
      })}
      INSERT INTO adjustment SELECT ${FRESH_ID}, 'generous', '@debt:fay:USD', 100, 'USD', reason, actor, ${FRESH_ID},
        fingerprint, created_at FROM adjustment LIMIT 1`,
    check: 'D1',
    alsoNoticedBy: ['A13'],
  },
  {
    violation: 'a refund is settled twice',
    statements: book({
      head: `SELECT ${FRESH_ID}, event, operation_kind, operation_pkid, semantic_key, NULL, now() FROM posting
             WHERE ${refund('refund:undelivered-0:100')}`,
      from: '@pending:ann:USD',
      to: '@provider:stripe:USD',
      amount: 100,
    }),
    check: 'A7',
    alsoNoticedBy: ['E1.pending'],
  },
  {
    violation: 'a posting tells of an event that nobody knows',
    statements: `UPDATE posting SET event = 'debt.forgiven' WHERE event = 'debt.netted' AND operation_kind = 'order'`,
    check: 'A7',
    alsoNoticedBy: [],
  },
  {
    violation: 'a dispute that is still open has given money back',
    statements: `UPDATE dispute SET status = 'open' WHERE status = 'won' AND order_id = 'won-delivered-0'`,
    check: 'A7',
    alsoNoticedBy: ['A9.orders', 'R1', 'R1.reversed'],
  },
  {
    violation: 'a pay-in loaded another wallet than it names',
    statements: `UPDATE payin SET wallet_id = 'buyer0' WHERE semantic_key = 'load:buyer-half'`,
    check: 'A9',
    alsoNoticedBy: ['E1.released'],
  },
  {
    violation: 'unapplied money went back through another provider than its refund names',
    statements: `UPDATE refund SET provider = 'paypal' WHERE unapplied_id IS NOT NULL`,
    check: 'A9',
    alsoNoticedBy: [],
  },
  {
    violation: "a refund went into another buyer's wallet than it names",
    statements: `UPDATE refund SET wallet_id = 'buyer0' WHERE ${refund('refund:half-0:500')}`,
    check: 'A9.orders',
    alsoNoticedBy: [],
  },
  {
    violation: 'a dispute took another amount than it names',
    statements: `UPDATE dispute SET amount = amount + 1 WHERE order_id = 'lost-0'`,
    check: 'A9.orders',
    alsoNoticedBy: ['R1.disputes'],
  },
  {
    violation: 'what went back beyond any order is another amount than its refund names',
    statements: `UPDATE refund SET amount = amount + 1 WHERE order_pkid IS NULL AND unapplied_id IS NULL`,
    check: 'A9.external',
    alsoNoticedBy: [],
  },
  {
    violation: 'what went back of a loaded wallet is of a payment that loaded none',
    statements: `UPDATE refund r SET payin_extern_id = 'pi_other' FROM payin i
      WHERE i.pkid = r.payin_pkid AND i.wallet_id = 'jon' AND r.order_pkid IS NULL`,
    check: 'A9.external',
    alsoNoticedBy: [],
  },
  {
    violation: 'a pay-in says that less was taken back than was posted',
    statements: `UPDATE payin SET returned = returned - 1 WHERE semantic_key = 'pay:reversed'`,
    check: 'A9.returns',
    alsoNoticedBy: ['R1.reversed'],
  },
  {
    violation: 'a charge of the provider was never posted',
    statements: `UPDATE payout SET fee = 5, fee_extern_id = 'txn_new' WHERE semantic_key = 'stripe:ok:0'`,
    check: 'A9.fees',
    alsoNoticedBy: [],
  },
  {
    violation: 'a charge of the provider is that of two payments',
    statements: `UPDATE payin SET fee_extern_id = 'txn_same' WHERE fee_extern_id IS NOT NULL`,
    check: 'A9.fees',
    alsoNoticedBy: [],
  },
  {
    violation: 'a charge was posted that no payment knows',
    statements: `UPDATE payin SET fee = NULL, fee_extern_id = NULL WHERE semantic_key = 'pay:yen'`,
    check: 'A9.fees',
    alsoNoticedBy: [],
  },
  {
    violation: "a debt was paid back from somebody else's wallet",
    statements: `UPDATE entry SET wallet_id = '@debt:eve:USD', seq = 1, balance_after = 500
        WHERE wallet_id = '@debt:gus:USD' AND seq = (SELECT max(seq) FROM entry WHERE wallet_id = '@debt:gus:USD');
      ALTER TABLE wallet DROP CONSTRAINT wallet_debt_negative;
      UPDATE wallet SET posted = posted - 500, seq = seq - 1 WHERE wallet_id = '@debt:gus:USD';
      UPDATE wallet SET posted = 500, seq = 1 WHERE wallet_id = '@debt:eve:USD';`,
    check: 'A9.debts',
    alsoNoticedBy: ['A13', 'D1'],
  },
  {
    violation: 'a refund has no history',
    statements: `DELETE FROM status_change WHERE pkid = ${pkidOf('refund', 'refund:half-0:3000')}`,
    check: 'A12',
    alsoNoticedBy: [],
  },
  {
    violation: 'a pay-in succeeded that nobody intended to send',
    statements: `DELETE FROM provider_call WHERE pkid = ${pkidOf('payin', 'pay:half')}`,
    check: 'P5',
    alsoNoticedBy: [],
  },
  {
    violation: "a buyer's form is open long after its time",
    statements: `UPDATE payin SET expires_at = now() - interval '2 hours' WHERE semantic_key = 'pay:at-the-buyer'`,
    check: 'L1',
    alsoNoticedBy: [],
  },
  {
    violation: 'a refund is on its way for eleven days and nobody was told',
    statements: `UPDATE refund SET confirmed_at = now() - interval '11 days' WHERE ${refund('refund:waiting-0:500')}`,
    check: 'L1',
    alsoNoticedBy: [],
  },
  {
    violation: 'unapplied money counts as resolved and is still there',
    statements: `UPDATE unapplied SET resolved_at = now(), resolved_by = 'nobody' WHERE extern_payment_id = 'stray-2'`,
    check: 'U1',
    alsoNoticedBy: [],
  },
  {
    violation: 'unapplied money went to another wallet than its row says',
    statements: `UPDATE unapplied SET applied_to = 'buyer0' WHERE extern_payment_id = 'stray-1'`,
    check: 'U1.postings',
    alsoNoticedBy: [],
  },
  {
    violation: 'more came back of a refund than is kept',
    statements: `UPDATE refund SET returned = returned - 1 WHERE ${refund('refund:bounced-0:400')}`,
    check: 'U1.refunds',
    alsoNoticedBy: [],
  },
  {
    violation: 'unapplied money was sent back and still waits',
    statements: `UPDATE unapplied SET resolved_at = NULL, resolved_by = NULL WHERE refund_pkid IS NOT NULL`,
    check: 'U1.refunds',
    alsoNoticedBy: ['U1'],
  },
  {
    violation: 'nobody was told that a transfer succeeded',
    statements: `DELETE FROM delivery WHERE pkid = ${pkidOf('transfer', 'transfer:0')}`,
    check: 'W1',
    alsoNoticedBy: [],
  },
  {
    violation: 'both verdicts of a refund were told',
    statements: `INSERT INTO outgoing_event
      SELECT ${FRESH_ID}, 'refund.failed', kind, pkid, semantic_key, sequence + 10, created_at
      FROM outgoing_event WHERE semantic_key = 'refund:half-0:3000'`,
    check: 'W2',
    alsoNoticedBy: [],
  },
];
