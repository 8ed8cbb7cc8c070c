// What waits in the group commit: steps, insertions and bookings with their callers, in one list.

import type { Pkid } from '../domain/id.ts';
import type { Order } from '../domain/order.ts';
import type { Payin } from '../domain/payin.ts';
import type { Payout } from '../domain/payout.ts';
import type { Refund } from '../domain/refund.ts';
import type { MovingTransfer, Transfer } from '../domain/transfer.ts';
import type { Adjustment } from '../entities/adjustment.ts';
import type { Treasury } from '../entities/treasury.ts';
import type { GroupItem } from './group-commit.ts';
import type { Booked, Booking, Decision, Intake, Reads, Seen, Step } from './step.ts';

export interface IntakeItem<Row> extends GroupItem {
  readonly pkid: Pkid;
  readonly row: (now: Date) => Row;
  readonly resolve: (intake: Intake<Row>) => void;
}

export interface StepItem<Row> extends GroupItem {
  readonly pkid: Pkid;
  readonly orderPkids: readonly Pkid[];
  readonly reads: Reads;
  /** The type of the step's result stays inside: `deliver` hands it to the caller after the commit. */
  readonly decide: (row: Row, now: Date, seen: Seen) => Decision<Row, { readonly deliver: () => void }>;
}

export interface BookingItem<Row extends Adjustment | Treasury> extends GroupItem, Booking<Row> {
  readonly pkid: Pkid;
  readonly resolve: (booked: Booked<Row>) => void;
}

/** Refunds are not among the new ones: they come into being in a step of their order. */
export type Item =
  | ({ readonly lane: 'new payin' } & IntakeItem<Payin>)
  | ({ readonly lane: 'new payout' } & IntakeItem<Payout>)
  | ({ readonly lane: 'new transfer' } & IntakeItem<Transfer>)
  | ({ readonly lane: 'payin' } & StepItem<Payin>)
  | ({ readonly lane: 'payout' } & StepItem<Payout>)
  | ({ readonly lane: 'refund' } & StepItem<Refund>)
  | ({ readonly lane: 'transfer' } & StepItem<MovingTransfer>)
  | ({ readonly lane: 'order' } & StepItem<Order>)
  | ({ readonly lane: 'adjustment' } & BookingItem<Adjustment>)
  | ({ readonly lane: 'treasury' } & BookingItem<Treasury>);

export function stepItem<Row, Result>(step: Step<Row, Result>, settle: PromiseWithResolvers<Result>): StepItem<Row> {
  const orderPkids = step.orderPkids ?? [];
  return {
    pkid: step.pkid,
    alsoLocks: orderPkids,
    orderPkids,
    reads: step.reads ?? {},
    isIntake: false,
    walletIds: step.walletIds,
    reject: settle.reject,
    decide(row, now, seen) {
      const decision = step.decide(row, now, seen);
      return {
        movements: decision.movements,
        conclude(results) {
          const conclusion = decision.conclude(results);
          return { ...conclusion, result: { deliver: () => settle.resolve(conclusion.result) } };
        },
      };
    },
  };
}
