// What must be true of every case once everything is calm, whatever died: the end that the provider's word means, the
// provider's book and the ledger equal to the minor unit, and the platform told of everything.

import { sql } from 'kysely';
import type { App } from '../../src/app.ts';
import { pendingWalletId } from '../../src/domain/chart.ts';
import type { Direction } from '../../src/sandbox/payment.ts';
import { USD } from '../harness/ledger.ts';
import { providerDifferences } from '../harness/shop.ts';
import type { Outcome } from './case.ts';
import { AMOUNT, type End, endAs, walletOf } from './flows.ts';
import type { Ground } from './ground.ts';
import type { Standing } from './standing.ts';

/** Each line names a case, where it died, and what is wrong. */
export async function judge({ clerk, sandbox, heard }: Ground, outcomes: readonly Outcome[]): Promise<string[]> {
  const { app } = clerk;
  const { checks } = await app.audit();
  const found = checks.filter(({ violations }) => violations.length > 0);
  const book = sandbox.book();
  const moves = [Map.groupBy(book, ({ key }) => key ?? ''), Map.groupBy(book, ({ extern_id }) => extern_id)];
  const reports = await readReports(app);
  const wallets = await readWallets(app);
  const complaints = outcomes.flatMap((one) => {
    const names = [one.pkid, ...(one.standing?.refunds ?? [])];
    // What was made at the provider has no key of ours there; what was made here is found by both names, once.
    const rows = [...new Set(names.flatMap((name) => moves.flatMap((by) => by.get(name) ?? [])))];
    const isOfAmount = rows.every(({ amount, currency }) => amount === String(AMOUNT) && currency === 'USD');
    const moved = rows.map(({ direction }) => direction);
    const wrong = [
      one.isCalm ? null : `is not at its end: ${JSON.stringify(one.standing)}`,
      wrongEnd(one, moved),
      isOfAmount ? null : `moved another amount: ${JSON.stringify(rows)}`,
      wrongWallets(one, { wallets, moved }),
      wrongReports(one, reports),
    ];
    return wrong.flatMap((what) => (what === null ? [] : [`${titleOf(one)}: ${what}`]));
  });
  return [
    ...complaints,
    ...found.map((check) => `the audit: ${JSON.stringify(check)}`),
    ...(await providerDifferences({ app, sandbox })).map(
      (one) => `the books differ: ${one.name}, theirs ${one.theirs}, ours ${one.ours}`,
    ),
    ...(await untold(app, heard)),
  ];
}

export function titleOf({ flow, key, dooms }: Pick<Outcome, 'flow' | 'key' | 'dooms'>): string {
  const deaths = dooms.map(({ point, time }) => `${point}${time === 1 ? '' : ', the second time'}`);
  return `${key}, ${flow.name}, dead [${deaths.join(' and ')}]`;
}

const MOVES = { payin: 'in', payout: 'out', refund: 'refund' } as const;

function wrongEnd({ flow, standing }: Outcome, moved: readonly Direction[]): string | null {
  if (standing === null) return 'is lost';
  const { status, failureCode, reviewReason } = standing;
  const end = endAs(flow, status);
  const review = end?.status === 'in_process' ? (end.review ?? null) : null;
  if (reviewReason !== review) return `is in review: ${reviewReason}`;
  const seen = { status, failureCode, moved: moved.toSorted().join(' ') };
  const direction = flow.kind === 'transfer' ? [] : [MOVES[flow.kind]];
  const expected = end?.status === 'succeeded' ? [...direction, ...(end.after ?? [])] : (end?.moved ?? []);
  const isCode = end?.status === 'failed' ? isCodeOf(end, standing) : failureCode === null;
  const isMeant = end !== undefined && isCode && seen.moved === expected.toSorted().join(' ');
  return isMeant ? null : `ended as ${JSON.stringify(seen)}, and not as one of ${JSON.stringify(flow.ends)}`;
}

/** Only where a look-up was the first to tell of the refusal, its code may count. */
function isCodeOf(end: Extract<End, { status: 'failed' }>, { failureCode, refusal }: Standing): boolean {
  return failureCode === end.code || (failureCode === end.codeWhenFound && failureCode === refusal);
}

interface Wallet {
  readonly posted: bigint;
  readonly held: bigint;
}

async function readWallets({ db }: App): Promise<ReadonlyMap<string, Wallet>> {
  const { rows } = await sql<{ wallet_id: string; posted: string; held: string }>`
    SELECT wallet_id, posted::text, held::text FROM wallet`.execute(db.sql);
  return new Map(rows.map((row) => [row.wallet_id, { posted: BigInt(row.posted), held: BigInt(row.held) }]));
}

/** Each case has wallets of its own. */
function wrongWallets(
  one: Outcome,
  { wallets, moved }: { wallets: ReadonlyMap<string, Wallet>; moved: readonly Direction[] },
): string | null {
  const wrong = Object.entries(expectedWallets(one, moved)).filter(([walletId, { posted, held }]) => {
    const wallet = wallets.get(walletId) ?? EMPTY;
    return wallet.posted !== posted || wallet.held !== held;
  });
  const shown = wrong.map(([walletId]) => `${walletId} has ${wallets.get(walletId)?.posted}`);
  return wrong.length === 0 ? null : `has wrong wallets: ${shown.join(', ')}`;
}

const EMPTY: Wallet = { posted: 0n, held: 0n };

function expectedWallets({ flow, key, standing }: Outcome, moved: readonly Direction[]): Record<string, Wallet> {
  if (standing === null) return {};
  const { status, isReturned } = standing;
  const isDone = status === 'succeeded' && !isReturned;
  const full = { posted: AMOUNT, held: 0n };
  const pending = pendingWalletId(walletOf(key), USD);
  switch (flow.kind) {
    case 'payout':
      return { [walletOf(key)]: isDone ? EMPTY : { ...full, held: status === 'in_process' ? AMOUNT : 0n } };
    case 'transfer':
      return { [walletOf(key)]: EMPTY, [walletOf(`${key}-to`)]: isDone ? full : EMPTY };
    case 'refund':
      // What comes back after it has succeeded is the buyer's, and not the seller's.
      return { [pending]: status === 'succeeded' ? EMPTY : full };
    case 'payin': {
      const isKept = moved.includes('dispute_won') || moved.every((direction) => direction === 'in');
      return { [pending]: status === 'succeeded' && isKept ? full : EMPTY };
    }
  }
}

/** By operation, why people are told of it or of what was done because of it. */
async function readReports({ db }: App): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await sql<{ pkid: string; reason: string }>`
    SELECT pkid::text, reason FROM discrepancy WHERE pkid IS NOT NULL
    UNION ALL SELECT r.payin_pkid::text, d.reason FROM discrepancy d JOIN refund r USING (pkid)`.execute(db.sql);
  const byPkid = Map.groupBy(rows, ({ pkid }) => pkid);
  return new Map([...byPkid].map(([pkid, found]) => [pkid, found.map(({ reason }) => reason)]));
}

function wrongReports(
  { flow, pkid, standing }: Outcome,
  reports: ReadonlyMap<string, readonly string[]>,
): string | null {
  const told = (reports.get(pkid) ?? []).join();
  const end = endAs(flow, standing?.status);
  const meant = end?.reports ?? '';
  return told === meant || told === end?.reportsWhenLate ? null : `people are told: [${told}], and not [${meant}]`;
}

/** Deliveries that have not come to their end, or of which the platform has heard nothing. */
async function untold({ db }: App, heard: ReadonlySet<string>): Promise<string[]> {
  const { rows } = await sql<{ event_id: string; status: string; semantic_key: string }>`
    SELECT d.event_id::text, d.status, v.semantic_key FROM delivery d JOIN outgoing_event v USING (event_id)`.execute(
    db.sql,
  );
  const open = rows.filter((row) => row.status !== 'delivered' || !heard.has(row.event_id));
  return open.map((row) => `${row.semantic_key}: the platform was not told, the delivery is ${row.status}`);
}
