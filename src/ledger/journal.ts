// The only writer of money. One transaction takes a whole batch: insert new rows, lock operations, lock wallets,
// let every step decide, apply the movements, write. About a dozen statements whatever the size of the batch.

import type { Logger } from 'pino';
import { isPlatformWalletId } from '../domain/chart.ts';
import type { Pkid } from '../domain/id.ts';
import { apply } from '../domain/movements.ts';
import type { Order } from '../domain/order.ts';
import type { Payin } from '../domain/payin.ts';
import type { Payout } from '../domain/payout.ts';
import type { Refund } from '../domain/refund.ts';
import type { MovingTransfer, Transfer } from '../domain/transfer.ts';
import type { Adjustment } from '../entities/adjustment.ts';
import type { Treasury } from '../entities/treasury.ts';
import type { LastStatements } from '../runtime/batch-pool.ts';
import type { Db } from '../runtime/db.ts';
import { type Statements, statementsOf } from '../runtime/statements.ts';
import { createDatabaseClock, type DatabaseClock } from './database-clock.ts';
import { createGroupCommit } from './group-commit.ts';
import { type Taken, takeIntakes } from './intake.ts';
import { type Item, stepItem } from './item.ts';
import { readClockAndSubscriptions } from './outgoing.ts';
import { type Concluded, type FinalOperation, planBookings, planOrders, planSteps, type See } from './plan.ts';
import { lockOperations, readClock, readHolds, readRows, readUnapplied } from './reads.ts';
import type { Booked, Booking, Intake, Reads, Seen, Step } from './step.ts';
import { createPlatformWallets, lockWallets, updateWallets } from './wallets.ts';
import { type Tables, tablesOf, writeAll } from './writes.ts';

export interface Journal {
  /** Inserts a new operation; `row` makes it from the database's time. A known key is compared, never overwritten. */
  insertPayin(pkid: Pkid, row: (now: Date) => Payin): Promise<Intake<Payin>>;
  insertPayout(pkid: Pkid, row: (now: Date) => Payout): Promise<Intake<Payout>>;
  insertTransfer(pkid: Pkid, row: (now: Date) => Transfer): Promise<Intake<Transfer>>;
  stepPayin<Result>(step: Step<Payin, Result>): Promise<Result>;
  stepPayout<Result>(step: Step<Payout, Result>): Promise<Result>;
  stepRefund<Result>(step: Step<Refund, Result>): Promise<Result>;
  stepOrder<Result>(step: Step<Order, Result>): Promise<Result>;
  stepTransfer<Result>(step: Step<MovingTransfer, Result>): Promise<Result>;
  bookAdjustment(booking: Booking<Adjustment>): Promise<Booked<Adjustment>>;
  bookTreasury(booking: Booking<Treasury>): Promise<Booked<Treasury>>;
  /** Called after the commit with every operation that became final. */
  onFinal(listener: (final: FinalOperation) => void): void;
  /** Called after the commit with the deliveries of outgoing events that it made. */
  onDeliveries(listener: (deliveryIds: readonly string[]) => void): void;
  drained(): Promise<void>;
}

export function createJournal(options: {
  db: Db;
  log: Logger;
  onBatch: (batch: { size: number; durationMs: number }) => void;
}): Journal {
  const { db, log, onBatch } = options;
  const tables = tablesOf(db);
  const reader = statementsOf(db.sql);
  const platformWallets = createPlatformWallets(db);
  const clock = createDatabaseClock();
  const finalListeners: ((final: FinalOperation) => void)[] = [];
  const deliveryListeners: ((deliveryIds: readonly string[]) => void)[] = [];

  async function commit(items: readonly Item[], isPatient: IsPatient): Promise<readonly Item[]> {
    const committed = await commitAll(items, isPatient).catch((error: unknown) => {
      // A restored database may lack platform wallets that we remember.
      platformWallets.forget();
      throw error;
    });
    for (const deliver of [...(await committed.taken.deliveries(reader)), ...committed.deliveries]) deliver();
    for (const final of committed.finals) for (const listener of finalListeners) tell(listener, final);
    const { deliveryIds } = committed;
    if (deliveryIds.length > 0) for (const listener of deliveryListeners) tell(listener, deliveryIds);
    return committed.leftOut;
  }

  async function commitAll(items: readonly Item[], isPatient: IsPatient): Promise<Committed> {
    await platformWallets.ensure(items.flatMap((item) => item.walletIds));
    const ownTimes = new Set<number>();
    return db.batch((statements) => commitBatch(statements, { tables, items, isPatient, ownTimes, clock }));
  }

  /** What is committed stays committed: a listener's own error may not make the batch run again. */
  function tell<Told>(listener: (told: Told) => void, told: Told): void {
    try {
      listener(told);
    } catch (error) {
      log.error({ err: error }, 'a listener of the journal failed');
    }
  }

  const group = createGroupCommit<Item>({ commit, onBatch, log });
  const submit = <Result>(item: (settle: PromiseWithResolvers<Result>) => Item): Promise<Result> => {
    const settle = Promise.withResolvers<Result>();
    group.submit(item(settle));
    return settle.promise;
  };
  const intake = { isIntake: true, walletIds: [], alsoLocks: [] };
  const booking = { isIntake: false, alsoLocks: [] };
  return {
    insertPayin: (pkid, row) => submit((settle) => ({ lane: 'new payin', pkid, row, ...intake, ...settle })),
    insertPayout: (pkid, row) => submit((settle) => ({ lane: 'new payout', pkid, row, ...intake, ...settle })),
    insertTransfer: (pkid, row) => submit((settle) => ({ lane: 'new transfer', pkid, row, ...intake, ...settle })),
    stepPayin: (step) => submit((settle) => ({ lane: 'payin', ...stepItem(step, settle) })),
    stepPayout: (step) => submit((settle) => ({ lane: 'payout', ...stepItem(step, settle) })),
    stepRefund: (step) => submit((settle) => ({ lane: 'refund', ...stepItem(step, settle) })),
    stepTransfer: (step) => submit((settle) => ({ lane: 'transfer', ...stepItem(step, settle) })),
    stepOrder: (step) => submit((settle) => ({ lane: 'order', ...stepItem(step, settle) })),
    bookAdjustment: (given) => submit((settle) => ({ lane: 'adjustment', ...booking, ...given, ...settle })),
    bookTreasury: (given) => submit((settle) => ({ lane: 'treasury', ...booking, ...given, ...settle })),
    onFinal: (listener) => void finalListeners.push(listener),
    onDeliveries: (listener) => void deliveryListeners.push(listener),
    drained: group.drained,
  };
}

interface Committed {
  readonly taken: Taken;
  readonly deliveries: readonly (() => void)[];
  readonly finals: readonly FinalOperation[];
  readonly deliveryIds: readonly string[];
  readonly leftOut: readonly Item[];
}

type IsPatient = (item: Item) => boolean;

interface BatchOptions {
  readonly tables: Tables;
  readonly items: readonly Item[];
  readonly isPatient: IsPatient;
  /** The times that earlier runs of this transaction gave to its new rows. */
  readonly ownTimes: Set<number>;
  readonly clock: DatabaseClock;
}

async function commitBatch(
  statements: Statements,
  { tables, items, isPatient, ownTimes, clock }: BatchOptions,
): Promise<LastStatements<Committed>> {
  // First of all, and before any lock: a new row may have to wait for another process that inserts the same.
  const taken = await take(statements, { tables, items, ownTimes, clock });
  const wanted = lanesOf(items);
  const acting = Object.values(wanted).flat();
  if (acting.length === 0)
    return { underway: taken.inserting, result: { taken, deliveries: [], finals: [], deliveryIds: [], leftOut: [] } };

  // Everything is locked in one order, in every process: operations, orders, wallets.
  const orderPkids = orderPkidsOf(wanted);
  const [payins, payouts, refunds, transfers, orders, wallets, read, adjustments, treasuries, seen] = await Promise.all(
    [
      lockOperations(statements, tables.payin, pkidsOf(wanted.payin)),
      lockOperations(statements, tables.payout, pkidsOf(wanted.payout)),
      lockOperations(statements, tables.refund, pkidsOf(wanted.refund)),
      lockOperations<MovingTransfer>(statements, tables.lockedTransfer, pkidsOf(wanted.transfer)),
      lockOperations(statements, tables.order, orderPkids),
      lockWallets(statements, walletsOf(acting, isPatient)),
      // Read when the last lock is held: a clock of before would put a later change before an earlier one.
      readClockAndSubscriptions(statements),
      // Likewise: two equal requests at once meet at the wallets, and the second sees the first.
      readRows(statements, tables.adjustment, pkidsOf(wanted.adjustment)),
      readRows(statements, tables.treasury, pkidsOf(wanted.treasury)),
      readSeen(statements, { tables, lanes: wanted }),
      ...taken.inserting,
    ],
  );
  const { balances, debts } = wallets;
  const { endpoints } = read;
  const now = wallets.isLate ? await readClock(statements) : read.now;
  clock.observe(now);
  const see = sight(orders, seen);
  const leftOut = new Set<Item>(acting.filter((item) => item.walletIds.some((walletId) => !balances.has(walletId))));
  const lanes = leftOut.size === 0 ? wanted : lanesOf(items.filter((item) => !leftOut.has(item)));

  const plans = [
    ...planSteps(lanes.payin, { table: 'payin', rows: payins, now, see }),
    ...planSteps(lanes.payout, { table: 'payout', rows: payouts, now, see }),
    ...planSteps(lanes.refund, { table: 'refund', rows: refunds, now, see }),
    ...planSteps(lanes.transfer, { table: 'transfer', rows: transfers, now, see }),
    ...planOrders(lanes.order, { orders, now, see }),
    ...planBookings(lanes.adjustment, { table: 'adjustment', booked: adjustments, now }),
    ...planBookings(lanes.treasury, { table: 'treasury', booked: treasuries, now }),
  ];
  const movements = plans.flatMap((plan) => plan.movements);
  const holds = await readHolds(statements, movements);
  const applied = apply({ wallets: balances, holds, debts }, movements);
  const concluded: Concluded[] = [];
  let next = 0;
  for (const plan of plans) {
    concluded.push(plan.conclude(applied.results.slice(next, next + plan.movements.length)));
    next += plan.movements.length;
  }
  const writes = concluded.map((one) => one.writes);
  const { underway, deliveryIds } = await writeAll(statements, { tables, applied, holds, writes, now, endpoints });
  return {
    underway: [...underway, updateWallets(statements, { before: balances, after: applied.wallets })],
    result: {
      taken,
      deliveries: concluded.map((one) => one.deliver),
      finals: concluded.flatMap((one) => one.finals),
      deliveryIds,
      leftOut: [...leftOut],
    },
  };
}

async function take(
  statements: Statements,
  { tables, items, ownTimes, clock }: Omit<BatchOptions, 'isPatient'>,
): Promise<Taken> {
  const payins = items.filter((item) => item.lane === 'new payin');
  const payouts = items.filter((item) => item.lane === 'new payout');
  const transfers = items.filter((item) => item.lane === 'new transfer');
  if (payins.length + payouts.length + transfers.length === 0) return NOTHING_TAKEN;
  // Mostly known, so that the rows leave with the BEGIN.
  const now = clock.estimate() ?? (await askClock(statements, clock));
  const earlier = new Set(ownTimes);
  ownTimes.add(now.getTime());
  return takeIntakes({ statements, tables, now, earlier }, { payins, payouts, transfers });
}

async function askClock(statements: Statements, clock: DatabaseClock): Promise<Date> {
  const now = await readClock(statements);
  clock.observe(now);
  return now;
}

const NOTHING_TAKEN: Taken = { inserting: [], deliveries: async () => [] };

/** What every commit of a kind wants, and what has been left out before, is waited for. */
function walletsOf(acting: readonly Item[], isPatient: IsPatient): { must: string[]; may: string[] } {
  const must = new Set(acting.flatMap((item) => (isPatient(item) ? item.walletIds : [])));
  const all = new Set(acting.flatMap((item) => item.walletIds));
  for (const walletId of all) if (isPlatformWalletId(walletId)) must.add(walletId);
  return { must: [...must], may: [...all].filter((walletId) => !must.has(walletId)) };
}

type Lanes = ReturnType<typeof lanesOf>;

function lanesOf(items: readonly Item[]) {
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

function sight(
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
