// The database's own guards: whatever a defect or a person tries by hand, these rules hold.

import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Ledger, openLedger } from '../harness/ledger.ts';
import { fillBooks } from './healthy-books.ts';
import { MARKET_CHECKS } from './market-guards.ts';

let ledger: Ledger;
let client: pg.Client;

beforeAll(async () => {
  ledger = await openLedger();
  await fillBooks(ledger);
  client = await ledger.connect();
});
afterAll(async () => {
  await ledger?.close();
});

/** What the database says to the statement: the name of the rule, else its code. The books stay as they are. */
async function refusalOf(statement: string): Promise<string> {
  await client.query('BEGIN');
  try {
    await client.query(statement);
    return 'nothing refused it';
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const { constraint, code } = { constraint: undefined, code: '', ...error };
    return constraint ?? `${code} ${error.message}`;
  } finally {
    await client.query('ROLLBACK');
  }
}

describe('what was written stays written', () => {
  test.each(['posting', 'entry', 'status_change'])('%s cannot be changed, deleted or emptied', async (table) => {
    for (const statement of [
      `UPDATE ${table} SET created_at = now()`,
      `DELETE FROM ${table}`,
      `TRUNCATE ${table} CASCADE`,
    ]) {
      // A cascade may meet another guarded table first.
      expect(await refusalOf(statement)).toMatch(
        /^23001 \w+ is append-only: write a new row that corrects the old one$/,
      );
    }
  });

  test.each(['payin', 'payout', 'refund', 'transfer', 'seller_order', 'wallet'])(
    'a %s cannot be deleted',
    async (table) => {
      expect(await refusalOf(`DELETE FROM ${table}`)).toMatch(/^23001 /);
      expect(await refusalOf(`TRUNCATE ${table} CASCADE`)).toMatch(/^23001 /);
    },
  );
});

describe('entries', () => {
  const posting = `INSERT INTO posting
    SELECT gen_random_uuid(), 'test', 'adjustment', gen_random_uuid(), 'k', NULL, now() RETURNING posting_id`;
  const insert = (values: string) => `WITH p AS (${posting})
    INSERT INTO entry (wallet_id, seq, posting_id, currency, amount, balance_after, created_at)
    SELECT line.wallet_id, line.seq, p.posting_id, line.currency, line.amount, 0, now()
    FROM p, (VALUES ${values}) line (wallet_id, seq, currency, amount)`;

  test.each([
    ['one-sided', `('seller0', 9999, 'USD', 5)`],
    ['unequal', `('seller0', 9999, 'USD', 5), ('buyer0', 9999, 'USD', -4)`],
    ['balanced only across currencies', `('seller0', 9999, 'USD', 5), ('euro', 9999, 'EUR', -5)`],
  ])('that are %s are refused', async (_, values) => {
    expect(await refusalOf(insert(values))).toBe('23514 the entries of a posting must sum to zero in each currency');
  });

  test('that balance in each currency are taken', async () => {
    const lines = `('seller0', 9999, 'USD', 5), ('buyer0', 9999, 'USD', -5)`;
    expect(await refusalOf(insert(`${lines}, ('euro', 9998, 'EUR', 1), ('euro', 9999, 'EUR', -1)`))).toBe(
      'nothing refused it',
    );
  });

  test.each([
    ['a wallet that does not exist', insert(`('nobody', 1, 'USD', 5), ('buyer0', 9999, 'USD', -5)`)],
    [
      'a posting that does not exist',
      `WITH unwritten AS (SELECT gen_random_uuid() AS posting_id)
       INSERT INTO entry (wallet_id, seq, posting_id, currency, amount, balance_after, created_at)
       SELECT line.wallet_id, 9999, posting_id, 'USD', amount, 0, now()
       FROM unwritten, (VALUES ('seller0', 5), ('buyer0', -5)) line (wallet_id, amount)`,
    ],
  ])('that name %s are refused', async (_, statement) => {
    expect(await refusalOf(statement)).toBe('23503 an entry names a wallet or a posting that does not exist');
  });
});

describe('a transfer', () => {
  test('that names a wallet that does not exist is refused', async () => {
    expect(await refusalOf(transferWith(`to_wallet = 'nobody'`))).toBe(
      '23503 a transfer names a wallet that does not exist',
    );
  });
});

describe('a row moves only as the table of moves allows', () => {
  const rowOf = {
    initialized: 'stripe:at-rest',
    in_process: 'stripe:never:5',
    succeeded: 'stripe:ok:0',
    failed: 'stripe:off',
  };
  const statuses = ['initialized', 'in_process', 'succeeded', 'failed'] as const;
  const allowed = ['initialized in_process', 'initialized failed', 'in_process succeeded', 'in_process failed'];
  const pairs = statuses.flatMap((from) => statuses.filter((to) => to !== from).map((to) => [from, to] as const));

  test.each(pairs)('payout: %s -> %s', async (from, to) => {
    const isFinal = to === 'succeeded' || to === 'failed';
    const refusal = await refusalOf(`UPDATE payout SET status = '${to}', attempt = 1, leased = false,
      due_at = ${isFinal ? 'NULL' : 'now()'}, final_at = ${isFinal ? 'now()' : 'NULL'}, extern_payment_id = 'x',
      failure_code = ${to === 'failed' ? `'declined'` : 'NULL'}, review_reason = NULL
      WHERE semantic_key = '${rowOf[from]}'`);
    const answer = allowed.includes(`${from} ${to}`)
      ? 'nothing refused it'
      : `23514 payout ${rowOf[from]}: no move from`;
    expect(refusal).toContain(answer);
  });

  test.each([
    ['succeeded', 'failed', 'transfer:0'],
    ['failed', 'succeeded', 'transfer:9'],
    ['succeeded', 'initialized', 'transfer:0'],
  ])('transfer: %s -> %s', async (_, to, key) => {
    const isFinal = to !== 'initialized';
    const refusal = await refusalOf(`UPDATE transfer SET status = '${to}',
      due_at = ${isFinal ? 'NULL' : 'now()'}, final_at = ${isFinal ? 'now()' : 'NULL'},
      failure_code = ${to === 'failed' ? `'declined'` : 'NULL'} WHERE semantic_key = '${key}'`);
    expect(refusal).toContain(`23514 transfer ${key}: no move from`);
  });
});

/** Each rule of a table with a statement that nothing but it refuses. */
const CHECKS: Readonly<Record<string, string>> = {
  wallet_kind_known: `UPDATE wallet SET kind = 'pocket' WHERE wallet_id = '@equity:USD'`,
  wallet_platform_id: `INSERT INTO wallet (wallet_id, owner_id, kind, currency, created_at)
    VALUES ('plain', 'x', 'bank', 'USD', now())`,
  wallet_currency_form: `UPDATE wallet SET currency = 'usd' WHERE wallet_id = 'buyer1'`,
  wallet_held_positive: `UPDATE wallet SET held = -1 WHERE wallet_id = 'buyer1'`,
  wallet_available: `UPDATE wallet SET held = posted + 1 WHERE wallet_id = 'buyer1'`,
  wallet_people_positive: `UPDATE wallet SET allow_negative = true WHERE wallet_id = 'buyer1'`,
  wallet_debt_negative: `INSERT INTO wallet (wallet_id, owner_id, kind, currency, posted, allow_negative, created_at)
    VALUES ('@debt:x:USD', 'x', 'debt', 'USD', 1, true, now())`,
  entry_seq_positive: entryWith(`0, 1`),
  entry_amount_moves: entryWith(`9999, 0`),
  payee_status_known: `INSERT INTO payee (payee_id, owner_id, provider, account, status, fingerprint, created_at)
    VALUES ('p', 'x', 'stripe', 'a', 'nice', '', now())`,
  payout_status_known: payoutWith('at-rest', `status = 'parked'`, { insert: true }),
  payout_amount_positive: payoutWith('at-rest', 'amount = 0'),
  payout_to_someone: payoutWith('at-rest', 'destination = NULL'),
  payout_final_rests: payoutWith('ok:0', 'final_at = NULL'),
  payout_final_not_due: payoutWith('ok:0', 'due_at = now()'),
  payout_in_process_due: payoutWith('never:5', 'due_at = NULL'),
  payout_failure_named: payoutWith('off', 'failure_code = NULL'),
  payout_success_named: payoutWith('ok:0', 'extern_payment_id = NULL'),
  payout_in_process_claimed: payoutWith('never:5', 'attempt = 0'),
  payout_review_open: payoutWith('ok:0', `review_reason = 'x'`),
  payout_returned_bound: payoutWith('ok:0', 'returned = amount + 1'),
  transfer_status_known: transferWith(`status = 'parked', final_at = NULL, due_at = now()`),
  transfer_amount_positive: transferWith('amount = -1'),
  transfer_two_wallets: transferWith('to_wallet = from_wallet'),
  transfer_final_rests: transferWith('final_at = NULL, due_at = now()'),
  transfer_unfinished_due: transferWith('due_at = now()'),
  transfer_failure_named: transferWith(`failure_code = 'x'`),
  hold_status_known: `UPDATE hold SET status = 'parked'`,
  hold_amount_positive: 'UPDATE hold SET amount = 0',
  hold_ends_once: 'UPDATE hold SET ended_at = NULL',
  adjustment_amount_moves: 'UPDATE adjustment SET amount = 0',
  treasury_amount_positive: 'UPDATE treasury SET amount = 0',
  treasury_platform_only: `UPDATE treasury SET to_wallet = 'buyer1'`,
  provider_call_step_known: `UPDATE provider_call SET step = 'hope'`,
  provider_call_answer_whole: 'UPDATE provider_call SET outcome = NULL',
  provider_event_outcome_known: eventWith(`now(), 'lost', NULL`),
  provider_event_processed: eventWith('now(), NULL, NULL'),
  provider_event_due: eventWith(`now(), 'applied', now()`),
  status_change_allowed: `INSERT INTO status_change
    SELECT pkid, 4, operation_kind, 'succeeded', 'failed', 1, NULL, now() FROM status_change WHERE number = 3 LIMIT 1`,
  review_action_known: `INSERT INTO review_action
    VALUES (gen_random_uuid(), 'payout', gen_random_uuid(), 'guess', NULL, NULL, 'x', now())`,
  discrepancy_closed_by_someone: `INSERT INTO discrepancy (discrepancy_id, reason, detail, opened_at, closed_at)
    VALUES (gen_random_uuid(), 'x', 'x', now(), now())`,
  ...MARKET_CHECKS,
  api_key_scopes_known: `INSERT INTO api_key VALUES (gen_random_uuid(), 'x', '', ARRAY['everything'], now(), NULL)`,
};

describe('the rules of the tables', () => {
  test.each(Object.entries(CHECKS))('%s', async (name, statement) => {
    expect(await refusalOf(statement)).toBe(name);
  });

  test('none is left untried', async () => {
    const { rows } = await client.query<{ name: string }>(`
      SELECT conname AS name FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace`);
    expect(rows.map((row) => row.name).filter((name) => CHECKS[name] === undefined)).toEqual([]);
  });

  test.each([
    [
      'a second operation under one key',
      'payout_semantic_key_once',
      payoutWith('at-rest', 'metadata = metadata', { insert: true }),
    ],
    [
      'a second hold of one operation',
      'hold_operation',
      `INSERT INTO hold SELECT 'buyer2', hold_id, 1, 'active', now(), NULL FROM hold LIMIT 1`,
    ],
    [
      'a second wallet of an owner, kind and currency',
      'wallet_owner_once',
      `INSERT INTO wallet (wallet_id, owner_id, kind, currency, created_at)
        VALUES ('other', 'buyer1', 'buyer', 'USD', now())`,
    ],
    ['an entry under a number that was used', 'entry_pk', `INSERT INTO entry SELECT * FROM entry LIMIT 2`],
    ['a posting written twice', 'posting_pk', 'INSERT INTO posting SELECT * FROM posting LIMIT 1'],
  ])('%s is refused', async (_, name, statement) => {
    expect(await refusalOf(statement)).toBe(name);
  });
});

function payoutWith(key: string, change: string, { insert = false } = {}): string {
  const where = `semantic_key = 'stripe:${key}'`;
  if (!insert) return `UPDATE payout SET ${change} WHERE ${where}`;
  return `CREATE TEMPORARY TABLE one ON COMMIT DROP AS SELECT * FROM payout WHERE ${where};
    UPDATE one SET pkid = gen_random_uuid(), ${change}; INSERT INTO payout SELECT * FROM one`;
}

function transferWith(change: string): string {
  return `CREATE TEMPORARY TABLE one ON COMMIT DROP AS SELECT * FROM transfer WHERE semantic_key = 'transfer:0';
    UPDATE one SET pkid = gen_random_uuid(), semantic_key = 'new', ${change}; INSERT INTO transfer SELECT * FROM one`;
}

function entryWith(seqAndAmount: string): string {
  return `INSERT INTO entry (wallet_id, seq, amount, posting_id, currency, balance_after, created_at)
    SELECT 'buyer1', ${seqAndAmount}, posting_id, 'USD', 0, now() FROM posting LIMIT 1`;
}

function eventWith(processedOutcomeDue: string): string {
  return `INSERT INTO provider_event
      (provider, event_id, type, body, occurred_at, received_at, processed_at, outcome, due_at)
    VALUES ('stripe', 'e', 't', '{}', now(), now(), ${processedOutcomeDue})`;
}
