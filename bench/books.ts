// The bench's own view of the books: it opens the same app without workers, makes and funds wallets the ledger's own
// way, puts backlogs into the queue, and proves afterwards that everything ended as it should.

import { sql } from 'kysely';
import { type App, openApp } from '../src/app.ts';
import { prepareDatabase } from '../src/cli/process.ts';
import { jobIdOf, type OperationKind, pkidOf } from '../src/domain/id.ts';
import { parseCurrency } from '../src/domain/money.ts';
import { createAdjustmentLife } from '../src/jobs/adjustment.ts';
import { readConfig } from '../src/runtime/config.ts';
import { silentLogger } from '../src/runtime/logger.ts';
import { createDraw, drawPair } from './draw.ts';

export const WALLETS = 10_000;
const FUNDS_MINOR = 1_000_000_000n;
/** The hot wallet is on every debit side. */
const HOT_FUNDS_MINOR = 1_000_000_000_000n;
export const AMOUNT_MAX = 100;
const CURRENCY = 'USD';
/** Promises in memory at once. */
const CHUNK = 1_000;
const LOOK_MS = 10;
/** The longest rest between two looks. */
const LOOK_MS_MAX = 1_000;
/** Far beyond any backlog here on any machine; a run that stands still must end. */
const FINAL_WITHIN_MS = 600_000;

export interface Books {
  readonly app: App;
  /** Takes transfers in without anybody running them: their queue is paused. Resolves when all wait in the queue. */
  fill(prefix: string, backlog: { count: number; isHot: boolean }): Promise<void>;
  /** Resolves when a processor that has started is done with what it does at its start: the audit, above all. */
  calm(): Promise<void>;
  /** Lets the queue go again. */
  release(): Promise<void>;
  /** Resolves as soon as no operation of the kind is unfinished. */
  allFinal(kind: 'transfer' | 'payout'): Promise<void>;
  /** Throws when not exactly `count` operations of these keys succeeded and no other exists, or the audit complains. */
  prove(prefix: string, expected: { kind: 'transfer' | 'payout'; count: number }): Promise<void>;
  close(): Promise<void>;
}

export function walletOf(number: number): string {
  return `bench-${String(number).padStart(5, '0')}`;
}

export async function openBooks(options: {
  databaseUrl: string;
  redisUrl: string | null;
  folder: string;
  isUnsafe: boolean;
  leaseMs: number;
}): Promise<Books> {
  const { databaseUrl, redisUrl, folder, isUnsafe, leaseMs } = options;
  const config = readConfig({
    REMIT_DATA_DIR: folder,
    LEASE_MS: String(leaseMs),
    ...(redisUrl === null ? {} : { REDIS_URL: redisUrl }),
    ...(isUnsafe ? { REMIT_UNSAFE_DURABILITY: '1' } : {}),
  });
  const log = silentLogger();
  await prepareDatabase(databaseUrl, config, log);
  // It only takes in and audits, so nothing is ever asked at this address.
  const app = await openApp({ config, databaseUrl, sandboxUrl: 'http://127.0.0.1:9', log });
  await app.queues.ready();
  await makeWallets(app);
  const queue = app.queues.board().find(({ name }) => name === 'transfer');
  if (queue === undefined) throw new Error('There is no queue of transfers. Look at src/jobs/queues.ts.');

  return {
    app,
    async fill(prefix, { count, isHot }) {
      await queue.pause();
      const draw = createDraw(count);
      for (const keys of chunksOf(keysOf(prefix, count))) {
        await Promise.all(keys.map((semanticKey) => requestTransfer(app, { semanticKey, draw, isHot })));
      }
      const isQueued = async () => {
        const { waiting = 0 } = await queue.getJobCounts('waiting');
        return waiting >= count;
      };
      await until(isQueued, QUEUED_WITHIN_MS, 'Some jobs are not in the queue.').catch(() =>
        addAgain(app, prefix, count),
      );
    },
    release: () => queue.resume(),
    async calm() {
      const isCalm = async () => {
        const { waiting, active } = (await app.queues.counts()).maintenance;
        return waiting + active === 0;
      };
      await until(isCalm, FINAL_WITHIN_MS, 'The audit at the start does not end.');
    },
    allFinal: (kind) => allFinal(app, kind),
    prove: (prefix, expected) => prove(app, prefix, expected),
    async close() {
      app.waiter.close();
      await app.journal.drained();
      await app.queues.close();
      await app.db.close();
    },
  };
}

/**
 * Each look is half of what the rest seems to need away from the last one, so that the few looks cost the database
 * nothing that would show, and the end is still met within some milliseconds.
 */
async function allFinal(app: App, kind: OperationKind): Promise<void> {
  const startedAt = performance.now();
  let seen = { left: 0, at: startedAt };
  for (;;) {
    // Of a large table nothing is counted: the due transfers stand in one of their own, those of payouts in an index.
    const due = kind === 'transfer' ? 'transfer_due' : kind;
    const { rows } = await sql<{ left: number }>`
      SELECT count(*)::int AS left FROM ${sql.table(due)} WHERE due_at IS NOT NULL`.execute(app.db.sql);
    const left = rows[0]?.left ?? 0;
    if (left === 0) return;
    const at = performance.now();
    if (at - startedAt > FINAL_WITHIN_MS) throw new Error(`${left} ${kind}s were not final in time.`);
    const msForOne = left < seen.left ? (at - seen.at) / (seen.left - left) : 0;
    seen = { left, at };
    await pause(Math.min(LOOK_MS_MAX, Math.max(LOOK_MS, (left * msForOne) / 2)));
  }
}

/** The rows at once, the money through adjustments: every balance is what the ledger made of it. */
async function makeWallets(app: App): Promise<void> {
  const ids = Array.from({ length: WALLETS }, (_, number) => walletOf(number));
  await sql`INSERT INTO wallet (wallet_id, owner_id, kind, currency, created_at)
    SELECT id, id, 'seller', ${CURRENCY}, now() FROM unnest(${ids}::text[]) id ORDER BY id`.execute(app.db.sql);
  const adjustments = createAdjustmentLife(app);
  for (const chunk of chunksOf(ids)) {
    await Promise.all(
      chunk.map((walletId) =>
        adjustments.request({
          semanticKey: `bench-fund-${walletId}`,
          walletId,
          amountMinor: walletId === walletOf(0) ? HOT_FUNDS_MINOR : FUNDS_MINOR,
          currency: parseCurrency(CURRENCY),
          reason: 'funds of the bench',
          actor: 'bench',
        }),
      ),
    );
  }
}

function requestTransfer(
  app: App,
  { semanticKey, draw, isHot }: { semanticKey: string; draw: (below: number) => number; isHot: boolean },
) {
  const [from, to] = drawPair(draw, { count: WALLETS, isHot });
  return app.transfers.request({
    semanticKey,
    fromWallet: walletOf(from),
    toWallet: walletOf(to),
    amountMinor: BigInt(1 + draw(AMOUNT_MAX)),
    currency: parseCurrency(CURRENCY),
    metadata: {},
    traceparent: null,
  });
}

/** Adding is best effort and bounded in time; a bench of the queue needs every job. One that is there stays. */
async function addAgain(app: App, prefix: string, count: number): Promise<void> {
  for (const keys of chunksOf(keysOf(prefix, count))) {
    const jobs = keys.map((key) => ({ id: jobIdOf('transfer', key), data: { pkid: pkidOf('transfer', key) } }));
    let tries = 1;
    while (!(await app.queues.add('transfer', jobs))) {
      if (tries === ADD_TRIES_MAX) throw new Error('The queue did not take the backlog in time.');
      tries += 1;
      await pause(ADD_AGAIN_MS);
    }
  }
}

const ADD_TRIES_MAX = 20;
/** An add that came too late makes the adder rest for a second. */
const ADD_AGAIN_MS = 1_100;

async function prove(app: App, prefix: string, { kind, count }: { kind: OperationKind; count: number }): Promise<void> {
  // Keys are compared byte by byte, and "~" comes after all that a key may hold.
  const { rows } = await sql<{ status: string; count: number }>`
    SELECT status, count(*)::int AS count FROM ${sql.table(kind)}
    WHERE semantic_key >= ${prefix} AND semantic_key < ${`${prefix}~`} GROUP BY status`.execute(app.db.sql);
  const found = rows.map((row) => `${row.count} ${row.status}`).join(', ') || 'none';
  if (found !== `${count} succeeded`) {
    throw new Error(`The count of ${kind}s is not exact: ${count} were accepted, and the database has ${found}.`);
  }
  const { checks } = await app.audit();
  const broken = checks.filter(({ violations }) => violations.length > 0);
  if (broken.length === 0) return;
  const said = broken.map(({ id, title, violations }) => `${id} ${title}: ${JSON.stringify(violations[0])}`);
  throw new Error(`The audit is not clean after this run:\n${said.join('\n')}`);
}

const QUEUED_WITHIN_MS = 2_000;

async function until(isSo: () => Promise<boolean>, withinMs: number, complaint: string): Promise<void> {
  const giveUpAt = performance.now() + withinMs;
  while (!(await isSo())) {
    if (performance.now() > giveUpAt) throw new Error(complaint);
    await pause(LOOK_MS);
  }
}

function keysOf(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, number) => `${prefix}${number}`);
}

function* chunksOf<One>(all: readonly One[]): Generator<One[]> {
  for (let at = 0; at < all.length; at += CHUNK) yield all.slice(at, at + CHUNK);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
