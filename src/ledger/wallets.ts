// Locking wallets, always in the same order or without waiting, and creating platform wallets before the first batch
// that needs them.

import { sql } from 'kysely';
import { isPlatformWalletId, parsePlatformWalletId } from '../domain/chart.ts';
import type { Currency } from '../domain/money.ts';
import type { Balance } from '../domain/movements.ts';
import type { Db } from '../runtime/db.ts';
import type { Statements } from '../runtime/statements.ts';
import { arrayLiteral } from './array-literal.ts';
import { everyRow } from './table-writes.ts';

export interface Foreseen {
  readonly balances: ReadonlyMap<string, Balance>;
  /** Of each seller's wallet among them the debt's, where there is one: it is locked too, to be paid back first. */
  readonly debts: ReadonlyMap<string, string>;
}

export interface LockedWallets extends Foreseen {
  /** What another commit has locked is not among them, where it was not to be waited for. */
  readonly balances: ReadonlyMap<string, Balance>;
  /** Those that must be had and do not exist. */
  readonly missing: ReadonlySet<string>;
  /** Debts were locked after everything that was asked for together with this; a clock read before them is too old. */
  readonly isLate: boolean;
}

interface RawWallet {
  wallet_id: string;
  currency: Currency;
  posted: string;
  held: string;
  seq: string;
  allow_negative: boolean;
  debt_id: string | null;
}

/**
 * Those that must be had are waited for: people's wallets by id, platform wallets last, so that every commit in every
 * process takes them in this order. Of the others come those that nobody else has locked, and whose debt is free too;
 * that nobody waits for these is why they may come behind. NO KEY UPDATE, because new rows elsewhere refer to wallets
 * and must not wait for us.
 */
export async function lockWallets(
  statements: Statements,
  { must, may }: { must: readonly string[]; may: readonly string[] },
): Promise<LockedWallets> {
  const [musts, mays] = await Promise.all([
    selectWallets(statements, LOCK, must),
    selectWallets(statements, FREE, may),
  ]);
  const debtIds = new Set(mays.flatMap((row) => row.debt_id ?? []));
  const owed = await selectWallets(statements, FREE, [...debtIds]);
  const rows = [...musts, ...mays, ...owed];
  const locked = new Map(rows.map((row) => [row.wallet_id, row]));
  const missing = new Set(must.filter((walletId) => !locked.has(walletId)));
  const debts = new Map(rows.flatMap((row) => (row.debt_id === null ? [] : [[row.wallet_id, row.debt_id] as const])));
  const whole = [...locked.values()].filter(({ wallet_id: walletId }) => locked.has(debts.get(walletId) ?? walletId));
  const balances = new Map(whole.map((row) => [row.wallet_id, parseBalance(row)]));
  return { balances, debts, missing, isLate: debtIds.size > 0 };
}

async function selectWallets(
  statements: Statements,
  text: string,
  walletIds: readonly string[],
): Promise<readonly RawWallet[]> {
  if (walletIds.length === 0) return [];
  return (await statements.run<RawWallet>(text, [arrayLiteral('text', walletIds)])).rows;
}

const DEBT_ID = `CASE WHEN wallet.kind IN ('seller', 'buyer') THEN (
      SELECT debt.wallet_id FROM wallet debt
      WHERE debt.kind = 'debt' AND debt.owner_id = wallet.owner_id AND debt.currency = wallet.currency) END`;
const SELECT = `SELECT wallet_id, currency, posted, held, seq, allow_negative, ${DEBT_ID} AS debt_id
  FROM wallet WHERE wallet_id = ANY`;
const LOCK = `${SELECT}(ARRAY(
    SELECT unnest($1::text[])
    UNION ALL SELECT '@debt:' || owner_id || ':' || currency FROM wallet
              WHERE wallet_id = ANY($1::text[]) AND kind IN ('seller', 'buyer')))
  ORDER BY wallet_id LIKE '@%', wallet_id FOR NO KEY UPDATE OF wallet`;
/** Few owe anything, so debts are looked for when these are known. */
const FREE = `${SELECT}($1::text[]) FOR NO KEY UPDATE OF wallet SKIP LOCKED`;

/**
 * Locks wallets that the commit before this one has just let go, without waiting: who waits holds nothing that others
 * wait for. Refused by the database when one of them, or whose debt it pays back first, is not as it was to be left.
 */
export async function lockAsForeseen(statements: Statements, { balances, debts }: Foreseen): Promise<void> {
  const foreseen = [...balances.values()];
  if (foreseen.length === 0) return;
  const debtIds = foreseen.map(({ walletId }) => debts.get(walletId) ?? null);
  await statements.run(AS_FORESEEN, [...columnsOf(foreseen), arrayLiteral('text', debtIds), foreseen.length]);
}

const AS_FORESEEN = `WITH freed AS (
    SELECT FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[])
      AS u (wallet_id, posted, held, seq, debt_id)
    JOIN wallet ON wallet.wallet_id = u.wallet_id
      AND wallet.posted = u.posted AND wallet.held = u.held AND wallet.seq = u.seq
    WHERE ${DEBT_ID} IS NOT DISTINCT FROM u.debt_id
    FOR NO KEY UPDATE OF wallet SKIP LOCKED)
  SELECT refuse_unforeseen(count(*), $6::integer) FROM freed`;

/** Writes the balances that changed. */
export async function updateWallets(
  statements: Statements,
  { before, after }: { before: ReadonlyMap<string, Balance>; after: ReadonlyMap<string, Balance> },
): Promise<void> {
  const changed = [...after.values()].filter((balance) => balance !== before.get(balance.walletId));
  if (changed.length > 0) await statements.run(UPDATE, [...columnsOf(changed), changed.length]);
}

function columnsOf(balances: readonly Balance[]): string[] {
  return [
    arrayLiteral(
      'text',
      balances.map(({ walletId }) => walletId),
    ),
    arrayLiteral(
      'bigint',
      balances.map(({ postedMinor }) => postedMinor),
    ),
    arrayLiteral(
      'bigint',
      balances.map(({ heldMinor }) => heldMinor),
    ),
    arrayLiteral(
      'bigint',
      balances.map(({ seq }) => seq),
    ),
  ];
}

const UPDATE = everyRow(
  `UPDATE wallet w SET posted = u.posted, held = u.held, seq = u.seq
   FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) AS u (wallet_id, posted, held, seq)
   WHERE w.wallet_id = u.wallet_id`,
  4,
);

/** Remembers which platform wallets exist, and creates missing ones in a commit of their own. */
export function createPlatformWallets(db: Db): { ensure(walletIds: readonly string[]): Promise<void>; forget(): void } {
  const known = new Set<string>();
  return {
    forget: () => known.clear(),
    async ensure(walletIds) {
      const missing = [...new Set(walletIds)].filter((id) => isPlatformWalletId(id) && !known.has(id)).sort();
      if (missing.length === 0) return;
      const wallets = missing.map(parsePlatformWalletId);
      await db.transaction(async (tx) => {
        await sql`
          INSERT INTO wallet (wallet_id, owner_id, kind, currency, allow_negative, created_at)
          SELECT *, date_trunc('milliseconds', clock_timestamp())
          FROM unnest(${wallets.map((wallet) => wallet.walletId)}::text[],
                      ${wallets.map((wallet) => wallet.ownerId)}::text[],
                      ${wallets.map((wallet) => wallet.kind)}::text[],
                      ${wallets.map((wallet) => wallet.currency)}::text[],
                      ${wallets.map((wallet) => wallet.allowNegative)}::boolean[])
          ON CONFLICT DO NOTHING`.execute(tx);
      });
      for (const walletId of missing) known.add(walletId);
    },
  };
}

function parseBalance(row: RawWallet): Balance {
  return {
    walletId: row.wallet_id,
    currency: row.currency,
    postedMinor: BigInt(row.posted),
    heldMinor: BigInt(row.held),
    seq: BigInt(row.seq),
    allowNegative: row.allow_negative,
  };
}
