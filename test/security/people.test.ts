// What people do is bound as what machines do: whoever decides is written down with the reason, nothing that was booked
// is changed by it, and everything that waits for a decision is in one list.

import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import { createApiKey, SCOPES } from '../../src/jobs/api-key.ts';
import { type Json, type Rig, startRig } from '../api/rig.ts';
import { openDesk, SELLER, type Waiting } from './desk.ts';
import { doors } from './doors.ts';
import { readTables } from './everything.ts';

const REASON = 'Agreed by phone with the bank, ticket 77';

let rig: Rig;
let waiting: Waiting;
let person: { readonly key: string; readonly keyId: string };
let journal: readonly string[];
beforeAll(async () => {
  rig = await startRig({}, { withWorkers: false });
  waiting = await openDesk(rig);
  person = await createApiKey(rig.remit.app.db, { name: 'operator', scopes: SCOPES });
  journal = await readJournal();
});
afterAll(() => rig.stop());

async function readJournal(): Promise<string[]> {
  const rows = await readTables(rig.remit.app.db, 'public');
  const booked = rows.filter(({ table }) => ['posting', 'entry', 'status_change', 'review_action'].includes(table));
  return booked.map(({ table, row }) => `${table} ${row}`).toSorted();
}

describe('/v1/attention', () => {
  /** Whatever has such a column may wait for a person. */
  const MARKS = {
    review_reason: ['payin', 'payout', 'refund'],
    closed_at: ['discrepancy'],
    resolved_at: ['unapplied'],
  };

  it('knows every table in which something may wait for a person', async () => {
    const { rows } = await sql<{ mark: string; tables: string[] }>`
      SELECT column_name AS mark, json_agg(table_name ORDER BY table_name) AS tables FROM information_schema.columns
      WHERE table_schema = 'public' AND column_name = ANY(${Object.keys(MARKS)}::text[])
      GROUP BY column_name`.execute(rig.remit.app.db.sql);
    expect(Object.fromEntries(rows.map(({ mark, tables }) => [mark, tables]))).toEqual(MARKS);
  });

  it('lists all that waits: reviews, differences, money, disputes, endpoints, events, what is late', async () => {
    const { db } = rig.remit.app;
    for (const [kind, key] of [
      ['payout', waiting.payouts],
      ['payin', waiting.payins],
      ['refund', waiting.refunds],
    ] as const) {
      await sql`UPDATE ${sql.table(kind)} SET review_reason = 'key_expired', review_since = now()
        WHERE semantic_key = ${key}`.execute(db.sql);
    }
    await sql`UPDATE payin SET confirmed_at = now() - interval '400 days' WHERE semantic_key = 'desk-twice'`.execute(
      db.sql,
    );
    await sql`INSERT INTO dispute (dispute_id, pkid, provider, extern_id, payin_pkid, amount, currency, fee, status,
                                   parts, uncovered, created_at, updated_at)
      VALUES ('stripe:dp_1', gen_random_uuid(), 'stripe', 'dp_1', ${pkidOf('payin', 'desk-paid')}, 10, 'USD', 0, 'open',
              '[]', 0, now(), now())`.execute(db.sql);
    await sql`INSERT INTO provider_event (provider, event_id, type, subject, extern_payment_id, body, occurred_at,
                                          received_at, due_at)
      SELECT 'stripe', 'evt_' || age, 'charge.dispute.created', 'dispute', 'dp_2', '{}', now(),
             now() - age * interval '1 minute', now() FROM unnest(ARRAY[59, 61]) age`.execute(db.sql);
    await sql`WITH endpoint AS (
        INSERT INTO webhook_endpoint (endpoint_id, url, events, secret, status, created_at, updated_at)
        VALUES (gen_random_uuid(), 'https://deaf.example/', '["*"]', decode(repeat('00', 32), 'hex'), 'enabled', now(),
                now())
        RETURNING endpoint_id
      ), event AS (
        INSERT INTO outgoing_event (event_id, type, kind, pkid, semantic_key, sequence, created_at)
        VALUES (gen_random_uuid(), 'payout.failed', 'payout', gen_random_uuid(), 'x', 1, now()) RETURNING event_id, pkid
      )
      INSERT INTO delivery (delivery_id, event_id, endpoint_id, pkid, sequence, status, attempt, tries, leased, outcome,
                            final_at, created_at)
      SELECT gen_random_uuid(), event_id, endpoint_id, pkid, 1, 'failed', 1, 1, false, 'http_500', now(), now()
      FROM endpoint, event`.execute(db.sql);

    const { json } = await rig.get('/v1/attention');
    const listed = (name: string, field: string) => rowsIn(json, name).map((row) => row[field]);
    expect(listed('review', 'semantic_key').toSorted()).toEqual(['desk-back', 'desk-in', 'desk-out']);
    expect(listed('review', 'reason')).toEqual(['key_expired', 'key_expired', 'key_expired']);
    expect(listed('discrepancies', 'discrepancy_id')).toContain(waiting.discrepancies);
    expect(listed('unapplied', 'unapplied_id')).toContain(waiting.unapplied);
    expect(listed('disputes', 'dispute_id')).toEqual(['stripe:dp_1']);
    expect(listed('webhook_endpoints', 'url')).toEqual(['https://deaf.example/']);
    expect(listed('provider_events', 'event_id')).toEqual(['evt_61']);
    expect(listed('stale', 'semantic_key')).toEqual(['desk-twice']);
    expect(listed('oldest_unfinished', 'kind')).toEqual(['payin', 'payout', 'refund']);
    const { oldest_unfinished: _, ...lists } = json;
    for (const name of Object.keys(lists)) {
      for (const row of rowsIn(json, name)) expect(row.age_seconds).toBeGreaterThanOrEqual(0);
    }
    // What was only planted goes again, so that the books can be proved at the end.
    for (const table of ['dispute', 'delivery', 'outgoing_event', 'webhook_endpoint', 'provider_event']) {
      await sql`DELETE FROM ${sql.table(table)}`.execute(db.sql);
    }
    await sql`UPDATE payin SET confirmed_at = created_at`.execute(db.sql);
  });
});

/** Each route by which a person decides: what is sent there, and the row that tells of it. */
const DECISIONS: Readonly<Record<string, () => { address: string; body: Json; told: string }>> = {
  '/v1/payouts/{semantic_key}/resolve': () => verdict('payouts', waiting.payouts),
  '/v1/payins/{semantic_key}/resolve': () => verdict('payins', waiting.payins),
  '/v1/refunds/{semantic_key}/resolve': () => verdict('refunds', waiting.refunds),
  '/v1/discrepancies/{discrepancy_id}/resolve': () => ({
    address: `/v1/discrepancies/${waiting.discrepancies}/resolve`,
    body: { reason: REASON },
    told: 'discrepancy',
  }),
  '/v1/unapplied/{unapplied_id}/resolve': () => ({
    address: `/v1/unapplied/${waiting.unapplied}/resolve`,
    body: { apply_to: SELLER, reason: REASON },
    told: 'unapplied',
  }),
  '/v1/adjustments': () => ({
    address: '/v1/adjustments',
    body: { semantic_key: 'desk-less', wallet_id: SELLER, amount: '-50', currency: 'USD', reason: REASON },
    told: 'adjustment',
  }),
  '/v1/treasury': () => ({
    address: '/v1/treasury',
    body: {
      ...{ semantic_key: 'desk-bank', from: '@provider:stripe:USD', to: '@bank:USD', amount: '10', currency: 'USD' },
      reference: REASON,
    },
    told: 'treasury',
  }),
};

function verdict(plural: string, key: string) {
  return {
    address: `/v1/${plural}/${key}/resolve`,
    body: { verdict: 'failed', reason: REASON },
    told: 'review_action',
  };
}

describe('a decision', () => {
  it('has a place in the table below, whichever route it is made by', () => {
    const routes = doors.filter(({ method, endpoint }) => method === 'POST' && endpoint.scope === 'operate');
    expect(routes.map(({ path }) => path).toSorted()).toEqual(Object.keys(DECISIONS).toSorted());
  });

  it.each(Object.keys(DECISIONS))(
    'by %s needs a reason, and is written down with it and with who it was',
    async (path) => {
      const decision = DECISIONS[path]?.();
      if (decision === undefined) throw new TypeError(`Nothing is sent to ${path}.`);
      const { address, body, told } = decision;
      for (const name of ['reason', 'reference'].filter((one) => one in body)) {
        for (const bad of [undefined, '', null]) {
          expect((await rig.post(address, { ...body, [name]: bad })).status).toBe(422);
        }
      }
      expect(await writtenDown(told)).toHaveLength(await countBefore(told));
      const { status, text } = await rig.call('POST', address, { key: person.key, body });
      expect([text, status < 300]).toEqual([text, true]);
      const rows = await writtenDown(told);
      expect(rows.at(-1)).toContain(person.keyId);
      expect(rows.at(-1)).toContain(REASON);
      // A repeat by the same person is the same decision.
      expect((await rig.call('POST', address, { key: person.key, body })).status).toBeLessThan(300);
      expect(await writtenDown(told)).toEqual(rows);
      decided.set(told, rows.length);
    },
  );

  const decided = new Map<string, number>();
  const countBefore = async (table: string) => decided.get(table) ?? 0;
  /** The rows of a table that name this person. */
  async function writtenDown(table: string): Promise<string[]> {
    const { rows } = await sql<{ row: string }>`
      SELECT t::text AS row FROM ${sql.table(table)} t WHERE t::text LIKE ${`%${person.keyId}%`}`.execute(
      rig.remit.app.db.sql,
    );
    return rows.map(({ row }) => row).toSorted((a, b) => Number(a.includes(REASON)) - Number(b.includes(REASON)));
  }
});

describe('a question to the provider', () => {
  it.each(['payouts', 'payins', 'refunds'] as const)(
    'about one of the %s is written down with who asked',
    async (plural) => {
      const { db } = rig.remit.app;
      const before = await sql`SELECT 1 FROM review_action WHERE action = 'query' AND actor = ${person.keyId}`.execute(
        db.sql,
      );
      const answer = await rig.call('POST', `/v1/${plural}/${waiting[plural]}/query`, { key: person.key });
      expect(answer.status).toBe(202);
      const after = await sql`SELECT 1 FROM review_action WHERE action = 'query' AND actor = ${person.keyId}`.execute(
        db.sql,
      );
      expect(after.rows.length).toBe(before.rows.length + 1);
    },
  );
});

describe('what was booked', () => {
  it('is still there as it was after all these decisions: each of them added, and none changed', async () => {
    const now = new Set(await readJournal());
    expect(journal.length).toBeGreaterThan(10);
    expect(journal.filter((row) => !now.has(row))).toEqual([]);
    expect(now.size).toBeGreaterThan(journal.length + 10);
  });

  it('is corrected by a posting the other way round, and the books agree', async () => {
    const body = {
      semantic_key: 'desk-more',
      wallet_id: SELLER,
      amount: '50',
      currency: 'USD',
      reason: 'The other way',
    };
    expect((await rig.call('POST', '/v1/adjustments', { key: person.key, body })).status).toBe(201);
    const { json } = await rig.get(`/v1/wallets/${SELLER}/entries?limit=2`);
    expect(rowsIn(json, 'data').map(({ event, amount }) => [event, amount])).toContainEqual(['adjustment', '50']);
    const checks = rowsIn((await rig.post('/v1/audit')).json, 'checks');
    expect(checks.filter(({ violations }) => Array.isArray(violations) && violations.length > 0)).toEqual([]);
  });

  it('cannot be changed by any route: there is none but to read and to add', () => {
    expect(new Set(doors.map(({ endpoint }) => endpoint.method))).toEqual(new Set(['get', 'post']));
    const writing = doors.filter(({ method, path }) => method === 'POST' && /posting|entries|timeline/.test(path));
    expect(writing).toEqual([]);
  });
});

function rowsIn(json: Json, name: string): readonly Json[] {
  const rows = json[name];
  if (!Array.isArray(rows)) throw new TypeError(`There is no list ${name}.`);
  return rows;
}
