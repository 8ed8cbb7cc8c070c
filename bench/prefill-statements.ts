// The statements of the prefill: first what happened, as temporary tables, then the rows that say so.

/** The sellers whose orders are paid. */
export const SELLERS = 1_000;

interface Range {
  readonly from: number;
  readonly to: number;
  /** Of the whole prefill; the later ones are the younger ones. */
  readonly units: number;
}

const WALLET = (number: string) => `'bench-' || lpad((${number})::text, 5, '0')`;
const UUID = (text: string) => `md5(${text})::uuid`;
/** As remit makes it: first the milliseconds of the transfer's time. */
const TIMED_UUID = (text: string, at: string) =>
  `(lpad(to_hex((extract(epoch FROM ${at}) * 1000)::bigint), 12, '0') || '8' || substr(md5(${text}), 14))::uuid`;
/** A millisecond a unit, the last one a minute ago. */
const AT = (unit: string, { units }: Range) =>
  `date_trunc('milliseconds', now()) - interval '1 minute' - make_interval(secs => (${units} - ${unit}) / 1000.0)`;

export const PREFILL_SOURCES: readonly ((range: Range) => string)[] = [
  // Every fourth one debits the hot wallet.
  (range) => `
    CREATE TEMP TABLE happened_transfer ON COMMIT DROP AS
    SELECT n, ${UUID("'prefill-transfer-' || n")} AS pkid, 'prefill-transfer-' || n AS key,
           CASE WHEN n % 4 = 0 THEN ${WALLET('0')} ELSE ${WALLET('1 + payer')} END AS from_wallet,
           ${WALLET('1 + (payer + 1 + n % 9000) % 9999')} AS to_wallet, 1 + n % 100 AS amount,
           ${AT('n / 4', range)} AS at
    FROM (SELECT n, (n * 7919) % 9999 AS payer
          FROM generate_series(${range.from}::bigint * 4, ${range.to}::bigint * 4 + 3) n) drawn`,
  (range) => `
    CREATE TEMP TABLE happened_checkout ON COMMIT DROP AS
    SELECT n, 'prefill-checkout-' || n AS checkout_id, ${UUID("'prefill-payin-' || n")} AS pkid,
           'prefill-payin-' || n AS key, n % 50 <> 7 AS is_paid, ${AT('n / 3', range)} AS at
    FROM generate_series(${range.from}::bigint * 3, ${range.to}::bigint * 3 + 2) n`,
  () => `
    CREATE TEMP TABLE happened_order ON COMMIT DROP AS
    SELECT n, part, checkout_id, checkout_id || '-' || part AS order_id, c.pkid AS payin_pkid, is_paid, at,
           ${UUID("checkout_id || '-' || part")} AS pkid, ${WALLET(`1 + (n * 2 + part) % ${SELLERS}`)} AS seller_id,
           is_paid AND NOT (n % 50 = 9 AND part = 2) AS is_delivered
    FROM happened_checkout c CROSS JOIN generate_series(1, 2) part`,
  () => `
    CREATE TEMP TABLE happened_line ON COMMIT DROP AS
    SELECT 0 AS stage, n, ${TIMED_UUID("'posting-' || t.pkid", 't.at')} AS posting_id,
           'transfer' AS event, 'transfer' AS kind, pkid, key, side.wallet_id, side.amount, at
    FROM happened_transfer t
    CROSS JOIN LATERAL (VALUES (from_wallet, -amount), (to_wallet, amount)) side (wallet_id, amount)
    UNION ALL
    SELECT 1, n, ${UUID("'posting-' || c.pkid")}, 'payin.succeeded', 'payin', pkid, key,
           '@provider:stripe:USD', -200, at
    FROM happened_checkout c WHERE is_paid
    UNION ALL
    SELECT 1, n, ${UUID("'posting-' || o.payin_pkid")}, 'payin.succeeded', 'payin', payin_pkid, 'prefill-payin-' || n,
           '@pending:' || seller_id || ':USD', 100, at
    FROM happened_order o WHERE is_paid
    UNION ALL
    SELECT 2, n * 2 + part, ${UUID("'posting-' || o.pkid")}, 'order.delivered', 'order', pkid, order_id, side.wallet_id,
           side.amount, at
    FROM happened_order o
    CROSS JOIN LATERAL (VALUES ('@pending:' || seller_id || ':USD', -100), (seller_id, 80), ('@fees:USD', 20))
      side (wallet_id, amount)
    WHERE is_delivered`,
];

export const PREFILL_WRITES: readonly string[] = [
  `INSERT INTO transfer (pkid, semantic_key, status, from_wallet, to_wallet, amount, currency, fingerprint, created_at,
                         updated_at, final_at)
   SELECT pkid, key, 'succeeded', from_wallet, to_wallet, amount, 'USD', '\\x00', at, at, at
   FROM happened_transfer ORDER BY pkid`,
  `INSERT INTO checkout (checkout_id, buyer_id, currency, total, payment_info, fingerprint, created_at)
   SELECT checkout_id, 'buyer', 'USD', 200, '{"provider": "stripe", "token": "tok_prefill"}', '\\x00', at
   FROM happened_checkout ORDER BY checkout_id`,
  `INSERT INTO payin (pkid, semantic_key, status, checkout_id, amount, currency, provider, token, beneficiary, approval,
                      fingerprint, extern_payment_id, attempt, calls, first_sent_at, last_sent_at, saw_success,
                      confirmed_at, created_at, updated_at, final_at)
   SELECT pkid, key, 'succeeded', checkout_id, 200, 'USD', 'stripe', 'tok_prefill', checkout_id, '\\x00', '\\x00',
          'pi_prefill_' || n, 1, 1, at, at, true, at, at, at, at
   FROM happened_checkout WHERE is_paid ORDER BY pkid`,
  `INSERT INTO seller_order (pkid, order_id, checkout_id, seller_id, wallet_id, amount, currency, fee, payin_pkid,
                             paid_at, delivered_at, released, created_at, updated_at)
   SELECT pkid, order_id, checkout_id, seller_id, seller_id, 100, 'USD', 20, CASE WHEN is_paid THEN payin_pkid END,
          CASE WHEN is_paid THEN at END, CASE WHEN is_delivered THEN at END, CASE WHEN is_delivered THEN 80 ELSE 0 END,
          at, at
   FROM happened_order ORDER BY pkid`,
  `INSERT INTO provider_call (pkid, number, operation_kind, provider, attempt, step, key, intent_at, answered_at,
                              latency_ms, outcome, http_status, extern_payment_id, verdict)
   SELECT pkid, 1, 'payin', 'stripe', 1, 'send', pkid::text, at, at, 0, 'succeeded', 200, 'pi_prefill_' || n,
          'succeeded'
   FROM happened_checkout WHERE is_paid ORDER BY 1`,
  `INSERT INTO status_change (pkid, number, operation_kind, from_status, to_status, attempt, created_at)
   SELECT pkid, number, 'payin', from_status, to_status, 1, at
   FROM happened_checkout
   CROSS JOIN (VALUES (1, NULL, 'initialized'), (2, 'initialized', 'in_process'), (3, 'in_process', 'succeeded'))
     move (number, from_status, to_status)
   WHERE is_paid ORDER BY pkid, number`,
  `INSERT INTO posting (posting_id, event, operation_kind, operation_pkid, semantic_key, created_at)
   SELECT DISTINCT ON (posting_id) posting_id, event, kind, pkid, key, at FROM happened_line ORDER BY posting_id`,
  // Each wallet goes on from where it stands: its counter, and its balance after every line.
  `INSERT INTO entry (wallet_id, seq, posting_id, currency, amount, balance_after, created_at)
   SELECT wallet_id, w.seq + row_number() OVER by_time, posting_id, 'USD', amount,
          w.posted + sum(amount) OVER by_time, at
   FROM happened_line JOIN wallet w USING (wallet_id)
   WINDOW by_time AS (PARTITION BY wallet_id ORDER BY at, stage, n, posting_id)
   ORDER BY wallet_id, 2`,
  `UPDATE wallet w SET posted = w.posted + moved.total, seq = w.seq + moved.lines
   FROM (SELECT wallet_id, sum(amount) AS total, count(*) AS lines FROM happened_line GROUP BY wallet_id) moved
   WHERE moved.wallet_id = w.wallet_id`,
];
