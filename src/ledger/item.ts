// What waits in the group commit: steps, insertions and bookings with their callers, in one list.

import type { Pkid } from '../domain/id.ts';
import type { Payout } from '../domain/payout.ts';
import type { Transfer } from '../domain/transfer.ts';
import type { Adjustment } from '../entities/adjustment.ts';
import type { Treasury } from '../entities/treasury.ts';
import type { GroupItem } from './group-commit.ts';
import type { Booked, Booking, Decision, Intake, Step } from './step.ts';

export interface IntakeItem<Row> extends GroupItem {
  readonly pkid: Pkid;
  readonly row: (now: Date) => Row;
  readonly resolve: (intake: Intake<Row>) => void;
}

export interface StepItem<Row> extends GroupItem {
  readonly pkid: Pkid;
  /** The type of the step's result stays inside: `deliver` hands it to the caller after the commit. */
  readonly decide: (row: Row, now: Date) => Decision<Row, { readonly deliver: () => void }>;
}

export interface BookingItem<Row extends Adjustment | Treasury> extends GroupItem, Booking<Row> {
  readonly pkid: Pkid;
  readonly resolve: (booked: Booked<Row>) => void;
}

export type Item =
  | ({ readonly lane: 'new payout' } & IntakeItem<Payout>)
  | ({ readonly lane: 'new transfer' } & IntakeItem<Transfer>)
  | ({ readonly lane: 'payout' } & StepItem<Payout>)
  | ({ readonly lane: 'transfer' } & StepItem<Transfer>)
  | ({ readonly lane: 'adjustment' } & BookingItem<Adjustment>)
  | ({ readonly lane: 'treasury' } & BookingItem<Treasury>);

export function stepItem<Row, Result>(step: Step<Row, Result>, settle: PromiseWithResolvers<Result>): StepItem<Row> {
  return {
    pkid: step.pkid,
    isIntake: false,
    walletIds: step.walletIds,
    reject: settle.reject,
    decide(row, now) {
      const decision = step.decide(row, now);
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
