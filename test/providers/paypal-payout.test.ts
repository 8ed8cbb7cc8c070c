// Payouts and refunds through PayPal: what each status proves, and how one that was sent before is found again.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parseCurrency } from '../../src/domain/money.ts';
import type { LocalServer } from './local-server.ts';
import { outcomeOf } from './outcome.ts';
import {
  captured,
  LIMITS,
  money,
  openRig,
  type Paypal,
  payinOf,
  payoutOf,
  paypalAt,
  type Rig,
  referenceOf,
  refundByHand,
  refundOf,
} from './paypal-rig.ts';
import { problem, type Said, type Script, servePaypal } from './paypal-server.ts';

const BATCHES = '/v1/payments/payouts';
const BATCH = `${BATCHES}/B1`;
const order = payoutOf('seller@example.com');
const open: LocalServer[] = [];

let rig: Rig;
let paypal: Paypal;

beforeAll(async () => {
  rig = await openRig();
  paypal = paypalAt(rig.url);
});
afterAll(() => rig.close());
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

async function scripted(script: Script): Promise<Paypal> {
  const server = await servePaypal(script);
  open.push(server);
  return paypalAt(server.url);
}

const usd = (value: string) => ({ currency: 'USD', value });

function headerBody(status: string, senderBatchId: string = order.pkid) {
  const sender = { sender_batch_id: senderBatchId };
  return { batch_header: { payout_batch_id: 'B1', batch_status: status, sender_batch_header: sender } };
}

function batchBody(batchStatus: string, itemStatus: string | null, more: object = {}) {
  const item = { amount: usd('15.00'), receiver: order.beneficiary, sender_item_id: order.pkid };
  const status = itemStatus === null ? {} : { transaction_status: itemStatus };
  return { ...headerBody(batchStatus), items: [{ payout_item_id: 'I1', payout_item: item, ...status, ...more }] };
}

describe('a batch that is looked at', () => {
  const short = { errors: { name: 'INSUFFICIENT_FUNDS' } };
  const other = { payout_item: { amount: usd('15.00'), receiver: 'x@example.com', sender_item_id: 'x' } };
  test.each<[string, unknown, string]>([
    ['paid', batchBody('SUCCESS', 'SUCCESS'), 'succeeded'],
    ['being processed', batchBody('PROCESSING', 'PENDING'), 'pending'],
    ['not processed yet', headerBody('PENDING'), 'pending'],
    ['held', batchBody('SUCCESS', 'ONHOLD'), 'pending'],
    ['unclaimed', batchBody('SUCCESS', 'UNCLAIMED'), 'pending'],
    ['of an item status we do not know', batchBody('SUCCESS', 'SOMETHING_NEW'), 'pending'],
    ['of a status we do not know', headerBody('SOMETHING_NEW'), 'pending'],
    ['done, with an item that has no status', batchBody('SUCCESS', null), 'pending'],
    ['failed', batchBody('SUCCESS', 'FAILED'), 'declined:declined'],
    ['blocked', batchBody('SUCCESS', 'BLOCKED'), 'declined:declined'],
    ['denied', headerBody('DENIED'), 'declined:declined'],
    ['canceled', headerBody('CANCELED'), 'declined:declined'],
    ['denied for lack of money', batchBody('DENIED', 'FAILED', short), 'declined:provider_insufficient_funds'],
    ['given back unclaimed', batchBody('SUCCESS', 'RETURNED'), 'declined:declined'],
    [
      'given back after it was paid',
      batchBody('SUCCESS', 'RETURNED', { return_amount: usd('15.00') }),
      'succeeded:reversed 1500',
    ],
    ['reversed', batchBody('SUCCESS', 'REVERSED'), 'succeeded:reversed 1500'],
    ['refunded', batchBody('SUCCESS', 'REFUNDED', { return_amount: usd('4.00') }), 'succeeded:reversed 400'],
    ['of another item', batchBody('SUCCESS', 'SUCCESS', other), 'uncertain:another_payment'],
    ['of another batch', headerBody('PENDING', 'x'), 'uncertain:another_payment'],
    ['of two items', { ...headerBody('SUCCESS'), items: [{}, {}] }, 'uncertain:unexpected_body'],
    ['empty', {}, 'uncertain:unexpected_body'],
  ])('and is %s', async (_name, body, expected) => {
    const provider = await scripted({ [BATCH]: { body } });
    expect(await outcomeOf(provider.payout.find(referenceOf(order, { externId: 'B1' }), LIMITS))).toBe(expected);
  });

  test('tells the receiver, and the fee by the id of the item', async () => {
    const provider = await scripted({
      [BATCH]: { body: batchBody('SUCCESS', 'SUCCESS', { payout_item_fee: usd('0.25') }) },
    });
    expect(await provider.payout.find(referenceOf(order, { externId: 'B1' }), LIMITS)).toEqual({
      type: 'succeeded',
      externId: 'B1',
      money: order.money,
      beneficiary: order.beneficiary,
      reversedMinor: 0n,
      arrival: null,
      fee: { externId: 'I1', money: money(25n) },
      otherExternIds: [],
    });
  });

  test('fails in the words of PayPal', async () => {
    const errors = { name: 'RECEIVER_UNREGISTERED', message: 'Receiver is unregistered.' };
    const provider = await scripted({ [BATCH]: { body: batchBody('SUCCESS', 'FAILED', { errors }) } });
    const answer = await provider.payout.find(referenceOf(order, { externId: 'B1' }), LIMITS);
    expect(answer).toMatchObject({
      type: 'declined',
      detail: 'Receiver is unregistered.',
      externId: 'B1',
      isOpen: false,
    });
  });
});

describe('a batch that is sent', () => {
  const duplicate = (href: string) =>
    problem(400, 'USER_BUSINESS_ERROR', 'Duplicate batch request', href === '' ? [] : [{ href, rel: 'self' }]);
  const paid = { [BATCH]: { body: batchBody('SUCCESS', 'SUCCESS') } };
  test.each<[string, Said, Script, string]>([
    ['taken', { status: 201, body: headerBody('PENDING') }, { [BATCH]: { body: headerBody('PENDING') } }, 'pending'],
    ['taken and paid', { status: 201, body: headerBody('PENDING') }, paid, 'succeeded'],
    ['taken, and then not shown', { status: 201, body: headerBody('PENDING') }, {}, 'pending'],
    [
      'taken, and then in trouble',
      { status: 201, body: headerBody('PENDING') },
      { [BATCH]: { status: 500, body: '' } },
      'pending',
    ],
    ['taken for somebody else', { status: 201, body: headerBody('PENDING', 'x') }, paid, 'uncertain:another_payment'],
    ['a repeat', duplicate('https://elsewhere.example/v1/payments/payouts/B1'), paid, 'succeeded'],
    [
      'a repeat of what is not shown',
      duplicate('https://x.example/v1/payments/payouts/B1'),
      {},
      'uncertain:duplicate_batch',
    ],
    ['a repeat without a link', duplicate(''), paid, 'uncertain:duplicate_batch'],
    ['a repeat with another link', duplicate('https://x.example/../B1'), paid, 'uncertain:duplicate_batch'],
    ['malformed', problem(400, 'VALIDATION_ERROR', 'items.0.amount'), paid, 'declined:declined'],
    ['too much for our balance', problem(422, 'INSUFFICIENT_FUNDS'), paid, 'declined:provider_insufficient_funds'],
    [
      'refused for reasons we do not know',
      problem(400, 'USER_BUSINESS_ERROR', 'New'),
      paid,
      'uncertain:unexpected_error',
    ],
    ['sent to a wrong address', problem(404, 'RESOURCE_NOT_FOUND'), paid, 'uncertain:unexpected_error'],
    ['too fast', problem(429, 'RATE_LIMIT_REACHED'), paid, 'not_taken:http_429'],
  ])('and is %s', async (_name, said, script, expected) => {
    const provider = await scripted({ ...script, [BATCHES]: said });
    expect(await outcomeOf(provider.payout.send(order, LIMITS))).toBe(expected);
  });

  test.each([
    ['seller@example.com', 'EMAIL'],
    ['+49 151 2345678', 'PHONE'],
    ['QMUPKG7HHXBJE', 'PAYPAL_ID'],
  ])('pays %s as %s, once however often it is sent', async (beneficiary, type) => {
    const payout = payoutOf(beneficiary);
    const first = await paypal.payout.send(payout, LIMITS);
    expect(first).toMatchObject({ type: 'succeeded', beneficiary, money: payout.money });
    expect(await paypal.payout.send(payout, LIMITS)).toEqual(first);
    expect(rig.moved(payout.pkid)).toMatchObject([{ destination: beneficiary, call_key: payout.pkid }]);
    expect(await paypal.findPayee(beneficiary, LIMITS)).toMatchObject({ status: 'payable' });
    const server = await servePaypal({ [BATCHES]: { status: 201, body: headerBody('PENDING', payout.pkid) } });
    open.push(server);
    await paypalAt(server.url).payout.send(payout, LIMITS);
    const sent = JSON.parse(server.heard.find(({ line }) => line === `POST ${BATCHES}`)?.body ?? '{}');
    expect(sent.sender_batch_header.sender_batch_id).toBe(payout.pkid);
    expect(sent.items).toEqual([
      { recipient_type: type, receiver: beneficiary, sender_item_id: payout.pkid, amount: usd('15.00') },
    ]);
  });

  test.each(['two@at@signs', '+abc', 'a b', '', 'x'.repeat(128)])('cannot be paid to "%s"', async (account) => {
    expect(await paypal.findPayee(account, LIMITS)).toBeNull();
  });

  test('under a known id with another amount shows the first payment, which is not this one', async () => {
    const payout = payoutOf('P_twice');
    await paypal.payout.send(payout, LIMITS);
    const again = await paypal.payout.send({ ...payout, money: money(9900n) }, LIMITS);
    expect(again).toMatchObject({ type: 'succeeded', money: payout.money });
    expect(rig.moved(payout.pkid)).toHaveLength(1);
  });
});

describe('a refund', () => {
  test('is found by its id, and by our own in the order of its pay-in', async () => {
    const payinExternId = await captured(paypal, payinOf('tok_refund_me'));
    const refund = refundOf('one', payinExternId);
    const answer = await paypal.refund.send(refund, LIMITS);
    if (answer.type !== 'succeeded') throw new Error(`Expected a success, not ${answer.type}.`);
    expect(answer).toMatchObject({ money: refund.money, beneficiary: null, reversedMinor: 0n });
    const { externId } = answer;
    for (const known of [{ externId }, { payinExternId }, { externId: 'R0', payinExternId }]) {
      expect(await paypal.refund.find(referenceOf(refund, known), LIMITS)).toEqual(answer);
    }
    expect(await outcomeOf(paypal.refund.find(referenceOf(refund), LIMITS))).toBe('not_found');
    expect(await paypal.findRefund(externId, LIMITS)).toEqual({
      externId,
      pkid: refund.pkid,
      payinExternId,
      money: refund.money,
      status: 'succeeded',
    });
    expect(await paypal.findRefund('R0', LIMITS)).toBeNull();
  });

  test('that is sent again under another key moves no second time, because the order shows it', async () => {
    const payinExternId = await captured(paypal, payinOf('tok_refund_twice'));
    const refund = refundOf('twice', payinExternId);
    const first = await paypal.refund.send(refund, LIMITS);
    expect(await paypal.refund.send({ ...refund, key: 'another' }, LIMITS)).toEqual(first);
    expect(rig.moved(refund.pkid)).toHaveLength(1);
  });

  test('made by hand is found with its pay-in, and is none of ours', async () => {
    const payin = payinOf('tok_refund_by_hand');
    const payinExternId = await captured(paypal, payin);
    const externId = await refundByHand(rig, `C${payinExternId.slice(1)}`);
    const found = await paypal.findRefund(externId, LIMITS);
    expect(found).toEqual({ externId, pkid: null, payinExternId, money: payin.money, status: 'succeeded' });
    // Given back whole by a refund, so nothing was taken back besides.
    const reference = referenceOf(payin, { externId: payinExternId });
    expect(await outcomeOf(paypal.payin.find(reference, LIMITS))).toBe('succeeded');
  });

  test('of more than was paid is declined, and so is one of a payment that was refunded whole', async () => {
    const payinExternId = await captured(paypal, payinOf('tok_refund_all'));
    const more = refundOf('more', payinExternId, { money: money(1501n) });
    expect(await outcomeOf(paypal.refund.send(more, LIMITS))).toBe('declined:declined');
    const all = refundOf('all', payinExternId, { money: money(1500n) });
    expect(await outcomeOf(paypal.refund.send(all, LIMITS))).toBe('succeeded');
    expect(await outcomeOf(paypal.refund.send(refundOf('again', payinExternId), LIMITS))).toBe('declined:declined');
    const payin = referenceOf(payinOf('tok_refund_all'), { externId: payinExternId });
    expect(await outcomeOf(paypal.payin.find(payin, LIMITS))).toBe('succeeded');
  });

  test('of an order that is unknown, or cannot be read, is not taken', async () => {
    expect(await outcomeOf(paypal.refund.send(refundOf('x', 'O0'), LIMITS))).toBe('not_taken:order_not_found');
    const provider = await scripted({ '/v2/checkout/orders/O1': { status: 500, body: '' } });
    expect(await outcomeOf(provider.refund.send(refundOf('x', 'O1'), LIMITS))).toBe('not_taken:order_http_500');
  });
});

describe('the balance', () => {
  test.each(['USD', 'JPY', 'HUF'])('is told in minor units of %s', async (currency) => {
    const before = await paypal.balance(parseCurrency(currency), LIMITS);
    const payout = payoutOf(`P_balance_${currency}`, { money: money(100n, currency) });
    await paypal.payout.send(payout, LIMITS);
    expect(await paypal.balance(parseCurrency(currency), LIMITS)).toBe((before ?? 0n) - 100n);
  });

  test('is null where PayPal has none, or does not tell', async () => {
    expect(await paypal.balance(parseCurrency('KWD'), LIMITS)).toBeNull();
    const server = await servePaypal({ '/v1/reporting/balances': problem(403, 'NOT_AUTHORIZED', 'PERMISSION_DENIED') });
    open.push(server);
    const provider = paypalAt(server.url);
    expect(await provider.balance(parseCurrency('USD'), LIMITS)).toBeNull();
    expect(await provider.balance(parseCurrency('USD'), LIMITS)).toBeNull();
    // Asked once, after the sign-in.
    expect(server.seen).toHaveLength(2);
  });
});
