// A refund: request, which reserves it on its order -> claim -> the provider pays it back -> the order gives the money,
// or has it again. A refund into the buyer's wallet needs no provider and is done in one commit.

import { sql } from 'kysely';
import { costsWalletId, debtWalletId, providerWalletId, unappliedWalletId } from '../domain/chart.ts';
import { PaymentError } from '../domain/errors.ts';
import type { Pkid } from '../domain/id.ts';
import { type Money, sameMoney } from '../domain/money.ts';
import { dropRefund, type Order, type OrderChange, settleRefund, walletsOfOrder } from '../domain/order.ts';
import { moneyOf } from '../domain/payment.ts';
import type { Answer, CallLimits, Provider } from '../domain/provider.ts';
import type { Refund } from '../domain/refund.ts';
import type { Discrepancy } from '../entities/discrepancy.ts';
import { createRowLoader } from '../ledger/loader.ts';
import type { Db } from '../runtime/db.ts';
import type { LifeOptions } from './life.ts';
import { discrepancyOf } from './payment/records.ts';
import { type Companions, type Effects, eventOf, type Held, NO_EFFECTS, type PaymentRules } from './payment/rules.ts';
import { createPaymentLife } from './payment.ts';
import { createRefundAdoption, isOfItsPayment } from './refund-external.ts';
import { createRefundRequests, DECIDED_BY, postingFor } from './refund-request.ts';
import { keepUnapplied } from './unapplied-money.ts';

export type RefundLife = ReturnType<typeof createRefundLife>;

export function createRefundLife(options: LifeOptions) {
  const life = createPaymentLife(refundRules(options), options);
  return {
    ...life,
    ...createRefundRequests(options),
    adopt: createRefundAdoption(options),

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
  const payins = createRowLoader(db.sql, tables.payin);
  return {
    kind: 'refund',
    direction: 'out',
    rows: createRowLoader(db.sql, tables.refund),
    step: journal.stepRefund,
    accountOf: (provider) => provider.refund,
    movesAtSend: () => false,
    async send(provider, row, { key, limits }) {
      if (provider.refund === null)
        throw new PaymentError('internal', { detail: `${provider.name} gives no refunds.` });
      if (row.origin === 'external') throw new PaymentError('internal', { detail: 'It was made at the provider.' });
      const { pkid, semanticKey, payinExternId } = row;
      return provider.refund.send({ pkid, semanticKey, key, money: moneyOf(row), payinExternId }, limits);
    },
    findExternal: (provider, row, limits) =>
      row.origin === 'external' ? findExternal(provider, { row, limits, db }) : null,
    payinExternIdOf: ({ payinExternId }) => payinExternId,
    obstacleTo: async () => null,
    async companionsOf(row) {
      const platform = [providerWalletId(row.provider, row.currency), unappliedWalletId(row.currency)];
      const order = row.orderPkid === null ? null : await orders.load(row.orderPkid);
      const bearers = order === null && row.unappliedId === null ? await bearersOf(row) : NO_BEARERS;
      return {
        walletIds: [...platform, ...(order === null ? bearers.walletIds : walletsOfOrder(order))],
        orderPkids: order === null ? [] : [order.pkid],
        unappliedId: row.unappliedId,
        loadedId: bearers.loadedId,
        debtId: bearers.debtId,
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
        discrepancies: [discrepancyOf('refund', row, { reason, detail, now })],
        events: [eventOf('refund', 'refund.returned', row)],
      };
    },
    strayMoney: () => NO_EFFECTS,
  };

  /** Who gives back what is of no order: the wallet that the pay-in has loaded, or we. */
  async function bearersOf({ payinPkid, payinExternId, provider, currency }: Refund): Promise<Bearers> {
    const payin = await payins.load(payinPkid);
    const isLoaded = payin !== null && payin.walletId !== null && isOfItsPayment(payin, { payinExternId });
    const loaded = isLoaded && payin.walletId !== null ? await options.wallets.find(payin.walletId) : null;
    if (loaded === null) return { ...NO_BEARERS, walletIds: [costsWalletId(provider, currency)] };
    const debtId = debtWalletId(loaded.ownerId, currency);
    return { loadedId: loaded.walletId, debtId, walletIds: [loaded.walletId, debtId] };
  }
}

type Bearers = Pick<Companions, 'loadedId' | 'debtId' | 'walletIds'>;
const NO_BEARERS: Bearers = { loadedId: null, debtId: null, walletIds: [] };

/** One that somebody made at the provider carries no key of ours. It is never sent, so "not found" proves nothing. */
async function findExternal(
  provider: Provider,
  { row, limits, db }: { row: Refund; limits: CallLimits; db: Db },
): Promise<Answer> {
  const { externPaymentId } = row;
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
  // Of one that is split over several orders, each part is proved by all of them together.
  const isWhole = sameMoney(money, await partsTogether(row, db));
  return { type: 'succeeded', externId, money: isWhole ? moneyOf(row) : money, ...rest };
}

async function partsTogether({ provider, externPaymentId, currency }: Refund, { sql: client }: Db): Promise<Money> {
  const { rows } = await sql<{ amount: string | null }>`
    SELECT sum(amount)::text AS amount FROM refund
    WHERE extern_payment_id = ${externPaymentId} AND provider = ${provider} AND currency = ${currency}
      AND origin = 'external'`.execute(client);
  return { amountMinor: BigInt(rows[0]?.amount ?? '0'), currency };
}

function succeed({ row, seen, companions, now }: Held<Refund>): Effects {
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
  if (row.orderPkid === null) {
    const { loadedId, debtId } = companions;
    const from = loadedId ?? costsWalletId(row.provider, row.currency);
    const lines = [
      { walletId: from, amountMinor: -amountMinor, ...(debtId === null ? {} : { orFrom: debtId }) },
      { walletId: to, amountMinor },
    ];
    const discrepancies = loadedId === null ? [borneByUs(row, now)] : [];
    return { movements: [postingFor(row, { event: 'refund.succeeded', lines })], discrepancies, events };
  }
  const changed = settleRefund(orderIn(seen.orders), { amountMinor, beforeDelivery, to }, now);
  return { ...movedBy(row, 'refund.succeeded', changed), events };
}

/** What no order has left and no wallet was loaded with: a person decides who bears it in the end. */
function borneByUs(row: Refund, now: Date): Discrepancy {
  const detail =
    `It was made at ${row.provider}, and no order has that much left. It is booked as a cost of ours. Adjust the ` +
    'wallet of whoever is to bear it with POST /v1/adjustments, or leave it so, and close this.';
  return discrepancyOf('refund', row, { reason: 'external_refund', detail, now });
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
  if (row.orderPkid === null) return { movements: [], events };
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
