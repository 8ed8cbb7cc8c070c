// The audit works in two lanes at once. They must see one and the same state of the books, and end together.

import { sql } from 'kysely';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AuditCheck } from '../../src/ledger/audit/check.ts';
import { audit } from '../../src/ledger/audit.ts';
import { type Ledger, openLedger } from '../harness/ledger.ts';
import { until } from '../harness/until.ts';

/** The connections that a process has for everything but commits. */
const POOL_MAX = 12;

let ledger: Ledger;
let gatekeeper: pg.Client;

beforeAll(async () => {
  ledger = await openLedger();
  gatekeeper = await ledger.connect();
  await gatekeeper.query('CREATE TABLE visitor (name text)');
});
afterAll(async () => {
  await ledger?.close();
});

/** Waits at the gate, and only then reads. */
const gated = (gate: number): AuditCheck => ({
  id: `gate ${gate}`,
  title: 'Nobody has come in',
  query: sql`
    WITH gate AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared(${gate}))
    SELECT pg_backend_pid() AS lane, pg_current_snapshot()::text AS snapshot, (SELECT count(*) FROM visitor) AS visitors
    FROM gate`,
});
const broken = (gate: number): AuditCheck => ({
  id: `broken behind gate ${gate}`,
  title: 'One can divide by nothing',
  query: sql`
    WITH gate AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared(${gate}))
    SELECT 1 / (SELECT count(*) FROM visitor WHERE false) AS quotient FROM gate`,
});

async function lanesAtGates(expected: number): Promise<void> {
  await until(
    async () => {
      const { rows } = await gatekeeper.query("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
      return rows.length;
    },
    (waiting) => waiting === expected,
  );
}

async function openLanes(): Promise<number> {
  const { rows } = await gatekeeper.query(`
    SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL`);
  return rows.length;
}

test('what is committed between two checks is seen by neither lane', async () => {
  await gatekeeper.query('SELECT pg_advisory_lock(1), pg_advisory_lock(2)');
  const running = audit(ledger.db, [gated(1), gated(2), gated(3)]);
  await lanesAtGates(2);
  await gatekeeper.query("INSERT INTO visitor VALUES ('late')");
  await gatekeeper.query('SELECT pg_advisory_unlock_all()');
  const { checks } = await running;
  const seen = checks.flatMap((check) => check.violations);
  expect(checks.map((check) => check.id)).toEqual(['gate 1', 'gate 2', 'gate 3']);
  expect(new Set(seen.map((row) => row.lane)).size).toBe(2);
  expect(new Set(seen.map((row) => row.snapshot)).size).toBe(1);
  expect(seen.map((row) => Number(row.visitors))).toEqual([0, 0, 0]);
  const later = await audit(ledger.db, [gated(4)]);
  expect(later.checks[0]?.violations).toMatchObject([{ visitors: '1' }]);
});

test.each([
  { lane: 'first', checks: [broken(1), gated(2), gated(3)] },
  { lane: 'second', checks: [gated(2), broken(1), gated(3)] },
])('an error in the $lane lane is told, and the other one ends with the check that it is at', async ({ checks }) => {
  // Whoever came to the last check would wait for ever: its gate stays shut.
  await gatekeeper.query('SELECT pg_advisory_lock(gate) FROM generate_series(1, 3) gate');
  const running = audit(ledger.db, checks).catch((error: unknown) => error);
  await lanesAtGates(2);
  await gatekeeper.query('SELECT pg_advisory_unlock(1)');
  await until(openLanes, (open) => open === 1);
  await gatekeeper.query('SELECT pg_advisory_unlock(2)');
  expect(await running).toMatchObject({ code: '22012' });
  expect(await openLanes()).toBe(0);
  await gatekeeper.query('SELECT pg_advisory_unlock_all()');
});

test('a process with one free connection audits with one lane', async () => {
  const taken = await Promise.all(
    Array.from({ length: POOL_MAX - 1 }, async () => {
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      const { promise: isTaken, resolve: take } = Promise.withResolvers<void>();
      const ended = ledger.db.sql.connection().execute(async (connection) => {
        await sql`SELECT 1`.execute(connection);
        take();
        await released;
      });
      await isTaken;
      return { release, ended };
    }),
  );
  const { checks } = await audit(ledger.db, [gated(1), gated(2)]);
  const lanes = checks.flatMap((check) => check.violations.map((row) => row.lane));
  expect(lanes).toHaveLength(2);
  expect(new Set(lanes).size).toBe(1);
  for (const { release } of taken) release();
  await Promise.all(taken.map(({ ended }) => ended));
});

test('one lane does everything when that is what is asked for', async () => {
  await gatekeeper.query('SELECT pg_advisory_lock(1), pg_advisory_lock(2)');
  const running = audit(ledger.db, [gated(1), gated(2)], 1);
  await lanesAtGates(1);
  expect(await openLanes()).toBe(1);
  await gatekeeper.query('SELECT pg_advisory_unlock_all()');
  const { checks } = await running;
  expect(new Set(checks.map(({ violations }) => violations[0]?.lane)).size).toBe(1);
});
