// Pay-ins through PayPal: what each answer of an order or a capture proves, and what goes over the wire.

import { afterEach, describe, expect, test } from 'vitest';
import type { LocalServer } from './local-server.ts';
import { outcomeOf } from './outcome.ts';
import { LIMITS, payinOf, paypalAt, referenceOf } from './paypal-rig.ts';
import { problem, type Said, type Script, servePaypal } from './paypal-server.ts';

const ORDERS = '/v2/checkout/orders';
const ORDER = `${ORDERS}/O1`;
const CAPTURE = `${ORDER}/capture`;
const order = payinOf('tok_1');
const reference = referenceOf(order, { externId: 'O1' });
const open: LocalServer[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

async function scripted(script: Script) {
  const server = await servePaypal(script);
  open.push(server);
  return { server, paypal: paypalAt(server.url) };
}

const usd = (value: string) => ({ currency_code: 'USD', value });

function orderBody(status: string, { payments, ...more }: { payments?: object } & Record<string, unknown> = {}) {
  const links = [{ href: 'https://www.paypal.com/checkoutnow?token=O1', rel: 'payer-action' }];
  const unit = { custom_id: order.pkid, ...(payments === undefined ? {} : { payments }) };
  return { id: 'O1', status, purchase_units: [unit], links, ...more };
}

function captureBody(status: string, more: object = {}) {
  return { id: 'C1', status, amount: usd('15.00'), custom_id: order.pkid, ...more };
}

const completed = (...captures: object[]) => orderBody('COMPLETED', { payments: { captures } });

describe('an order that is looked at', () => {
  const refunds = [
    { id: 'R1', status: 'COMPLETED', amount: usd('5.00') },
    { id: 'R2', status: 'FAILED', amount: usd('10.00') },
  ];
  const captured = orderBody('COMPLETED');
  const ownPayments = { captures: [captureBody('COMPLETED')] };
  const strange = { custom_id: order.pkid, payments: { captures: [captureBody('COMPLETED', { custom_id: 'x' })] } };
  test.each<[string, unknown, string]>([
    ['created', orderBody('CREATED'), 'action_required'],
    ['saved', orderBody('SAVED'), 'action_required'],
    ['waiting for its buyer', orderBody('PAYER_ACTION_REQUIRED'), 'action_required'],
    ['approved', orderBody('APPROVED'), 'pending:awaits_confirm'],
    ['voided', orderBody('VOIDED'), 'declined:expired'],
    ['of a status we do not know', orderBody('SOMETHING_NEW'), 'pending'],
    ['completed without a capture', orderBody('COMPLETED'), 'pending'],
    ['captured', completed(captureBody('COMPLETED')), 'succeeded'],
    ['captured and under review', completed(captureBody('PENDING')), 'pending'],
    ['captured with a status we do not know', completed(captureBody('SOMETHING_NEW')), 'pending'],
    ['declined', completed(captureBody('DECLINED')), 'declined:declined'],
    ['failed', completed(captureBody('FAILED')), 'declined:declined'],
    ['declined, then captured', completed(captureBody('DECLINED'), captureBody('COMPLETED')), 'succeeded'],
    ['refunded in part', completed(captureBody('PARTIALLY_REFUNDED')), 'succeeded'],
    ['taken back', completed(captureBody('REFUNDED')), 'succeeded:reversed 1500'],
    [
      'refunded in part and taken back',
      orderBody('COMPLETED', { payments: { captures: [captureBody('REFUNDED')], refunds } }),
      'succeeded:reversed 1000',
    ],
    ['not ours', { ...orderBody('APPROVED'), purchase_units: [{ custom_id: 'x' }] }, 'uncertain:another_payment'],
    ['nobody’s', { ...orderBody('APPROVED'), purchase_units: [{}] }, 'uncertain:another_payment'],
    ['ours by its capture alone', { ...captured, purchase_units: [{ payments: ownPayments }] }, 'succeeded'],
    ['ours with a capture that is not', { ...captured, purchase_units: [strange] }, 'uncertain:another_payment'],
    ['of two units', { ...orderBody('APPROVED'), purchase_units: [{}, {}] }, 'uncertain:unexpected_body'],
    ['without a page to approve it', orderBody('CREATED', { links: [] }), 'uncertain:unexpected_body'],
    [
      'with another kind of page to approve it',
      orderBody('CREATED', { links: [{ href: 'javascript:alert(1)', rel: 'approve' }] }),
      'uncertain:unexpected_body',
    ],
    [
      'with an amount that is none',
      completed(captureBody('COMPLETED', { amount: usd('1e3') })),
      'uncertain:unexpected_body',
    ],
    [
      'with a fraction of a cent',
      completed(captureBody('COMPLETED', { amount: usd('0.001') })),
      'uncertain:unexpected_body',
    ],
    ['empty', {}, 'uncertain:unexpected_body'],
    ['no JSON', '<html>', 'uncertain:unreadable_body'],
  ])('and is %s', async (_name, body, expected) => {
    const { paypal } = await scripted({ [ORDER]: { body } });
    expect(await outcomeOf(paypal.payin.find(reference, LIMITS))).toBe(expected);
  });

  test('tells the fee once, by the id of the capture, and further captures as an alarm', async () => {
    const fee = { seller_receivable_breakdown: { paypal_fee: usd('0.82') } };
    const body = completed(captureBody('COMPLETED', fee), captureBody('COMPLETED', { id: 'C2' }));
    const { paypal } = await scripted({ [ORDER]: { body } });
    expect(await paypal.payin.find(reference, LIMITS)).toEqual({
      type: 'succeeded',
      externId: 'O1',
      money: order.money,
      beneficiary: null,
      reversedMinor: 0n,
      arrival: null,
      fee: { externId: 'C1', money: { ...order.money, amountMinor: 82n } },
      otherExternIds: ['C2'],
    });
  });

  test('and is unknown, or has no id yet, is not found', async () => {
    const { paypal } = await scripted({});
    expect(await outcomeOf(paypal.payin.find(reference, LIMITS))).toBe('not_found');
    expect(await outcomeOf(paypal.payin.find(referenceOf(order), LIMITS))).toBe('not_found');
  });
});

describe('a capture that is refused', () => {
  const approved = { body: orderBody('APPROVED') };
  test.each<[string, Said, Said, string]>([
    [
      'for the buyer’s means',
      problem(422, 'UNPROCESSABLE_ENTITY', 'INSTRUMENT_DECLINED'),
      approved,
      'declined:declined',
    ],
    ['by PayPal', problem(422, 'UNPROCESSABLE_ENTITY', 'TRANSACTION_REFUSED'), approved, 'declined:declined'],
    ['as malformed', problem(400, 'INVALID_REQUEST', 'INVALID_PARAMETER'), approved, 'declined:declined'],
    [
      'because the buyer has not approved',
      problem(422, 'UNPROCESSABLE_ENTITY', 'ORDER_NOT_APPROVED'),
      { body: orderBody('CREATED') },
      'action_required',
    ],
    [
      'because it was made before',
      problem(422, 'UNPROCESSABLE_ENTITY', 'ORDER_ALREADY_CAPTURED'),
      { body: completed(captureBody('COMPLETED')) },
      'succeeded',
    ],
    [
      'because the invoice was paid, which the order does not show',
      problem(422, 'UNPROCESSABLE_ENTITY', 'DUPLICATE_INVOICE_ID'),
      approved,
      'uncertain:captured_elsewhere',
    ],
    [
      'for a reason we do not know',
      problem(422, 'UNPROCESSABLE_ENTITY', 'NEW'),
      approved,
      'uncertain:unexpected_error',
    ],
    ['because the order is gone', problem(404, 'RESOURCE_NOT_FOUND'), approved, 'not_found'],
    ['while another is under way', problem(409, 'RESOURCE_CONFLICT', 'X'), approved, 'uncertain:http_409'],
    ['by a server in trouble', problem(500, 'INTERNAL_SERVER_ERROR'), approved, 'uncertain:http_500'],
    ['by a gateway', { status: 502, body: '<html>' }, approved, 'uncertain:http_502'],
    ['by some proxy', { status: 404, body: '<html>' }, approved, 'uncertain:unreadable_body'],
    ['for lack of a right', problem(403, 'NOT_AUTHORIZED', 'PERMISSION_DENIED'), approved, 'not_taken:http_403'],
    [
      'because its key served another body',
      problem(422, 'UNPROCESSABLE_ENTITY', 'PAYPAL_REQUEST_ID_PREVIOUSLY_USED'),
      approved,
      'key_conflict:key_conflict',
    ],
  ])('%s', async (_name, said, looked, expected) => {
    const { paypal } = await scripted({ [CAPTURE]: said, [ORDER]: looked });
    expect(await outcomeOf(paypal.payin.confirm(reference, LIMITS))).toBe(expected);
  });

  test('is told in PayPal’s words, bounded, and never stays open', async () => {
    const { paypal } = await scripted({ [CAPTURE]: problem(422, 'UNPROCESSABLE_ENTITY', 'INSTRUMENT_DECLINED') });
    const answer = await paypal.payin.confirm(reference, LIMITS);
    const detail = 'Because of INSTRUMENT_DECLINED.';
    expect(answer).toEqual({ type: 'declined', code: 'declined', detail, externId: 'O1', isOpen: false });
  });
});

describe('an order that is created', () => {
  const refusal = (issue: string) => problem(422, 'UNPROCESSABLE_ENTITY', issue);
  test.each<[string, Said, string]>([
    ['for a buyer who has to approve it', { status: 201, body: orderBody('PAYER_ACTION_REQUIRED') }, 'action_required'],
    ['and approved', { status: 200, body: orderBody('APPROVED') }, 'pending:awaits_confirm'],
    ['and captured at once, as some tokens are', { body: completed(captureBody('COMPLETED')) }, 'succeeded'],
    ['with a token that PayPal does not know', refusal('TOKEN_ID_NOT_FOUND'), 'declined:declined'],
    ['with a token that its buyer has to confirm', refusal('PAYER_ACTION_REQUIRED'), 'declined:declined'],
    ['with something that PayPal cannot read', problem(400, 'INVALID_REQUEST', 'X'), 'declined:declined'],
    ['a second time, and paid before', refusal('DUPLICATE_INVOICE_ID'), 'uncertain:unexpected_error'],
    ['at a wrong address', problem(404, 'RESOURCE_NOT_FOUND', 'X'), 'uncertain:unexpected_error'],
    ['for somebody else', { body: { ...orderBody('CREATED'), purchase_units: [{}] } }, 'uncertain:another_payment'],
  ])('%s', async (_name, said, expected) => {
    const { paypal } = await scripted({ [ORDERS]: said });
    expect(await outcomeOf(paypal.payin.send(order, LIMITS))).toBe(expected);
  });
});

describe('a cancel', () => {
  test.each<[string, Said, string]>([
    ['an order that waits for its buyer', { body: orderBody('CREATED') }, 'declined:canceled'],
    ['an order that was approved', { body: orderBody('APPROVED') }, 'declined:canceled'],
    ['an order that is gone', problem(404, 'RESOURCE_NOT_FOUND'), 'declined:canceled'],
    ['an order that was captured', { body: completed(captureBody('COMPLETED')) }, 'succeeded'],
    ['an order that is under review', { body: completed(captureBody('PENDING')) }, 'pending'],
    ['an order that was voided', { body: orderBody('VOIDED') }, 'declined:expired'],
  ])('of %s answers what holds then', async (_name, said, expected) => {
    const { paypal } = await scripted({ [ORDER]: said });
    expect(await outcomeOf(paypal.payin.cancel(reference, LIMITS))).toBe(expected);
  });

  test('never says "cancelled" of an order whose capture gave no answer', async () => {
    const { paypal } = await scripted({
      [ORDER]: { body: orderBody('APPROVED') },
      [CAPTURE]: { status: 500, body: '' },
    });
    expect(await outcomeOf(paypal.payin.confirm(reference, LIMITS))).toBe('uncertain:http_500');
    expect(await outcomeOf(paypal.payin.cancel(reference, LIMITS))).toBe('pending:awaits_confirm');
  });

  test('of an order whose id is not known finds nothing', async () => {
    const { paypal } = await scripted({});
    expect(await outcomeOf(paypal.payin.cancel(referenceOf(order), LIMITS))).toBe('not_found');
  });
});

describe('the wire of an order', () => {
  async function sent(more: Parameters<typeof payinOf>[1] = {}) {
    const { server, paypal } = await scripted({ [ORDERS]: { status: 201, body: orderBody('CREATED') } });
    await paypal.payin.send({ ...order, ...more }, LIMITS);
    const { headers, body } = server.heard.at(-1) ?? { headers: {}, body: '' };
    return { headers, body: JSON.parse(body) };
  }

  test('carries our key and our id twice, and asks for the whole order', async () => {
    const { headers, body } = await sent({ statementDescriptor: 'A shop with a name that is long' });
    expect(headers).toMatchObject({
      authorization: 'Bearer token-1',
      prefer: 'return=representation',
      'paypal-request-id': order.key,
    });
    expect(body).toEqual({
      intent: 'CAPTURE',
      purchase_units: [
        {
          custom_id: order.pkid,
          invoice_id: order.pkid,
          amount: usd('15.00'),
          soft_descriptor: 'A shop with a name tha',
        },
      ],
      payment_source: {
        paypal: {
          vault_id: 'tok_1',
          experience_context: {
            user_action: 'PAY_NOW',
            shipping_preference: 'NO_SHIPPING',
            return_url: 'https://shop.example/back',
            cancel_url: 'https://shop.example/cart',
          },
        },
      },
    });
  });

  test('names a billing agreement as such', async () => {
    const { body } = await sent({ token: 'B-8DX12345' });
    expect(body.payment_source).toEqual({ token: { id: 'B-8DX12345', type: 'BILLING_AGREEMENT' } });
  });

  test('leaves the means to the buyer when there is no token, and pages out that are not given', async () => {
    const { body } = await sent({ token: null, returnUrl: null, cancelUrl: null });
    const experience_context = { user_action: 'PAY_NOW', shipping_preference: 'NO_SHIPPING' };
    expect(body.payment_source).toEqual({ paypal: { experience_context } });
  });
});
