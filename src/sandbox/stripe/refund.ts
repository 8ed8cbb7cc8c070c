// Stripe's refunds of payment intents.
import { type Answer, jsonAnswer } from '../answer.ts';
import { moveMoney } from '../money-call.ts';
import { leftToReturn, refundedAmount } from '../movement.ts';
import { isHidden, kindOf, newId, type Payment } from '../payment.ts';
import { rememberedKey, type Voice, type World } from '../world.ts';
import { type Call, operationKey, type Route, readForm, shown, stripeVoice } from './form.ts';
import { page } from './page.ts';
import { refund } from './payin-wire.ts';
import * as wire from './wire.ts';

export const refundVoice: Voice = {
  ...stripeVoice,
  objectFirst: true,
  lateDeclineCode: 'declined',
  events: {
    pending: ['refund.created'],
    paid: ['refund.created', 'refund.updated', 'charge.refunded'],
    declined: ['refund.created', 'refund.failed'],
    declined_late: ['refund.updated', 'refund.failed'],
    returned: ['refund.updated', 'refund.failed'],
  },
  render: (payment) => JSON.stringify(refund(payment)),
  pending: (payment) => jsonAnswer(200, refund(payment)),
  // A refund that the card refuses is made, and has failed; one that we cannot pay is not made.
  refusal: (payment) => (isUnpaid(payment) ? wire.shortOfMoney('refund') : jsonAnswer(200, refund(payment))),
};

export const REFUND_ROUTES: Route[] = [
  { method: 'POST', pattern: /^\/v1\/refunds$/, specPath: '/v1/refunds', run: create },
  { method: 'GET', pattern: /^\/v1\/refunds$/, specPath: '/v1/refunds', run: list },
  { method: 'GET', pattern: /^\/v1\/refunds\/([^/]+)$/, specPath: '/v1/refunds/{refund}', run: get },
];

function create({ request, world }: Call): Answer {
  const form = readForm(request, { specPath: '/v1/refunds', voice: refundVoice });
  if ('defect' in form) return wire.badParameter(form.defect);
  const { fields, keyed } = form;
  const param = fields.payment_intent === undefined ? 'charge' : 'payment_intent';
  const parentId = String(fields[param] ?? '');
  const payin = world.state.payment(parentId.replace(/^ch_/, 'pi_'));
  if (payin?.provider !== 'stripe' || isHidden(payin, world.now())) return wire.noSuch(param, parentId);
  const left = leftToReturn(payin) - refundedAmount(world, payin);
  const amount = fields.amount === undefined ? left : BigInt(Number(fields.amount));
  if (!rememberedKey(world, refundVoice, keyed.keyName)) {
    const refused = refusalOf(payin, { left, amount });
    if (refused) return refused;
  }
  const payment: Payment = {
    id: newId('re_'),
    provider: 'stripe',
    kind: 'refund',
    parent: payin.id,
    key: operationKey(keyed),
    callKey: keyed.callKey,
    reference: null,
    amount: String(amount),
    currency: payin.currency,
    destination: payin.destination,
    status: 'created',
    declineCode: null,
    returns: [],
    createdAt: world.now(),
    hiddenUntil: 0,
    due: null,
    extra: { metadata: fields.metadata ?? {}, reason: fields.reason ?? null },
  };
  const answer = moveMoney(world, { ...keyed, payment });
  return { ...answer, seen: { ...answer.seen, key: payment.key, callKey: keyed.callKey } };
}

function refusalOf(payin: Payment, { left, amount }: { left: bigint; amount: bigint }): Answer | null {
  if (payin.status !== 'paid' && payin.status !== 'returned') {
    return wire.refundRefused('charge_not_captured', `${payin.id} has no money to give back. Wait until it succeeds.`);
  }
  if (payin.dispute && payin.dispute.status !== 'won') {
    return wire.refundRefused('charge_disputed', `${payin.id} is disputed. Answer the dispute instead.`);
  }
  if (left === 0n) {
    return wire.refundRefused('charge_already_refunded', `${payin.id} has already been refunded. Nothing is left.`);
  }
  if (amount >= 1n && amount <= left) return null;
  return wire.refundRefused(undefined, `Refund amount (${amount}) must be 1 to what is left of ${payin.id}: ${left}.`);
}

function list(call: Call): Answer {
  const { world, query } = call;
  const { charge, payment_intent: intent } = query;
  const parent =
    typeof intent === 'string' ? intent : typeof charge === 'string' ? charge.replace(/^ch_/, 'pi_') : null;
  const found = parent === null ? world.state.newest('stripe') : world.state.refundsOf(parent).toReversed();
  const fits = (payment: Payment) => isVisible(payment, world);
  const { rows, hasMore } = page(found, { query, fits, atOf: (payment) => payment.createdAt });
  return shown(wire.list('/v1/refunds', rows.map(refund), hasMore));
}

function get(call: Call): Answer {
  const payment = call.world.state.payment(call.id);
  if (!payment || !isVisible(payment, call.world)) return wire.noSuch('refund', call.id);
  return shown(refund(payment), payment.key);
}

function isVisible(payment: Payment, world: World): boolean {
  const isOurs = payment.provider === 'stripe' && kindOf(payment) === 'refund';
  return isOurs && !isUnpaid(payment) && !isHidden(payment, world.now());
}

function isUnpaid({ status, declineCode }: Payment): boolean {
  return status === 'declined' && declineCode === 'insufficient_funds';
}
