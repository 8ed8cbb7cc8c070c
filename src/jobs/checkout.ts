// The life of a checkout: made with its orders, paid by one pay-in, and when it is cancelled, compensated.

import { sql } from 'kysely';
import { PaymentError } from '../domain/errors.ts';
import { fingerprintOf } from '../domain/fingerprint.ts';
import { pkidOf } from '../domain/id.ts';
import type { Currency } from '../domain/money.ts';
import type { Order } from '../domain/order.ts';
import type { Payin } from '../domain/payin.ts';
import type { ProviderName } from '../domain/provider.ts';
import type { Checkout } from '../entities/checkout.ts';
import { readClock } from '../ledger/reads.ts';
import type { Intake } from '../ledger/step.ts';
import { parseRow, tableOf } from '../ledger/table.ts';
import { insertNew } from '../ledger/table-writes.ts';
import type { Tx } from '../runtime/db.ts';
import { statementsOf } from '../runtime/statements.ts';
import { createCompensation } from './checkout-compensation.ts';
import type { LifeOptions } from './life.ts';
import { readOrders } from './order-rows.ts';
import { type PayinLife, type PayinRequest, refuseUnable } from './payin.ts';
import { providerOf } from './provider-of.ts';
import type { RefundLife } from './refund.ts';
import { sellersWallet } from './wallet.ts';

export interface OrderRequest {
  readonly orderId: string;
  readonly sellerId: string;
  readonly amountMinor: bigint;
  readonly feeMinor: bigint;
}

export interface CheckoutRequest {
  readonly checkoutId: string;
  readonly buyerId: string;
  readonly currency: Currency;
  readonly provider: ProviderName;
  readonly token: string | null;
  readonly orders: readonly OrderRequest[];
  readonly metadata: Record<string, unknown>;
}

/** A pay-in's request without what its checkout says. */
export type PayRequest = Omit<
  PayinRequest,
  'checkoutId' | 'walletId' | 'amountMinor' | 'currency' | 'provider' | 'token'
> & {
  /** Null: as the checkout says. */
  readonly paymentInfo: { readonly provider: ProviderName; readonly token: string | null } | null;
};

export type CheckoutLife = ReturnType<typeof createCheckoutLife>;

export function createCheckoutLife(
  options: LifeOptions & { readonly payins: PayinLife; readonly refunds: RefundLife },
) {
  const { db, tables, payins, at } = options;
  const table = tableOf<Checkout>(db, 'Checkout');

  async function find(checkoutId: string): Promise<Checkout | null> {
    const { rows } = await sql<Record<string, unknown>>`
      SELECT * FROM checkout WHERE checkout_id = ${checkoutId}`.execute(db.sql);
    const [raw] = rows;
    return raw === undefined ? null : parseRow(table, raw);
  }

  async function known(checkoutId: string): Promise<Checkout> {
    const checkout = await find(checkoutId);
    if (checkout !== null) return checkout;
    throw new PaymentError('not-found', { detail: `There is no checkout "${checkoutId}". Create it first.` });
  }

  /** The one that did not fail comes first. */
  async function payinsOf(checkoutId: string): Promise<Payin[]> {
    const { rows } = await sql<Record<string, unknown>>`
      SELECT * FROM payin WHERE checkout_id = ${checkoutId}
      ORDER BY status = 'failed', created_at DESC, pkid DESC`.execute(db.sql);
    return rows.map((raw) => parseRow(tables.payin, raw));
  }

  const compensate = createCompensation(options, payinsOf);

  return {
    find,
    payinsOf,
    ordersOf: (checkoutId: string): Promise<Order[]> => readOrders(db.sql, tables.order, checkoutId),

    /** Makes the checkout with its orders, or compares with the one of this id. Throws not-found, provider-not-able. */
    async request(request: CheckoutRequest): Promise<Intake<Checkout>> {
      const totalMinor = request.orders.reduce((sum, order) => sum + order.amountMinor, 0n);
      const { provider, currency } = request;
      refuseUnable({ provider, amountMinor: totalMinor, currency }, options.providers);
      refuseUnrefundable(request.orders, { provider, currency }, options.providers);
      const walletIds = await Promise.all(request.orders.map((one) => sellersWallet(db, one.sellerId, currency)));
      return db.transaction(async (tx) => {
        const now = await readClock(statementsOf(tx));
        const row = newCheckout(request, { totalMinor, now });
        const inserted = await insertNew(statementsOf(tx), table, [row]);
        if (inserted.size === 0) return compareWith(tx, row);
        const orders = request.orders.map((order, index) =>
          newOrder({ request, order, walletId: walletIds[index] ?? '', now }),
        );
        // Waits for whoever makes an order of the same id at this moment, so that exactly one of the two has it.
        const made = await insertNew(statementsOf(tx), tables.order, orders);
        if (made.size < orders.length) throw await takenBy(tx, { orders, checkoutId: row.checkoutId });
        return { type: 'created', row };
      });
    },

    /** Pays it as a whole. `taken` when another pay-in of it did not fail. Throws not-found, invalid-state. */
    async pay(checkoutId: string, request: PayRequest): Promise<Intake<Payin>> {
      const checkout = await known(checkoutId);
      const { paymentInfo, ...fields } = request;
      const { provider, token } = paymentInfo ?? checkout.paymentInfo;
      const money = { amountMinor: checkout.totalMinor, currency: checkout.currency };
      const asked = { ...fields, ...money, provider, token, checkoutId, walletId: null };
      if (provider !== checkout.paymentInfo.provider) {
        const orders = await readOrders(db.sql, tables.order, checkoutId);
        refuseUnrefundable(orders, { provider, currency: checkout.currency }, options.providers);
      }
      if (checkout.canceledAt !== null && (await payins.find(pkidOf('payin', request.semanticKey))) === null) {
        throw new PaymentError('invalid-state', { detail: 'The checkout is cancelled. Make a new one.' });
      }
      return payins.request(asked);
    },

    /** What is not delivered goes back; twice is no change. Throws not-found, and invalid-state when it is closed. */
    async cancel(checkoutId: string): Promise<Checkout> {
      await known(checkoutId);
      const orders = await readOrders(db.sql, tables.order, checkoutId);
      if (orders.every((order) => order.deliveredAt !== null)) {
        const detail = 'Every order of it is delivered. Refund the orders instead.';
        throw new PaymentError('invalid-state', { detail });
      }
      if (at) await at('checkout: before cancel commit', checkoutId);
      await sql`
        UPDATE checkout SET canceled_at = date_trunc('milliseconds', clock_timestamp()), due_at = clock_timestamp()
        WHERE checkout_id = ${checkoutId} AND canceled_at IS NULL`.execute(db.sql);
      if (at) await at('checkout: after cancel commit', checkoutId);
      await compensate(checkoutId);
      return known(checkoutId);
    },

    compensate,
  };

  async function compareWith(tx: Tx, row: Checkout): Promise<Intake<Checkout>> {
    const { rows } = await sql<Record<string, unknown>>`
      SELECT * FROM checkout WHERE checkout_id = ${row.checkoutId}`.execute(tx);
    const [raw] = rows;
    if (raw === undefined) throw new PaymentError('unavailable', { retryAfterMs: 1000 });
    const existing = parseRow(table, raw);
    return { type: existing.fingerprint.equals(row.fingerprint) ? 'replayed' : 'key_reused', row: existing };
  }
}

/** What the provider takes as a whole it may not give back in parts, and each order may be refunded by itself. */
function refuseUnrefundable(
  orders: readonly Pick<Order, 'orderId' | 'amountMinor'>[],
  { provider, currency }: { provider: ProviderName; currency: Currency },
  providers: LifeOptions['providers'],
): void {
  const { refund } = providerOf(providers, provider);
  for (const { orderId, amountMinor } of orders) {
    const refusal = refund?.refusalOf({ amountMinor, currency }) ?? null;
    if (refusal === null) continue;
    const detail = `${provider}: The order "${orderId}" could not be refunded by itself. ${refusal}`;
    throw new PaymentError('provider-not-able', { detail });
  }
}

/** An id names one order for ever; the transaction ends with nothing kept. */
async function takenBy(
  tx: Tx,
  { orders, checkoutId }: { orders: readonly Order[]; checkoutId: string },
): Promise<PaymentError> {
  const { rows } = await sql<{ order_id: string; checkout_id: string }>`
    SELECT order_id, checkout_id FROM seller_order
    WHERE order_id = ANY(${orders.map((order) => order.orderId)}::text[]) AND checkout_id <> ${checkoutId}
    LIMIT 1`.execute(tx);
  const [taken] = rows;
  if (taken === undefined) return new PaymentError('unavailable', { retryAfterMs: 1000 });
  const { order_id, checkout_id } = taken;
  const detail = `The order "${order_id}" belongs to the checkout "${checkout_id}". Choose another order_id.`;
  return new PaymentError('invalid-state', { detail });
}

function newCheckout(request: CheckoutRequest, { totalMinor, now }: { totalMinor: bigint; now: Date }): Checkout {
  const { checkoutId, buyerId, currency, provider, token, metadata } = request;
  return {
    checkoutId,
    buyerId,
    currency,
    totalMinor,
    paymentInfo: { provider, token },
    fingerprint: fingerprintOf({ ...request }),
    metadata,
    canceledAt: null,
    dueAt: null,
    createdAt: now,
  };
}

function newOrder(facts: { request: CheckoutRequest; order: OrderRequest; walletId: string; now: Date }): Order {
  const { request, order, walletId, now } = facts;
  return {
    ...order,
    pkid: pkidOf('order', order.orderId),
    checkoutId: request.checkoutId,
    walletId,
    currency: request.currency,
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
    createdAt: now,
    updatedAt: now,
  };
}
