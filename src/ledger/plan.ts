// Between the locks and the writes: each item of a batch decides on its locked row, and after the ledger's answer
// says what is written. An item that refuses itself is answered alone and leaves the others undisturbed.

import { PaymentError } from '../domain/errors.ts';
import type { OperationKind, Pkid } from '../domain/id.ts';
import type { Movement, MovementResult } from '../domain/movements.ts';
import type { Order } from '../domain/order.ts';
import { type FailureCode, isFinal, move, type Status } from '../domain/state-machine.ts';
import type { StatusChange } from '../entities/status-change.ts';
import type { GroupItem } from './group-commit.ts';
import type { BookingItem, StepItem } from './item.ts';
import type { Conclusion, NewRefund, Seen } from './step.ts';
import { NO_WRITES, type RowsByTable, type Writes } from './writes.ts';

export interface Plan {
  readonly movements: readonly Movement[];
  conclude(results: readonly MovementResult[]): Concluded;
}

export interface Concluded {
  readonly writes: Writes;
  readonly deliver: () => void;
  readonly finals: readonly FinalOperation[];
}

export interface FinalOperation {
  readonly kind: OperationKind;
  readonly pkid: Pkid;
  readonly status: Status;
  /** From here the caller's wait began. */
  readonly acceptedAt: Date;
  readonly finalAt: Date;
  readonly failureCode: FailureCode | null;
  readonly failureDetail: string | null;
}

interface OperationRow {
  readonly pkid: Pkid;
  readonly status: Status;
  readonly createdAt: Date;
  readonly confirmedAt?: Date | null;
  readonly attempt?: number;
  readonly failureCode?: FailureCode | null;
  readonly failureDetail?: string | null;
}

export function planSteps<Name extends OperationKind>(
  items: readonly StepItem<RowsByTable[Name]>[],
  { table, rows, now, see }: { table: Name; rows: ReadonlyMap<Pkid, RowsByTable[Name]>; now: Date; see: See },
): Plan[] {
  const plans: Plan[] = [];
  for (const item of items) {
    const row = rows.get(item.pkid);
    try {
      if (row === undefined) throw new PaymentError('not-found', { detail: `There is no such ${table}.` });
      const { movements, conclude } = item.decide(row, now, see(item));
      plans.push({
        movements,
        conclude: (results) => concludeStep({ table, row, now, conclusion: conclude(results) }),
      });
    } catch (error) {
      plans.push(refusal(item, error));
    }
  }
  return plans;
}

/** Told with all the others, after the commit: the batch may be run again, and then this item may decide otherwise. */
export function refusal(item: Pick<GroupItem, 'reject'>, error: unknown): Plan {
  return { movements: [], conclude: () => ({ writes: NO_WRITES, deliver: () => item.reject(error), finals: NONE }) };
}

/** In the order of the movements, which is that of the plans. */
export function concludeAll(plans: readonly Plan[], results: readonly MovementResult[]): Concluded[] {
  let next = 0;
  return plans.map(({ movements, conclude }) => {
    const own = results.slice(next, next + movements.length);
    next += movements.length;
    return conclude(own);
  });
}

/** Steps on an order, which has no states of its own: what changes is told with the orders. */
export function planOrders(
  items: readonly StepItem<Order>[],
  { orders, now, see }: { orders: ReadonlyMap<Pkid, Order>; now: Date; see: See },
): Plan[] {
  return items.flatMap((item) => {
    const order = orders.get(item.pkid);
    try {
      if (order === undefined) throw new PaymentError('not-found', { detail: 'There is no such order.' });
      const decision = item.decide(order, now, see(item));
      return [
        {
          movements: decision.movements,
          conclude(results) {
            const conclusion = decision.conclude(results);
            const writes = writesOf(conclusion, {
              rows: {},
              statusChanges: changesOfNew(conclusion.newRefunds, now),
            });
            const finals = finalsOfNew(conclusion.newRefunds, now);
            return { writes, deliver: conclusion.result.deliver, finals };
          },
        },
      ];
    } catch (error) {
      return [refusal(item, error)];
    }
  });
}

/** What an item sees besides its own row. */
export type See = (item: Pick<StepItem<never>, 'orderPkids' | 'reads'>) => Seen;

function changesOfNew(created: readonly NewRefund[] = [], now: Date): StatusChange[] {
  return created.flatMap(({ row, path }) =>
    path.map((to, index) => {
      const from = path[index - 1] ?? null;
      return statusChangeOf({ row, table: 'refund', from, to, cause: from === null ? 'requested' : 'settled', now });
    }),
  );
}

function finalsOfNew(created: readonly NewRefund[] = [], now: Date): FinalOperation[] {
  return created.filter(({ row }) => isFinal(row.status)).map(({ row }) => finalOperation('refund', row, now));
}

/** Most items write little, and there are many of them: what is not written is one empty list for all. */
function writesOf<Row>(
  conclusion: Conclusion<Row, unknown>,
  { rows, statusChanges }: Pick<Writes, 'rows' | 'statusChanges'>,
): Writes {
  const { orders, newRefunds, dispute, unapplied, intents, answers, discrepancies, reviewActions, events } = conclusion;
  return {
    rows,
    statusChanges,
    orders: orders ?? NONE,
    newRefunds: newRefunds?.map(({ row }) => row) ?? NONE,
    disputes: dispute === undefined ? NONE : [dispute],
    unapplied: unapplied ?? NONE,
    intents: intents ?? NONE,
    answers: answers ?? NONE,
    discrepancies: discrepancies ?? NONE,
    reviewActions: reviewActions ?? NONE,
    events: events ?? NONE,
  };
}

const NONE: readonly never[] = [];

function concludeStep<Name extends OperationKind>(step: {
  table: Name;
  row: RowsByTable[Name];
  now: Date;
  conclusion: Conclusion<RowsByTable[Name], { readonly deliver: () => void }>;
}): Concluded {
  const { table, row, now, conclusion } = step;
  const { next, newRefunds } = conclusion;
  const changes = statusChangesOf({ table, before: row, after: next ?? row, now, conclusion });
  const finals = finalOf(table, row, next, now);
  return {
    writes: writesOf(conclusion, {
      rows: next === null ? {} : { [table]: next },
      statusChanges: newRefunds === undefined ? changes : [...changes, ...changesOfNew(newRefunds, now)],
    }),
    deliver: conclusion.result.deliver,
    finals: newRefunds === undefined ? finals : [...finals, ...finalsOfNew(newRefunds, now)],
  };
}

function finalOf(
  kind: OperationKind,
  before: OperationRow,
  after: OperationRow | null,
  now: Date,
): readonly FinalOperation[] {
  if (after === null || isFinal(before.status) || !isFinal(after.status)) return NONE;
  return [finalOperation(kind, after, now)];
}

function finalOperation(kind: OperationKind, row: OperationRow, finalAt: Date): FinalOperation {
  const { pkid, status, failureCode = null, failureDetail = null } = row;
  return { kind, pkid, status, acceptedAt: row.confirmedAt ?? row.createdAt, finalAt, failureCode, failureDetail };
}

/**
 * One status change for each status that was passed; `move` refuses what the table of moves does not allow. A transfer
 * passes in_process inside the commit that ends it, and its posting, which stays for ever, is the evidence of both
 * moves. Only one that failed has no posting: its last move is written, and tells of the one before.
 */
function statusChangesOf(step: {
  table: OperationKind;
  before: OperationRow;
  after: OperationRow;
  now: Date;
  conclusion: { readonly path: readonly Status[]; readonly cause: string | null };
}): readonly StatusChange[] {
  const { table, before, after, now, conclusion } = step;
  const end = conclusion.path.at(-1) ?? before.status;
  if (end !== after.status) throw new PaymentError('internal', { detail: `A ${table} ends as ${end}, not as told.` });
  let from = before.status;
  const changes = conclusion.path.map((status) => {
    const to = move(from, status);
    const change = statusChangeOf({ row: after, table, from, to, cause: conclusion.cause, now });
    from = to;
    return change;
  });
  if (table !== 'transfer') return changes;
  return after.status === 'failed' ? changes.slice(-1) : NONE;
}

/** The place in the chain follows from where it starts, so a second change of the same step meets the primary key. */
const NUMBER_AFTER = { initialized: 2, in_process: 3, succeeded: 4, failed: 4 } as const satisfies Record<
  Status,
  number
>;

export function statusChangeOf(change: {
  row: OperationRow;
  table: OperationKind;
  from: Status | null;
  to: Status;
  cause: string | null;
  now: Date;
}): StatusChange {
  const { row, table, from, to, cause, now } = change;
  return {
    pkid: row.pkid,
    number: from === null ? 1 : NUMBER_AFTER[from],
    operationKind: table,
    fromStatus: from,
    toStatus: to,
    attempt: row.attempt ?? 0,
    cause,
    createdAt: now,
  };
}

export function planBookings<Name extends 'adjustment' | 'treasury'>(
  items: readonly BookingItem<RowsByTable[Name]>[],
  { table, booked, now }: { table: Name; booked: ReadonlyMap<Pkid, RowsByTable[Name]>; now: Date },
): Plan[] {
  return items.map((item) => {
    const row = item.row(now);
    const existing = booked.get(item.pkid);
    if (existing !== undefined) {
      const type = existing.fingerprint.equals(row.fingerprint) ? 'replayed' : 'key_reused';
      return {
        movements: [],
        conclude: () => ({ writes: NO_WRITES, deliver: () => item.resolve({ type, row: existing }), finals: [] }),
      };
    }
    return {
      movements: [item.movement],
      conclude([result]) {
        if (result?.type !== 'done') {
          const code = result?.code ?? 'unbalanced';
          return { writes: NO_WRITES, deliver: () => item.resolve({ type: 'refused', code }), finals: [] };
        }
        const writes = { ...NO_WRITES, rows: { [table]: row } };
        return { writes, deliver: () => item.resolve({ type: 'created', row }), finals: [] };
      },
    };
  });
}
