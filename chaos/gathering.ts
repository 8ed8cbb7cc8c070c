// Gathers the evidence at the end of a run: over HTTP what users see, over SQL what they do not, from the sandbox its
// book, and from the disk what the client and the merchant wrote.

import { z } from 'zod';
import { parseClientLine } from './client-log.ts';
import type { BookRow, Evidence, Operation, OperationKind, Order } from './evidence.ts';
import { parseHeardLine } from './heard-log.ts';
import { readJournal } from './journal.ts';
import type { Stage } from './stage.ts';

const PAGE = 500;
const TIMEOUT_MS = 60_000;
const COLLECTIONS = { transfer: 'transfers', payout: 'payouts', payin: 'payins', refund: 'refunds' } as const;

const fields = z.record(z.string(), z.unknown());
const page = z.object({ data: z.array(fields), next_cursor: z.string().nullable() });
const operation = z.object({
  pkid: z.string(),
  semantic_key: z.string(),
  status: z.string(),
  amount: z.string(),
  currency: z.string(),
  origin: z.string().nullish(),
  review: z.object({ reason: z.string() }).nullish(),
  reversals: z.array(z.object({ amount: z.string() })).nullish(),
  to: z.string().nullish(),
  order_id: z.string().nullish(),
});
const order = z.object({
  order_id: z.string(),
  checkout_id: z.string(),
  seller_id: z.string(),
  amount: z.string(),
  fee: z.string(),
  paid_at: z.string().nullable(),
  delivered_at: z.string().nullable(),
});
const bookRow = z.object({
  at: z.union([z.string(), z.number()]),
  provider: z.string(),
  direction: z.enum(['in', 'out', 'refund', 'return', 'dispute', 'dispute_won', 'fee']),
  key: z.string().nullable(),
  amount: z.string(),
  currency: z.string(),
  destination: z.string(),
});
const auditReport = z.object({ checks: z.array(z.object({ id: z.string(), violations: z.array(z.unknown()) })) });

export async function gatherEvidence(stage: Stage, leftovers: readonly string[]): Promise<Evidence> {
  const { postgres, files } = stage;
  const kinds: OperationKind[] = ['transfer', 'payout', 'payin', 'refund'];
  const operations = await Promise.all(
    kinds.map(async (kind) => (await readAll(stage, COLLECTIONS[kind])).map((json) => operationOf(kind, json))),
  );
  const wallets = await postgres.query<{ wallet_id: string; posted: string }>('SELECT wallet_id, posted FROM wallet');
  const intents = await postgres.query<{ pkid: string; at: Date }>(
    'SELECT pkid, min(intent_at) AS at FROM provider_call GROUP BY pkid',
  );
  const unapplied = await postgres.query<{ pkid: string; amount: string }>(
    'SELECT pkid, amount FROM unapplied WHERE resolved_at IS NULL',
  );
  return {
    client: readJournal(files.clientLog, parseClientLine),
    heard: readJournal(files.heardLog, parseHeardLine),
    operations: operations.flat(),
    orders: (await readAll(stage, 'orders')).map(orderOf),
    book: await readBook(stage),
    wallets: new Map(wallets.map(({ wallet_id, posted }) => [wallet_id, BigInt(posted)])),
    firstIntentAt: new Map(intents.map(({ pkid, at }) => [pkid, at.getTime()])),
    unapplied: unapplied.map(({ pkid, amount }) => ({ pkid, amountMinor: BigInt(amount) })),
    leftovers,
    audit: await readAudit(stage),
  };
}

export async function readBook({ sandboxUrl }: Stage): Promise<BookRow[]> {
  const response = await fetch(`${sandboxUrl}/_sandbox/book`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  const { data } = z.object({ data: z.array(bookRow) }).parse(await response.json());
  return data.map((row) => ({ ...row, at: new Date(row.at).getTime() }));
}

async function readAudit(stage: Stage): Promise<string[]> {
  const { checks } = auditReport.parse(await askApi(stage, '/v1/audit', 'POST'));
  return checks.flatMap(({ id, violations }) => violations.map((row) => `${id}: ${JSON.stringify(row)}`));
}

async function readAll(stage: Stage, collection: string): Promise<Record<string, unknown>[]> {
  const found: Record<string, unknown>[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const after: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const { data, next_cursor } = page.parse(await askApi(stage, `/v1/${collection}?limit=${PAGE}${after}`));
    found.push(...data);
    cursor = next_cursor;
  }
  return found;
}

export async function askApi({ urls, key }: Stage, path: string, method: 'GET' | 'POST' = 'GET'): Promise<unknown> {
  const headers = { Authorization: `Bearer ${key}` };
  const response = await fetch(`${urls[0]}${path}`, { method, headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

function operationOf(kind: OperationKind, json: Record<string, unknown>): Operation {
  const read = operation.parse(json);
  return {
    kind,
    pkid: read.pkid,
    semanticKey: read.semantic_key,
    status: read.status,
    amount: read.amount,
    currency: read.currency,
    origin: read.origin ?? null,
    reviewReason: read.review?.reason ?? null,
    returned: (read.reversals ?? []).reduce((sum, { amount }) => sum + BigInt(amount), 0n),
    to: read.to ?? null,
    orderId: read.order_id ?? null,
    fields: json,
  };
}

function orderOf(json: unknown): Order {
  const read = order.parse(json);
  return {
    orderId: read.order_id,
    checkoutId: read.checkout_id,
    sellerId: read.seller_id,
    amountMinor: BigInt(read.amount),
    feeMinor: BigInt(read.fee),
    isPaid: read.paid_at !== null,
    isDelivered: read.delivered_at !== null,
  };
}
