// What a person does beside the shop: at the provider (its dashboard, the sandbox's switches, the buyer's clicks) and
// at our own desk, where money that fits nothing is decided.

import { sql } from 'kysely';
import { expect } from 'vitest';
import { z } from 'zod';
import type { Dispute } from '../../src/domain/dispute.ts';
import { type Pkid, pkidOf } from '../../src/domain/id.ts';
import type { ProviderName } from '../../src/domain/provider.ts';
import type { Refund } from '../../src/domain/refund.ts';
import type { Unapplied } from '../../src/entities/unapplied.ts';
import { parseRow, type Table, tableOf } from '../../src/ledger/table.ts';
import { openReceiver } from './receiver.ts';
import { openShop, type Shop } from './shop.ts';
import { until } from './until.ts';

export type Desk = ReturnType<typeof openDesk>;

/** A shop with a desk, to which providers send their webhooks, and whose platform listens to every event. */
export async function openShopWithDesk(env: Record<string, string> = {}) {
  const platform = await openReceiver();
  platform.handTo(async () => {});
  const allowed = { WEBHOOK_ALLOW_HOSTS: new URL(platform.url).host };
  const shop = await openShop({ ...allowed, ...env }, { withWebhooks: true });
  await shop.app.webhookEndpoints.create({ url: platform.url, events: ['*'] });
  const desk = openDesk(shop);
  async function close(): Promise<void> {
    await shop.close();
    platform.close();
  }
  return { shop, desk, close };
}

const callLog = z.object({ data: z.array(z.object({ method: z.string(), path: z.string() })) });

function openDesk({ app, remit }: Pick<Shop, 'app' | 'remit'>) {
  const { url } = remit.sandbox;
  const tables: { unapplied: Table<Unapplied>; dispute: Table<Dispute> } = {
    unapplied: tableOf(app.db, 'Unapplied'),
    dispute: tableOf(app.db, 'Dispute'),
  };

  async function ask(path: string, init: RequestInit): Promise<Record<string, unknown>> {
    const response = await fetch(`${url}${path}`, init);
    const body: Record<string, unknown> = JSON.parse(await response.text());
    if (!response.ok) throw new Error(`${path} was answered ${response.status}: ${JSON.stringify(body)}`);
    return body;
  }

  async function rowsOf<Row extends object>(table: Table<Row>, pkidColumn: string, pkid: Pkid): Promise<Row[]> {
    const { rows } = await sql<Record<string, unknown>>`
      SELECT * FROM ${sql.table(table.name)} WHERE ${sql.ref(pkidColumn)} = ${pkid}::uuid`.execute(app.db.sql);
    return rows.map((raw) => parseRow(table, raw));
  }

  const disputesOf = (payin: Pkid) => rowsOf(tables.dispute, 'payin_pkid', payin);
  const unappliedOf = (pkid: Pkid) => rowsOf(tables.unapplied, 'pkid', pkid);

  return {
    until,

    /** One of the sandbox's own switches. */
    control: (path: string, body: object = {}) =>
      ask(`/_sandbox/${path}`, { method: 'POST', body: JSON.stringify(body) }),

    /** In Stripe's dashboard, or with another program under the same account. */
    stripe: (path: string, form: Record<string, string>, key: string = crypto.randomUUID()) =>
      ask(`/stripe/v1/${path}`, {
        method: 'POST',
        headers: {
          authorization: 'Bearer sk_test_dashboard',
          'content-type': 'application/x-www-form-urlencoded',
          'idempotency-key': key,
        },
        body: new URLSearchParams(form),
      }),

    async paypal(path: string, body: object) {
      const basic = Buffer.from('client:secret').toString('base64');
      const { access_token: token } = await ask('/paypal/v1/oauth2/token', {
        method: 'POST',
        headers: { authorization: `Basic ${basic}`, 'content-type': 'application/x-www-form-urlencoded' },
        body: 'grant_type=client_credentials',
      });
      return ask(`/paypal/${path}`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${String(token)}`,
          'content-type': 'application/json',
          'paypal-request-id': crypto.randomUUID(),
        },
        body: JSON.stringify(body),
      });
    },

    square: (path: string, body: object) =>
      ask(`/square/v2/${path}`, {
        method: 'POST',
        headers: { authorization: 'Bearer square_dashboard', 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),

    /** The requests about one operation that the provider saw, as "POST /v1/transfers". */
    async callsOf(pkid: Pkid): Promise<string[]> {
      const { data } = callLog.parse(await ask(`/_sandbox/calls?key=${pkid}`, { method: 'GET' }));
      return data.map(({ method, path }) => `${method} ${path}`);
    },

    disputesOf,
    /** The only dispute of a pay-in, once it stands so. */
    async dispute(payin: Pkid, status: Dispute['status']): Promise<Dispute> {
      const [dispute] = await until(
        () => disputesOf(payin),
        (found) => found[0]?.status === status,
      );
      if (dispute === undefined) throw new Error('There is no dispute.');
      expect(await disputesOf(payin)).toHaveLength(1);
      return dispute;
    },

    unappliedOf,
    /** The money of an operation that fits nothing, once it is there. */
    async unapplied(pkid: Pkid, holds: (row: Unapplied) => boolean = () => true): Promise<Unapplied> {
      const found = await until(
        () => unappliedOf(pkid),
        ([row]) => row !== undefined && holds(row),
      );
      const [row] = found;
      if (row === undefined) throw new Error('There is no unapplied money.');
      expect(found).toHaveLength(1);
      return row;
    },

    /** A refund that was made at the provider, once it stands here. */
    async adopted(provider: ProviderName, externId: string): Promise<Refund> {
      const pkid = pkidOf('refund', `ext:${provider}:${externId}`);
      const refund = await until(
        () => app.refunds.find(pkid),
        (row) => row?.finalAt !== null && row !== null,
      );
      if (refund === null) throw new Error(`The refund ${externId} was not adopted.`);
      return refund;
    },

    /** The refunds that stand here for one of the provider. */
    async openRefunds(externId: string): Promise<string[]> {
      const { rows } = await sql<{ semantic_key: string }>`
        SELECT semantic_key FROM refund WHERE extern_payment_id = ${externId}`.execute(app.db.sql);
      return rows.map(({ semantic_key: key }) => key);
    },

    async discrepancies(pkid: Pkid): Promise<string[]> {
      const { rows } = await sql<{ reason: string }>`
        SELECT reason FROM discrepancy WHERE pkid = ${pkid}::uuid AND closed_at IS NULL ORDER BY reason`.execute(
        app.db.sql,
      );
      return rows.map(({ reason }) => reason);
    },

    /** How many postings of an operation that is no transfer tell of this event. */
    async postings(pkid: Pkid, event: string): Promise<number> {
      const { rows } = await sql<{ count: string }>`
        SELECT count(*) FROM posting
        WHERE operation_pkid = ${pkid}::uuid AND operation_kind <> 'transfer' AND event = ${event}`.execute(app.db.sql);
      return Number(rows[0]?.count);
    },

    /** Every event of the provider about what is named has been acted on. */
    async eventsDone(provider: ProviderName): Promise<void> {
      await until(
        async () => {
          const { rows } = await sql<{ count: string }>`
            SELECT count(*) FROM provider_event WHERE provider = ${provider} AND processed_at IS NULL`.execute(
            app.db.sql,
          );
          return Number(rows[0]?.count);
        },
        (open) => open === 0,
      );
    },

    async balance(walletId: string): Promise<bigint> {
      const { rows } = await sql<{ posted: string }>`
        SELECT posted::text FROM wallet WHERE wallet_id = ${walletId}`.execute(app.db.sql);
      return BigInt(rows[0]?.posted ?? '0');
    },

    /** Events that the platform was told of, by the key of what they are about. */
    async told(key: string): Promise<string[]> {
      const { rows } = await sql<{ type: string }>`
        SELECT type FROM outgoing_event WHERE semantic_key = ${key} ORDER BY sequence`.execute(app.db.sql);
      return rows.map(({ type }) => type);
    },
  };
}
