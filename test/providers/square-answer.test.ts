// What each single answer of Square proves, given by local servers: statuses, error categories, and bodies that prove
// nothing.

import { afterEach, describe, expect, test } from 'vitest';
import { closedUrl, type LocalServer, serveHttp, serveRaw, serveText } from './local-server.ts';
import { errorFrom, outcomeOf } from './outcome.ts';
import { LIMITS, money, payinOf, referenceOf, squareAt } from './square-rig.ts';

const order = payinOf('cnon:card-nonce-ok');
const usd = (amount: number) => ({ amount, currency: 'USD' });
const approved = { id: 'P_1', status: 'APPROVED', reference_id: order.pkid, amount_money: usd(1500) };
const completed = { ...approved, status: 'COMPLETED' };
const failed = { ...approved, status: 'FAILED' };
const captured = { card_details: { card_payment_timeline: { captured_at: '2026-11-22T19:00:00Z' } } };
const UNREAD = 'uncertain:unexpected_body';
const ODD = 'uncertain:unexpected_error';
const open: LocalServer[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

function keep(server: LocalServer): LocalServer {
  open.push(server);
  return server;
}

async function answering(status: number, body: unknown): Promise<string> {
  return keep(await serveText(status, JSON.stringify(body))).url;
}

/** One answer for each request, in turn; the last one for all that follow. */
async function answeringInTurn(...answers: readonly (readonly [status: number, body: unknown])[]) {
  let number = 0;
  const server = await serveHttp((request, response) => {
    request.resume();
    const [status, body] = answers[Math.min(number, answers.length - 1)] ?? [500, {}];
    number += 1;
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  return keep(server);
}

function problem(category: string, code: string, more: object = {}) {
  return { errors: [{ category, code, detail: `Said ${code}.`, ...more }] };
}

const invalid = (code: string, more: object = {}) => problem('INVALID_REQUEST_ERROR', code, more);
const sendAt = (url: string, timeoutMs = LIMITS.timeoutMs) => outcomeOf(squareAt(url).payin.send(order, { timeoutMs }));
const known = referenceOf(order, 'P_1');

describe('through the SDK the line between "not taken" and "uncertain" stays where it is', () => {
  test('nobody listens: not taken', async () => {
    expect(await sendAt(await closedUrl())).toBe('not_taken:refused');
  });

  test('a reset is uncertain, and the SDK does not send a second time by itself', async () => {
    const server = keep(await serveRaw((socket) => void socket.once('data', () => socket.resetAndDestroy())));
    expect(await sendAt(server.url)).toBe('uncertain:reset');
    expect(server.seen).toHaveLength(1);
  });

  test('silence is uncertain', async () => {
    expect(await sendAt(keep(await serveRaw((socket) => void socket.resume())).url, 200)).toBe('uncertain:timeout');
  });

  test.each([0, -1, Number.NaN])('a deadline of %s ms has passed, so nothing is sent', async (timeoutMs) => {
    expect(await sendAt('http://127.0.0.1:9', timeoutMs)).toBe('not_taken:deadline_before_send');
  });

  test('a server error is asked once, and not again after the waits of the SDK', async () => {
    const server = await answeringInTurn([503, problem('API_ERROR', 'SERVICE_UNAVAILABLE')]);
    expect(await sendAt(server.url)).toBe('uncertain:http_503');
    expect(server.seen).toHaveLength(1);
  });
});

describe('the answer to a create', () => {
  test.each<[string, number, unknown, string]>([
    ['APPROVED', 200, { payment: approved }, 'pending:awaits_confirm'],
    ['PENDING', 200, { payment: { ...approved, status: 'PENDING' } }, 'pending'],
    ['COMPLETED', 200, { payment: completed }, 'succeeded'],
    ['CANCELED', 200, { payment: { ...approved, status: 'CANCELED' } }, 'declined:canceled'],
    ['FAILED', 200, { payment: failed }, 'declined:declined'],
    ['FAILED after it was captured', 200, { payment: { ...failed, ...captured } }, 'succeeded:reversed 1500'],
    ['an unknown status', 200, { payment: { ...approved, status: 'PAID' } }, 'pending'],
    ['a payment of somebody else', 200, { payment: { ...completed, reference_id: 'x' } }, 'uncertain:another_payment'],
    [
      'a payment without reference',
      200,
      { payment: { ...completed, reference_id: null } },
      'uncertain:another_payment',
    ],
    ['another amount reserved', 200, { payment: { ...approved, amount_money: usd(1) } }, 'uncertain:another_amount'],
    ['part of a cent', 200, { payment: { ...completed, amount_money: usd(1.5) } }, 'uncertain:unexpected_body'],
    ['an amount in text', 200, { payment: { ...completed, amount_money: { amount: '5', currency: 'USD' } } }, UNREAD],
    ['a negative amount', 200, { payment: { ...completed, amount_money: usd(-1) } }, UNREAD],
    ['no currency', 200, { payment: { ...completed, amount_money: { amount: 5 } } }, UNREAD],
    ['an unknown currency', 200, { payment: { ...completed, amount_money: { amount: 5, currency: 'ZZZ' } } }, UNREAD],
    ['an id that could leave its path', 200, { payment: { ...completed, id: '../P' } }, UNREAD],
    ['no payment', 200, {}, UNREAD],
    ['a list', 200, [completed], UNREAD],
    ['an error that calls itself a success', 200, invalid('BAD_REQUEST'), UNREAD],
    ['a card that was declined', 400, problem('PAYMENT_METHOD_ERROR', 'CARD_DECLINED'), 'declined:declined'],
    ['a buyer without money', 400, problem('PAYMENT_METHOD_ERROR', 'INSUFFICIENT_FUNDS'), 'declined:declined'],
    ['a request that cannot be', 400, invalid('CARD_TOKEN_USED'), 'declined:declined'],
    ['a token that is unknown', 404, invalid('NOT_FOUND', { field: 'source_id' }), 'declined:declined'],
    ['a token by its old name', 404, invalid('NOT_FOUND', { detail: 'Card nonce not found' }), 'declined:declined'],
    ['an address that is unknown', 404, invalid('NOT_FOUND', { detail: 'API endpoint is not found.' }), ODD],
    ['a key with another body', 400, invalid('IDEMPOTENCY_KEY_REUSED'), 'key_conflict:key_conflict'],
    ['a key in progress', 409, invalid('CONFLICT'), 'uncertain:http_409'],
    ['a conflict by another status', 400, invalid('CONFLICT'), 'uncertain:conflict'],
    ['their time-out', 408, invalid('REQUEST_TIMEOUT'), 'uncertain:http_408'],
    ['their trouble by a mild status', 400, problem('API_ERROR', 'TEMPORARY_ERROR'), 'uncertain:temporary_error'],
    ['a new category', 400, problem('NEW_ERROR', 'NEW'), 'uncertain:unexpected_error'],
    ['two errors, one of them new', 400, { errors: [...invalid('X').errors, ...problem('NEW', 'N').errors] }, ODD],
    ['too fast', 429, problem('RATE_LIMIT_ERROR', 'RATE_LIMITED'), 'not_taken:http_429'],
    ['bad credentials', 401, problem('AUTHENTICATION_ERROR', 'UNAUTHORIZED'), 'not_taken:http_401'],
    ['a missing scope', 403, problem('AUTHENTICATION_ERROR', 'FORBIDDEN'), 'not_taken:http_403'],
    ['their trouble', 500, problem('API_ERROR', 'INTERNAL_SERVER_ERROR'), 'uncertain:http_500 stored'],
    ['the edge', 502, problem('API_ERROR', 'BAD_GATEWAY'), 'uncertain:http_502'],
    ['a page of a proxy', 404, '<html></html>', 'uncertain:unreadable_body'],
    ['no errors at all', 400, { errors: [] }, 'uncertain:unreadable_body'],
  ])('%s', async (_name, status, body, expected) => {
    expect(await sendAt(await answering(status, body))).toBe(expected);
  });

  test('a decline names the payment that failed, in the words of Square, bounded and without credentials', async () => {
    const detail = `Token sk_live_abc is wrong.\n${'long '.repeat(200)}`;
    const body = { ...problem('PAYMENT_METHOD_ERROR', 'CVV_FAILURE', { detail }), payment: failed };
    const answer = await squareAt(await answering(402, body)).payin.send(order, LIMITS);
    expect(answer).toMatchObject({ type: 'declined', externId: 'P_1', isOpen: false });
    if (answer.type !== 'declined') throw new Error(`Expected a decline, not ${answer.type}.`);
    expect(answer.detail.startsWith('Token [secret] is wrong. long')).toBe(true);
    expect(answer.detail.length).toBeLessThanOrEqual(300);
  });

  test.each([
    ['of somebody else', { ...failed, reference_id: 'x' }, 'uncertain:another_payment'],
    ['that is reserved all the same', approved, 'uncertain:refused_but_open'],
  ])('a refusal with a payment %s is no decline', async (_name, payment, expected) => {
    const body = { ...problem('PAYMENT_METHOD_ERROR', 'GENERIC_DECLINE'), payment };
    expect(await sendAt(await answering(400, body))).toBe(expected);
  });

  test('an unknown status is warned of', async () => {
    const { payin, warnings } = squareAt(await answering(200, { payment: { ...approved, status: 'PAID' } }));
    await payin.send(order, LIMITS);
    expect(warnings).toMatchObject([{ fields: { provider: 'square', extern_id: approved.id, status: 'PAID' } }]);
  });
});

test('a tip counts as money that came in', async () => {
  const url = await answering(200, { payment: { ...completed, total_money: usd(1700) } });
  expect(await squareAt(url).payin.find(known, LIMITS)).toMatchObject({ type: 'succeeded', money: money(1700n) });
});

test('of money that came back, what was refunded before is not counted again', async () => {
  const refunded = { ...failed, ...captured, refunded_money: usd(400) };
  const url = await answering(200, { payment: refunded });
  expect(await outcomeOf(squareAt(url).payin.find(known, LIMITS))).toBe('succeeded:reversed 1100');
});

test.each<[string, object[], bigint | null]>([
  ['no fee', [], null],
  ['an adjustment alone', [{ type: 'ADJUSTMENT', amount_money: usd(3) }], null],
  ['a fee of nothing', [{ type: 'INITIAL', amount_money: usd(0) }], null],
  ['a fee that cannot be read', [{ type: 'INITIAL', amount_money: { amount: 'x' } }], null],
  [
    'a fee',
    [
      { type: 'ADJUSTMENT', amount_money: usd(3) },
      { type: 'INITIAL', amount_money: usd(74) },
    ],
    74n,
  ],
])('of %s the first fee is told, and nothing that was adjusted later', async (_name, fees, expected) => {
  const url = await answering(200, { payment: { ...completed, processing_fee: fees } });
  const fee = expected === null ? null : { externId: 'P_1:initial', money: money(expected) };
  expect(await squareAt(url).payin.find(known, LIMITS)).toMatchObject({ fee });
});

describe('a look-up', () => {
  test.each<[string, number, unknown, string]>([
    [
      'a payment that Square does not know',
      404,
      invalid('NOT_FOUND', { detail: 'No payment with id: P_1' }),
      'not_found',
    ],
    ['an address that Square does not have', 404, invalid('NOT_FOUND'), 'uncertain:unexpected_error'],
    ['a page of a proxy', 404, '<html></html>', 'uncertain:unreadable_body'],
    ['a refusal', 400, invalid('BAD_REQUEST'), 'uncertain:unexpected_error'],
  ])('%s', async (_name, status, body, expected) => {
    expect(await outcomeOf(squareAt(await answering(status, body)).payin.find(known, LIMITS))).toBe(expected);
  });

  test('without an id asks nobody, because Square finds nothing by our key', async () => {
    const { payin } = squareAt('http://127.0.0.1:9');
    expect(await payin.find(referenceOf(order), LIMITS)).toEqual({ type: 'not_found' });
    expect(payin.canFindByKey).toBe(false);
  });
});

describe('a second step that is refused', () => {
  test.each<[string, object, string]>([
    ['was paid before', completed, 'succeeded'],
    ['was cancelled before', { ...approved, status: 'CANCELED' }, 'declined:canceled'],
    ['has failed', failed, 'declined:declined'],
    ['still waits for the buyer', { ...approved, status: 'PENDING' }, 'pending'],
  ])('is judged by the payment itself: it %s', async (_name, payment, expected) => {
    const server = await answeringInTurn([400, invalid('BAD_REQUEST')], [200, { payment }]);
    expect(await outcomeOf(squareAt(server.url).payin.confirm(known, LIMITS))).toBe(expected);
    expect(server.seen).toEqual(['POST /v2/payments/P_1/complete', 'GET /v2/payments/P_1']);
  });

  test('while the money is still reserved is open, so that it is cancelled before it counts as failed', async () => {
    const refused = problem('PAYMENT_METHOD_ERROR', 'GENERIC_DECLINE');
    const server = await answeringInTurn([400, refused], [200, { payment: approved }]);
    const answer = await squareAt(server.url).payin.confirm(known, LIMITS);
    expect(answer).toMatchObject({ type: 'declined', code: 'declined', externId: 'P_1', isOpen: true });
  });

  test('for a payment that is not there is "not found"', async () => {
    const missing = invalid('NOT_FOUND', { detail: 'Could not find payment with id: P_1' });
    expect(await outcomeOf(squareAt(await answering(404, missing)).payin.confirm(known, LIMITS))).toBe('not_found');
  });

  test('needs the id of the payment', async () => {
    const error = await errorFrom(squareAt('http://127.0.0.1:9').payin.confirm(referenceOf(order), LIMITS));
    expect(error.code).toBe('internal');
  });
});

test('a cancel that is refused while the money is still reserved proves nothing', async () => {
  const server = await answeringInTurn([400, invalid('BAD_REQUEST')], [200, { payment: approved }]);
  expect(await outcomeOf(squareAt(server.url).payin.cancel(known, LIMITS))).toBe('uncertain:cancel_refused');
});
