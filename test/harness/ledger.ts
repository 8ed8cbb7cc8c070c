// A journal on a database of its own, with wallets, money in them, and transfers; no queue and no HTTP.

import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import pg from 'pg';
import { inject } from 'vitest';
import { bankWalletId, equityWalletId, providerWalletId } from '../../src/domain/chart.ts';
import { fingerprintOf } from '../../src/domain/fingerprint.ts';
import { type Pkid, pkidOf, postingIdOf } from '../../src/domain/id.ts';
import { type Currency, parseCurrency } from '../../src/domain/money.ts';
import type { PostingHead } from '../../src/domain/movements.ts';
import type { Provider, ProviderName } from '../../src/domain/provider.ts';
import type { Adjustment } from '../../src/entities/adjustment.ts';
import type { Treasury } from '../../src/entities/treasury.ts';
import { createFunds } from '../../src/jobs/funds.ts';
import type { LifeOptions } from '../../src/jobs/life.ts';
import { createTransferLife, type TransferLife } from '../../src/jobs/transfer.ts';
import { type Audit, audit } from '../../src/ledger/audit.ts';
import { createJournal, type Journal } from '../../src/ledger/journal.ts';
import type { Booked, Booking } from '../../src/ledger/step.ts';
import { createWalletDirectory } from '../../src/ledger/wallet-directory.ts';
import { type Tables, tablesOf } from '../../src/ledger/writes.ts';
import { type Db, openDb } from '../../src/runtime/db.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { createDatabase, dropDatabase, type TestDatabase } from './postgres.ts';

export const USD = parseCurrency('USD');

/** One process's view of the books: its own pool, journal and lives. */
export interface Teller {
  readonly db: Db;
  readonly tables: Tables;
  readonly journal: Journal;
  readonly transfers: TransferLife;
  readonly life: LifeOptions;
  /** Sizes of the batches that were committed. */
  readonly batches: readonly number[];
  /** Everything it logged as a warning or worse, one JSON line each. */
  readonly warnings: readonly string[];
}

export interface Ledger extends Teller {
  readonly url: string;
  /** A second process on the same database. */
  openTeller(options?: { url?: string }): Promise<Teller>;
  /** A connection outside every pool, without its time-outs. */
  connect(): Promise<pg.Client>;
  close(): Promise<void>;
}

export async function openLedger(options: { database?: TestDatabase } = {}): Promise<Ledger> {
  const database = options.database ?? (await createDatabase());
  const tellers: Teller[] = [];
  const clients: pg.Client[] = [];
  const openTeller = async ({ url = database.url }: { url?: string } = {}) => {
    const teller = await makeTeller(url);
    tellers.push(teller);
    return teller;
  };
  return {
    ...(await openTeller()),
    url: database.url,
    openTeller,
    async connect() {
      const client = new pg.Client({ connectionString: database.url });
      // A test may end the session from outside; that is not an error of the run.
      client.on('error', () => undefined);
      await client.connect();
      clients.push(client);
      return client;
    },
    async close() {
      await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
      await Promise.all(tellers.map((teller) => teller.db.close()));
      await database.drop();
    },
  };
}

export const TIMING = { leaseMs: 60_000, sendDeadlineMs: 5_000, providerTimeoutMs: 20_000 };

async function makeTeller(url: string): Promise<Teller> {
  const warnings: string[] = [];
  const destination = { write: (line: string) => void warnings.push(line) };
  const log = createLogger({ level: 'warn', format: 'json', destination });
  const db = await openDb(url, { log });
  const tables = tablesOf(db);
  const batches: number[] = [];
  const journal = createJournal({ db, log, onBatch: ({ size }) => batches.push(size) });
  const providers = new Map<ProviderName, Provider>();
  const wallets = createWalletDirectory(db);
  const outside = {
    paces: new Map(),
    breakers: new Map(),
    funds: createFunds({ log }),
    onAccepted: () => undefined,
    enqueue: async () => undefined,
    onProviderCall: () => undefined,
  };
  const life = { db, tables, journal, wallets, providers, timing: TIMING, isRestored: false, log, ...outside };
  return { db, tables, journal, transfers: createTransferLife(life), life, batches, warnings };
}

/** Closes it, and returns what the audit found wrong with its books. */
export async function closeAudited({ db, close }: Ledger): Promise<Audit['checks']> {
  const { checks } = await audit(db);
  await close();
  return checks.filter(({ violations }) => violations.length > 0);
}

/** A copy of a database that nobody is connected to. */
export async function cloneDatabase(url: string): Promise<TestDatabase> {
  const source = new URL(url).pathname.slice(1);
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await onServer(`CREATE DATABASE ${name} TEMPLATE ${source}`);
  const address = new URL(url);
  address.pathname = `/${name}`;
  return { url: address.href, drop: () => dropDatabase(inject('postgresUrl'), name) };
}

async function onServer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: inject('postgresUrl') });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

export async function openWallets(
  { db }: Pick<Teller, 'db'>,
  walletIds: readonly string[],
  { kind = 'seller', currency = USD }: { kind?: 'seller' | 'buyer'; currency?: Currency } = {},
): Promise<void> {
  await sql`
    INSERT INTO wallet (wallet_id, owner_id, kind, currency, fingerprint, created_at)
    SELECT id, id, ${kind}, ${currency}, ''::bytea, clock_timestamp()
    FROM unnest(${[...walletIds]}::text[]) id`.execute(db.sql);
}

export interface AdjustmentFacts {
  readonly key: string;
  readonly walletId: string;
  readonly amountMinor: bigint;
  readonly currency?: Currency;
}

export function adjust(
  { journal }: Pick<Teller, 'journal'>,
  { key, walletId, amountMinor, currency = USD }: AdjustmentFacts,
): Promise<Booked<Adjustment>> {
  const pkid = pkidOf('adjustment', key);
  const equity = equityWalletId(currency);
  const fields = { semanticKey: key, walletId, amountMinor, currency, reason: 'test' };
  const facts = { pkid, ...fields, actor: 'test', postingId: postingIdOf(pkid, 'settle') };
  const booking: Booking<Adjustment> = {
    pkid,
    walletIds: [walletId, equity],
    row: (now) => ({ ...facts, fingerprint: fingerprintOf(fields), createdAt: now }),
    movement: {
      type: 'post',
      posting: headOf({ pkid, key, kind: 'adjustment' }),
      currency,
      lines: [
        { walletId, amountMinor },
        { walletId: equity, amountMinor: -amountMinor },
      ],
    },
  };
  return journal.bookAdjustment(booking);
}

export function moveTreasury({ journal }: Teller, key: string, amountMinor: bigint): Promise<Booked<Treasury>> {
  const pkid = pkidOf('treasury', key);
  const fromWallet = bankWalletId(USD);
  const toWallet = providerWalletId('stripe', USD);
  const fields = { semanticKey: key, fromWallet, toWallet, amountMinor, currency: USD, reference: 'test' };
  const facts = { pkid, ...fields, actor: 'test', postingId: postingIdOf(pkid, 'settle') };
  const posting = headOf({ pkid, key, kind: 'treasury' });
  return journal.bookTreasury({
    pkid,
    walletIds: [fromWallet, toWallet],
    row: (now) => ({ ...facts, fingerprint: fingerprintOf(fields), createdAt: now }),
    movement: { type: 'transfer', posting, from: toWallet, to: fromWallet, money: { amountMinor, currency: USD } },
  });
}

function headOf({ pkid, key, kind }: { pkid: Pkid; key: string; kind: 'adjustment' | 'treasury' }): PostingHead {
  return { postingId: postingIdOf(pkid, 'settle'), event: kind, kind, pkid, semanticKey: key, reverses: null };
}

export interface TransferFacts {
  readonly key: string;
  readonly from: string;
  readonly to: string;
  readonly amountMinor: bigint;
}

export function requestTransfer(
  { transfers }: Pick<Teller, 'transfers'>,
  { key, from, to, amountMinor }: TransferFacts,
) {
  return transfers.request({
    semanticKey: key,
    fromWallet: from,
    toWallet: to,
    amountMinor,
    currency: USD,
    metadata: {},
    traceparent: null,
  });
}

/** Requests it and moves the money, and returns how it ended. */
export async function transfer(teller: Teller, facts: TransferFacts) {
  const { row } = await requestTransfer(teller, facts);
  await teller.transfers.run(row.pkid);
  return teller.transfers.find(row.pkid);
}

export async function postedOf({ db }: Teller, walletId: string): Promise<bigint> {
  const { rows } = await sql<{ posted: string }>`
    SELECT posted FROM wallet WHERE wallet_id = ${walletId}`.execute(db.sql);
  return BigInt(rows[0]?.posted ?? 0);
}

export async function countOf({ db }: Teller, table: string): Promise<number> {
  const { rows } = await sql<{ count: string }>`SELECT count(*) FROM ${sql.table(table)}`.execute(db.sql);
  return Number(rows[0]?.count);
}
