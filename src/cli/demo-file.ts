// The last part of the demo: a file of payouts to many destinations goes through the batch route, and is worked off.

import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { Stage } from './demo-checks.ts';
import type { Client } from './demo-client.ts';

export interface Line {
  readonly semantic_key: string;
  readonly wallet_id: string;
  readonly amount: string;
  readonly currency: string;
  readonly provider: string;
  readonly destination: string;
}

/** What became of a line: refused at the door, or a payout as the API reads it at the end. */
export type Outcome =
  | { readonly line: Line; readonly refusal: string; readonly payout: null }
  | { readonly line: Line; readonly refusal: null; readonly payout: Payout };

const payoutBody = z.object({
  pkid: z.string(),
  semantic_key: z.string(),
  status: z.string(),
  amount: z.string(),
  currency: z.string(),
  failure: z.object({ code: z.string() }).nullable(),
  reversals: z.array(z.object({ amount: z.string() })),
});
export type Payout = z.infer<typeof payoutBody>;
const pageBody = z.object({ data: z.array(payoutBody), next_cursor: z.string().nullable() });
const batchBody = z.object({
  results: z.array(
    z.object({ semantic_key: z.string().nullable(), problem: z.object({ code: z.string() }).optional() }),
  ),
});

const FILE = new URL('../../examples/payouts-1000.csv', import.meta.url);
/** Of the wallet that is not funded for all its lines, this many in ten can be paid. */
export const SHORT_WALLET = 'seller-short-eur';
const PAYABLE_IN_TEN = 6n;
/** The longest the slowest line may take: an error that is asked about until it is certain that nothing was paid. */
const DRAIN_TIMEOUT_MS = 180_000;
const LOOK_EVERY_MS = 1_000;
/** So many requests of ours at once; the rest of the machine is for the processor. */
const REQUESTS_AT_ONCE = 16;
const PAGE_LIMIT = 500;

export function readLines(count: number): Line[] {
  const [, ...rows] = readFileSync(FILE, 'utf8').trimEnd().split('\n');
  return rows.slice(0, count).map((row) => {
    const [semantic_key = '', wallet_id = '', amount = '', currency = '', provider = '', destination = ''] =
      row.split(',');
    return { semantic_key, wallet_id, amount, currency, provider, destination };
  });
}

/** Every wallet of the file with what its lines ask for, but for the one that is to run short. */
export async function fundWallets(client: Client, lines: readonly Line[]): Promise<Map<string, bigint>> {
  const wallets = [...Map.groupBy(lines, ({ wallet_id }) => wallet_id)];
  const funded = new Map<string, bigint>();
  await eachAtOnce(wallets, async ([wallet_id, own]) => {
    const currency = own[0]?.currency ?? '';
    const owner_id = wallet_id.slice(0, wallet_id.lastIndexOf('-'));
    await client.post('/v1/wallets', { wallet_id, owner_id, kind: 'seller', currency });
    const amount = wallet_id === SHORT_WALLET ? shareOf(own) : sumOf(own);
    funded.set(wallet_id, amount);
    // A short file may have too few lines of the short wallet for any of them to be paid.
    if (amount === 0n) return;
    const semantic_key = `opening:${wallet_id}`;
    const booking = { semantic_key, wallet_id, amount: String(amount), currency, reason: 'Opening balance' };
    const { status, body } = await client.post('/v1/adjustments', booking);
    if (status !== 201) throw new Error(`${wallet_id} was not funded: ${JSON.stringify(body)}`);
  });
  return funded;
}

/** The refusals by semantic key; what is not in it was accepted. */
export async function postFile(client: Client, lines: readonly Line[]): Promise<Map<string, string>> {
  const { status, body } = await client.post('/v1/payouts/batch', {
    payouts: lines.map((line) => ({ ...line, confirm: true })),
  });
  if (status !== 202) throw new Error(`The batch was refused: ${status} ${JSON.stringify(body)}`);
  const { results } = batchBody.parse(body);
  if (results.length !== lines.length) throw new Error(`${lines.length} lines, but ${results.length} answers.`);
  return new Map(
    results.flatMap(({ semantic_key, problem }) =>
      problem === undefined || semantic_key === null ? [] : [[semantic_key, problem.code] as const],
    ),
  );
}

/** Waits until every payout is final and every bounced one has come back. */
export async function drainFile(
  stage: Stage,
  asked: { lines: readonly Line[]; refusals: ReadonlyMap<string, string> },
): Promise<Outcome[]> {
  const { client, screen } = stage;
  const startedAt = performance.now();
  for (;;) {
    const outcomes = await readOutcomes(client, asked);
    const waiting = outcomes.filter(({ payout, line }) => payout !== null && !isAtRest(payout, line)).length;
    const seconds = (performance.now() - startedAt) / 1_000;
    screen.progress(`${outcomes.length - waiting} of ${outcomes.length} lines done after ${seconds.toFixed(0)} s`);
    if (waiting === 0 || seconds * 1_000 > DRAIN_TIMEOUT_MS) {
      screen.progressEnds();
      return outcomes;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

function isAtRest({ status, reversals }: Payout, { destination }: Line): boolean {
  if (status === 'failed') return true;
  return status === 'succeeded' && (!destination.includes('_bounce_') || reversals.length > 0);
}

async function readOutcomes(
  client: Client,
  { lines, refusals }: { lines: readonly Line[]; refusals: ReadonlyMap<string, string> },
): Promise<Outcome[]> {
  const payouts = await readOperations(client, 'payouts');
  return lines.map((line) => {
    const refusal = refusals.get(line.semantic_key);
    if (refusal !== undefined) return { line, refusal, payout: null };
    const payout = payouts.get(line.semantic_key);
    if (payout === undefined) throw new Error(`${line.semantic_key} was accepted, but there is no such payout.`);
    return { line, refusal: null, payout };
  });
}

/** All of a kind, by semantic key. */
export async function readOperations(
  client: Client,
  kind: 'payouts' | 'payins' | 'refunds',
): Promise<Map<string, Payout>> {
  const found = new Map<string, Payout>();
  let cursor: string | null = '';
  while (cursor !== null) {
    const after: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page = pageBody.parse((await client.get(`/v1/${kind}?limit=${PAGE_LIMIT}${after}`)).body);
    for (const one of page.data) found.set(one.semantic_key, one);
    cursor = page.next_cursor;
  }
  return found;
}

/** All of them are of one amount, so this pays for a whole number of lines. */
function shareOf(lines: readonly Line[]): bigint {
  const each = BigInt(lines[0]?.amount ?? '0');
  return each * ((BigInt(lines.length) * PAYABLE_IN_TEN) / 10n);
}

function sumOf(lines: readonly Line[]): bigint {
  return lines.reduce((sum, { amount }) => sum + BigInt(amount), 0n);
}

async function eachAtOnce<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const left = [...items];
  const one = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: REQUESTS_AT_ONCE }, one));
}
