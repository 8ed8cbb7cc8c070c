// PayPal's payouts, one item a batch. The batch id of the sender is the guard against paying twice: a second batch with
// it is refused, with a link to the first.
import { hash } from 'node:crypto';
import { type Answer, jsonAnswer } from '../answer.ts';
import { type KeyedCall, moveMoney } from '../money-call.ts';
import { eventParts } from '../movement.ts';
import { dashed, isHidden, newId, type Payment } from '../payment.ts';
import { type Defect, specChecker } from '../schema.ts';
import type { Voice, World } from '../world.ts';
import { parseAmount } from './amount.ts';
import { at, type Call, DAY_MS, type Fields, paypalVoice, type Route, readBody, textAt } from './form.ts';
import * as problem from './problem.ts';
import * as wire from './wire.ts';

const PATH = '/v1/payments/payouts';
const spec = specChecker(new URL('../specs/paypal-payments_payouts_batch_v1.json', import.meta.url), 'json');

export const payoutVoice: Voice = {
  ...paypalVoice,
  keyRetentionMs: 30 * DAY_MS,
  lateDeclineCode: 'declined',
  events: {
    pending: ['PAYMENT.PAYOUTSBATCH.PROCESSING'],
    paid: ['PAYMENT.PAYOUTSBATCH.SUCCESS', 'PAYMENT.PAYOUTS-ITEM.SUCCEEDED'],
    declined: ['PAYMENT.PAYOUTS-ITEM.FAILED'],
    declined_late: ['PAYMENT.PAYOUTS-ITEM.FAILED'],
    canceled: ['PAYMENT.PAYOUTS-ITEM.CANCELED'],
    returned: ['PAYMENT.PAYOUTS-ITEM.RETURNED'],
  },
  render: (payment, world) => JSON.stringify(wire.batch(world, payment)),
  pending: (payment, world) => jsonAnswer(200, wire.batch(world, payment)),
  // What the receiver's side refuses is a status of the item; what we cannot pay is refused at the door.
  refusal: (payment, world) => (isUnpaid(payment) ? shortOfMoney() : jsonAnswer(200, wire.batch(world, payment))),
  repeat: (payment, world) => (isUnpaid(payment) ? shortOfMoney() : duplicate(world, payment)),
  keyReused: ({ first }, world) => {
    const payment = world.state.payment(first.paymentId ?? '');
    return payment ? duplicate(world, payment) : shortOfMoney();
  },
};

export const PAYOUT_ROUTES: Route[] = [
  { method: 'POST', pattern: /^\/v1\/payments\/payouts$/, run: create },
  { method: 'GET', pattern: /^\/v1\/payments\/payouts\/([^/]+)$/, run: getBatch },
  { method: 'GET', pattern: /^\/v1\/payments\/payouts-item\/([^/]+)$/, run: getItem },
  { method: 'POST', pattern: /^\/v1\/payments\/payouts-item\/([^/]+)\/cancel$/, run: cancelItem },
];

function create({ request, world }: Call): Answer {
  const body = readBody(request, (fields) => spec.body(PATH, fields));
  if ('refused' in body) return body.refused;
  const { fields } = body;
  const defect = defectOf(fields);
  if (defect) return validationError(defect);
  const item = at(fields, 'items', 0);
  const currency = textAt(item, 'amount', 'currency') ?? '';
  const amount = parseAmount({ value: textAt(item, 'amount', 'value') ?? '', currency });
  if ('issue' in amount) {
    return validationError({ kind: 'wrong', field: 'items[0][amount]', detail: `is wrong: ${amount.description}` });
  }
  const callKey = textAt(fields, 'sender_batch_header', 'sender_batch_id');
  const payment: Payment = {
    id: newId('B').toUpperCase(),
    provider: 'paypal',
    key: callKey === null ? null : dashed(callKey),
    callKey,
    reference: null,
    amount: String(amount.minor),
    currency,
    destination: textAt(item, 'receiver') ?? '',
    status: 'created',
    declineCode: null,
    returns: [],
    createdAt: world.now(),
    hiddenUntil: 0,
    due: null,
    extra: {
      recipientType: recipientType(fields),
      senderItemId: textAt(item, 'sender_item_id'),
      emailSubject: textAt(fields, 'sender_batch_header', 'email_subject'),
    },
  };
  const keyed: KeyedCall = {
    voice: payoutVoice,
    keyName: callKey === null ? null : `paypal:payout:${callKey}`,
    callKey,
    endpoint: request.path,
    fingerprint: hash('sha256', request.body, 'hex'),
  };
  const answer = moveMoney(world, { ...keyed, payment });
  return { ...answer, seen: { ...answer.seen, key: payment.key, callKey } };
}

function recipientType(fields: Fields): string | null {
  return textAt(fields, 'items', 0, 'recipient_type') ?? textAt(fields, 'sender_batch_header', 'recipient_type');
}

const RECEIVERS: Record<string, RegExp> = {
  EMAIL: /^[^@\s]+@[^@\s]+$/,
  PHONE: /^\+?[0-9 -]{5,20}$/,
  PAYPAL_ID: /^[A-Za-z0-9_.-]{1,127}$/,
};

/** What the specification leaves open. */
function defectOf(fields: Fields): Defect | null {
  const items = at(fields, 'items');
  if (!Array.isArray(items) || items.length !== 1) {
    return { kind: 'wrong', field: 'items', detail: 'must hold one item in this sandbox' };
  }
  if (textAt(items, 0, 'amount', 'currency') === null) {
    return { kind: 'missing', field: 'items[0][amount]', detail: 'is missing' };
  }
  const pattern = RECEIVERS[recipientType(fields) ?? ''];
  if (!pattern) {
    return { kind: 'wrong', field: 'items[0][recipient_type]', detail: 'must be EMAIL, PHONE or PAYPAL_ID' };
  }
  const isGood = pattern.test(textAt(items, 0, 'receiver') ?? '');
  return isGood ? null : { kind: 'wrong', field: 'items[0][receiver]', detail: 'does not fit its recipient_type' };
}

function validationError({ field, detail }: Defect): Answer {
  const path = field.replaceAll(/\[([^\]]+)\]/g, '.$1');
  const details = [{ field: path, location: 'body', issue: `${path} ${detail}`, description: `${path} ${detail}` }];
  return problem.problem(400, 'VALIDATION_ERROR', 'Invalid request - see details. Correct it and send again.', {
    details,
  });
}

function isUnpaid({ status, declineCode }: Payment): boolean {
  return status === 'declined' && declineCode === 'insufficient_funds';
}

function shortOfMoney(): Answer {
  return problem.problem(
    422,
    'INSUFFICIENT_FUNDS',
    'Sender does not have sufficient funds. Please add funds and retry.',
  );
}

function duplicate(world: World, payment: Payment): Answer {
  const href = `${world.url()}/paypal${PATH}/${payment.id}`;
  const description = `Batch with given sender_batch_id already exists: ${payment.callKey}. Look at the first one.`;
  const details = [{ field: 'SENDER_BATCH_ID', location: 'body', issue: 'Duplicate batch request', description }];
  return problem.problem(400, 'USER_BUSINESS_ERROR', 'User business error.', {
    details,
    links: [{ href, rel: 'self', method: 'GET' }],
  });
}

function visible(world: World, id: string): Payment | undefined {
  const payment = world.state.payment(id);
  if (payment?.provider !== 'paypal' || payment.kind !== undefined) return undefined;
  return isHidden(payment, world.now()) || isUnpaid(payment) ? undefined : payment;
}

function ofItem(world: World, id: string): Payment | undefined {
  return id.startsWith('I') ? visible(world, `B${id.slice(1)}`) : undefined;
}

function getBatch({ world, id }: Call): Answer {
  const payment = visible(world, id);
  if (!payment) return problem.notFound();
  const body = { ...wire.batch(world, payment), items: [wire.item(world, payment)], total_items: 1, total_pages: 1 };
  return { ...jsonAnswer(200, body), seen: { key: payment.key } };
}

function getItem({ world, id }: Call): Answer {
  const payment = ofItem(world, id);
  return payment ? { ...jsonAnswer(200, wire.item(world, payment)), seen: { key: payment.key } } : problem.notFound();
}

function cancelItem({ world, id }: Call): Answer {
  const payment = ofItem(world, id);
  if (!payment) return problem.notFound();
  const seen = { key: payment.key };
  if (!wire.isUnclaimed(payment)) {
    const message = 'Only an unclaimed item can be canceled. Look at it instead.';
    const details = [{ issue: 'ITEM_NOT_UNCLAIMED', description: message }];
    return { ...problem.problem(400, 'BATCH_NOT_COMPLETED', message, { details }), seen };
  }
  const canceled: Payment = { ...payment, status: 'canceled' };
  world.commit({ at: world.now(), payment: canceled, ...eventParts(payoutVoice, 'canceled') });
  return { ...jsonAnswer(200, wire.item(world, canceled)), seen };
}
