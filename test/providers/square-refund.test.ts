// Refunds and disputes at Square: every behaviour word against the sandbox, and what single answers prove.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type LocalServer, serveText } from './local-server.ts';
import { errorFrom, outcomeOf } from './outcome.ts';
import {
  idOf,
  LIMITS,
  money,
  openSquare,
  payinOf,
  referenceOf,
  refundOf,
  type SquareRig,
  squareAt,
  until,
} from './square-rig.ts';

/** For calls that are never answered. */
const SHORT = { timeoutMs: 800 };
const open: LocalServer[] = [];

let rig: SquareRig;
beforeAll(async () => {
  rig = await openSquare();
  // The first call also loads and compiles; the impatient ones should not pay for it.
  await rig.refund.send(refundOf(await paid('tok_ok', 'warm'), 'warm'), LIMITS);
});
afterAll(async () => {
  await rig.close();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

async function paid(token: string, name = token, amount = money(1500n)): Promise<string> {
  const order = payinOf(token, { name, amount });
  const externId = idOf(await rig.payin.send(order, LIMITS));
  expect(await outcomeOf(rig.payin.confirm(referenceOf(order, externId), LIMITS))).toBe('succeeded');
  return externId;
}

async function answering(status: number, body: object): Promise<string> {
  const server = await serveText(status, JSON.stringify(body));
  open.push(server);
  return server.url;
}

const limitsOf = (first: string) => (first === 'uncertain:timeout' ? SHORT : LIMITS);

describe.concurrent('a refund does what the word says; a repeat under its key finds what was lost', () => {
  test.each<[string, string, string, string[]]>([
    ['ok', 'succeeded', 'succeeded', ['refund']],
    ['decline', 'declined:declined', 'declined:declined', []],
    ['insufficient', 'declined:provider_insufficient_funds', 'declined:provider_insufficient_funds', []],
    ['error_before', 'uncertain:http_503', 'succeeded', ['refund']],
    ['error_stored', 'uncertain:http_500 stored', 'uncertain:http_500 stored', []],
    ['paid_then_500', 'uncertain:http_500 stored', 'succeeded', ['refund']],
    ['timeout_before', 'uncertain:timeout', 'succeeded', ['refund']],
    ['paid_then_timeout', 'uncertain:timeout', 'succeeded', ['refund']],
    ['paid_then_reset', 'uncertain:reset', 'succeeded', ['refund']],
    ['hidden', 'uncertain:timeout', 'succeeded', ['refund']],
    ['html', 'uncertain:http_502', 'succeeded', ['refund']],
    ['rate_limit', 'not_taken:http_429', 'succeeded', ['refund']],
    ['slow', 'succeeded', 'succeeded', ['refund']],
  ])('%s', async (word, first, last, book) => {
    const order = refundOf(await paid(`tok_refund_${word}`), word);
    expect(await outcomeOf(rig.refund.send(order, limitsOf(first)))).toBe(first);
    const again = await until(
      () => outcomeOf(rig.refund.send(order, LIMITS)),
      (outcome) => outcome === last,
    );
    expect(again).toBe(last);
    expect(rig.moved(order.pkid)).toEqual(book);
  });

  test.each<[string, string, string, string[]]>([
    ['pending', 'pending', 'succeeded', ['refund']],
    ['pending_then_fail', 'pending', 'declined:declined', []],
    ['never', 'pending', 'pending', []],
    ['bounce', 'succeeded', 'declined:declined', ['refund', 'return']],
  ])('%s, as a look-up by its id tells', async (word, first, last, book) => {
    const payinExternId = await paid(`tok_refund_${word}`);
    const order = refundOf(payinExternId, word);
    const answer = await rig.refund.send(order, LIMITS);
    expect(answer.type).toBe(first);
    const reference = { ...referenceOf(order, idOf(answer)), payinExternId };
    const found = await until(
      () => outcomeOf(rig.refund.find(reference, LIMITS)),
      (outcome) => outcome === last,
    );
    expect(await outcomeOf(rig.refund.cancel(reference, LIMITS))).toBe(found);
    await until(
      () => rig.moved(order.pkid),
      (made) => made.length === book.length,
    );
    expect(rig.moved(order.pkid)).toEqual(book);
  });
});

test('a refund succeeds with its own money, in every currency, and its events name it by our pkid', async () => {
  for (const currency of ['USD', 'JPY', 'KWD', 'HUF']) {
    const amount = money(400n, currency);
    const order = refundOf(await paid('tok_ok', `refund-${currency}`, money(1500n, currency)), currency, amount);
    const answer = await rig.refund.send(order, LIMITS);
    const rest = { beneficiary: null, reversedMinor: 0n, arrival: null, fee: null, otherExternIds: [] };
    expect(answer).toEqual({ type: 'succeeded', externId: idOf(answer), money: amount, ...rest });
    const events = await until(
      () => rig.events.filter(({ pkid }) => pkid === order.pkid),
      (seen) => seen.length === 2,
    );
    for (const event of events) expect(event).toMatchObject({ subject: 'refund', externId: idOf(answer) });
    const view = { externId: idOf(answer), pkid: order.pkid, payinExternId: order.payinExternId, money: amount };
    expect(await rig.provider.findRefund?.(idOf(answer), LIMITS)).toEqual({ ...view, status: 'succeeded' });
  }
});

test('more than what is left is refused, and so is another body under the same key', async () => {
  const payinExternId = await paid('tok_ok', 'too-much');
  expect(await outcomeOf(rig.refund.send(refundOf(payinExternId, 'a', money(1501n)), LIMITS))).toBe(
    'declined:declined',
  );
  const order = refundOf(payinExternId, 'b', money(1000n));
  expect(await outcomeOf(rig.refund.send(order, LIMITS))).toBe('succeeded');
  const other = { ...order, money: money(500n) };
  expect(await outcomeOf(rig.refund.send(other, LIMITS))).toBe('key_conflict:key_conflict');
  expect(await outcomeOf(rig.refund.send(refundOf(payinExternId, 'c', money(501n)), LIMITS))).toBe('declined:declined');
});

describe('a refund that Square does not know', () => {
  test('is not found by its id, and by our key nobody is asked', async () => {
    const order = refundOf('P_1', 'unknown');
    expect(await outcomeOf(rig.refund.find(referenceOf(order, 'R_no'), LIMITS))).toBe('not_found');
    expect(await outcomeOf(squareAt('http://127.0.0.1:9').refund.find(referenceOf(order), LIMITS))).toBe('not_found');
    expect(await rig.provider.findRefund?.('R_no', LIMITS)).toBeNull();
  });

  test('of a payment that it does not know is refused', async () => {
    expect(await outcomeOf(rig.refund.send(refundOf('P_no', 'no-payin'), LIMITS))).toBe('declined:declined');
  });
});

describe('what an answer to a refund proves', () => {
  const order = refundOf('P_1', 'wire');
  const reason = `Refund ${order.pkid}`;
  const made = {
    id: 'R_1',
    status: 'COMPLETED',
    payment_id: 'P_1',
    amount_money: { amount: 5, currency: 'USD' },
    reason,
  };
  const no = (code: string, more: object = {}) => ({
    errors: [{ category: 'REFUND_ERROR', code, detail: 'No.' }],
    ...more,
  });

  test.each<[string, number, object, string]>([
    ['REJECTED', 200, { refund: { ...made, status: 'REJECTED' } }, 'declined:declined'],
    ['FAILED', 200, { refund: { ...made, status: 'FAILED' } }, 'declined:declined'],
    ['an unknown status', 200, { refund: { ...made, status: 'APPROVED' } }, 'pending'],
    ['a refund of another payment', 200, { refund: { ...made, payment_id: 'P_2' } }, 'uncertain:another_payment'],
    ['a refund of somebody else', 200, { refund: { ...made, reason: 'late' } }, 'uncertain:another_payment'],
    ['no refund', 200, {}, 'uncertain:unexpected_body'],
    ['one under way', 400, no('REFUND_ALREADY_PENDING'), 'uncertain:refund_already_pending'],
    ['a payment in dispute', 400, no('PAYMENT_NOT_REFUNDABLE_DUE_TO_DISPUTE'), 'declined:declined'],
    ['too little balance', 400, no('INSUFFICIENT_FUNDS'), 'declined:provider_insufficient_funds'],
    ['an address that is unknown', 404, no('NOT_FOUND'), 'uncertain:unexpected_error'],
    [
      'a refusal with a refund',
      400,
      no('REFUND_DECLINED', { refund: { ...made, status: 'FAILED' } }),
      'declined:declined',
    ],
    ['a refusal with one made', 400, no('REFUND_DECLINED', { refund: made }), 'uncertain:refused_but_open'],
    [
      'a refusal of another',
      400,
      no('REFUND_DECLINED', { refund: { ...made, reason: '' } }),
      'uncertain:another_payment',
    ],
  ])('%s', async (_name, status, body, expected) => {
    const { refund } = squareAt(await answering(status, body));
    expect(await outcomeOf(refund.send(order, LIMITS))).toBe(expected);
  });

  test.each<[string, object, unknown]>([
    ['of somebody in the dashboard has no pkid of ours', { reason: 'Broken' }, { pkid: null, status: 'succeeded' }],
    ['that was rejected has failed', { status: 'REJECTED' }, { pkid: order.pkid, status: 'failed' }],
    ['in an unknown status is pending', { status: 'NEW' }, { status: 'pending' }],
  ])('a refund %s', async (_name, more, expected) => {
    const { provider } = squareAt(await answering(200, { refund: { ...made, ...more } }));
    expect(await provider.findRefund?.('R_1', LIMITS)).toMatchObject({ payinExternId: 'P_1', ...Object(expected) });
  });

  test('a refund without a payment behind it is none of ours', async () => {
    const { provider } = squareAt(await answering(200, { refund: { ...made, payment_id: null } }));
    expect(await provider.findRefund?.('R_1', LIMITS)).toBeNull();
  });

  test('a refund has no second step', async () => {
    expect((await errorFrom(squareAt('http://127.0.0.1:9').refund.confirm(referenceOf(order), LIMITS))).code).toBe(
      'internal',
    );
  });
});
