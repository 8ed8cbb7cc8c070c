// A pay-in: request -> claim -> the provider takes the buyer's money, perhaps after the buyer did something -> the
// sellers' pending wallets, or the loaded wallet, have it.

import { sql } from 'kysely';
import { costsWalletId, debtWalletId, providerWalletId, unappliedWalletId } from '../domain/chart.ts';
import { PaymentError } from '../domain/errors.ts';
import { fingerprintOf } from '../domain/fingerprint.ts';
import { type Pkid, pkidOf } from '../domain/id.ts';
import type { Currency } from '../domain/money.ts';
import type { Line } from '../domain/movements.ts';
import { type Order, payOrder, type Taken, takeFromOrder, walletsOfOrder } from '../domain/order.ts';
import { externalKey } from '../domain/own-key.ts';
import { isOfNobody, PAYIN_EXPIRES_MS, type Payin, payinMovement } from '../domain/payin.ts';
import { approvalOf, moneyOf } from '../domain/payment.ts';
import type { Answer, CallLimits, Provider, ProviderName, Succeeded } from '../domain/provider.ts';
import { shareOut } from '../domain/share.ts';
import { isFinal } from '../domain/state-machine.ts';
import type { Discrepancy } from '../entities/discrepancy.ts';
import type { Unapplied } from '../entities/unapplied.ts';
import { createRowLoader } from '../ledger/loader.ts';
import type { Intake } from '../ledger/step.ts';
import type { LifeOptions } from './life.ts';
import { readOrders } from './order-rows.ts';
import { discrepancyOf, untouched } from './payment/records.ts';
import { type Effects, eventOf, type Held, headOf, type PaymentRules } from './payment/rules.ts';
import { createPaymentLife } from './payment.ts';
import { choiceFor, providerOf } from './provider-of.ts';
import { noSuchWallet, otherCurrency } from './transfer.ts';
import { strayMoney, unappliedRow } from './unapplied-money.ts';

export interface PayinRequest {
  readonly semanticKey: string;
  readonly checkoutId: string | null;
  readonly walletId: string | null;
  readonly amountMinor: bigint;
  readonly currency: Currency;
  readonly provider: ProviderName;
  readonly token: string | null;
  readonly returnUrl: string | null;
  readonly cancelUrl: string | null;
  readonly statementDescriptor: string | null;
  readonly buyer: Payin['buyer'];
  /** Null: an hour from now. */
  readonly expiresAt: Date | null;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly traceparent: string | null;
  /** False leaves it at rest, to be confirmed later. */
  readonly confirm: boolean;
}

export type PayinLife = ReturnType<typeof createPayinLife>;

export function createPayinLife(options: LifeOptions) {
  const { journal, timing, enqueue, onAccepted, at } = options;
  const life = createPaymentLife(payinRules(options), options);
  return {
    ...life,

    /** Commits the intention. `taken` when the checkout has another pay-in that did not fail. */
    async request(request: PayinRequest): Promise<Intake<Payin>> {
      await refuseImpossible(request, options);
      const pkid = pkidOf('payin', request.semanticKey);
      const beneficiary = request.checkoutId ?? request.walletId ?? '';
      if (at) await at('payin: before row commit', pkid);
      const intake = await journal.insertPayin(pkid, (now) => {
        const { confirm, ...fields } = request;
        const expiresAt = request.expiresAt ?? new Date(now.getTime() + PAYIN_EXPIRES_MS);
        const approval = approvalOf({ money: request, provider: request.provider, beneficiary });
        const rest = untouched({ isConfirmed: confirm, expiresAt, leaseMs: timing.leaseMs }, now);
        const fingerprint = fingerprintOf(askedFor(request));
        return { ...fields, pkid, origin: 'api', beneficiary, approval, fingerprint, nextAction: null, ...rest };
      });
      if (at) await at('payin: after row commit', pkid);
      if (intake.type === 'created') onAccepted('payin');
      if (!request.confirm || intake.type === 'key_reused' || intake.type === 'taken') return intake;
      if (intake.type === 'replayed') return { ...intake, row: await life.confirmReplay(intake.row) };
      await enqueue({ kind: 'payin', pkid, semanticKey: request.semanticKey });
      return intake;
    },

    /** As every payment's; invalid-state also of one that was taken at the provider, which is there already. */
    async cancel(pkid: Pkid, semanticKey: string) {
      if ((await life.find(pkid))?.origin !== 'external') return life.cancel(pkid, semanticKey);
      const detail = 'It was taken at the provider, so its money is there. Send it back under /v1/unapplied.';
      throw new PaymentError('invalid-state', { detail });
    },

    /** A payment that somebody took at the provider. */
    async adopt(provider: ProviderName, { externId, money }: Succeeded): Promise<Intake<Payin>['type']> {
      const semanticKey = externalKey(provider, externId);
      const pkid = pkidOf('payin', semanticKey);
      const { type } = await journal.insertPayin(pkid, (now) => ({
        ...untouched({ isConfirmed: true, expiresAt: null, leaseMs: timing.leaseMs }, now),
        ...NOTHING_SAID,
        ...money,
        pkid,
        semanticKey,
        provider,
        externPaymentId: externId,
        sawSuccess: true,
        origin: 'external',
        beneficiary: '',
        approval: approvalOf({ money, provider, beneficiary: '' }),
        fingerprint: fingerprintOf({ externId, provider }),
      }));
      if (type !== 'created') return type;
      onAccepted('payin');
      await enqueue({ kind: 'payin', pkid, semanticKey });
      return type;
    },
  };
}

/** What a payment that nobody asked for here leaves open. */
const NOTHING_SAID = {
  checkoutId: null,
  walletId: null,
  token: null,
  returnUrl: null,
  cancelUrl: null,
  statementDescriptor: null,
  buyer: null,
  nextAction: null,
  metadata: {},
  traceparent: null,
} as const;

export function payinRules(options: LifeOptions): PaymentRules<Payin> {
  const { db, tables, journal } = options;
  return {
    kind: 'payin',
    direction: 'in',
    rows: createRowLoader(db.sql, tables.payin),
    step: journal.stepPayin,
    accountOf: (provider) => provider.payin,
    movesAtSend: (provider, { token }) => provider.payin?.movesAtSend?.(token) ?? false,
    async send(provider, row, { key, limits }) {
      if (provider.payin === null) throw new PaymentError('internal', { detail: `${provider.name} takes no money.` });
      if (row.origin === 'external') throw new PaymentError('internal', { detail: 'It was made at the provider.' });
      const { pkid, semanticKey, token, returnUrl, cancelUrl, statementDescriptor } = row;
      const buyer = row.buyer ?? { email: null, ip: null };
      const order = {
        pkid,
        semanticKey,
        key,
        money: moneyOf(row),
        token,
        returnUrl,
        cancelUrl,
        statementDescriptor,
        buyer,
      };
      return provider.payin.send(order, limits);
    },
    findExternal: (provider, row, limits) => (row.origin === 'external' ? findExternal(provider, row, limits) : null),
    payinExternIdOf: () => null,
    // Read before the claim: a cancel that commits later finds this pay-in and takes it back.
    async obstacleTo({ checkoutId }) {
      if (checkoutId === null) return null;
      const { rows } = await sql<{ is_canceled: boolean }>`
        SELECT canceled_at IS NOT NULL AS is_canceled FROM checkout WHERE checkout_id = ${checkoutId}`.execute(db.sql);
      return rows[0]?.is_canceled === true ? { code: 'canceled', detail: 'The checkout was cancelled.' } : null;
    },
    async companionsOf(row) {
      const { provider, currency, walletId } = row;
      const orders = await ordersOf(row, options);
      const loaded = walletId === null ? null : await options.wallets.find(walletId);
      // A debt can only arise from money that came in before.
      const debtId = loaded === null || !isFinal(row.status) ? null : debtWalletId(loaded.ownerId, currency);
      const platform = [providerWalletId(provider, currency), costsWalletId(provider, currency)];
      const nobodys = isOfNobody(row) ? unappliedWalletId(currency) : null;
      const others = [walletId, debtId, nobodys].filter((id) => id !== null);
      return {
        walletIds: [...platform, ...others, ...orders.flatMap(walletsOfOrder)],
        orderPkids: orders.map(({ pkid }) => pkid),
        unappliedId: null,
        loadedId: walletId,
        debtId,
      };
    },
    claimMovements: () => [],
    learn(row, answer) {
      const nextAction = answer.type === 'action_required' ? answer.nextAction : null;
      return { ...row, nextAction };
    },
    news: (before, after) =>
      before.nextAction === null && after.nextAction !== null ? [eventOf('payin', 'payin.action_required', after)] : [],
    succeed: ({ row, seen, now }) => ({
      movements: [payinMovement(row, seen.orders)],
      orders: seen.orders.map((order) => payOrder(order, row.pkid, now)),
      unapplied: isOfNobody(row) ? [nobodysMoney(row, now)] : [],
      events: [eventOf('payin', 'payin.succeeded', row)],
    }),
    fail: ({ row }) => ({ movements: [], events: [eventOf('payin', 'payin.failed', row)] }),
    takeBack: reverse,
    strayMoney: (held, success, reason) => strayMoney('payin', held, { success, reason }),
  };
}

/** Somebody took it at the provider, and a person has to say whose it is. */
function nobodysMoney(row: Payin, now: Date): Unapplied {
  const externId = row.externPaymentId ?? '';
  return unappliedRow({ kind: 'payin', row, externId, money: moneyOf(row), reason: 'external_payin', now });
}

/** One that carries no key of ours is asked about by its own id. "Not found" proves nothing of it. */
async function findExternal(provider: Provider, { externPaymentId }: Payin, limits: CallLimits): Promise<Answer> {
  const view = externPaymentId === null ? null : await provider.findPayin?.(externPaymentId, limits);
  if (view) return view.answer;
  const surprise = { type: 'uncertain', reason: 'payin_not_shown', httpStatus: null, storedError: null } as const;
  throw new PaymentError('uncertain', { surprise });
}

/** The provider took back more of it: from the orders as a dispute would, or from the wallet that it loaded. */
function reverse(held: Held<Payin>, { amountMinor, totalMinor }: { amountMinor: bigint; totalMinor: bigint }): Effects {
  const { row, now } = held;
  const { orders, lines } = takeFromAll(held, amountMinor);
  return {
    movements: [
      {
        type: 'post',
        posting: headOf('payin', row, { step: `return:${totalMinor}`, event: 'payin.reversed', reverses: true }),
        currency: row.currency,
        lines,
      },
    ],
    orders,
    discrepancies: isOfNobody(row) ? [takenOfNobody(row, now)] : [],
    events: [eventOf('payin', 'payin.reversed', row)],
  };
}

/** We bear it, and whoever decides on the money that it came with has to know. */
function takenOfNobody(row: Payin, now: Date): Discrepancy {
  const detail =
    `${row.provider} took it back, or a part, which is booked as a cost of ours. Its money is still under ` +
    '/v1/unapplied: apply that only to somebody who is to have it all the same, and close this.';
  return discrepancyOf('payin', row, { reason: 'external_reversed', detail, now });
}

/** Whose money it was, order by order; what none of them can give, we give. */
export function takeFromAll(
  { row, seen, companions, now }: Held<Payin>,
  amountMinor: bigint,
): { orders: Order[]; lines: Line[]; taken: Taken[]; uncoveredMinor: bigint } {
  const { provider, currency } = row;
  const { debtId } = companions;
  const { loadedId } = companions;
  if (loadedId !== null) {
    const orFrom = debtId === null ? {} : { orFrom: debtId };
    const lines = [
      { walletId: loadedId, amountMinor: -amountMinor, ...orFrom },
      { walletId: providerWalletId(provider, currency), amountMinor },
    ];
    return { orders: [], lines, taken: [], uncoveredMinor: 0n };
  }
  const { shares, restMinor } = shareOut(seen.orders, amountMinor);
  const taken = shares.map((share) => takeFromOrder(share.order, { amountMinor: share.amountMinor, provider }, now));
  const uncovered = [
    { walletId: costsWalletId(provider, currency), amountMinor: -restMinor },
    { walletId: providerWalletId(provider, currency), amountMinor: restMinor },
  ];
  return {
    orders: taken.map(({ order }) => order),
    lines: [...taken.flatMap(({ lines }) => lines), ...(restMinor > 0n ? uncovered : [])],
    taken: taken.map((one) => one.taken),
    uncoveredMinor: restMinor,
  };
}

async function ordersOf({ checkoutId }: { checkoutId: string | null }, { db, tables }: LifeOptions): Promise<Order[]> {
  return checkoutId === null ? [] : readOrders(db.sql, tables.order, checkoutId);
}

async function refuseImpossible(request: PayinRequest, { wallets, providers }: LifeOptions): Promise<void> {
  const { walletId, currency } = request;
  if (walletId !== null) {
    const wallet = await wallets.find(walletId);
    if (wallet === null) throw noSuchWallet(walletId);
    if (wallet.currency !== currency) throw otherCurrency(wallet);
  }
  refuseUnable(request, providers);
}

/** Throws provider-not-able when the provider cannot take this money from anybody. */
export function refuseUnable(
  { provider, ...money }: { provider: ProviderName; amountMinor: bigint; currency: Currency },
  providers: LifeOptions['providers'],
): void {
  const { payin } = providerOf(providers, provider);
  const refusal = payin === null ? `It takes no payments. ${choiceFor('payin', providers)}` : payin.refusalOf(money);
  if (refusal !== null) throw new PaymentError('provider-not-able', { detail: `${provider}: ${refusal}` });
}

function askedFor({ semanticKey: _key, confirm: _confirm, traceparent: _trace, ...asked }: PayinRequest) {
  return asked;
}
