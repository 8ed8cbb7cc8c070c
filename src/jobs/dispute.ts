// The life of a dispute: the provider tells of it, and what it says when it is asked is booked: the money is taken from
// the orders, and given back when the dispute is won.

import { sql } from 'kysely';
import { costsWalletId, providerWalletId } from '../domain/chart.ts';
import { type Dispute, takenIn } from '../domain/dispute.ts';
import { PaymentError } from '../domain/errors.ts';
import { pkidOf, postingIdOf } from '../domain/id.ts';
import type { Line, Movement } from '../domain/movements.ts';
import { giveBackToOrder, type Order } from '../domain/order.ts';
import type { Payin } from '../domain/payin.ts';
import type { DisputeView, ProviderName } from '../domain/provider.ts';
import type { Decision, Seen } from '../ledger/step.ts';
import type { Externals } from './external.ts';
import type { LifeOptions } from './life.ts';
import { type PayinLife, takeFromAll } from './payin.ts';
import { type Companions, feeMovement } from './payment/rules.ts';
import { locking, refuseRefusals } from './payment/steps.ts';
import { providerOf, unavailable } from './provider-of.ts';

export type DisputeLife = ReturnType<typeof createDisputeLife>;

type Outcome = 'applied' | 'no_effect' | 'unmatched';

export function createDisputeLife(
  options: LifeOptions,
  { payins, externals }: { payins: Pick<PayinLife, 'find' | 'companionsOf'>; externals: Pick<Externals, 'payinOf'> },
) {
  const { db, journal, providers, timing, at } = options;

  async function findPayin(provider: ProviderName, { payinExternId, payinPkid }: DisputeView): Promise<Payin | null> {
    const named = payinPkid === null ? null : await payins.find(payinPkid);
    return named ?? externals.payinOf(provider, payinExternId);
  }

  async function compensateAgain({ checkoutId }: Payin): Promise<void> {
    await sql`
      UPDATE checkout SET due_at = clock_timestamp()
      WHERE checkout_id = ${checkoutId} AND canceled_at IS NOT NULL`.execute(db.sql);
  }

  return {
    /** Asks the provider about the dispute and books what it says. Throws `unavailable` without a usable answer. */
    async look(name: ProviderName, externId: string): Promise<Outcome> {
      const { findDispute } = providerOf(providers, name);
      const view = await findDispute?.(externId, { timeoutMs: timing.providerTimeoutMs }).catch(unavailable);
      if (view === null || view === undefined) return 'no_effect';
      if (at) await at('dispute: after look call', view.payinPkid ?? view.payinExternId);
      const payin = await findPayin(name, view);
      // Of a pay-in that failed nothing is booked but unapplied money, which a person may have moved on.
      if (payin === null || payin.status === 'failed') return 'unmatched';
      if (payin.status !== 'succeeded') {
        throw new PaymentError('unavailable', { detail: 'A dispute came before its pay-in. It is looked at again.' });
      }
      // Nor of a second payment that carries its id: the sellers have nothing of that one.
      if (payin.externPaymentId !== view.payinExternId) return 'unmatched';
      const companions = await payins.companionsOf(payin);
      const pkid = pkidOf('dispute', disputeIdOf(name, externId));
      const fee = view.fee?.money.currency;
      const feeWallets = fee === undefined ? [] : [providerWalletId(name, fee), costsWalletId(name, fee)];
      const outcome = await journal.stepPayin({
        pkid: payin.pkid,
        ...locking(companions, feeWallets),
        reads: { dispute: pkid },
        decide: (row, now, seen) => book(row, { view, companions, seen, now }),
      });
      if (at) await at('dispute: after booking commit', payin.pkid);
      // What is won may be of orders that were cancelled meanwhile, and nobody looks at them any more.
      if (view.status === 'won') await compensateAgain(payin);
      if (at) await at('dispute: after wake commit', payin.pkid);
      return outcome;
    },
  };
}

interface Facts {
  readonly view: DisputeView;
  readonly companions: Companions;
  readonly seen: Seen;
  readonly now: Date;
}

interface Booked {
  readonly dispute: Dispute;
  readonly orders: readonly Order[];
  readonly movements: readonly Movement[];
  readonly types: readonly ('dispute.opened' | 'dispute.won' | 'dispute.lost')[];
}

function book(payin: Payin, facts: Facts): Decision<Payin, Outcome> {
  const known = facts.seen.dispute;
  const opened = known === null ? open(payin, facts) : charged(known, facts);
  const booked = facts.view.status === opened.dispute.status ? opened : end(payin, facts, opened);
  const isSame = booked.movements.length === 0 && booked.types.length === 0;
  const subject = { kind: 'dispute', pkid: booked.dispute.pkid, semanticKey: booked.dispute.disputeId } as const;
  return {
    movements: booked.movements,
    conclude(results) {
      refuseRefusals(results);
      const result = isSame ? 'no_effect' : 'applied';
      const dispute = { ...booked.dispute, evidenceDue: facts.view.evidenceDue, updatedAt: facts.now };
      const events = booked.types.map((type) => ({ type, ...subject }) as const);
      return { next: null, path: [], cause: null, orders: booked.orders, dispute, events, result };
    },
  };
}

/** What the provider charges for a dispute may become known only later; it is booked once. */
function charged(known: Dispute, { view: { fee } }: Facts): Booked {
  const isNew = fee !== null && fee.money.amountMinor > 0n && known.feeMinor === 0n;
  return {
    dispute: isNew ? { ...known, feeMinor: fee.money.amountMinor } : known,
    orders: [],
    movements: isNew ? [chargeOf(known, fee.money)] : [],
    types: [],
  };
}

/**
 * A refund that is still on its way when a dispute takes the same money is refused by the provider; until we hear of
 * that the money seems to be gone twice, and we would give what is the seller's to lose. One that is open for longer
 * is no such race.
 */
const REFUND_RACE_MS = 10 * 60 * 1000;

function isBeingRefunded({ openBeforeMinor, openAfterMinor, updatedAt }: Order, now: Date): boolean {
  return openBeforeMinor + openAfterMinor > 0n && now.getTime() - updatedAt.getTime() < REFUND_RACE_MS;
}

/** The whole is taken, outside of the fee formula: from what is pending, else from the seller, else their debt. */
function open(payin: Payin, { view, companions, seen, now }: Facts): Booked {
  const { provider } = payin;
  const disputeId = disputeIdOf(provider, view.externId);
  const pkid = pkidOf('dispute', disputeId);
  const { orders, lines, taken, uncoveredMinor } = takeFromAll(
    { row: payin, seen, companions, now },
    view.money.amountMinor,
  );
  if (uncoveredMinor > 0n && seen.orders.some((one) => isBeingRefunded(one, now))) {
    throw new PaymentError('unavailable', { detail: 'A refund of the disputed money is open. It is looked at again.' });
  }
  const [only, ...others] = taken;
  const dispute: Dispute = {
    disputeId,
    pkid,
    provider,
    externId: view.externId,
    payinPkid: payin.pkid,
    orderId: others.length > 0 ? null : (orders.find((order) => order.pkid === only?.orderPkid)?.orderId ?? null),
    amountMinor: view.money.amountMinor,
    currency: view.money.currency,
    feeMinor: view.fee?.money.amountMinor ?? 0n,
    status: 'open',
    evidenceDue: view.evidenceDue,
    parts: taken
      .map((part) => ({ ...part, amount: part.amountMinor.toString() }))
      .map(({ amountMinor: _, ...part }) => part),
    uncoveredMinor,
    createdAt: now,
    updatedAt: now,
  };
  const fee = view.fee === null || view.fee.money.amountMinor <= 0n ? [] : [chargeOf(dispute, view.fee.money)];
  return {
    dispute,
    orders,
    movements: [openMovement(dispute, lines), ...fee],
    types: ['dispute.opened'],
  };
}

function end(payin: Payin, { view, seen, now }: Facts, before: Booked): Booked {
  const { dispute, movements, types } = before;
  // A decided dispute stays decided; what a provider says against that is for people to see at the provider.
  if (dispute.status !== 'open' || view.status === 'open') return before;
  const ended: Dispute = { ...dispute, status: view.status };
  if (view.status === 'lost') return { ...before, dispute: ended, types: [...types, 'dispute.lost'] };
  const { provider } = payin;
  const current = new Map([...seen.orders, ...before.orders].map((order) => [order.pkid, order]));
  const backs: Back[] = ownBack(payin, dispute);
  for (const taken of takenIn(dispute)) {
    const order = current.get(taken.orderPkid);
    if (order === undefined) throw new PaymentError('internal', { detail: 'A disputed order is gone. Run the audit.' });
    const given = giveBackToOrder(order, { ...taken, provider }, now);
    current.set(order.pkid, given.order);
    backs.push({ whose: order.pkid, lines: given.lines, repays: order.walletId });
  }
  return {
    dispute: ended,
    orders: [...current.values()],
    movements: [...movements, ...backs.map((back, index) => backMovement(dispute, back, index))],
    types: [...types, 'dispute.won'],
  };
}

/** What one of those gets back who gave; the first thing that is done with it is to pay what they owe. */
interface Back {
  readonly whose: string;
  readonly lines: readonly Line[];
  readonly repays?: string;
}

/** What we gave because nobody else could, and what was taken from a wallet that the pay-in had loaded. */
function ownBack(payin: Payin, { uncoveredMinor, amountMinor }: Dispute): Back[] {
  const { provider, currency, walletId } = payin;
  const minor = walletId === null ? uncoveredMinor : amountMinor;
  if (minor === 0n) return [];
  const lines = [
    { walletId: providerWalletId(provider, currency), amountMinor: -minor },
    { walletId: walletId ?? costsWalletId(provider, currency), amountMinor: minor },
  ];
  return [walletId === null ? { whose: 'ours', lines } : { whose: walletId, lines, repays: walletId }];
}

function openMovement(dispute: Dispute, lines: readonly Line[]): Movement {
  const posting = { ...headOf(dispute, 'open'), event: 'dispute.opened', reverses: null };
  return { type: 'post', posting, currency: dispute.currency, lines };
}

/** One posting for each, because a posting pays back the debt of one seller only. */
function backMovement(dispute: Dispute, { whose, lines, repays }: Back, index: number): Movement {
  const head = headOf(dispute, index === 0 ? 'won' : `won:${whose}`);
  const posting = { ...head, event: 'dispute.won', reverses: headOf(dispute, 'open').postingId };
  const rest = { currency: dispute.currency, lines, ...(repays === undefined ? {} : { repays }) };
  return { type: 'post', posting, ...rest };
}

function headOf({ pkid, disputeId }: Dispute, step: string) {
  return { postingId: postingIdOf(pkid, step), kind: 'dispute', pkid, semanticKey: disputeId } as const;
}

function chargeOf(dispute: Dispute, money: DisputeView['money']): Movement {
  const posting = { ...headOf(dispute, 'fee'), event: 'provider.fee', reverses: null };
  return feeMovement(posting, { provider: dispute.provider, money });
}

function disputeIdOf(provider: ProviderName, externId: string): string {
  return `${provider}:${externId}`;
}
