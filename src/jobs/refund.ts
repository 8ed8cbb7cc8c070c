// A refund: request, which reserves it on its order -> claim -> the provider pays it back -> the order gives the money,
// or has it again. A refund into the buyer's wallet needs no provider and is done in one commit.

import { providerWalletId, unappliedWalletId } from '../domain/chart.ts';
import { PaymentError } from '../domain/errors.ts';
import type { Pkid } from '../domain/id.ts';
import { dropRefund, type Order, type OrderChange, settleRefund, walletsOfOrder } from '../domain/order.ts';
import { moneyOf } from '../domain/payment.ts';
import type { Answer, CallLimits, Provider } from '../domain/provider.ts';
import type { Refund } from '../domain/refund.ts';
import { createRowLoader } from '../ledger/loader.ts';
import type { LifeOptions } from './life.ts';
import { createPaymentLife } from './payment.ts';
import { discrepancyOf } from './payment-records.ts';
import { type Effects, eventOf, type Held, NO_EFFECTS, type PaymentRules } from './payment-rules.ts';
import { createRefundRequests, DECIDED_BY, postingFor } from './refund-request.ts';
import { keepUnapplied } from './unapplied-money.ts';

export type RefundLife = ReturnType<typeof createRefundLife>;

export function createRefundLife(options: LifeOptions) {
  const life = createPaymentLife(refundRules(options), options);
  return {
    ...life,
    ...createRefundRequests(options),

    /** As every payment's; invalid-state also of a refund into a wallet, of which no provider knows. */
    async query(pkid: Pkid, actor: string): Promise<void> {
      if ((await life.find(pkid))?.destination !== 'wallet') return life.query(pkid, actor);
      const detail = "It went into the buyer's wallet here, so no provider knows of it. Read the wallet's entries.";
      throw new PaymentError('invalid-state', { detail });
    },
  };
}

function refundRules(options: LifeOptions): PaymentRules<Refund> {
  const { db, tables, journal } = options;
  const orders = createRowLoader(db.sql, tables.order);
  return {
    kind: 'refund',
    direction: 'out',
    rows: createRowLoader(db.sql, tables.refund),
    step: journal.stepRefund,
    accountOf: (provider) => provider.refund,
    async send(provider, row, { key, limits }) {
      if (provider.refund === null)
        throw new PaymentError('internal', { detail: `${provider.name} gives no refunds.` });
      if (row.origin === 'external') throw new PaymentError('internal', { detail: 'It was made at the provider.' });
      const { pkid, semanticKey, payinExternId } = row;
      return provider.refund.send({ pkid, semanticKey, key, money: moneyOf(row), payinExternId }, limits);
    },
    findExternal: (provider, row, limits) => (row.origin === 'external' ? findExternal(provider, row, limits) : null),
    payinExternIdOf: ({ payinExternId }) => payinExternId,
    obstacleTo: async () => null,
    async companionsOf(row) {
      const platform = [providerWalletId(row.provider, row.currency), unappliedWalletId(row.currency)];
      const order = row.orderPkid === null ? null : await orders.load(row.orderPkid);
      return {
        walletIds: order === null ? platform : [...platform, ...walletsOfOrder(order)],
        orderPkids: order === null ? [] : [order.pkid],
        unappliedId: row.unappliedId,
        debtId: null,
      };
    },
    claimMovements: () => [],
    learn: (row) => row,
    news: () => [],
    succeed,
    fail,
    takeBack({ row, now }, { amountMinor, totalMinor }) {
      const { externPaymentId, currency } = row;
      const reason = 'refund_returned';
      const externId = `${externPaymentId ?? row.pkid}:${totalMinor}`;
      const detail =
        "A refund came back after it had succeeded. The money is the buyer's: resolve it under /v1/unapplied.";
      const kept = keepUnapplied({ kind: 'refund', row, externId, money: { amountMinor, currency }, reason, now });
      return {
        ...kept,
        discrepancies: [discrepancyOf('refund', row, { reason, detail, success: null, now })],
        events: [eventOf('refund', 'refund.returned', row)],
      };
    },
    strayMoney: () => NO_EFFECTS,
  };
}

/** One that somebody made at the provider carries no key of ours. It is never sent, so "not found" proves nothing. */
async function findExternal(provider: Provider, { externPaymentId }: Refund, limits: CallLimits): Promise<Answer> {
  const view = externPaymentId === null ? null : await provider.findRefund?.(externPaymentId, limits);
  if (!view) {
    const surprise = { type: 'uncertain', reason: 'refund_not_shown', httpStatus: null, storedError: null } as const;
    throw new PaymentError('uncertain', { surprise });
  }
  const { externId, money, status } = view;
  if (status === 'pending') return { type: 'pending', externId, awaitsConfirm: false };
  if (status === 'failed') {
    const detail = `The refund failed at ${provider.name}.`;
    return { type: 'declined', code: 'declined', detail, externId, isOpen: false };
  }
  const rest = { beneficiary: null, reversedMinor: 0n, arrival: null, fee: null, otherExternIds: [] };
  return { type: 'succeeded', externId, money, ...rest };
}

function succeed({ row, seen, now }: Held<Refund>): Effects {
  const { amountMinor, beforeDelivery } = row;
  const events = [eventOf('refund', 'refund.succeeded', row)];
  const to = providerWalletId(row.provider, row.currency);
  if (row.unappliedId !== null) {
    const lines = [
      { walletId: unappliedWalletId(row.currency), amountMinor: -amountMinor },
      { walletId: to, amountMinor },
    ];
    const resolved =
      seen.unapplied === null ? [] : [{ ...seen.unapplied, resolvedAt: now, resolvedBy: decidedBy(row) }];
    return { movements: [postingFor(row, { event: 'refund.succeeded', lines })], unapplied: resolved, events };
  }
  const changed = settleRefund(orderIn(seen.orders), { amountMinor, beforeDelivery, to }, now);
  return { ...movedBy(row, 'refund.succeeded', changed), events };
}

/** The order has its money again; what was to be sent back of unapplied money waits for a person again. */
function fail({ row, seen, now }: Held<Refund>): Effects {
  const events = [eventOf('refund', 'refund.failed', row)];
  if (row.unappliedId !== null) {
    return {
      movements: [],
      unapplied: seen.unapplied === null ? [] : [{ ...seen.unapplied, ...undecided }],
      events,
    };
  }
  const { amountMinor, beforeDelivery } = row;
  const changed = dropRefund(orderIn(seen.orders), { amountMinor, beforeDelivery }, now);
  return { ...movedBy(row, 'refund.failed', changed), events };
}

/** Whoever decided to send it back has to decide again. */
const undecided = { refundPkid: null, resolvedReason: null };

function decidedBy({ metadata, semanticKey }: Refund): string {
  const actor = metadata[DECIDED_BY];
  return typeof actor === 'string' ? actor : semanticKey;
}

function movedBy(row: Refund, event: string, { order, lines }: OrderChange): Effects {
  const movements = lines.length === 0 ? [] : [postingFor(row, { event, lines, repays: order.walletId })];
  return { movements, orders: [order] };
}

function orderIn(orders: readonly Order[]): Order {
  const [order] = orders;
  if (order !== undefined) return order;
  throw new PaymentError('internal', { detail: 'The order of a refund is not there. Run the audit.' });
}
