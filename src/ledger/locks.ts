// What a batch locks and reads before it plans, and which of its items can go on with that.

import { isPlatformWalletId } from '../domain/chart.ts';
import { PaymentError } from '../domain/errors.ts';
import type { Pkid } from '../domain/id.ts';
import type { Order } from '../domain/order.ts';
import type { MovingTransfer } from '../domain/transfer.ts';
import type { Statements } from '../runtime/statements.ts';
import type { Item } from './item.ts';
import { readClockAndSubscriptions } from './outgoing.ts';
import { type Plan, refusal, type See } from './plan.ts';
import { lockOperations, readClock, readRows, readUnapplied } from './reads.ts';
import type { Reads, Seen } from './step.ts';
import { type Foreseen, type LockedWallets, lockWallets } from './wallets.ts';
import type { Tables } from './writes.ts';

/** What has been left out before, and so is waited for. */
export type IsPatient = (item: Item) => boolean;

export type Lanes = ReturnType<typeof lanesOf>;

export function lanesOf(items: readonly Item[]) {
  return {
    payin: items.filter((item) => item.lane === 'payin'),
    payout: items.filter((item) => item.lane === 'payout'),
    refund: items.filter((item) => item.lane === 'refund'),
    transfer: items.filter((item) => item.lane === 'transfer'),
    order: items.filter((item) => item.lane === 'order'),
    adjustment: items.filter((item) => item.lane === 'adjustment'),
    treasury: items.filter((item) => item.lane === 'treasury'),
  };
}

/**
 * Everything is locked in one order, in every process: operations, orders, wallets. Foreseen wallets are still held by
 * the commit before this one; what is read here is newer than what that one read, and no other commit may come between
 * them, or the comparison finds another number of the last entry.
 */
export async function lockAndRead(
  statements: Statements,
  options: {
    tables: Tables;
    lanes: Lanes;
    isPatient: IsPatient;
    /** Wallets of the commit before this one: it still holds them. */
    foreseen: Foreseen;
    inserting: readonly Promise<unknown>[];
  },
) {
  const { tables, lanes, isPatient, foreseen, inserting } = options;
  const acting = Object.values(lanes).flat();
  const [payins, payouts, refunds, transfers, orders, wallets, subscriptions, adjustments, treasuries, seen] =
    await Promise.all([
      lockOperations(statements, tables.payin, pkidsOf(lanes.payin)),
      lockOperations(statements, tables.payout, pkidsOf(lanes.payout)),
      lockOperations(statements, tables.refund, pkidsOf(lanes.refund)),
      lockOperations<MovingTransfer>(statements, tables.lockedTransfer, pkidsOf(lanes.transfer)),
      lockOperations(statements, tables.order, orderPkidsOf(lanes)),
      lockWallets(statements, walletsOf(acting, { isPatient, foreseen })),
      readClockAndSubscriptions(statements),
      // When the locks are held: two equal requests at once meet at the wallets, and the second sees the first.
      readRows(statements, tables.adjustment, pkidsOf(lanes.adjustment)),
      readRows(statements, tables.treasury, pkidsOf(lanes.treasury)),
      readSeen(statements, { tables, lanes }),
      ...inserting,
    ]);
  const { endpoints } = subscriptions;
  // Read when the last lock is held: a clock of before would put a later change before an earlier one.
  const now = wallets.isLate ? await readClock(statements) : subscriptions.now;
  return { payins, payouts, refunds, transfers, orders, wallets, now, endpoints, adjustments, treasuries, seen };
}

/** What goes on, what is left for the next commit because others hold its wallets, and what is refused. */
export function sorted(
  acting: readonly Item[],
  { balances, missing }: LockedWallets,
): { going: Item[]; leftOut: Item[]; refused: Plan[] } {
  const going: Item[] = [];
  const leftOut: Item[] = [];
  const refused: Plan[] = [];
  for (const item of acting) {
    const lacking = missing.size === 0 ? undefined : item.walletIds.find((walletId) => missing.has(walletId));
    if (lacking !== undefined) refused.push(refusal(item, noSuchWallet(lacking)));
    else if (item.walletIds.every((walletId) => balances.has(walletId))) going.push(item);
    else leftOut.push(item);
  }
  return { going, leftOut, refused };
}

function noSuchWallet(walletId: string): Error {
  const text = `No such wallet: ${walletId}. Create it before it is used.`;
  // A platform wallet is made before its first use; where one is lost, the database is not the one that we knew.
  if (isPlatformWalletId(walletId)) throw new Error(text);
  return new PaymentError('not-found', { detail: text });
}

/** What every commit of a kind wants, and what has been left out before, is waited for. */
function walletsOf(
  acting: readonly Item[],
  { isPatient, foreseen }: { isPatient: IsPatient; foreseen: Foreseen },
): { must: string[]; may: string[] } {
  const open = (item: Item) => item.walletIds.filter((walletId) => !foreseen.balances.has(walletId));
  const must = new Set(acting.flatMap((item) => (isPatient(item) ? open(item) : [])));
  const all = new Set(acting.flatMap(open));
  for (const walletId of all) if (isPlatformWalletId(walletId)) must.add(walletId);
  return { must: [...must], may: [...all].filter((walletId) => !must.has(walletId)) };
}

function orderPkidsOf(lanes: Lanes): Pkid[] {
  const companions = [...lanes.payin, ...lanes.refund, ...lanes.order].flatMap((item) => item.orderPkids);
  return [...new Set([...pkidsOf(lanes.order), ...companions])];
}

/** Reads what items asked to see besides their own rows. */
async function readSeen(statements: Statements, { tables, lanes }: { tables: Tables; lanes: Lanes }) {
  const wanted = [...lanes.payin, ...lanes.refund, ...lanes.order].map((item) => item.reads);
  const pkidsOfReads = (name: keyof Reads) => wanted.flatMap((reads) => reads[name] ?? []);
  const [refunds, disputes, unapplied] = await Promise.all([
    readRows(statements, tables.refund, pkidsOfReads('refund')),
    readRows(statements, tables.dispute, pkidsOfReads('dispute')),
    readUnapplied(statements, tables.unapplied, pkidsOfReads('unapplied')),
  ]);
  return { refunds, disputes, unapplied };
}

export function sight(
  orders: ReadonlyMap<Pkid, Order>,
  { refunds, disputes, unapplied }: Awaited<ReturnType<typeof readSeen>>,
): See {
  return ({ orderPkids, reads }): Seen => ({
    orders: orderPkids.flatMap((pkid) => orders.get(pkid) ?? []).toSorted((a, b) => (a.pkid < b.pkid ? -1 : 1)),
    refund: (reads.refund && refunds.get(reads.refund)) ?? null,
    dispute: (reads.dispute && disputes.get(reads.dispute)) ?? null,
    unapplied: (reads.unapplied && unapplied.get(reads.unapplied)) ?? null,
  });
}

function pkidsOf(items: readonly { readonly pkid: Pkid }[]): Pkid[] {
  return items.map((item) => item.pkid);
}
