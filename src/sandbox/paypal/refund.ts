// PayPal's refunds of captures, and what it shows of disputes.
import { type Answer, jsonAnswer } from '../answer.ts';
import { moveMoney } from '../money-call.ts';
import { leftToReturn, refundedAmount } from '../movement.ts';
import { dashed, isHidden, newId, type Payment } from '../payment.ts';
import { specChecker } from '../schema.ts';
import { rememberedKey, type Voice, type World } from '../world.ts';
import { parseAmount } from './amount.ts';
import { type Call, DAY_MS, type Fields, keyedBy, paypalVoice, type Route, readBody, textAt } from './form.ts';
import { orderOf } from './order.ts';
import * as problem from './problem.ts';
import * as wire from './wire.ts';

const REQUEST_ID_MAX = 108;
const PATH = '/v2/payments/captures/{capture_id}/refund';
const spec = specChecker(new URL('../specs/paypal-payments_payment_v2.json', import.meta.url), 'json');

export const refundVoice: Voice = {
  ...paypalVoice,
  keyRetentionMs: 45 * DAY_MS,
  lateDeclineCode: wire.DENIED_LATE,
  events: {
    paid: ['PAYMENT.CAPTURE.REFUNDED'],
    pending: ['PAYMENT.REFUND.PENDING'],
    declined_late: ['PAYMENT.REFUND.FAILED'],
    returned: ['PAYMENT.REFUND.FAILED'],
  },
  render: (payment, world) => JSON.stringify(wire.refund(world, payment)),
  pending: (payment, world) => jsonAnswer(200, wire.refund(world, payment)),
  refusal: (payment, world) => {
    if (payment.declineCode === wire.DENIED_LATE) return jsonAnswer(200, wire.refund(world, payment));
    return payment.declineCode === 'insufficient_funds'
      ? problem.unprocessable('REFUND_FAILED_INSUFFICIENT_FUNDS', 'Your balance is too small. Add funds first.')
      : problem.unprocessable('TRANSACTION_REFUSED', 'The refund was refused. Pay the buyer in another way.');
  },
  keyReused: problem.idReused,
};

export const REFUND_ROUTES: Route[] = [
  { method: 'POST', pattern: /^\/v2\/payments\/captures\/([^/]+)\/refund$/, run: create },
  { method: 'GET', pattern: /^\/v2\/payments\/refunds\/([^/]+)$/, run: get },
  { method: 'GET', pattern: /^\/v1\/customer\/disputes\/([^/]+)$/, run: getDispute },
];

function create({ request, world, id }: Call): Answer {
  const body = readBody(request, (fields) => spec.body(PATH, fields));
  if ('refused' in body) return body.refused;
  const found = keyedBy(request, { voice: refundVoice, scope: 'refund', lengthMax: REQUEST_ID_MAX });
  if ('refused' in found) return found.refused;
  const { keyed } = found;
  const payin = id.startsWith('C') ? orderOf(world, `O${id.slice(1)}`) : undefined;
  if (!payin || !wire.isCaptured(payin) || isHidden(payin, world.now())) return problem.notFound();
  const left = leftToReturn(payin) - refundedAmount(world, payin);
  const asked = amountIn(body.fields, payin);
  if ('refused' in asked) return asked.refused;
  const amount = asked.minor ?? left;
  const isRepeat = rememberedKey(world, refundVoice, keyed.keyName) !== undefined;
  const refused = isRepeat ? null : refusalOf(payin, { left, amount });
  if (refused) return refused;
  const payment: Payment = {
    id: newId('R').toUpperCase(),
    provider: 'paypal',
    kind: 'refund',
    parent: payin.id,
    key: keyed.callKey === null ? null : dashed(keyed.callKey),
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
    extra: {
      customId: textAt(body.fields, 'custom_id') ?? payin.extra.customId,
      invoiceId: textAt(body.fields, 'invoice_id'),
      note: textAt(body.fields, 'note_to_payer'),
    },
  };
  const answer = moveMoney(world, { ...keyed, payment });
  return { ...answer, seen: { ...answer.seen, key: payment.key, callKey: keyed.callKey } };
}

/** Null: all that is left. */
function amountIn(fields: Fields, payin: Payment): { minor: bigint | null } | { refused: Answer } {
  if (fields.amount === undefined) return { minor: null };
  const currency = textAt(fields, 'amount', 'currency_code') ?? '';
  if (currency !== payin.currency) {
    const description = `The capture is in ${payin.currency}. Refund it in that currency.`;
    return { refused: problem.unprocessable('REFUND_CURRENCY_MISMATCH', description) };
  }
  const amount = parseAmount({ value: textAt(fields, 'amount', 'value') ?? '', currency });
  return 'issue' in amount ? { refused: problem.unprocessable(amount.issue, amount.description) } : amount;
}

function refusalOf(payin: Payment, { left, amount }: { left: bigint; amount: bigint }): Answer | null {
  if (payin.status !== 'paid' && payin.status !== 'returned') {
    return problem.unprocessable('CAPTURE_STATUS_NOT_VALID', 'The capture is not completed. Wait until it is.');
  }
  if (payin.dispute && payin.dispute.status !== 'won') {
    return problem.unprocessable('CAPTURE_DISPUTED', 'The capture is disputed. Answer the dispute instead.');
  }
  if (left === 0n) {
    return problem.unprocessable('CAPTURE_FULLY_REFUNDED', 'The capture has already been fully refunded.');
  }
  if (amount <= left) return null;
  const description = `The refund must not exceed what is left of the capture. Refund ${left} minor units or less.`;
  return problem.unprocessable('REFUND_AMOUNT_EXCEEDED', description);
}

function get({ world, id }: Call): Answer {
  const payment = refundOf(world, id);
  if (!payment || !wire.isRefundMade(payment) || isHidden(payment, world.now())) return problem.notFound();
  return { ...jsonAnswer(200, wire.refund(world, payment)), seen: { key: payment.key } };
}

function refundOf(world: World, id: string): Payment | undefined {
  const payment = world.state.payment(id);
  return payment?.provider === 'paypal' && payment.kind === 'refund' ? payment : undefined;
}

function getDispute({ world, id }: Call): Answer {
  const payin = id.startsWith('D') ? orderOf(world, `O${id.slice(1)}`) : undefined;
  const found = payin ? wire.dispute(payin) : null;
  return found ? { ...jsonAnswer(200, found), seen: { key: payin?.key ?? null } } : problem.notFound();
}
