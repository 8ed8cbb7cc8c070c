// Square's refunds: money given back of a completed payment, in parts until nothing is left of it.
import { type Answer, jsonAnswer, type WireRequest } from '../answer.ts';
import { type KeyedCall, keyConflict, moveMoney } from '../money-call.ts';
import { leftToReturn, refundedAmount } from '../movement.ts';
import { dashed, isHidden, kindOf, newId, type Payment } from '../payment.ts';
import { rememberedKey, type Voice, type World } from '../world.ts';
import { voice as paymentVoice } from './payment.ts';
import { fingerprintOf, readBody, readMoney } from './request.ts';
import * as wire from './wire.ts';

export const voice: Voice = {
  ...paymentVoice,
  events: {
    pending: ['refund.created'],
    paid: ['refund.updated'],
    declined_late: ['refund.updated'],
    returned: ['refund.updated'],
  },
  render: (refund) => JSON.stringify({ refund: wire.refund(refund) }),
  pending: (refund) => jsonAnswer(200, { refund: wire.refund(refund) }),
};

const createVoice: Voice = {
  ...voice,
  events: {
    ...voice.events,
    paid: ['refund.created', 'refund.updated'],
    declined: ['refund.created', 'refund.updated'],
  },
};

export function create({ request, world }: { request: WireRequest; world: World }): Answer {
  const read = readBody(request, '/v2/refunds');
  if ('refused' in read) return read.refused;
  const { fields } = read;
  const money = readMoney(fields);
  if ('refused' in money) return money.refused;
  const callKey = String(fields.idempotency_key);
  // A key of a refund and a key of a payment are different keys.
  const call: KeyedCall = {
    voice: createVoice,
    keyName: `square:refund:${callKey}`,
    callKey,
    endpoint: request.path,
    fingerprint: fingerprintOf(fields),
  };
  const seen = { key: dashed(callKey), callKey };
  const conflict = keyConflict(world, call);
  if (conflict) return { ...conflict, seen };
  const id = typeof fields.payment_id === 'string' ? fields.payment_id : '';
  const parent = world.state.payment(id);
  if (parent?.provider !== 'square' || kindOf(parent) !== 'payin') {
    return { ...wire.notFound(`payment with id: ${id}`), seen };
  }
  const refused = rememberedKey(world, voice, call.keyName) ? null : notRefundable(world, { parent, ...money });
  if (refused) return { ...refused, seen };
  const reason = typeof fields.reason === 'string' ? { reason: fields.reason } : {};
  const refund: Payment = {
    id: newId('sqr_'),
    provider: 'square',
    kind: 'refund',
    parent: parent.id,
    key: dashed(callKey),
    callKey,
    reference: null,
    ...money,
    destination: parent.destination,
    status: 'created',
    declineCode: null,
    returns: [],
    createdAt: world.now(),
    hiddenUntil: 0,
    due: null,
    extra: { shown: { location_id: wire.LOCATION_ID, ...reason } },
  };
  const made = moveMoney(world, { ...call, payment: refund });
  return { ...made, seen: { ...made.seen, ...seen } };
}

type Asked = { parent: Payment; amount: string; currency: string };

function notRefundable(world: World, { parent, amount, currency }: Asked): Answer | null {
  const refused = (code: string, detail: string) => wire.problem(400, { category: 'REFUND_ERROR', code, detail });
  if (parent.status === 'approved') {
    return refused('REFUND_ERROR_PAYMENT_NEEDS_COMPLETION', 'Complete or cancel the payment instead.');
  }
  if (parent.status !== 'paid' || isHidden(parent, world.now())) {
    return refused('PAYMENT_NOT_REFUNDABLE', 'Only a completed payment can be refunded.');
  }
  if (currency !== parent.currency) return wire.invalid('CURRENCY_MISMATCH', `Refund it in ${parent.currency}.`);
  if (parent.dispute && parent.dispute.status !== 'won') {
    return refused('PAYMENT_NOT_REFUNDABLE_DUE_TO_DISPUTE', 'The payer has disputed it. Wait for the decision.');
  }
  const left = leftToReturn(parent) - refundedAmount(world, parent);
  if (BigInt(amount) <= left) return null;
  return refused('REFUND_AMOUNT_INVALID', `The requested refund amount exceeds what is left, ${left}.`);
}
