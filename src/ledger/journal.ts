// The only writer of money. One transaction takes a whole batch: insert new rows, lock operations, lock wallets,
// let every step decide, apply the movements, write. About a dozen statements whatever the size of the batch. One that
// follows another takes the wallets that this holds as it will leave them, and locks and compares them at its end.

import type { Logger } from 'pino';
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
import { createGroupCommit, type Turn } from './group-commit.ts';
import { type Taken, takeIntakes } from './intake.ts';
import { type Item, stepItem } from './item.ts';
import { type IsPatient, lanesOf, lockAndRead, sight, sorted } from './locks.ts';
import { afterwards, endOfCommit, foreseenOf, joined, NOTHING_FORESEEN, type Outlook } from './outlook.ts';
import { concludeAll, type FinalOperation, planBookings, planOrders, planSteps } from './plan.ts';
import { readClock, readHolds } from './reads.ts';
import type { Booked, Booking, Intake, Step } from './step.ts';
import { createPlatformWallets, type Foreseen, lockAsForeseen } from './wallets.ts';
import { type Tables, tablesOf, writeAll, writeBalances } from './writes.ts';

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

  async function commit(items: readonly Item[], turn: Turn<Item, Outlook>): Promise<readonly Item[]> {
    const committed = await commitAll(items, turn).catch((error: unknown) => {
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

  async function commitAll(items: readonly Item[], turn: Turn<Item, Outlook>): Promise<Committed> {
    await platformWallets.ensure(items.flatMap((item) => item.walletIds));
    const ownTimes = new Set<number>();
    const { isPatient, behind } = turn;
    let end = endOfCommit();
    const foresee = (foreseen: Foreseen) => turn.foresee({ ...foreseen, ended: end.ended });
    const options = { tables, items, isPatient, behind, foresee, ownTimes, clock };
    const committed = await db.batch((statements) => commitBatch(statements, options), {
      // Whoever was planned on it has failed with it, also where it is tried again.
      onFailed() {
        turn.foresee(null);
        end.say(false);
        end = endOfCommit();
      },
    });
    end.say(true);
    return committed;
  }

  /** What is committed stays committed: a listener's own error may not make the batch run again. */
  function tell<Told>(listener: (told: Told) => void, told: Told): void {
    try {
      listener(told);
    } catch (error) {
      log.error({ err: error }, 'a listener of the journal failed');
    }
  }

  const group = createGroupCommit<Item, Outlook>({ commit, onBatch, log });
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

interface BatchOptions {
  readonly tables: Tables;
  readonly items: readonly Item[];
  readonly isPatient: IsPatient;
  readonly behind: Outlook | null;
  readonly foresee: (foreseen: Foreseen) => void;
  /** The times that earlier runs of this transaction gave to its new rows. */
  readonly ownTimes: Set<number>;
  readonly clock: DatabaseClock;
}

async function commitBatch(
  statements: Statements,
  { tables, items, isPatient, behind, foresee, ownTimes, clock }: BatchOptions,
): Promise<LastStatements<Committed>> {
  // First of all, and before any lock: a new row may have to wait for another process that inserts the same.
  const taken = await take(statements, { tables, items, ownTimes, clock });
  const wanted = lanesOf(items);
  const acting = Object.values(wanted).flat();
  if (acting.length === 0)
    return { underway: taken.inserting, result: { taken, deliveries: [], finals: [], deliveryIds: [], leftOut: [] } };

  const foreseen = behind === null ? NOTHING_FORESEEN : foreseenOf(acting, behind);
  const { inserting } = taken;
  const read = await lockAndRead(statements, { tables, lanes: wanted, isPatient, foreseen, inserting });
  const { now } = read;
  const wallets = behind === null ? read.wallets : joined(read.wallets, foreseen);
  clock.observe(now);
  const see = sight(read.orders, read.seen);
  const { going, leftOut, refused } = sorted(acting, wallets);
  const lanes = going.length === acting.length ? wanted : lanesOf(going);
  const plans = [
    ...refused,
    ...planSteps(lanes.payin, { table: 'payin', rows: read.payins, now, see }),
    ...planSteps(lanes.payout, { table: 'payout', rows: read.payouts, now, see }),
    ...planSteps(lanes.refund, { table: 'refund', rows: read.refunds, now, see }),
    ...planSteps(lanes.transfer, { table: 'transfer', rows: read.transfers, now, see }),
    ...planOrders(lanes.order, { orders: read.orders, now, see }),
    ...planBookings(lanes.adjustment, { table: 'adjustment', booked: read.adjustments, now }),
    ...planBookings(lanes.treasury, { table: 'treasury', booked: read.treasuries, now }),
  ];
  const movements = plans.flatMap((plan) => plan.movements);
  const holds = await readHolds(statements, movements);
  const applied = apply({ wallets: wallets.balances, holds, debts: wallets.debts }, movements);
  const concluded = concludeAll(plans, applied.results);
  foresee({ balances: applied.wallets, debts: wallets.debts });
  const writes = concluded.map((one) => one.writes);
  const { underway, deliveryIds } = await writeAll(statements, {
    tables,
    applied,
    holds,
    writes,
    now,
    endpoints: read.endpoints,
  });
  if (behind !== null) await afterwards(behind, underway);
  const comparing = lockAsForeseen(statements, foreseen);
  return {
    underway: [
      ...underway,
      comparing,
      ...writeBalances(statements, { tables, applied, before: wallets.balances, now }),
    ],
    result: {
      taken,
      deliveries: concluded.map((one) => one.deliver),
      finals: concluded.flatMap((one) => one.finals),
      deliveryIds,
      leftOut,
    },
  };
}

async function take(
  statements: Statements,
  { tables, items, ownTimes, clock }: Pick<BatchOptions, 'tables' | 'items' | 'ownTimes' | 'clock'>,
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
