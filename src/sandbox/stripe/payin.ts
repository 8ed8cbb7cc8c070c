// Stripe's payment intents: created, confirmed, perhaps allowed by the buyer or captured later, or cancelled. A
// declined one stays payable until it is cancelled.
import { type Answer, jsonAnswer } from '../answer.ts';
import { approvalUrl } from '../approval.ts';
import { planOf, wordOf } from '../behaviour.ts';
import { type KeyedCall, moveMoney } from '../money-call.ts';
import { eventParts } from '../movement.ts';
import { isHidden, kindOf, newId, type Payment } from '../payment.ts';
import { rememberedKey, type Voice, type World } from '../world.ts';
import { type Call, once, operationKey, type Route, readForm, shown, stripeVoice } from './form.ts';
import { page } from './page.ts';
import { declineError, paymentIntent } from './payin-wire.ts';
import { searched } from './search.ts';
import * as wire from './wire.ts';

const ONE = '/v1/payment_intents/{intent}';

export const payinVoice: Voice = {
  ...stripeVoice,
  objectFirst: true,
  lateDeclineCode: 'declined',
  approvable: ['action', 'created', 'declined'],
  events: {
    created: ['payment_intent.created'],
    action: ['payment_intent.requires_action'],
    approved: ['payment_intent.amount_capturable_updated'],
    pending: ['payment_intent.processing'],
    paid: ['payment_intent.succeeded', 'charge.succeeded'],
    declined: ['payment_intent.payment_failed', 'charge.failed'],
    declined_late: ['payment_intent.payment_failed', 'charge.failed'],
    canceled: ['payment_intent.canceled'],
    expired: ['payment_intent.canceled'],
    returned: ['charge.dispute.closed'],
    disputed: ['charge.dispute.created'],
    dispute_won: ['charge.dispute.closed'],
    dispute_lost: ['charge.dispute.closed'],
  },
  render: (payment) => JSON.stringify(paymentIntent(payment)),
  pending: (payment) => jsonAnswer(200, paymentIntent(payment)),
  refusal: (payment) =>
    jsonAnswer(402, { error: { ...declineError(payment), payment_intent: paymentIntent(payment) } }),
};

export const PAYIN_ROUTES: Route[] = [
  { method: 'POST', pattern: /^\/v1\/payment_intents$/, specPath: '/v1/payment_intents', run: create },
  { method: 'GET', pattern: /^\/v1\/payment_intents$/, specPath: '/v1/payment_intents', run: list },
  { method: 'GET', pattern: /^\/v1\/payment_intents\/search$/, specPath: '/v1/payment_intents/search', run: search },
  { method: 'GET', pattern: /^\/v1\/payment_intents\/([^/]+)$/, specPath: ONE, run: get },
  { method: 'POST', pattern: /^\/v1\/payment_intents\/([^/]+)\/confirm$/, specPath: `${ONE}/confirm`, run: confirm },
  { method: 'POST', pattern: /^\/v1\/payment_intents\/([^/]+)\/capture$/, specPath: `${ONE}/capture`, run: capture },
  { method: 'POST', pattern: /^\/v1\/payment_intents\/([^/]+)\/cancel$/, specPath: `${ONE}/cancel`, run: cancel },
];

function create({ request, world }: Call): Answer {
  const form = readForm(request, { specPath: '/v1/payment_intents', voice: payinVoice });
  if ('defect' in form) return wire.badParameter(form.defect);
  const { fields, keyed } = form;
  const defect = wire.badMoney(fields);
  if (defect) return defect;
  const blank: Payment = {
    id: newId('pi_'),
    provider: 'stripe',
    kind: 'payin',
    key: operationKey(keyed),
    callKey: null,
    reference: textOf(fields.transfer_group),
    amount: String(Number(fields.amount)),
    currency: String(fields.currency).toUpperCase(),
    destination: '',
    status: 'created',
    declineCode: null,
    returns: [],
    createdAt: world.now(),
    hiddenUntil: 0,
    due: null,
    extra: { metadata: fields.metadata ?? {}, description: textOf(fields.description) },
  };
  const payment = described(world, blank, fields);
  const seen = { key: payment.key, callKey: keyed.callKey };
  if (!fields.confirm) return { ...keepCreated(world, keyed, payment), seen };
  if (payment.destination === '') {
    return wire.badParameter({ kind: 'missing', field: 'payment_method', detail: '' });
  }
  return allow(world, keyed, payment);
}

function keepCreated(world: World, keyed: KeyedCall, payment: Payment): Answer {
  return once(world, keyed, () => ({
    answer: jsonAnswer(200, paymentIntent(payment)),
    effect: { at: world.now(), payment, ...eventParts(payinVoice, 'created') },
  }));
}

/** With what a create or a confirm says of how the payment is to be made. */
function described(world: World, payment: Payment, fields: Record<string, unknown>): Payment {
  const { extra } = payment;
  return {
    ...payment,
    destination: textOf(fields.payment_method) ?? payment.destination,
    captureLater:
      fields.capture_method === undefined ? payment.captureLater === true : fields.capture_method === 'manual',
    extra: {
      ...extra,
      returnUrl: textOf(fields.return_url) ?? extra.returnUrl ?? null,
      statementDescriptor:
        textOf(fields.statement_descriptor) ?? textOf(fields.statement_descriptor_suffix) ?? extra.statementDescriptor,
      actionUrl: approvalUrl(world, payment),
    },
  };
}

/** Confirms: the money moves, unless it is only set aside to be captured by a later call, which the word speaks of. */
function allow(world: World, keyed: KeyedCall, payment: Payment): Answer {
  const seen = { key: payment.key, callKey: keyed.callKey };
  const isAsked = planOf(wordOf(payment.destination), 'payin').outcome === 'action';
  if (payment.captureLater && !isAsked) {
    const authorized: Payment = { ...payment, status: 'approved', callKey: keyed.callKey };
    const answer = once(world, keyed, () => ({
      answer: jsonAnswer(200, paymentIntent(authorized)),
      effect: { at: world.now(), payment: authorized, ...eventParts(payinVoice, 'approved') },
    }));
    return { ...answer, seen };
  }
  const answer = moveMoney(world, { ...keyed, payment });
  return { ...answer, seen: { ...answer.seen, ...seen } };
}

function confirm({ request, world, id }: Call): Answer {
  const form = readForm(request, { specPath: `${ONE}/confirm`, voice: payinVoice });
  if ('defect' in form) return wire.badParameter(form.defect);
  const { fields, keyed } = form;
  const payment = visible(world, id);
  if (!payment) return wire.noSuch('payment_intent', id);
  if (isRepeat(world, keyed)) return allow(world, keyed, payment);
  if (payment.status !== 'created' && payment.status !== 'declined') return unexpected(payment, 'confirm');
  const ready = described(world, { ...payment, status: 'created', declineCode: null }, fields);
  if (ready.destination === '') return wire.badParameter({ kind: 'missing', field: 'payment_method', detail: '' });
  return allow(world, keyed, ready);
}

function capture({ request, world, id }: Call): Answer {
  const form = readForm(request, { specPath: `${ONE}/capture`, voice: payinVoice });
  if ('defect' in form) return wire.badParameter(form.defect);
  const { fields, keyed } = form;
  const payment = visible(world, id);
  if (!payment) return wire.noSuch('payment_intent', id);
  if (!isRepeat(world, keyed) && payment.status !== 'approved') return unexpected(payment, 'capture');
  const authorized = String(payment.extra.authorized ?? payment.amount);
  const amount = fields.amount_to_capture === undefined ? payment.amount : String(Number(fields.amount_to_capture));
  if (!(Number(amount) >= 1 && Number(amount) <= Number(authorized))) return wire.badAmount();
  const extra = { ...payment.extra, authorized };
  const answer = moveMoney(world, { ...keyed, payment: { ...payment, amount, extra } });
  return { ...answer, seen: { ...answer.seen, key: payment.key, callKey: keyed.callKey } };
}

function cancel({ request, world, id }: Call): Answer {
  const form = readForm(request, { specPath: `${ONE}/cancel`, voice: payinVoice });
  if ('defect' in form) return wire.badParameter(form.defect);
  const { fields, keyed } = form;
  const payment = visible(world, id);
  if (!payment) return wire.noSuch('payment_intent', id);
  const isOver = ['pending', 'paid', 'returned', 'canceled'].includes(payment.status);
  if (isOver && !isRepeat(world, keyed)) return unexpected(payment, 'cancel');
  const cancellationReason = textOf(fields.cancellation_reason) ?? 'requested_by_customer';
  const extra = { ...payment.extra, canceledAt: world.now(), cancellationReason };
  const canceled: Payment = { ...payment, status: 'canceled', due: null, extra };
  const answer = once(world, keyed, () => ({
    answer: jsonAnswer(200, paymentIntent(canceled)),
    effect: { at: world.now(), payment: canceled, ...eventParts(payinVoice, 'canceled') },
  }));
  return { ...answer, seen: { key: payment.key, callKey: keyed.callKey } };
}

function get(call: Call): Answer {
  const payment = visible(call.world, call.id);
  return payment ? shown(paymentIntent(payment), payment.key) : wire.noSuch('payment_intent', call.id);
}

function list(call: Call): Answer {
  const { world, query } = call;
  const fits = (payment: Payment) => isVisible(payment, world) && query.customer === undefined;
  const { rows, hasMore } = page(world.state.newest('stripe'), { query, fits, atOf: (one) => one.createdAt });
  return shown(wire.list('/v1/payment_intents', rows.map(paymentIntent), hasMore));
}

function search(call: Call): Answer {
  const { world, query } = call;
  const fits = searched(String(query.query ?? ''));
  if (!fits) return wire.badParameter({ kind: 'wrong', field: 'query', detail: 'it is not understood' });
  const all = world.state.newest('stripe');
  const isFound = (payment: Payment) => isVisible(payment, world) && fits(paymentIntent(payment));
  const { rows, hasMore } = page(all, { query: { limit: query.limit }, fits: isFound, atOf: (one) => one.createdAt });
  const found = wire.list('/v1/payment_intents/search', rows.map(paymentIntent), hasMore);
  return shown({ ...found, object: 'search_result', next_page: null });
}

function visible(world: World, id: string): Payment | undefined {
  const payment = world.state.payment(id);
  return payment && isVisible(payment, world) ? payment : undefined;
}

function isVisible(payment: Payment, world: World): boolean {
  return payment.provider === 'stripe' && kindOf(payment) === 'payin' && !isHidden(payment, world.now());
}

/** A key that was used before gets its answer, or its conflict, whatever the payment intent has become. */
function isRepeat(world: World, keyed: KeyedCall): boolean {
  return rememberedKey(world, payinVoice, keyed.keyName) !== undefined;
}

function unexpected(payment: Payment, verb: string): Answer {
  const object = paymentIntent(payment);
  const message = `You cannot ${verb} this PaymentIntent because it has a status of ${object.status}. Read it again.`;
  const error = { type: 'invalid_request_error', code: 'payment_intent_unexpected_state', message };
  return { ...jsonAnswer(400, { error: { ...error, payment_intent: object } }), seen: { key: payment.key } };
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
