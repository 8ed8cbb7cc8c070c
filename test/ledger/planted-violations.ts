// One way to break each invariant, as SQL that runs with the triggers off. Where a check constraint stands in the
// way it is dropped, and the auditor then says so too.

export interface Plant {
  readonly violation: string;
  readonly statements: string;
  /** The check it is planted for. */
  readonly check: string;
  /** Those that cannot but notice it as well. */
  readonly alsoNoticedBy: readonly string[];
}

export const FRESH_ID = `'ffffffff-0000-4000-8000-000000000001'::uuid`;

/** A booking of `amount` from the first to the second wallet, with balances and counters kept right. */
export const book = (posting: { head: string; from: string; to: string; amount: number }) => `
  INSERT INTO posting (posting_id, event, operation_kind, operation_pkid, semantic_key, reverses, created_at)
    ${posting.head};
  INSERT INTO entry (wallet_id, seq, posting_id, currency, amount, balance_after, created_at)
    SELECT wallet_id, seq + 1, ${FRESH_ID}, currency, -${posting.amount},
           posted - ${posting.amount}, now() FROM wallet WHERE wallet_id = '${posting.from}'
    UNION ALL
    SELECT wallet_id, seq + 1, ${FRESH_ID}, currency, ${posting.amount},
           posted + ${posting.amount}, now() FROM wallet WHERE wallet_id = '${posting.to}';
  UPDATE wallet SET seq = seq + 1, posted = posted - ${posting.amount} WHERE wallet_id = '${posting.from}';
  UPDATE wallet SET seq = seq + 1, posted = posted + ${posting.amount} WHERE wallet_id = '${posting.to}';`;
const SETTLED = `operation_kind = 'payout' AND semantic_key = 'stripe:ok:0' AND reverses IS NULL`;

export const VIOLATIONS: readonly Plant[] = [
  {
    violation: 'two postings are unbalanced by opposite amounts',
    // Adjustments of one wallet, so that only the lines of equity disagree.
    statements: `
      UPDATE entry SET amount = amount + 5 WHERE wallet_id = '@equity:USD' AND seq = 1;
      UPDATE entry SET balance_after = balance_after + 5 WHERE wallet_id = '@equity:USD' AND seq = 1;
      UPDATE entry SET amount = amount - 5 WHERE wallet_id = '@equity:USD' AND seq = 2;`,
    check: 'A1',
    alsoNoticedBy: ['A9'],
  },
  {
    violation: 'a posting has no entries',
    statements: `INSERT INTO posting SELECT ${FRESH_ID}, 'adjustment', 'adjustment', ${FRESH_ID}, 'empty', NULL, now();
      INSERT INTO adjustment SELECT ${FRESH_ID}, 'empty', wallet_id, amount, currency, reason, actor,
        ${FRESH_ID}, fingerprint, created_at FROM adjustment LIMIT 1`,
    check: 'A1',
    alsoNoticedBy: ['A9'],
  },
  {
    violation: 'money appears from nowhere',
    statements: `
      UPDATE entry SET amount = amount + 7, balance_after = balance_after + 7 WHERE wallet_id = 'euro';
      UPDATE wallet SET posted = posted + 7 WHERE wallet_id = 'euro';
      UPDATE adjustment SET amount = amount + 7 WHERE wallet_id = 'euro';`,
    check: 'A2',
    alsoNoticedBy: ['A1', 'A9'],
  },
  {
    violation: 'a balance is not the sum of its entries',
    statements: `UPDATE wallet SET posted = posted + 1 WHERE wallet_id = 'buyer1'`,
    check: 'A3',
    alsoNoticedBy: [],
  },
  {
    violation: 'a balance carried by an entry is wrong',
    statements: `UPDATE entry SET balance_after = balance_after + 1 WHERE wallet_id = 'buyer1' AND seq = 2`,
    check: 'A3.chain',
    alsoNoticedBy: [],
  },
  {
    violation: 'a balance carried by an entry is the largest number there is',
    statements: `UPDATE entry SET balance_after = 9223372036854775807 WHERE wallet_id = 'buyer1' AND seq = 2`,
    check: 'A3.chain',
    alsoNoticedBy: [],
  },
  {
    violation: 'a balance carried by an entry is the smallest number there is',
    statements: `UPDATE entry SET balance_after = -9223372036854775808 WHERE wallet_id = 'buyer1' AND seq = 2`,
    check: 'A3.chain',
    alsoNoticedBy: [],
  },
  {
    violation: 'the numbers of a wallet have a gap',
    statements: `UPDATE entry SET seq = seq + 1 WHERE wallet_id = 'buyer1'
      AND seq = (SELECT max(seq) FROM entry WHERE wallet_id = 'buyer1')`,
    check: 'A3.chain',
    alsoNoticedBy: [],
  },
  {
    violation: 'a counter has run ahead of its entries',
    statements: `UPDATE wallet SET seq = seq + 1 WHERE wallet_id = 'buyer1'`,
    check: 'A3.count',
    alsoNoticedBy: [],
  },
  {
    violation: 'more is held back than the holds say',
    statements: `UPDATE wallet SET held = held + 1 WHERE wallet_id = 'seller5'`,
    check: 'A4',
    alsoNoticedBy: [],
  },
  {
    violation: 'a wallet has held back more than it has',
    statements: `ALTER TABLE wallet DROP CONSTRAINT wallet_available;
      UPDATE payout SET amount = 1000000 WHERE semantic_key = 'stripe:never:5';
      UPDATE hold SET amount = 1000000 WHERE hold_id = (SELECT pkid FROM payout WHERE semantic_key = 'stripe:never:5');
      UPDATE wallet SET held = held + 1000000 - 300 WHERE wallet_id = 'seller5';`,
    check: 'A5',
    alsoNoticedBy: ['A13'],
  },
  {
    violation: 'a posting is in another currency than its wallets',
    statements: `UPDATE entry SET currency = 'CHF' WHERE posting_id = (SELECT posting_id FROM entry LIMIT 1)`,
    check: 'A6',
    alsoNoticedBy: [],
  },
  {
    violation: 'an operation is in another currency than its wallet',
    statements: `UPDATE transfer SET currency = 'CHF' WHERE semantic_key = 'transfer:0'`,
    check: 'A6',
    alsoNoticedBy: [],
  },
  {
    violation: 'a person owes us in a wallet of their own',
    statements: `ALTER TABLE wallet DROP CONSTRAINT wallet_people_positive;
      UPDATE wallet SET allow_negative = true WHERE wallet_id = 'seller5';
      ${book({
        head: `SELECT ${FRESH_ID}, 'adjustment', 'adjustment', ${FRESH_ID}, 'deep', NULL, now()`,
        from: 'seller5',
        to: '@equity:USD',
        amount: 1_000_000,
      })}
      INSERT INTO adjustment SELECT ${FRESH_ID}, 'deep', 'seller5', -1000000, 'USD', reason, actor, ${FRESH_ID},
        fingerprint, created_at FROM adjustment LIMIT 1`,
    check: 'D1',
    alsoNoticedBy: ['A13'],
  },
  {
    violation: 'a payout is settled twice',
    statements: book({
      head: `SELECT ${FRESH_ID}, event, operation_kind, operation_pkid, semantic_key, NULL, now() FROM posting
             WHERE ${SETTLED}`,
      from: 'seller0',
      to: '@provider:stripe:USD',
      amount: 300,
    }),
    check: 'A7',
    alsoNoticedBy: [],
  },
  {
    violation: 'a transfer has succeeded and moved nothing',
    statements: `UPDATE transfer SET status = 'succeeded', failure_code = NULL WHERE semantic_key = 'transfer:9';
      UPDATE status_change SET to_status = 'succeeded' WHERE number = 3
        AND pkid = (SELECT pkid FROM transfer WHERE semantic_key = 'transfer:9');`,
    check: 'A7',
    alsoNoticedBy: ['L2', 'W1', 'W2'],
  },
  {
    violation: 'a posting belongs to nothing',
    statements: book({
      head: `SELECT ${FRESH_ID}, 'gift', 'gift', ${FRESH_ID}, 'gift', NULL, now()`,
      from: '@equity:USD',
      to: 'buyer1',
      amount: 5,
    }),
    check: 'A7',
    alsoNoticedBy: [],
  },
  {
    violation: 'the hold of a payout in process was let go',
    statements: `UPDATE hold SET status = 'released', ended_at = now()
        WHERE hold_id = (SELECT pkid FROM payout WHERE semantic_key = 'stripe:never:5');
      UPDATE wallet SET held = held - 300 WHERE wallet_id = 'seller5';`,
    check: 'A8',
    alsoNoticedBy: [],
  },
  {
    violation: 'a hold belongs to no payout',
    statements: `INSERT INTO hold VALUES ('seller5', ${FRESH_ID}, 1, 'active', now(), NULL);
      UPDATE wallet SET held = held + 1 WHERE wallet_id = 'seller5';`,
    check: 'A8',
    alsoNoticedBy: [],
  },
  {
    violation: 'a transfer went to another wallet than the one it names',
    statements: `UPDATE transfer SET to_wallet = 'buyer9' WHERE semantic_key = 'transfer:0'`,
    check: 'A9',
    alsoNoticedBy: [],
  },
  {
    violation: 'a payout moved another amount than it names',
    statements: `UPDATE payout SET amount = amount + 1 WHERE semantic_key = 'stripe:ok:1';
      UPDATE hold SET amount = amount + 1 WHERE hold_id = (SELECT pkid FROM payout WHERE semantic_key = 'stripe:ok:1')`,
    check: 'A9',
    alsoNoticedBy: [],
  },
  {
    violation: 'treasury names another wallet than it moved',
    statements: `UPDATE treasury SET from_wallet = '@equity:USD'`,
    check: 'A9',
    alsoNoticedBy: [],
  },
  {
    violation: 'a payout says that more came back than was posted',
    statements: `UPDATE payout SET returned = returned + 1 WHERE semantic_key = 'stripe:ok:0'`,
    check: 'A9.returns',
    alsoNoticedBy: [],
  },
  {
    violation: "a return names another operation's posting",
    statements: `UPDATE posting SET reverses = (SELECT posting_id FROM posting WHERE semantic_key = 'stripe:ok:1')
      WHERE semantic_key = 'stripe:ok:0' AND reverses IS NOT NULL`,
    check: 'A9.returns',
    alsoNoticedBy: [],
  },
  {
    violation: 'an operation skips a state',
    statements: `ALTER TABLE status_change DROP CONSTRAINT status_change_allowed;
      DELETE FROM status_change WHERE number = 2
        AND pkid = (SELECT pkid FROM payout WHERE semantic_key = 'stripe:ok:0');
      UPDATE status_change SET number = 2, from_status = 'initialized' WHERE number = 3
        AND pkid = (SELECT pkid FROM payout WHERE semantic_key = 'stripe:ok:0');`,
    check: 'A10',
    alsoNoticedBy: ['A13'],
  },
  {
    violation: 'a status change is missing from the middle',
    statements: `DELETE FROM status_change WHERE number = 2
      AND pkid = (SELECT pkid FROM payout WHERE semantic_key = 'stripe:ok:0')`,
    check: 'A11',
    alsoNoticedBy: [],
  },
  {
    violation: 'a row has another status than its last change',
    statements: `DELETE FROM status_change WHERE number = 3
      AND pkid = (SELECT pkid FROM payout WHERE semantic_key = 'stripe:ok:0')`,
    check: 'A12',
    alsoNoticedBy: [],
  },
  {
    violation: 'an operation has no history',
    statements: `DELETE FROM status_change
      WHERE pkid = (SELECT pkid FROM payout WHERE semantic_key = 'stripe:at-rest')`,
    check: 'A12',
    alsoNoticedBy: [],
  },
  {
    violation: 'a payout succeeded that nobody intended to send',
    statements: `DELETE FROM provider_call WHERE pkid = (SELECT pkid FROM payout WHERE semantic_key = 'stripe:ok:0')`,
    check: 'P5',
    alsoNoticedBy: [],
  },
  {
    violation: 'an answer is older than the intent to ask',
    statements: `UPDATE provider_call SET intent_at = answered_at + interval '1 second', answered_at = intent_at
      WHERE step = 'find' OR (step = 'confirm' AND number = 2)`,
    check: 'P5',
    alsoNoticedBy: [],
  },
  {
    violation: 'two operations are sent under one key',
    statements: `UPDATE provider_call SET key = ${FRESH_ID}::text WHERE step = 'confirm'`,
    check: 'K1',
    alsoNoticedBy: [],
  },
  {
    violation: 'a payout is sent under another key than its own',
    statements: `UPDATE provider_call SET key = ${FRESH_ID}::text WHERE step = 'send'
      AND pkid = (SELECT pkid FROM payout WHERE semantic_key = 'stripe:ok:0')`,
    check: 'K1',
    alsoNoticedBy: [],
  },
  {
    violation: 'a second attempt confirms under another key',
    statements: `INSERT INTO provider_call (pkid, number, operation_kind, provider, attempt, step, key, intent_at)
      SELECT pkid, 99, operation_kind, provider, attempt, step, ${FRESH_ID}::text, intent_at FROM provider_call
      WHERE step = 'confirm' LIMIT 1`,
    check: 'K1',
    alsoNoticedBy: [],
  },
  {
    violation: 'a payout is in process for eleven days and nobody was told',
    statements: `UPDATE payout SET confirmed_at = now() - interval '11 days' WHERE semantic_key = 'stripe:never:5'`,
    check: 'L1',
    alsoNoticedBy: [],
  },
  {
    violation: 'a failed transfer is not among the failed ones',
    statements: 'DELETE FROM transfer_failed',
    check: 'L2',
    alsoNoticedBy: [],
  },
  {
    violation: 'a transfer that is final is still looked for',
    statements: `INSERT INTO transfer_due SELECT now(), pkid FROM transfer WHERE semantic_key = 'transfer:0'`,
    check: 'L2',
    alsoNoticedBy: [],
  },
];
