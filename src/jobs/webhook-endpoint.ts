// The life of an endpoint: registered with a secret that is shown once, rotated, switched off and on; and the resend
// of what it has missed.

import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { PaymentError } from '../domain/errors.ts';
import type { Delivery } from '../entities/delivery.ts';
import type { RecordedEvent } from '../entities/outgoing-event.ts';
import type { WebhookEndpoint } from '../entities/webhook-endpoint.ts';
import { parseRow, tableOf } from '../ledger/table.ts';
import type { Db, Tx } from '../runtime/db.ts';
import { newSecret, showSecret } from './webhook-signature.ts';
import { createUrlCheck, type Lookup } from './webhook-url.ts';

export type WebhookEndpoints = ReturnType<typeof createWebhookEndpoints>;

/** Best effort: tells the queue to look at deliveries; their due_at repairs what it loses. */
export type EnqueueDeliveries = (
  deliveries: readonly { readonly deliveryId: string; readonly attempt: number }[],
) => Promise<void>;

/** Every event is a delivery for each endpoint, so their number is a factor of what every commit writes. */
export const ENABLED_ENDPOINTS_MAX = 50;
/** Long enough to change the secret everywhere, short enough for one that leaked. */
const PREVIOUS_SECRET_HOURS = 24;

/**
 * The queue's id of the job for a delivery: one for its creation and one for each resend, because the queue takes no
 * id twice.
 */
export function deliveryJobId({ deliveryId, attempt }: { deliveryId: string; attempt: number }): string {
  return attempt === 0 ? `webhook-out-${deliveryId}` : `webhook-out-${deliveryId}-${attempt}`;
}

export function createWebhookEndpoints(options: {
  db: Db;
  allowHosts: readonly string[];
  enqueue: EnqueueDeliveries;
  lookup?: Lookup;
}) {
  const { db, allowHosts, enqueue, lookup } = options;
  const checkUrl = createUrlCheck({ allowHosts, ...(lookup !== undefined && { lookup }) });
  const table = tableOf<WebhookEndpoint>(db, 'WebhookEndpoint');
  const deliveryTable = tableOf<Delivery>(db, 'Delivery');
  const eventTable = tableOf<RecordedEvent>(db, 'OutgoingEvent');

  async function find(endpointId: string): Promise<WebhookEndpoint> {
    const { rows } = await sql<Record<string, unknown>>`
      SELECT * FROM webhook_endpoint WHERE endpoint_id = ${endpointId}::uuid`.execute(db.sql);
    const [row] = rows;
    if (row !== undefined) return parseRow(table, row);
    const detail = 'There is no such webhook endpoint. GET /v1/webhook-endpoints lists them.';
    throw new PaymentError('not-found', { detail });
  }

  /**
   * Only once the row is committed as enabled does every later event find it, so the time from which nothing is
   * missing is written by a second statement.
   */
  async function openFrom(endpointId: string): Promise<WebhookEndpoint> {
    await sql`UPDATE webhook_endpoint SET enabled_since = clock_timestamp()
      WHERE endpoint_id = ${endpointId}::uuid AND status = 'enabled' AND enabled_since IS NULL`.execute(db.sql);
    return find(endpointId);
  }

  async function refuseUrl(url: string): Promise<string> {
    const checked = await checkUrl(url);
    if (checked.type === 'allowed') return checked.url.href;
    const { detail } = checked;
    throw new PaymentError('url-not-allowed', { detail, errors: [{ pointer: '/url', detail }] });
  }

  async function findDelivery({ endpointId, deliveryId }: DeliveryAddress): Promise<Delivery> {
    const { rows } = await sql<Record<string, unknown>>`
      SELECT * FROM delivery
      WHERE delivery_id = ${deliveryId}::uuid AND endpoint_id = ${endpointId}::uuid`.execute(db.sql);
    const [row] = rows;
    if (row !== undefined) return parseRow(deliveryTable, row);
    const detail = 'This endpoint has no such delivery. GET /v1/webhook-endpoints/{endpoint_id}/deliveries lists them.';
    throw new PaymentError('not-found', { detail });
  }

  return {
    table,
    deliveryTable,
    find,
    findDelivery,

    /** A repeat whose answer was lost must not have every event told twice, so it is told of the first one. */
    async create(request: { url: string; events: readonly string[] }): Promise<WithSecret> {
      const url = await refuseUrl(request.url);
      const endpointId = randomUUID();
      const secret = newSecret();
      await db.transaction(async (tx) => {
        const twin = await lockAndFindTwin(tx, { url, events: request.events });
        // It is this one, by a try whose COMMIT was answered to nobody.
        if (twin === endpointId) return;
        if (twin !== null) throw registeredAlready(twin);
        const events = JSON.stringify(request.events);
        const { rows } = await sql`
          INSERT INTO webhook_endpoint (endpoint_id, url, events, status, secret, created_at, updated_at)
          SELECT ${endpointId}::uuid, ${url}, ${events}::jsonb, 'enabled', ${secret}::bytea, t, t
          FROM date_trunc('milliseconds', clock_timestamp()) t WHERE ${hasRoom} RETURNING 1`.execute(tx);
        if (rows.length === 0) throw tooMany();
      });
      return { endpoint: await openFrom(endpointId), secret: showSecret(secret) };
    },

    /** The secret before signs too for a day; the one before that ends at once. */
    async rotate(endpointId: string): Promise<WithSecret> {
      const secret = newSecret();
      await sql`UPDATE webhook_endpoint SET previous_secret = secret, secret = ${secret}::bytea,
          previous_until = clock_timestamp() + make_interval(hours => ${sql.lit(PREVIOUS_SECRET_HOURS)}),
          updated_at = date_trunc('milliseconds', clock_timestamp())
        WHERE endpoint_id = ${endpointId}::uuid`.execute(db.sql);
      return { endpoint: await find(endpointId), secret: showSecret(secret) };
    },

    /** No new event goes there, and what is on its way fails when it is due. Twice is no change. */
    async disable(endpointId: string): Promise<WebhookEndpoint> {
      await sql`UPDATE webhook_endpoint SET status = 'disabled', disabled_reason = 'requested', enabled_since = NULL,
          updated_at = date_trunc('milliseconds', clock_timestamp())
        WHERE endpoint_id = ${endpointId}::uuid AND status = 'enabled'`.execute(db.sql);
      return find(endpointId);
    },

    async enable(endpointId: string): Promise<WebhookEndpoint> {
      const before = await find(endpointId);
      if (before.status === 'disabled') {
        await refuseUrl(before.url);
        await db.transaction(async (tx) => {
          const twin = await lockAndFindTwin(tx, before);
          if (twin !== null && twin !== endpointId) throw registeredAlready(twin);
          const { numAffectedRows } = await sql`
            UPDATE webhook_endpoint SET status = 'enabled', disabled_reason = NULL,
              updated_at = date_trunc('milliseconds', clock_timestamp())
            WHERE endpoint_id = ${endpointId}::uuid AND (status = 'enabled' OR ${hasRoom})`.execute(tx);
          if (numAffectedRows === 0n) throw tooMany();
        });
      }
      return openFrom(endpointId);
    },

    /** Sends it again now, under the same webhook-id and with the same bytes, and starts its ladder anew. */
    async resend({ endpointId, deliveryId }: DeliveryAddress): Promise<Delivery> {
      const endpoint = await find(endpointId);
      if (endpoint.status === 'disabled') {
        const detail = 'The endpoint is disabled. Enable it first: POST /v1/webhook-endpoints/{endpoint_id}/enable.';
        throw new PaymentError('invalid-state', { detail });
      }
      // One that is being sent right now goes on.
      await sql`UPDATE delivery SET status = 'pending', final_at = NULL, tries = 0, due_at = clock_timestamp()
        WHERE delivery_id = ${deliveryId}::uuid AND endpoint_id = ${endpointId}::uuid AND NOT leased`.execute(db.sql);
      const delivery = await findDelivery({ endpointId, deliveryId });
      await enqueue([{ deliveryId, attempt: delivery.attempt }]);
      return delivery;
    },

    /** What deliveries tell, by event. */
    async eventsOf(deliveries: readonly Delivery[]): Promise<ReadonlyMap<string, RecordedEvent>> {
      const eventIds = deliveries.map((delivery) => delivery.eventId);
      const { rows } = await sql<Record<string, unknown>>`
        SELECT * FROM outgoing_event WHERE event_id = ANY(${eventIds}::uuid[])`.execute(db.sql);
      const events = rows.map((row) => parseRow(eventTable, row));
      return new Map(events.map((event) => [event.eventId, event]));
    },
  };
}

interface DeliveryAddress {
  readonly endpointId: string;
  readonly deliveryId: string;
}

interface WithSecret {
  readonly endpoint: WebhookEndpoint;
  /** Shown once. */
  readonly secret: string;
}

/**
 * The endpoint that is enabled with this URL and these events, in whatever order. Until this commit nobody else
 * registers or enables one. New deliveries, which only point at these rows, go on; the end of one waits.
 */
async function lockAndFindTwin(
  tx: Tx,
  { url, events }: { readonly url: string; readonly events: readonly string[] },
): Promise<string | null> {
  await sql`LOCK TABLE webhook_endpoint IN SHARE ROW EXCLUSIVE MODE`.execute(tx);
  const patterns = JSON.stringify(events);
  const { rows } = await sql<{ endpoint_id: string }>`
    SELECT endpoint_id FROM webhook_endpoint
    WHERE status = 'enabled' AND url = ${url} AND events @> ${patterns}::jsonb AND events <@ ${patterns}::jsonb
    ORDER BY created_at LIMIT 1`.execute(tx);
  return rows[0]?.endpoint_id ?? null;
}

function registeredAlready(endpointId: string): PaymentError {
  const location = `/v1/webhook-endpoints/${endpointId}`;
  const detail =
    `The endpoint ${endpointId} is enabled and has this URL and these events already. ` +
    `Use that one; without its secret, POST ${location}/rotate shows a new one.`;
  return new PaymentError('invalid-state', { detail, location });
}

const hasRoom = sql`
  (SELECT count(*) FROM webhook_endpoint o WHERE o.status = 'enabled') < ${sql.lit(ENABLED_ENDPOINTS_MAX)}`;

function tooMany(): PaymentError {
  const detail = `There are ${ENABLED_ENDPOINTS_MAX} enabled endpoints, which is the most. Disable one first.`;
  return new PaymentError('invalid-state', { detail });
}
