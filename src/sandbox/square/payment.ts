// Square's payments. With autocomplete the first call takes the money; without it the first call only reserves it on
// the card, and completing takes it. Completing and cancelling carry no key of their own: the payment is their key.
import { type Answer, jsonAnswer, type WireRequest } from '../answer.ts';
import { planOf, reserveWordOf, wordOf } from '../behaviour.ts';
import {
  edgeAnswer,
  hold,
  type KeyedCall,
  keyConflict,
  keyRecord,
  moveMoney,
  refuse,
  replay,
  standing,
  storeError,
  travelling,
} from '../money-call.ts';
import { eventParts } from '../movement.ts';
import { dashed, isHidden, kindOf, newId, type Payment } from '../payment.ts';
import { rememberedKey, type Voice, type World } from '../world.ts';
import { type Fields, fingerprintOf, readBody, readMoney } from './request.ts';
import * as wire from './wire.ts';

const DAY_MS = 24 * 60 * 60 * 1000; // not published; what the processor counts on

export const voice: Voice = {
  keyRetentionMs: DAY_MS,
  replayHeader: {},
  keepsServerError: false,
  repeatsError: true,
  objectFirst: true,
  keeps: 'first',
  successStatus: 200,
  lateDeclineCode: 'declined',
  events: {
    created: ['payment.created'],
    action: ['payment.created'],
    approved: ['payment.updated'],
    pending: ['payment.updated'],
    paid: ['payment.updated'],
    declined: ['payment.updated'],
    declined_late: ['payment.updated'],
    canceled: ['payment.updated'],
    expired: ['payment.updated'],
    returned: ['payment.updated'],
    disputed: ['dispute.created'],
    dispute_won: ['dispute.state.updated'],
    dispute_lost: ['dispute.state.updated'],
  },
  render: (payment) => JSON.stringify({ payment: wire.payment(payment) }),
  pending: (payment) => jsonAnswer(200, { payment: wire.payment(payment) }),
  refusal: (payment) => wire.refusal(payment),
  serverError: () => apiError(500, 'INTERNAL_SERVER_ERROR', 'An internal error has occurred.'),
  unavailable: () => apiError(503, 'SERVICE_UNAVAILABLE', 'The service is unavailable. Try again.'),
  rateLimited: () =>
    wire.problem(429, { category: 'RATE_LIMIT_ERROR', code: 'RATE_LIMITED', detail: 'Too many requests. Wait.' }),
  keyInUse: () => wire.invalid('CONFLICT', 'A request with this key is still in progress. Repeat it later.', 409),
  keyReused: () =>
    wire.invalid('IDEMPOTENCY_KEY_REUSED', 'This idempotency key was used for another request. Use a new one.'),
};

/** A call that makes the payment and takes the money tells of both. */
const createVoice: Voice = {
  ...voice,
  events: {
    ...voice.events,
    pending: ['payment.created'],
    paid: ['payment.created', 'payment.updated'],
    declined: ['payment.created', 'payment.updated'],
  },
};

/** Completing keeps no answer: a repeat is told how the payment stands. */
const completeVoice: Voice = { ...voice, keeps: 'latest' };

function apiError(status: number, code: string, detail: string): Answer {
  return wire.problem(status, { category: 'API_ERROR', code, detail });
}

type Call = { request: WireRequest; world: World; id: string };

export function create({ request, world }: Call): Answer {
  const read = readBody(request, '/v2/payments');
  if ('refused' in read) return read.refused;
  const { fields } = read;
  const money = readMoney(fields);
  if ('refused' in money) return money.refused;
  const callKey = String(fields.idempotency_key);
  const call: KeyedCall = {
    voice: createVoice,
    keyName: keyNameOf(callKey),
    callKey,
    endpoint: request.path,
    fingerprint: fingerprintOf(fields),
  };
  const payment = newPayment(world, { fields, money, callKey });
  const made = payment.captureLater ? reserve(world, call, payment) : moveMoney(world, { ...call, payment });
  return { ...made, seen: { ...made.seen, key: payment.key, callKey } };
}

function keyNameOf(callKey: string): string {
  return `square:${callKey}`;
}

const SHOWN = ['location_id', 'order_id', 'customer_id', 'note', 'buyer_email_address', 'app_fee_money'];
const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;

type Asked = { fields: Fields; money: { amount: string; currency: string }; callKey: string };

function newPayment(world: World, { fields, money, callKey }: Asked): Payment {
  const reference = typeof fields.reference_id === 'string' ? fields.reference_id : null;
  const shown = Object.fromEntries(Object.entries(fields).filter(([name]) => SHOWN.includes(name)));
  return {
    id: newId('sqp_'),
    provider: 'square',
    kind: 'payin',
    // The reference names the operation; the key of the call may be derived from it.
    key: dashed(reference !== null && UUID.test(reference) ? reference : callKey),
    callKey,
    reference,
    ...money,
    destination: String(fields.source_id),
    status: 'created',
    declineCode: null,
    returns: [],
    createdAt: world.now(),
    hiddenUntil: 0,
    due: null,
    ...(fields.autocomplete === false ? { captureLater: true } : {}),
    extra: { shown: { location_id: wire.LOCATION_ID, ...shown } },
  };
}

/** The first of two steps moves nothing: only the buyer's words act on it, and those that are meant for it. */
function reserve(world: World, call: KeyedCall, asked: Payment): Answer {
  const conflict = keyConflict(world, call);
  if (conflict) return conflict;
  const word = reserveWordOf(asked.destination);
  const { edge, outcome, reply } = planOf(word, 'payout');
  const seen = word === 'ok' ? {} : { fault: `reserve_${word}` };
  if (edge && world.countCall(keyNameOf(String(call.callKey))) === 1) return { ...edgeAnswer(voice, edge), seen };
  const known = rememberedKey(world, voice, call.keyName);
  if (known) return { ...replay(world, call, known), seen };
  const made = reserveOnce(world, call, { asked, outcome });
  const answer = reply === 'error' ? voice.serverError() : made;
  return { ...travelling(answer, reply), inFlight: hold(world, call), seen };
}

function reserveOnce(world: World, call: KeyedCall, { asked, outcome }: { asked: Payment; outcome: string }): Answer {
  if (outcome === 'error') return storeError(world, { ...call, payment: asked });
  if (outcome === 'declined') return refuse(world, { ...call, payment: asked }, 'declined');
  if (outcome === 'insufficient') return refuse(world, { ...call, payment: asked }, 'insufficient_funds');
  const plan = planOf(wordOf(asked.destination), 'payin');
  const mustAct = plan.outcome === 'action';
  const due = plan.later === 'expire' ? { at: world.now() + world.settings.abandonMs, step: plan.later } : null;
  const payment: Payment = { ...asked, status: mustAct ? 'action' : 'approved', due: mustAct ? due : null };
  const key = keyRecord(world, call, { paymentId: payment.id, answer: { kind: 'snapshot', status: 200 } });
  world.commit({ at: world.now(), payment, ...key, ...eventParts(voice, mustAct ? 'action' : 'created') });
  return jsonAnswer(200, { payment: wire.payment(payment) });
}

export function complete({ request, world, id }: Call): Answer {
  const read = readBody(request, '/v2/payments/{payment_id}/complete');
  if ('refused' in read) return read.refused;
  const payment = payinOf(world, id);
  if (!payment) return wire.notFound(`payment with id: ${id}`);
  const call: KeyedCall = {
    voice: completeVoice,
    keyName: `square:complete:${id}`,
    callKey: payment.callKey,
    endpoint: request.path,
    fingerprint: '',
  };
  const seen = { key: payment.key, callKey: payment.callKey };
  const conflict = keyConflict(world, call);
  if (conflict) return { ...conflict, seen };
  const done =
    payment.status === 'approved' ? moveMoney(world, { ...call, payment }) : completedAlready(world, payment);
  return { ...done, seen: { ...done.seen, ...seen } };
}

/** The answer to completing a payment that waits for no completing; it moves nothing. */
function completedAlready(world: World, payment: Payment): Answer {
  if (isHidden(payment, world.now())) return voice.keyInUse(payment.callKey);
  if (payment.status === 'action') return wrongState(payment, 'completed: the buyer must approve it first');
  if (payment.status === 'canceled') return wrongState(payment, 'completed. Create a new one');
  return standing(world, voice, payment);
}

function wrongState(payment: Payment, what: string): Answer {
  const { status } = wire.payment(payment);
  return wire.invalid('BAD_REQUEST', `A payment that is ${status} cannot be ${what}.`);
}

export function cancel({ request, world, id }: Call): Answer {
  const payment = payinOf(world, id);
  if (!payment) return wire.notFound(`payment with id: ${id}`);
  // The body has no field that the sandbox knows.
  if (!/^\s*(\{\s*\})?\s*$/.test(request.body)) return wire.invalid('BAD_REQUEST', 'Send no fields with a cancel.');
  const seen = { key: payment.key, callKey: payment.callKey };
  const ended = endedPayment(world, payment);
  if ('refused' in ended) return { ...ended.refused, seen };
  return { ...jsonAnswer(200, { payment: wire.payment(ended.payment) }), seen };
}

/** Voids what a create with this key made, if anything: the way out when its answer was lost. */
export function cancelByKey({ request, world }: Call): Answer {
  const read = readBody(request, '/v2/payments/cancel');
  if ('refused' in read) return read.refused;
  const callKey = String(read.fields.idempotency_key);
  const keyName = keyNameOf(callKey);
  const seen = { key: dashed(callKey), callKey };
  if (world.inFlight.has(keyName)) return { ...voice.keyInUse(callKey), seen };
  const paymentId = rememberedKey(world, voice, keyName)?.record.paymentId;
  const payment = typeof paymentId === 'string' ? payinOf(world, paymentId) : null;
  const ended = payment ? endedPayment(world, payment) : null;
  const refused = ended && 'refused' in ended ? ended.refused : null;
  return { ...(refused ?? jsonAnswer(200, {})), seen: payment ? { key: payment.key, callKey } : seen };
}

function endedPayment(world: World, payment: Payment): { payment: Payment } | { refused: Answer } {
  if (payment.status === 'canceled' || payment.status === 'declined') return { payment };
  if (isHidden(payment, world.now()) || world.inFlight.has(`square:complete:${payment.id}`)) {
    return { refused: voice.keyInUse(payment.callKey) };
  }
  if (payment.status !== 'approved' && payment.status !== 'action') {
    return { refused: wrongState(payment, 'cancelled. Look at it, and refund it instead') };
  }
  const at = world.now();
  const canceled: Payment = { ...payment, status: 'canceled', due: null, extra: { ...payment.extra, changedAt: at } };
  world.commit({ at, payment: canceled, ...eventParts(voice, 'canceled') });
  return { payment: canceled };
}

function payinOf(world: World, id: string): Payment | null {
  const payment = world.state.payment(id);
  return payment?.provider === 'square' && kindOf(payment) === 'payin' ? payment : null;
}

/** While a completed payment is hidden, reads are late: they still show it reserved, or not at all. */
export function visible(world: World, id: string): Payment | null {
  const payment = payinOf(world, id);
  if (!payment || !isHidden(payment, world.now())) return payment;
  return payment.captureLater ? { ...payment, status: 'approved' } : null;
}
