// Every behaviour word of the sandbox, through the real PayPal adapter: what the first answer says, what a look or a
// resend says later, and how often money moved.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { outcomeOf } from './outcome.ts';
import {
  captured,
  created,
  LIMITS,
  openRig,
  type Paypal,
  payinOf,
  payoutOf,
  paypalAt,
  type Rig,
  referenceOf,
  refundOf,
  SHORT,
  until,
} from './paypal-rig.ts';

let rig: Rig;
let paypal: Paypal;

beforeAll(async () => {
  rig = await openRig();
  paypal = paypalAt(rig.url);
  // So that no short deadline has to pay for the sign-in.
  await paypal.balance(payinOf('warm-up').money.currency, LIMITS);
});
afterAll(() => rig.close());

/** The words, what the call that moves the money says, what ends it, and how often money moved. */
type Row = readonly [word: string, first: string, last: string, moved: number];

const ANSWERED: readonly Row[] = [
  ['ok', 'succeeded', 'succeeded', 1],
  ['slow', 'succeeded', 'succeeded', 1],
  ['error_before', 'uncertain:http_503', 'succeeded', 1],
  ['error_stored', 'uncertain:http_500', 'succeeded', 1],
  ['paid_then_500', 'uncertain:http_500', 'succeeded', 1],
  ['timeout_before', 'uncertain:timeout', 'succeeded', 1],
  ['paid_then_timeout', 'uncertain:timeout', 'succeeded', 1],
  ['paid_then_reset', 'uncertain:reset', 'succeeded', 1],
  ['hidden', 'uncertain:timeout', 'succeeded', 1],
  ['html', 'uncertain:http_502', 'succeeded', 1],
  ['rate_limit', 'not_taken:http_429', 'succeeded', 1],
  ['pending', 'pending', 'succeeded', 1],
];

const limitsFor = (first: string) => (first === 'uncertain:timeout' ? SHORT : LIMITS);

describe.concurrent('a pay-in', () => {
  test.each<Row>([
    ...ANSWERED,
    ['decline', 'declined:declined', 'declined:declined', 0],
    // Money that comes in needs no balance of ours.
    ['insufficient', 'declined:declined', 'declined:declined', 0],
    ['pending_then_fail', 'pending', 'declined:declined', 0],
    ['bounce', 'succeeded', 'succeeded:reversed 1500', 1],
  ])('whose capture says "%s" is "%s", and in the end "%s"', async (word, first, last, moved) => {
    const order = payinOf(`tok_${word}_1`);
    const reference = await created(paypal, order);
    expect(await outcomeOf(paypal.payin.confirm(reference, limitsFor(first)))).toBe(first);
    // As the processor does it: look, and capture again under the same key while the order still waits for it.
    const end = await until(
      async () => {
        const found = await outcomeOf(paypal.payin.find(reference, LIMITS));
        return found === 'pending:awaits_confirm' ? outcomeOf(paypal.payin.confirm(reference, LIMITS)) : found;
      },
      (outcome) => outcome === last,
    );
    expect(end).toBe(last);
    expect(rig.moved(order.pkid)).toHaveLength(moved);
  });

  test('that never ends at PayPal stays pending', async () => {
    const reference = await created(paypal, payinOf('tok_never_1'));
    expect(await outcomeOf(paypal.payin.confirm(reference, LIMITS))).toBe('pending');
    expect(await outcomeOf(paypal.payin.find(reference, LIMITS))).toBe('pending');
  });

  test('sends the buyer to PayPal, and is captured once the buyer approved', async () => {
    const order = payinOf('tok_action_1');
    const first = await paypal.payin.send(order, LIMITS);
    if (first.type !== 'action_required') throw new Error(`Expected an action, not ${first.type}.`);
    expect(first.nextAction).toEqual({
      type: 'redirect',
      url: `${rig.url}/_sandbox/approve/${first.externId}`,
      expiresAt: null,
    });
    const reference = referenceOf(order, { externId: first.externId });
    expect(await outcomeOf(paypal.payin.confirm(reference, LIMITS))).toBe('action_required');
    await rig.control(`/approve/${first.externId}`);
    expect(await outcomeOf(paypal.payin.find(reference, LIMITS))).toBe('pending:awaits_confirm');
    expect(await outcomeOf(paypal.payin.confirm(reference, LIMITS))).toBe('succeeded');
    expect(rig.moved(order.pkid)).toHaveLength(1);
  });

  test.each(['dispute_won', 'dispute_lost'])('that ends as "%s" is found with its dispute', async (word) => {
    const order = payinOf(`tok_${word}_1`);
    const orderId = await captured(paypal, order);
    const disputeId = `D${orderId.slice(1)}`;
    const open = await until(
      () => paypal.findDispute(disputeId, LIMITS),
      (found) => found !== null,
    );
    expect(open).toMatchObject({ payinExternId: orderId, payinPkid: order.pkid, money: order.money, status: 'open' });
    expect(open?.evidenceDue).toBeInstanceOf(Date);
    const closed = await until(
      () => paypal.findDispute(disputeId, LIMITS),
      (found) => found?.status !== 'open',
    );
    expect(closed?.status).toBe(word === 'dispute_won' ? 'won' : 'lost');
    expect(await outcomeOf(paypal.payin.find(referenceOf(order, { externId: orderId }), LIMITS))).toBe('succeeded');
  });
});

describe.concurrent('a payout', () => {
  test.each<Row>([
    ...ANSWERED,
    ['decline', 'declined:declined', 'declined:declined', 0],
    ['insufficient', 'declined:provider_insufficient_funds', 'declined:provider_insufficient_funds', 0],
    ['pending_then_fail', 'pending', 'declined:declined', 0],
    ['bounce', 'succeeded', 'succeeded:reversed 1500', 1],
    ['never', 'pending', 'pending', 0],
  ])('to "%s" is "%s", and in the end "%s"', async (word, first, last, moved) => {
    const order = payoutOf(`seller_${word}_1@example.com`);
    let externId: string | null = null;
    const seen = await outcomeOf(
      paypal.payout.send(order, limitsFor(first)).then((answer) => {
        if ('externId' in answer) externId = answer.externId;
        return answer;
      }),
    );
    expect(seen).toBe(first);
    // Without an id a resend is the look-up: PayPal refuses the second batch and names the first.
    const end = await until(
      () =>
        externId === null
          ? outcomeOf(paypal.payout.send(order, LIMITS))
          : outcomeOf(paypal.payout.find(referenceOf(order, { externId }), LIMITS)),
      (outcome) => outcome === last,
    );
    expect(end).toBe(last);
    expect(rig.moved(order.pkid)).toHaveLength(moved);
  });
});

describe.concurrent('a refund', () => {
  test.each<Row>([
    ...ANSWERED,
    ['decline', 'declined:declined', 'declined:declined', 0],
    ['insufficient', 'declined:provider_insufficient_funds', 'declined:provider_insufficient_funds', 0],
    ['pending_then_fail', 'pending', 'declined:declined', 0],
    ['never', 'pending', 'pending', 0],
    // PayPal shows a refund that came back as failed, and nothing tells it from one that never went.
    ['bounce', 'succeeded', 'declined:declined', 1],
  ])('that says "%s" is "%s", and in the end "%s"', async (word, first, last, moved) => {
    const payinExternId = await captured(paypal, payinOf(`tok_refund_${word}`));
    const order = refundOf(word, payinExternId);
    expect(await outcomeOf(paypal.refund.send(order, limitsFor(first)))).toBe(first);
    // As the processor does it: look, and send again under the same key when nothing is found.
    const end = await until(
      async () => {
        const found = await outcomeOf(paypal.refund.find(referenceOf(order, { payinExternId }), LIMITS));
        return found === 'not_found' ? outcomeOf(paypal.refund.send(order, LIMITS)) : found;
      },
      (outcome) => outcome === last,
    );
    expect(end).toBe(last);
    expect(rig.moved(order.pkid)).toHaveLength(moved);
  });
});

test('a buyer who never comes back leaves an order that is gone, and nothing moved', async () => {
  await rig.control('/abandon', { ms: 50 });
  const order = payinOf('tok_abandon_1');
  const reference = await created(paypal, order);
  const gone = await until(
    () => outcomeOf(paypal.payin.find(reference, LIMITS)),
    (outcome) => outcome !== 'action_required',
  );
  expect(gone).toBe('not_found');
  expect(await outcomeOf(paypal.payin.confirm(reference, LIMITS))).toBe('not_found');
  expect(rig.moved(order.pkid)).toHaveLength(0);
});
