// The only writer of money. One transaction takes a whole batch: insert new rows, lock operations, lock wallets,
// let every step decide, apply the movements, write. About a dozen statements whatever the size of the batch.

import type { Logger } from 'pino';
import type { Pkid } from '../domain/id.ts';
import { apply } from '../domain/movements.ts';
import type { Payout } from '../domain/payout.ts';
import type { Transfer } from '../domain/transfer.ts';
import type { Adjustment } from '../entities/adjustment.ts';
import type { Treasury } from '../entities/treasury.ts';
import type { Db, Tx } from '../runtime/db.ts';
import { createGroupCommit } from './group-commit.ts';
import { takeIntakes } from './intake.ts';
import { type Item, stepItem } from './item.ts';
import { type Concluded, type FinalOperation, planBookings, planSteps } from './plan.ts';
import { lockOperations, readClock, readHolds, readRows } from './reads.ts';
import type { Booked, Booking, Intake, Step } from './step.ts';
import { createPlatformWallets, lockWallets, updateWallets } from './wallets.ts';
import { type Tables, tablesOf, writeAll } from './writes.ts';

export interface Journal {
  /** Inserts a new operation; `row` makes it from the database's time. A known key is compared, never overwritten. */
  insertPayout(pkid: Pkid, row: (now: Date) => Payout): Promise<Intake<Payout>>;
  insertTransfer(pkid: Pkid, row: (now: Date) => Transfer): Promise<Intake<Transfer>>;
  stepPayout<Result>(step: Step<Payout, Result>): Promise<Result>;
  stepTransfer<Result>(step: Step<Transfer, Result>): Promise<Result>;
  bookAdjustment(booking: Booking<Adjustment>): Promise<Booked<Adjustment>>;
  bookTreasury(booking: Booking<Treasury>): Promise<Booked<Treasury>>;
  /** Called after the commit with every operation that became final. */
  onFinal(listener: (final: FinalOperation) => void): void;
  drained(): Promise<void>;
}

export function createJournal(options: {
  db: Db;
  log: Logger;
  onBatch: (batch: { size: number; durationMs: number }) => void;
}): Journal {
  const { db, log, onBatch } = options;
  const tables = tablesOf(db);
  const platformWallets = createPlatformWallets(db);
  const listeners: ((final: FinalOperation) => void)[] = [];

  async function commit(items: readonly Item[]): Promise<void> {
    const committed = await commitAll(items).catch((error: unknown) => {
      // A restored database may lack platform wallets that we remember.
      platformWallets.forget();
      throw error;
    });
    for (const deliver of committed.deliveries) deliver();
    for (const final of committed.finals) for (const listener of listeners) tell(listener, final);
  }

  async function commitAll(items: readonly Item[]): Promise<Committed> {
    await platformWallets.ensure(items.flatMap((item) => item.walletIds));
    const ownTimes = new Set<number>();
    return db.transaction((tx) => commitBatch(tx, { tables, items, ownTimes }));
  }

  /** What is committed stays committed: a listener's own error may not make the batch run again. */
  function tell(listener: (final: FinalOperation) => void, final: FinalOperation): void {
    try {
      listener(final);
    } catch (error) {
      log.error({ err: error, pkid: final.pkid }, 'a listener failed');
    }
  }

  const group = createGroupCommit<Item>({ commit, onBatch, log });
  const submit = <Result>(item: (settle: PromiseWithResolvers<Result>) => Item): Promise<Result> => {
    const settle = Promise.withResolvers<Result>();
    group.submit(item(settle));
    return settle.promise;
  };
  const intake = { isIntake: true, walletIds: [] };
  return {
    insertPayout: (pkid, row) => submit((settle) => ({ lane: 'new payout', pkid, row, ...intake, ...settle })),
    insertTransfer: (pkid, row) => submit((settle) => ({ lane: 'new transfer', pkid, row, ...intake, ...settle })),
    stepPayout: (step) => submit((settle) => ({ lane: 'payout', ...stepItem(step, settle) })),
    stepTransfer: (step) => submit((settle) => ({ lane: 'transfer', ...stepItem(step, settle) })),
    bookAdjustment: (booking) => submit((settle) => ({ lane: 'adjustment', isIntake: false, ...booking, ...settle })),
    bookTreasury: (booking) => submit((settle) => ({ lane: 'treasury', isIntake: false, ...booking, ...settle })),
    onFinal: (listener) => void listeners.push(listener),
    drained: group.drained,
  };
}

interface Committed {
  readonly deliveries: readonly (() => void)[];
  readonly finals: readonly FinalOperation[];
}

async function commitBatch(
  tx: Tx,
  { tables, items, ownTimes }: { tables: Tables; items: readonly Item[]; ownTimes: Set<number> },
): Promise<Committed> {
  const taken = await takeIntakes(tx, {
    tables,
    payouts: items.filter((item) => item.lane === 'new payout'),
    transfers: items.filter((item) => item.lane === 'new transfer'),
    ownTimes,
  });
  const payoutItems = items.filter((item) => item.lane === 'payout');
  const transferItems = items.filter((item) => item.lane === 'transfer');
  const adjustmentItems = items.filter((item) => item.lane === 'adjustment');
  const treasuryItems = items.filter((item) => item.lane === 'treasury');
  const acting = [...payoutItems, ...transferItems, ...adjustmentItems, ...treasuryItems];
  if (acting.length === 0) return { deliveries: taken, finals: [] };

  const payouts = await lockOperations(tx, tables.payout, payoutItems);
  const transfers = await lockOperations(tx, tables.transfer, transferItems);
  const { balances, now: lockedAt } = await lockWallets(tx, [...new Set(acting.flatMap((item) => item.walletIds))]);
  const now = lockedAt ?? (await readClock(tx));
  // Read only now, under the wallets' locks: two equal requests at once meet here, and the second sees the first.
  const adjustments = await readRows(tx, tables.adjustment, pkidsOf(adjustmentItems));
  const treasuries = await readRows(tx, tables.treasury, pkidsOf(treasuryItems));

  const plans = [
    ...planSteps(payoutItems, { table: 'payout', rows: payouts, now }),
    ...planSteps(transferItems, { table: 'transfer', rows: transfers, now }),
    ...planBookings(adjustmentItems, { table: 'adjustment', booked: adjustments, now }),
    ...planBookings(treasuryItems, { table: 'treasury', booked: treasuries, now }),
  ];
  const movements = plans.flatMap((plan) => plan.movements);
  const applied = apply({ wallets: balances, holds: await readHolds(tx, movements) }, movements);
  const concluded: Concluded[] = [];
  let next = 0;
  for (const plan of plans) {
    concluded.push(plan.conclude(applied.results.slice(next, next + plan.movements.length)));
    next += plan.movements.length;
  }
  await writeAll(tx, { tables, applied, writes: concluded.map((one) => one.writes), now });
  await updateWallets(tx, { before: balances, after: applied.wallets });
  return {
    deliveries: [...taken, ...concluded.map((one) => one.deliver)],
    finals: concluded.flatMap((one) => one.final ?? []),
  };
}

function pkidsOf(items: readonly { readonly pkid: Pkid }[]): Pkid[] {
  return items.map((item) => item.pkid);
}
