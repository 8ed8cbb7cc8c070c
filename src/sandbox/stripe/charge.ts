// What Stripe shows of money that came in: charges, disputes, and the lines of the balance with their fees.
import type { Answer } from '../answer.ts';
import { dashed, isHidden, type Payment } from '../payment.ts';
import { type Call, type Route, shown } from './form.ts';
import { page } from './page.ts';
import { balanceTransaction, charge, chargeOwner, dispute, isBooked, transactionOf } from './payin-wire.ts';
import * as wire from './wire.ts';

const LINES = '/v1/balance_transactions';

export const CHARGE_ROUTES: Route[] = [
  { method: 'GET', pattern: /^\/v1\/charges$/, specPath: '/v1/charges', run: listCharges },
  { method: 'GET', pattern: /^\/v1\/charges\/([^/]+)$/, specPath: '/v1/charges/{charge}', run: getCharge },
  { method: 'GET', pattern: /^\/v1\/disputes$/, specPath: null, run: listDisputes },
  { method: 'GET', pattern: /^\/v1\/disputes\/([^/]+)$/, specPath: null, run: getDispute },
  { method: 'GET', pattern: /^\/v1\/balance_transactions$/, specPath: LINES, run: listTransactions },
  { method: 'GET', pattern: /^\/v1\/balance_transactions\/([^/]+)$/, specPath: `${LINES}/{id}`, run: getTransaction },
];

function getCharge(call: Call): Answer {
  const owner = call.id.startsWith('ch_') ? chargeOwner(call.world, call.id) : undefined;
  return owner && isTried(owner) ? shown(charge(call.world, owner), owner.key) : wire.noSuch('charge', call.id);
}

function isTried({ status }: Payment): boolean {
  return status !== 'created' && status !== 'action';
}

function listCharges(call: Call): Answer {
  const { world, query } = call;
  const { transfer_group: group, payment_intent: intent, customer } = query;
  const found =
    typeof group === 'string'
      ? world.state.byReference({ provider: 'stripe', reference: group }).toReversed()
      : world.state.newest('stripe');
  const fits = (payment: Payment) =>
    payment.kind === 'payin' &&
    isTried(payment) &&
    !isHidden(payment, world.now()) &&
    customer === undefined &&
    (intent === undefined || payment.id === intent);
  const { rows, hasMore } = page(found, { query, fits, atOf: (one) => one.createdAt });
  const charges = rows.map((payment) => charge(world, payment));
  return shown(wire.list('/v1/charges', charges, hasMore), typeof group === 'string' ? dashed(group) : null);
}

function getDispute(call: Call): Answer {
  const owner = call.id.startsWith('dp_') ? chargeOwner(call.world, call.id) : undefined;
  const found = owner ? dispute(owner) : null;
  return found ? shown(found, owner?.key) : wire.noSuch('dispute', call.id);
}

function listDisputes(call: Call): Answer {
  const { world, query } = call;
  const { payment_intent: intent, charge: chargeId } = query;
  const fits = (payment: Payment) =>
    payment.kind === 'payin' &&
    dispute(payment) !== null &&
    (intent === undefined || payment.id === intent) &&
    (chargeId === undefined || payment.id === String(chargeId).replace(/^ch_/, 'pi_'));
  const { rows, hasMore } = page(world.state.newest('stripe'), { query, fits, atOf: (one) => one.createdAt });
  const disputes = rows.flatMap((payment) => dispute(payment) ?? []);
  return shown(wire.list('/v1/disputes', disputes, hasMore));
}

function getTransaction(call: Call): Answer {
  const found = balanceTransaction(call.world, call.id);
  return found ? shown(found) : wire.noSuch('balance_transaction', call.id);
}

function listTransactions(call: Call): Answer {
  const { world, query } = call;
  const { type, source, currency } = query;
  const lines = function* () {
    for (const payment of world.state.newest('stripe')) {
      if (isBooked(payment) && !isHidden(payment, world.now())) yield transactionOf(payment);
    }
  };
  const fits = (line: Record<string, unknown>) =>
    (type === undefined || line.type === type) &&
    (source === undefined || line.source === source) &&
    (currency === undefined || line.currency === currency);
  const { rows, hasMore } = page(lines(), { query, fits, atOf: (line) => Number(line.created) * 1000 });
  return shown(wire.list(LINES, rows, hasMore));
}
