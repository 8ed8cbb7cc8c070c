// A paid checkout and everything its orders move, driven through the rules and the ledger as the lives drive them.

import {
  costsWalletId,
  debtWalletId,
  feesWalletId,
  pendingWalletId,
  providerWalletId,
} from '../../src/domain/chart.ts';
import { type Kind, pkidOf, postingIdOf } from '../../src/domain/id.ts';
import { type Currency, parseCurrency } from '../../src/domain/money.ts';
import {
  type Applied,
  apply,
  type Balance,
  type Book,
  type Line,
  type Movement,
  type MovementResult,
  type PostingHead,
} from '../../src/domain/movements.ts';
import {
  deliverOrder,
  dropRefund,
  giveBackToOrder,
  type Order,
  type OrderChange,
  openRefund,
  payOrder,
  settleRefund,
  type Taken,
  takeFromOrder,
  walletsOfOrder,
} from '../../src/domain/order.ts';
import { type Payin, payinMovement } from '../../src/domain/payin.ts';
import { shareOut } from '../../src/domain/share.ts';
import { AT_REST, NOW } from './payment-rows.ts';

const PROVIDER = 'stripe';
export const BUYER = 'buyer';

export interface OrderFacts {
  readonly seller: string;
  readonly amountMinor: bigint;
  readonly feeMinor: bigint;
}

export interface OpenedRefund {
  readonly orderIndex: number;
  readonly amountMinor: bigint;
  readonly beforeDelivery: boolean;
  readonly to: 'payer' | 'wallet';
}

export interface OpenedDispute {
  readonly parts: readonly (Taken & { readonly orderIndex: number })[];
  readonly uncoveredMinor: bigint;
}

/** What one step did to the wallets, by their short names: "pending:ann", "ann", "debt:ann", "fees", "provider". */
export type Moved = Readonly<Record<string, bigint>>;

export function orderOf(facts: OrderFacts & { readonly currency: Currency; readonly index?: number }): Order {
  const { seller, amountMinor, feeMinor, currency, index = 0 } = facts;
  const orderId = `order-${index}`;
  return {
    pkid: pkidOf('order', orderId),
    orderId,
    checkoutId: 'checkout',
    sellerId: seller,
    walletId: seller,
    amountMinor,
    currency,
    feeMinor,
    payinPkid: null,
    paidAt: null,
    deliveredAt: null,
    refundedMinor: 0n,
    openBeforeMinor: 0n,
    openAfterMinor: 0n,
    takenBeforeMinor: 0n,
    takenAfterMinor: 0n,
    releasedMinor: 0n,
    feeGivenMinor: 0n,
    createdAt: NOW,
    updatedAt: NOW,
  };
}

export type Till = ReturnType<typeof openTill>;

export function openTill({ currency, orders: facts }: { currency: Currency; orders: readonly OrderFacts[] }) {
  const money = parseCurrency(currency);
  let orders = facts.map((one, index) => orderOf({ ...one, currency: money, index }));
  let book = bookOf(orders, money);
  const journal: Applied['entries'][number][] = [];
  let steps = 0;

  function move(movements: readonly Movement[]): MovementResult[] {
    const applied = apply(book, movements);
    book = { ...applied, debts: book.debts };
    journal.push(...applied.entries);
    return [...applied.results];
  }

  function post(event: string, { lines, repays }: { lines: readonly Line[]; repays?: string }): Moved {
    const before = journal.length;
    if (lines.length > 0) {
      steps += 1;
      const rest = repays === undefined ? {} : { repays };
      const [result] = move([{ type: 'post', posting: headOf(event, steps), currency: money, lines, ...rest }]);
      if (result?.type !== 'done') throw new Error(`${event} was refused: ${result?.code}`);
    }
    return movedBy(journal.slice(before), money);
  }

  function orderAt(index: number): Order {
    const order = orders[index];
    if (order === undefined) throw new Error(`There is no order ${index}.`);
    return order;
  }

  function take(index: number, change: OrderChange): OrderChange {
    orders = orders.with(index, change.order);
    return change;
  }

  return {
    orders: () => orders,
    order: orderAt,
    journal: () => journal,
    balances: (): Moved => balancesOf(book, money),
    debtOf: (seller: string): bigint => book.wallets.get(debtWalletId(seller, money))?.postedMinor ?? 0n,

    pay(): Moved {
      const totalMinor = orders.reduce((sum, order) => sum + order.amountMinor, 0n);
      const payin = payinOf(totalMinor, money);
      const movement = payinMovement(payin, orders);
      const before = journal.length;
      move([movement]);
      orders = orders.map((order) => payOrder(order, payin.pkid, NOW));
      return movedBy(journal.slice(before), money);
    },

    deliver(index: number): Moved {
      const { lines, order } = take(index, deliverOrder(orderAt(index), NOW));
      return post('order.delivered', { lines, repays: order.walletId });
    },

    openRefund(orderIndex: number, amountMinor: bigint, to: OpenedRefund['to'] = 'payer'): OpenedRefund {
      const { order, beforeDelivery } = openRefund(orderAt(orderIndex), amountMinor, NOW);
      orders = orders.with(orderIndex, order);
      return { orderIndex, amountMinor, beforeDelivery, to };
    },

    settleRefund({ orderIndex, to, ...refund }: OpenedRefund): Moved {
      const wallet = to === 'wallet' ? BUYER : providerWalletId(PROVIDER, money);
      return post(
        'refund.succeeded',
        take(orderIndex, settleRefund(orderAt(orderIndex), { ...refund, to: wallet }, NOW)),
      );
    },

    dropRefund({ orderIndex, ...refund }: OpenedRefund): Moved {
      const { lines, order } = take(orderIndex, dropRefund(orderAt(orderIndex), refund, NOW));
      return post('refund.failed', { lines, repays: order.walletId });
    },

    /** The provider takes so much of the whole checkout; what no order can give, we give. */
    dispute(amountMinor: bigint): { moved: Moved; dispute: OpenedDispute } {
      const { shares, restMinor } = shareOut(orders, amountMinor);
      const lines: Line[] = [];
      const parts = shares.map(({ order, amountMinor: shareMinor }) => {
        const orderIndex = orders.findIndex(({ pkid }) => pkid === order.pkid);
        const change = takeFromOrder(order, { amountMinor: shareMinor, provider: PROVIDER }, NOW);
        take(orderIndex, change);
        lines.push(...change.lines);
        return { ...change.taken, orderIndex };
      });
      lines.push(...ourOwn(restMinor, money));
      return { moved: post('dispute.opened', { lines }), dispute: { parts, uncoveredMinor: restMinor } };
    },

    win({ parts, uncoveredMinor }: OpenedDispute): Moved {
      const lines = ourOwn(-uncoveredMinor, money);
      for (const { orderIndex, ...taken } of parts) {
        const change = giveBackToOrder(orderAt(orderIndex), { ...taken, provider: PROVIDER }, NOW);
        lines.push(...take(orderIndex, change).lines);
      }
      const [first] = parts;
      const repays = first === undefined ? {} : { repays: orderAt(first.orderIndex).walletId };
      return post('dispute.won', { lines, ...repays });
    },

    /** A payout's hold, captured at once; whether the ledger let it. */
    payOut(seller: string, amountMinor: bigint): boolean {
      steps += 1;
      const { kind, pkid, semanticKey, ...head } = headOf('payout.succeeded', steps, 'payout');
      const subject = { kind, pkid, semanticKey };
      const [held] = move([
        { type: 'hold', holdId: pkid, walletId: seller, money: { amountMinor, currency: money }, subject },
        { type: 'capture', holdId: pkid, posting: { ...head, ...subject }, to: providerWalletId(PROVIDER, money) },
      ]);
      return held?.type === 'done';
    },

    /** Money from elsewhere, which repays no debt by itself. */
    fund: (walletId: string, amountMinor: bigint): Moved =>
      post('adjustment', {
        lines: [
          { walletId, amountMinor },
          { walletId: costsWalletId(PROVIDER, money), amountMinor: -amountMinor },
        ],
      }),
  };
}

/** A till with one order of Ann's, paid. */
export function paidTill([currency, amountMinor, feeMinor]: readonly [Currency, bigint, bigint]): Till {
  const till = openTill({ currency, orders: [{ seller: 'ann', amountMinor, feeMinor }] });
  till.pay();
  return till;
}

function ourOwn(restMinor: bigint, currency: Currency): Line[] {
  if (restMinor === 0n) return [];
  return [
    { walletId: costsWalletId(PROVIDER, currency), amountMinor: -restMinor },
    { walletId: providerWalletId(PROVIDER, currency), amountMinor: restMinor },
  ];
}

function headOf(event: string, number: number, kind: Kind = 'order'): PostingHead {
  const semanticKey = `step-${number}`;
  const pkid = pkidOf(kind, semanticKey);
  return { postingId: postingIdOf(pkid, 'settle'), event, kind, pkid, semanticKey, reverses: null };
}

function payinOf(amountMinor: bigint, currency: Currency): Payin {
  return {
    ...AT_REST,
    pkid: pkidOf('payin', 'payin'),
    semanticKey: 'payin',
    amountMinor,
    currency,
    origin: 'api',
    checkoutId: 'checkout',
    walletId: null,
    token: null,
    returnUrl: null,
    cancelUrl: null,
    statementDescriptor: null,
    buyer: null,
    nextAction: null,
  };
}

function bookOf(orders: readonly Order[], currency: Currency): Book {
  const people = [...new Set(orders.map((order) => order.walletId)), BUYER];
  const ids = new Set([
    ...orders.flatMap(walletsOfOrder),
    ...people,
    providerWalletId(PROVIDER, currency),
    costsWalletId(PROVIDER, currency),
  ]);
  const mayOwe = /^@(provider|debt|fees|costs):/;
  const wallets = [...ids].map((walletId): [string, Balance] => [
    walletId,
    { walletId, currency, postedMinor: 0n, heldMinor: 0n, seq: 0n, allowNegative: mayOwe.test(walletId) },
  ]);
  const debts = new Map(orders.map((order) => [order.walletId, debtWalletId(order.sellerId, currency)]));
  return { wallets: new Map(wallets), holds: new Map(), debts };
}

function movedBy(entries: Applied['entries'], currency: Currency): Moved {
  const sums = new Map<string, bigint>();
  for (const { walletId, amountMinor } of entries) {
    const name = shortName(walletId, currency);
    sums.set(name, (sums.get(name) ?? 0n) + amountMinor);
  }
  return Object.fromEntries([...sums].filter(([, sum]) => sum !== 0n));
}

function balancesOf(book: Book, currency: Currency): Moved {
  const balances = [...book.wallets.values()].filter(({ postedMinor }) => postedMinor !== 0n);
  return Object.fromEntries(balances.map(({ walletId, postedMinor }) => [shortName(walletId, currency), postedMinor]));
}

function shortName(walletId: string, currency: Currency): string {
  if (walletId === providerWalletId(PROVIDER, currency)) return 'provider';
  if (walletId === costsWalletId(PROVIDER, currency)) return 'costs';
  if (walletId === feesWalletId(currency)) return 'fees';
  return walletId.replace(/^@/, '').replace(`:${currency}`, '');
}

/** What is pending of one seller, by the chart's name. */
export function pendingName(seller: string, currency: Currency): string {
  return shortName(pendingWalletId(seller, currency), currency);
}
