// PayPal's orders and captures: an order is created, the buyer approves it, and the capture moves the money.
import { type Answer, jsonAnswer } from '../answer.ts';
import { planOf, wordOf } from '../behaviour.ts';
import { hold, keyConflict, keyRecord, moveMoney, replay } from '../money-call.ts';
import { eventParts } from '../movement.ts';
import { dashed, isHidden, newId, type Payment } from '../payment.ts';
import { specChecker } from '../schema.ts';
import { rememberedKey, type Voice, type World } from '../world.ts';
import { parseAmount } from './amount.ts';
import { at, type Call, DAY_MS, type Fields, keyedBy, paypalVoice, type Route, readBody, textAt } from './form.ts';
import * as problem from './problem.ts';
import * as wire from './wire.ts';

const REQUEST_ID_MAX = 108;
const spec = specChecker(new URL('../specs/paypal-checkout_orders_v2.json', import.meta.url), 'json');

/** Of the capture, which is the call that moves the money. */
export const captureVoice: Voice = {
  ...paypalVoice,
  keyRetentionMs: 45 * DAY_MS,
  lateDeclineCode: wire.DENIED_LATE,
  events: {
    approved: ['CHECKOUT.ORDER.APPROVED'],
    pending: ['PAYMENT.CAPTURE.PENDING'],
    paid: ['PAYMENT.CAPTURE.COMPLETED'],
    declined_late: ['PAYMENT.CAPTURE.DENIED'],
    returned: ['PAYMENT.CAPTURE.REVERSED'],
    disputed: ['CUSTOMER.DISPUTE.CREATED'],
    dispute_won: ['CUSTOMER.DISPUTE.RESOLVED'],
    dispute_lost: ['CUSTOMER.DISPUTE.RESOLVED'],
  },
  render: (payment, world) => JSON.stringify(wire.order(world, payment)),
  pending: (payment, world) => jsonAnswer(200, wire.order(world, payment)),
  refusal: (payment, world) =>
    payment.declineCode === wire.DENIED_LATE
      ? jsonAnswer(200, wire.order(world, payment))
      : problem.unprocessable('INSTRUMENT_DECLINED', 'The payment method was declined. Let the buyer choose another.'),
  keyReused: problem.idReused,
};

const orderVoice: Voice = {
  ...captureVoice,
  keyRetentionMs: DAY_MS / 4, // six hours
  repeat: (payment, world) => jsonAnswer(200, wire.order(world, payment)),
};

const ORDER = '/v2/checkout/orders';

export const ORDER_ROUTES: Route[] = [
  { method: 'POST', pattern: /^\/v2\/checkout\/orders$/, run: create },
  { method: 'GET', pattern: /^\/v2\/checkout\/orders\/([^/]+)$/, run: get },
  { method: 'POST', pattern: /^\/v2\/checkout\/orders\/([^/]+)\/capture$/, run: capture },
  { method: 'GET', pattern: /^\/v2\/payments\/captures\/([^/]+)$/, run: getCapture },
];

function create({ request, world }: Call): Answer {
  const body = readBody(request, (fields) => spec.body(ORDER, fields));
  if ('refused' in body) return body.refused;
  const found = keyedBy(request, { voice: orderVoice, scope: 'order', lengthMax: REQUEST_ID_MAX });
  if ('refused' in found) return found.refused;
  const { keyed } = found;
  const made = orderFrom(world, body.fields, keyed.callKey);
  if ('refused' in made) return made.refused;
  const conflict = keyConflict(world, keyed);
  if (conflict) return conflict;
  const known = rememberedKey(world, orderVoice, keyed.keyName);
  const seen = { key: made.payment.key, callKey: keyed.callKey };
  if (known) return { ...replay(world, keyed, known), seen };
  const { payment } = made;
  const key = keyRecord(world, keyed, { paymentId: payment.id, answer: { kind: 'live' } });
  const events = payment.status === 'approved' ? eventParts(orderVoice, 'approved') : {};
  world.commit({ at: world.now(), payment, ...key, ...events });
  return { ...jsonAnswer(201, wire.order(world, payment)), inFlight: hold(world, keyed), seen };
}

function orderFrom(world: World, fields: Fields, callKey: string | null): { payment: Payment } | { refused: Answer } {
  const units = at(fields, 'purchase_units');
  if (fields.intent !== 'CAPTURE' || !Array.isArray(units) || units.length !== 1) {
    const description = 'This sandbox takes the intent CAPTURE and one purchase unit. Send these.';
    return { refused: problem.unprocessable('NOT_ENABLED_FOR_THIS_SANDBOX', description) };
  }
  const source = at(fields, 'payment_source');
  if (source !== undefined && callKey === null) {
    const detail = 'is required when a payment source is given';
    return { refused: problem.invalid({ kind: 'missing', field: 'PayPal-Request-Id', detail }) };
  }
  const unit: unknown = units[0];
  const currency = textAt(unit, 'amount', 'currency_code') ?? '';
  const amount = parseAmount({ value: textAt(unit, 'amount', 'value') ?? '', currency });
  if ('issue' in amount) return { refused: problem.unprocessable(amount.issue, amount.description) };
  const destination = payerIn(fields);
  const plan = planOf(wordOf(destination), 'payin');
  const isAsked = plan.outcome === 'action';
  const now = world.now();
  const isAbandoned = plan.later === 'expire';
  const payment: Payment = {
    id: newId('O').toUpperCase(),
    provider: 'paypal',
    kind: 'payin',
    key: dashed(callKey ?? textAt(unit, 'custom_id') ?? '') || null,
    callKey: null,
    reference: null,
    amount: String(amount.minor),
    currency,
    destination,
    status: isAsked ? 'action' : 'approved',
    declineCode: null,
    returns: [],
    createdAt: now,
    hiddenUntil: 0,
    due: isAbandoned ? { at: now + world.settings.abandonMs, step: 'expire' } : null,
    captureLater: true,
    extra: {
      customId: textAt(unit, 'custom_id'),
      invoiceId: textAt(unit, 'invoice_id'),
      referenceId: textAt(unit, 'reference_id'),
      hasSource: source !== undefined,
    },
  };
  return { payment };
}

/** Whatever the order says of the payer; a behaviour word stands there. */
function payerIn(fields: Fields): string {
  return (
    textAt(fields, 'payment_source', 'token', 'id') ??
    textAt(fields, 'payment_source', 'paypal', 'vault_id') ??
    textAt(fields, 'payment_source', 'paypal', 'email_address') ??
    textAt(fields, 'payer', 'email_address') ??
    ''
  );
}

function get({ world, id }: Call): Answer {
  const payment = orderOf(world, id);
  // An order that the buyer walked away from is gone.
  if (!payment || payment.status === 'canceled') return problem.notFound();
  return { ...jsonAnswer(200, wire.order(world, payment)), seen: { key: payment.key } };
}

function capture({ request, world, id }: Call): Answer {
  const body = readBody(request, (fields) => spec.body(`${ORDER}/{id}/capture`, fields));
  if ('refused' in body) return body.refused;
  const found = keyedBy(request, { voice: captureVoice, scope: 'capture', lengthMax: REQUEST_ID_MAX });
  if ('refused' in found) return found.refused;
  const { keyed } = found;
  const payment = orderOf(world, id);
  if (!payment || payment.status === 'canceled') return problem.notFound();
  const seen = { key: payment.key, callKey: keyed.callKey };
  const isRepeat = rememberedKey(world, captureVoice, keyed.keyName) !== undefined;
  const refused = isRepeat ? null : refusalOf(payment);
  if (refused) return { ...refused, seen };
  const answer = moveMoney(world, { ...keyed, payment });
  return { ...answer, seen: { ...answer.seen, ...seen } };
}

function refusalOf(payment: Payment): Answer | null {
  if (payment.status === 'approved') return null;
  if (payment.status === 'action') {
    return problem.unprocessable(
      'ORDER_NOT_APPROVED',
      'The payer has not yet approved the order. Send the payer there.',
    );
  }
  if (wire.isCaptured(payment)) {
    return problem.unprocessable('ORDER_ALREADY_CAPTURED', 'The order is already captured. Look at it instead.');
  }
  return problem.unprocessable('INSTRUMENT_DECLINED', 'The payment method was declined. Create a new order.');
}

function getCapture({ world, id }: Call): Answer {
  const payment = id.startsWith('C') ? orderOf(world, `O${id.slice(1)}`) : undefined;
  if (!payment || !wire.isCaptured(payment) || isHidden(payment, world.now())) return problem.notFound();
  return { ...jsonAnswer(200, wire.capture(world, payment)), seen: { key: payment.key } };
}

export function orderOf(world: World, id: string): Payment | undefined {
  const payment = world.state.payment(id);
  return payment?.provider === 'paypal' && payment.kind === 'payin' ? payment : undefined;
}
