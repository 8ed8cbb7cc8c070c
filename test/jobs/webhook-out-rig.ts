// A merchant's server on loopback that writes down what it gets, and everything that tells it something.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { sql } from 'kysely';
import { Webhook } from 'standardwebhooks';
import { uuidV5 } from '../../src/domain/id.ts';
import type { EventType, OutgoingEvent } from '../../src/domain/outgoing.ts';
import type { Delivery } from '../../src/entities/delivery.ts';
import { createWebhookEndpoints } from '../../src/jobs/webhook-endpoint.ts';
import { createWebhookOut, type DeliveryAttempt, type WebhookOutOptions } from '../../src/jobs/webhook-out.ts';
import { outgoingTablesOf, writeOutgoing } from '../../src/ledger/outgoing.ts';
import { readClock } from '../../src/ledger/reads.ts';
import { parseRow } from '../../src/ledger/table.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { statementsOf } from '../../src/runtime/statements.ts';
import { openLedger, type Teller } from '../harness/ledger.ts';

export interface Received {
  readonly headers: Record<string, string>;
  readonly raw: string;
  readonly body: { readonly type: string; readonly sequence: number; readonly data: { readonly semantic_key: string } };
}

export interface Receiver {
  readonly port: number;
  readonly url: string;
  readonly received: Received[];
  /** What it does with a request from now on; by default it answers 200. */
  answer: (response: ServerResponse, received: Received, request: IncomingMessage) => void;
  close(): Promise<void>;
}

/** On a port of its own, or on one that was promised to the sender before. */
export async function startReceiver({ port = 0 }: { port?: number } = {}): Promise<Receiver> {
  const sockets = new Set<Socket>();
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const raw = Buffer.concat(chunks).toString('utf8');
      const headers = Object.fromEntries(
        Object.entries(request.headers).map(([name, value]) => [name, String(value)] as const),
      );
      const one = { headers, raw, body: JSON.parse(raw) };
      received.push(one);
      receiver.answer(response, one, request);
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The receiver got no port.');
  const receiver: Receiver = {
    port: address.port,
    url: `http://127.0.0.1:${address.port}/hook`,
    received,
    answer: (response) => response.writeHead(200).end('{}'),
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  return receiver;
}

/** Throws unless a receiver with this secret would believe the message. */
export function verify({ headers, raw }: Received, secret: string): unknown {
  return new Webhook(secret).verify(raw, headers);
}

/** Every pause of the ladder is over at once, and there are enough of them. */
export const IMPATIENT: readonly number[] = Array.from({ length: 50 }, () => 1);

export type Rig = Awaited<ReturnType<typeof startRig>>;

export async function startRig({ allowHosts }: { allowHosts: readonly string[] }) {
  const ledger = await openLedger();
  const tables = outgoingTablesOf(ledger.db);
  const lines: string[] = [];
  const attempts: DeliveryAttempt[] = [];
  const log = createLogger({ level: 'trace', format: 'json', destination: { write: (line) => void lines.push(line) } });
  const outs: ReturnType<typeof createWebhookOut>[] = [];

  /** One process's sender; a second one has a teller of its own. */
  function open(options: Partial<WebhookOutOptions> = {}, teller: Teller = ledger) {
    const out = createWebhookOut({
      db: teller.db,
      log,
      allowHosts,
      render: async ({ kind, semanticKey }) => ({ kind, semantic_key: semanticKey, status: 'succeeded' }),
      onAttempt: (attempt) => void attempts.push(attempt),
      ladderMs: IMPATIENT,
      ...options,
    });
    outs.push(out);
    return out;
  }

  async function deliveries(where: { endpointId?: string } = {}): Promise<Delivery[]> {
    const { rows } = await sql<Record<string, unknown>>`
      SELECT * FROM delivery ORDER BY endpoint_id, pkid, sequence`.execute(ledger.db.sql);
    return rows
      .map((row) => parseRow(tables.delivery, row))
      .filter((row) => where.endpointId === undefined || row.endpointId === where.endpointId);
  }

  return {
    ledger,
    lines,
    attempts,
    open,
    deliveries,
    endpoints: createWebhookEndpoints({ db: ledger.db, allowHosts, enqueue: async () => undefined }),
    /** What the journal does in the commit of a settle. */
    emit: (events: readonly OutgoingEvent[]): Promise<string[]> =>
      ledger.db.transaction(async (tx) =>
        writeOutgoing(statementsOf(tx), { tables, events, now: await readClock(statementsOf(tx)) }),
      ),
    /** Rounds of reconcile until nothing is pending; between them all pauses are over. Leases run their time. */
    async drain(out: ReturnType<typeof createWebhookOut>): Promise<void> {
      for (let round = 0; round < ROUNDS_MAX; round += 1) {
        const pending = (await deliveries()).filter(({ status }) => status === 'pending');
        if (pending.length === 0) return;
        await sql`UPDATE delivery SET due_at = now() WHERE due_at > now() AND NOT leased`.execute(ledger.db.sql);
        await Promise.all((await out.due(100)).map((deliveryId) => out.deliver(deliveryId)));
      }
      throw new Error('Deliveries are still pending.');
    },
    async clear(): Promise<void> {
      await sql`TRUNCATE delivery, outgoing_event, webhook_endpoint`.execute(ledger.db.sql);
      lines.length = 0;
      attempts.length = 0;
    },
    async stop(): Promise<void> {
      await Promise.all(outs.map((out) => out.close(0)));
      await ledger.close();
    },
  };
}

/** Far more than any ladder here has steps. */
const ROUNDS_MAX = 1_000;
/** Any fixed value. */
const SUBJECTS = '2f6d8a44-70f4-5a43-9c0a-0d3c1f7a9b11';

export function payoutEvent(semanticKey: string, type: EventType = 'payout.succeeded'): OutgoingEvent {
  return { type, kind: 'payout', pkid: uuidV5(SUBJECTS, semanticKey), semanticKey };
}
