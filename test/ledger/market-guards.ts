// The rules of the tables of the marketplace, each with a statement that nothing but it refuses, on the healthy books.

/** Pay-ins of the healthy books, by what they are at. */
const PAYINS = {
  resting: 'pay:resting',
  waiting: 'pay:at-the-buyer',
  done: 'pay:half',
  failed: 'pay:second-try',
} as const;

const one = (table: string, where: string, change: string) =>
  `UPDATE ${table} SET ${change} WHERE pkid = (SELECT pkid FROM ${table} WHERE ${where} LIMIT 1)`;
const payin = (key: string, change: string) => one('payin', `semantic_key = '${key}'`, change);
const refund = (where: string, change: string) => one('refund', where, change);
const order = (change: string, where = `order_id = 'unpaid-0'`) => `UPDATE seller_order SET ${change} WHERE ${where}`;
const { resting, waiting, done, failed } = PAYINS;
const ENDED = `status = 'succeeded' AND destination = 'payer' AND origin = 'api'`;
const REFUSED = `status = 'failed'`;
const OPEN = `status = 'in_process'`;

export const MARKET_CHECKS: Readonly<Record<string, string>> = {
  payout_fee_whole: `UPDATE payout SET fee = 1 WHERE fee IS NULL`,
  checkout_total_positive: `UPDATE checkout SET total = 0`,
  checkout_due_canceled: `UPDATE checkout SET due_at = now() WHERE canceled_at IS NULL`,
  payin_origin_known: payin(done, `origin = 'elsewhere'`),
  payin_for_something: payin(done, 'checkout_id = NULL'),
  payin_status_known: copied(
    'payin',
    `semantic_key = '${resting}'`,
    `status = 'parked', checkout_id = NULL, wallet_id = 'ann'`,
  ),
  payin_amount_positive: payin(done, 'amount = 0'),
  payin_final_rests: payin(done, 'final_at = NULL'),
  payin_final_not_due: payin(done, 'due_at = now()'),
  payin_in_process_due: payin(waiting, 'due_at = NULL'),
  payin_failure_named: payin(failed, 'failure_code = NULL'),
  payin_success_named: payin(done, 'extern_payment_id = NULL'),
  payin_in_process_claimed: payin(waiting, 'attempt = 0'),
  payin_review_open: payin(done, `review_reason = 'x'`),
  payin_returned_bound: payin(done, 'returned = amount + 1'),
  payin_fee_whole: payin(done, 'fee_extern_id = NULL'),
  seller_order_amount_positive: order('amount = 0, fee = 0'),
  seller_order_fee_bound: order('fee = amount + 1'),
  seller_order_paid_whole: order('paid_at = now()'),
  seller_order_delivered_paid: order('delivered_at = now()'),
  seller_order_counts_positive: order('released = -1'),
  seller_order_not_exceeded: order('refunded = amount + 1'),
  unapplied_amount_positive: `UPDATE unapplied SET amount = 0`,
  unapplied_split_bound: `UPDATE unapplied SET split_off = amount`,
  unapplied_resolved_by_someone: `UPDATE unapplied SET resolved_by = NULL WHERE resolved_at IS NOT NULL`,
  refund_origin_known: refund(ENDED, `origin = 'elsewhere'`),
  refund_of_something: refund(ENDED, 'order_pkid = NULL, unapplied_id = NULL'),
  refund_destination_known: refund(ENDED, `destination = 'moon'`),
  refund_destination_wallet: refund(ENDED, `wallet_id = 'ann'`),
  refund_status_known: copied('refund', OPEN, `status = 'parked'`),
  refund_amount_positive: refund(ENDED, 'amount = 0, returned = 0'),
  refund_final_rests: refund(ENDED, 'final_at = NULL'),
  refund_final_not_due: refund(ENDED, 'due_at = now()'),
  refund_in_process_due: refund(OPEN, 'due_at = NULL'),
  refund_failure_named: refund(REFUSED, 'failure_code = NULL'),
  refund_success_named: refund(ENDED, 'extern_payment_id = NULL'),
  refund_in_process_claimed: refund(OPEN, 'attempt = 0'),
  refund_review_open: refund(ENDED, `review_reason = 'x'`),
  refund_returned_bound: refund(ENDED, 'returned = amount + 1'),
  refund_fee_whole: refund(ENDED, 'fee = 1'),
  dispute_status_known: `UPDATE dispute SET status = 'settled'`,
  dispute_amounts: `UPDATE dispute SET uncovered = -1`,
  webhook_endpoint_events_list: endpointWith(`'[]', 'enabled', NULL`),
  webhook_endpoint_status_known: endpointWith(`'["*"]', 'asleep', NULL`),
  webhook_endpoint_disabled_for_a_reason: endpointWith(`'["*"]', 'disabled', NULL`),
  webhook_endpoint_secret_whole: endpointWith(`'["*"]', 'enabled', NULL`, `'short', NULL, NULL`),
  webhook_endpoint_previous_ends: endpointWith(`'["*"]', 'enabled', NULL`, `sha256('x'), sha256('y'), NULL`),
  outgoing_event_counted: `INSERT INTO outgoing_event
    VALUES (gen_random_uuid(), 'payout.succeeded', 'payout', gen_random_uuid(), 'x', 0, now())`,
  delivery_status_known: deliveryWith(`'lost', false, NULL, now()`),
  delivery_due: deliveryWith(`'pending', false, NULL, NULL`),
  delivery_final: deliveryWith(`'failed', false, NULL, NULL`),
  delivery_leased: deliveryWith(`'failed', true, NULL, now()`),
  delivery_sent_with_a_body: deliveryWith(`'delivered', false, NULL, now()`),
};

/** A changed copy, for what a row that exists cannot become: its own guard of moves would refuse first. */
function copied(table: string, where: string, change: string): string {
  return `CREATE TEMPORARY TABLE one ON COMMIT DROP AS SELECT * FROM ${table} WHERE ${where} LIMIT 1;
    UPDATE one SET pkid = gen_random_uuid(), semantic_key = 'copied', ${change};
    INSERT INTO ${table} SELECT * FROM one`;
}

function endpointWith(eventsStatusReason: string, secrets = `sha256('x'), NULL, NULL`): string {
  return `INSERT INTO webhook_endpoint (endpoint_id, url, events, status, disabled_reason, secret, previous_secret,
      previous_until, created_at, updated_at)
    VALUES (gen_random_uuid(), 'u', ${eventsStatusReason}, ${secrets}, now(), now())`;
}

function deliveryWith(statusLeasedDueFinal: string): string {
  return `INSERT INTO delivery (delivery_id, event_id, endpoint_id, pkid, sequence, attempt, tries,
      status, leased, due_at, final_at, created_at)
    VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, 0, 0,
            ${statusLeasedDueFinal}, now())`;
}
