// The auditor's own test: on healthy books it is silent, and each violation that is planted with the guards off is
// reported by the very check that is there for it.

import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GUARDS, guardsIn } from '../../src/ledger/audit/guards.ts';
import { AUDIT_CHECKS, audit, refuseMissingGuards } from '../../src/ledger/audit.ts';
import { openDb } from '../../src/runtime/db.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { cloneDatabase, openLedger } from '../harness/ledger.ts';
import type { TestDatabase } from '../harness/postgres.ts';
import { DISARMED } from './disarmed-guards.ts';
import { fillBooks } from './healthy-books.ts';
import { ORDER_VIOLATIONS } from './planted-order-violations.ts';
import { PAYMENT_VIOLATIONS } from './planted-payment-violations.ts';
import { change, TRANSFER_VIOLATIONS } from './planted-transfer-violations.ts';
import { VIOLATIONS } from './planted-violations.ts';

const PLANTS = [...VIOLATIONS, ...TRANSFER_VIOLATIONS, ...PAYMENT_VIOLATIONS, ...ORDER_VIOLATIONS, ...DISARMED];

let healthy: TestDatabase;

beforeAll(async () => {
  const ledger = await openLedger();
  await fillBooks(ledger);
  // A copy is made of a database that nobody uses, so the books are closed and only ever copied from here on.
  healthy = { url: ledger.url, drop: ledger.close };
  await ledger.db.close();
});
afterAll(async () => {
  await healthy?.drop();
});

/** Runs the statements on a copy of the healthy books, then looks at it. */
async function onCopy<Result>(statements: string, look: (url: string) => Promise<Result>): Promise<Result> {
  const copy = await cloneDatabase(healthy.url);
  try {
    const client = new pg.Client({ connectionString: copy.url });
    await client.connect();
    await client.query(statements).finally(() => client.end());
    return await look(copy.url);
  } finally {
    await copy.drop();
  }
}

const GUARDED = ['posting', 'entry', 'status_change', 'payin', 'payout', 'refund', 'transfer', 'seller_order'];

function withGuardsOff(statements: string): string {
  const turn = (word: string) => GUARDED.map((table) => `ALTER TABLE ${table} ${word} TRIGGER USER;`).join(' ');
  return `${turn('DISABLE')} ${statements}; ${turn('ENABLE')}`;
}

async function auditOf(url: string) {
  const db = await openDb(url, { log: silentLogger() });
  try {
    return await audit(db);
  } finally {
    await db.close();
  }
}

test('healthy books of some hundred operations give no violation', async () => {
  const { ok, checks } = await onCopy('SELECT 1', auditOf);
  expect(checks.filter((check) => check.violations.length > 0)).toEqual([]);
  expect(ok).toBe(true);
  expect(checks.map((check) => check.id)).toEqual(AUDIT_CHECKS.map((check) => check.id));
});

test.each([
  ['all', [1, 2, 3]],
  ['all but what they passed inside their commit', [1, 3]],
  ['that they were taken in, by a release before the one that ended them,', [1]],
  ['how they ended, by a release before the one that took them in,', [3]],
])('books in which transfers have written %s are as healthy', async (_, numbers) => {
  const chains = ['transfer:0', 'transfer:9'].map((key) => {
    const pkid = `(SELECT pkid FROM transfer WHERE semantic_key = '${key}')`;
    const end = key === 'transfer:0' ? 'succeeded' : 'failed';
    const whole = [change(pkid, 1, [null, 'initialized']), change(pkid, 2, ['initialized', 'in_process'])];
    // The refused one has its end written by today's program.
    const chain = end === 'failed' ? whole : [...whole, change(pkid, 3, ['in_process', end])];
    return chain.filter((_, index) => numbers.includes(index + 1)).join('');
  });
  const { checks } = await onCopy(chains.join(''), auditOf);
  expect(checks.filter((check) => check.violations.length > 0)).toEqual([]);
});

/** All of them wait for one database server, so that each takes as long as many of them together. */
const TOGETHER = { timeout: 120_000 };

describe.concurrent(
  'a planted violation is reported by its check, and by no other that need not notice it',
  TOGETHER,
  () => {
    test.each(PLANTS)('$check: $violation', async ({ statements, check: planted, alsoNoticedBy }) => {
      // What breaks a guard must not be armed again.
      const { ok, checks } = await onCopy(planted === 'A13' ? statements : withGuardsOff(statements), auditOf);
      const reporting = checks.filter((check) => check.violations.length > 0);
      expect(reporting.map((check) => check.id).sort()).toEqual([planted, ...alsoNoticedBy].sort());
      expect(ok).toBe(false);
    });

    test('every check has a violation planted for it', () => {
      const planted = new Set(PLANTS.map((plant) => plant.check));
      expect(AUDIT_CHECKS.map((check) => check.id).filter((id) => !planted.has(id))).toEqual([]);
    });
  },
);

test('the page on what may go wrong lists every check, with its promise', async () => {
  const page = await readFile(new URL('../../docs/failure-model.md', import.meta.url), 'utf8');
  const listed = [...page.matchAll(/^\| ([A-Z][0-9]+(?:\.[a-z]+)?) \| (.*) \|$/gm)].map(([, id, title]) => ({
    id,
    title,
  }));
  expect(listed).toEqual(AUDIT_CHECKS.map(({ id, title }) => ({ id, title })));
});

test('at most a hundred violations of a check are listed', async () => {
  const { checks } = await onCopy(withGuardsOff('UPDATE entry SET balance_after = balance_after + 1'), auditOf);
  expect(checks.find((check) => check.id === 'A3.chain')?.violations).toHaveLength(100);
});

test('the audit waits for no writer and blocks none', async () => {
  await onCopy('SELECT 1', async (url) => {
    const ledger = await openLedger({ database: { url, drop: async () => undefined } });
    try {
      const writer = await ledger.connect();
      await writer.query('BEGIN; SELECT * FROM wallet FOR UPDATE; UPDATE wallet SET held = held');
      expect((await audit(ledger.db)).ok).toBe(true);
      await writer.query('ROLLBACK');
    } finally {
      await ledger.close();
    }
  });
});

describe('guards', () => {
  test('the list read from the migrations is exactly what the database has', async () => {
    const inDatabase = await onCopy('SELECT 1', async (url) => {
      const ledger = await openLedger({ database: { url, drop: async () => undefined } });
      try {
        const client = await ledger.connect();
        const { rows } = await client.query<{ guard: string }>(`
          SELECT 'trigger ' || tgrelid::regclass || ' ' || tgname AS guard FROM pg_trigger WHERE NOT tgisinternal
          UNION ALL SELECT 'constraint ' || conrelid::regclass || ' ' || conname FROM pg_constraint
            WHERE contype IN ('c', 'f', 'p', 'u', 'x') AND connamespace = 'public'::regnamespace
              AND conrelid <> 'migration'::regclass
          UNION ALL SELECT 'index ' || indrelid::regclass || ' ' || indexrelid::regclass FROM pg_index
            WHERE indisunique AND indrelid::regclass::text !~ '^(pg_|information_schema)'
              AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
          UNION ALL SELECT 'function  ' || proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace`);
        return rows.map((row) => row.guard);
      } finally {
        await ledger.close();
      }
    });
    expect(GUARDS.map(({ type, table, name }) => `${type} ${table} ${name}`).sort()).toEqual(inDatabase.sort());
  });

  test('a later migration that drops or adds a guard changes the list', () => {
    const first = 'CREATE TABLE a (id int, CONSTRAINT a_pk PRIMARY KEY (id)); CREATE TRIGGER t BEFORE UPDATE ON a';
    const later = 'ALTER TABLE a DROP CONSTRAINT a_pk; ALTER TABLE a ADD CONSTRAINT a_id CHECK (id > 0);';
    const names = guardsIn(`${first} EXECUTE FUNCTION f(); ${later} DROP TRIGGER t ON a;`).map((guard) => guard.name);
    expect(names).toEqual(['a_id']);
  });

  test('the program starts on an armed schema', async () => {
    await expect(onCopy('SELECT 1', startOn)).resolves.toBe('started');
  });

  test.each([
    ['a dropped trigger', 'DROP TRIGGER entry_zero_sum ON entry', /trigger entry\.entry_zero_sum: missing/],
    [
      'a disabled trigger',
      'ALTER TABLE posting DISABLE TRIGGER posting_append_only',
      /posting\.posting_append_only: disabled/,
    ],
    ['a dropped foreign key', 'ALTER TABLE hold DROP CONSTRAINT hold_wallet_fk', /hold\.hold_wallet_fk: missing/],
  ])('the program refuses to start with %s and names the way out', async (_, statements, named) => {
    const start = onCopy(statements, startOn);
    await expect(start).rejects.toThrow(named);
    await expect(start).rejects.toThrow(/npm run remit -- (migrate|audit)/);
  });

  async function startOn(url: string): Promise<string> {
    const db = await openDb(url, { log: silentLogger() });
    try {
      await refuseMissingGuards(db);
      return 'started';
    } finally {
      await db.close();
    }
  }
});
