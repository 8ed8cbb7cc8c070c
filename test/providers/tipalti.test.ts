// The Tipalti adapter on the wire: what each answer proves, when it may pay, and how amounts are written.

import { afterEach, describe, expect, test } from 'vitest';
import { refCodeOf } from '../../src/providers/tipalti/reference.ts';
import { closedUrl } from './local-server.ts';
import { errorFrom, outcomeOf } from './outcome.ts';
import {
  inBatch,
  LIMITS,
  type Logged,
  money,
  NONE,
  orderTo,
  paymentOf,
  payoutsOf,
  referenceOf,
  type Scripted,
  serveScript,
  tipaltiAt,
} from './tipalti-rig.ts';

const order = orderTo('seller_1');
const PAID = paymentOf(order);
const UNKNOWN = { code: 'UnknownError', message: 'An unknown error occurred.' };
const open: Scripted[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

async function serve(script: Parameters<typeof serveScript>[0]): Promise<Scripted> {
  const server = await serveScript(script);
  open.push(server);
  return server;
}

const sendAt = (url: string, limits = LIMITS) => payoutsOf(tipaltiAt(url)).send(order, limits);
const findAt = (url: string, externId: string | null = null) =>
  payoutsOf(tipaltiAt(url)).find(referenceOf(order, externId), LIMITS);
const listed = (...items: object[]) => ({ items, nextPageCursor: null });

describe('what a status proves', () => {
  const short = { code: 'InsufficientFunds', message: 'Too little.' };
  test.each<[string, object | null, string]>([
    ['Submitted', null, 'pending'],
    ['Scheduled', null, 'pending'],
    ['Pending funds', null, 'pending'],
    ['PENDING_FUNDS', null, 'pending'],
    ['Risk review', null, 'pending'],
    ['Paid', null, 'succeeded'],
    ['Cleared', null, 'succeeded'],
    ['Rejected', { code: 'ProviderRejected', message: 'No.' }, 'declined:declined'],
    ['Rejected', null, 'declined:declined'],
    ['Rejected', { code: 'ReturnedByBank', message: 'Came back.' }, 'succeeded:reversed 1500'],
    ['Canceled', null, 'declined:canceled'],
    ['Cancelled', null, 'declined:canceled'],
    ['Deferred', null, 'declined:declined'],
    ['Deferred', short, 'declined:provider_insufficient_funds'],
    ['Deferred (Internal)', null, 'declined:declined'],
    ['Paid maybe', null, 'pending'],
    ['Unpaid', null, 'pending'],
  ])('%s %j', async (status, reason, expected) => {
    const payment = paymentOf(order, { status, reason });
    const server = await serve({ list: [[200, listed(payment)]], batch: [[200, inBatch(payment)]] });
    expect(await outcomeOf(findAt(server.url))).toBe(expected);
    const fresh = await serve({ batch: [[200, inBatch(payment)]] });
    expect(await outcomeOf(sendAt(fresh.url))).toBe(expected);
  });

  test('an unknown one is a warning', async () => {
    const logged: Logged[] = [];
    const server = await serve({ list: [[200, listed(paymentOf(order, { status: 'Teleported' }))]] });
    await payoutsOf(tipaltiAt(server.url, { logged })).find(referenceOf(order), LIMITS);
    expect(logged).toEqual([
      { level: 'warn', fields: { provider: 'tipalti', pkid: order.pkid, status: 'Teleported' } },
    ]);
  });
});

describe('the answer to a payment', () => {
  test.each<[string, number, string | object, string]>([
    ['a paid instruction', 200, inBatch(PAID), 'succeeded'],
    ['created rather than OK', 201, inBatch(PAID), 'succeeded'],
    ['another shape', 200, { id: 'tpb_1' }, 'uncertain:unexpected_body'],
    ['two instructions', 200, { paymentInstructions: [PAID, PAID] }, 'uncertain:unexpected_body'],
    ['another reference', 200, inBatch(paymentOf(order, { refCode: 'x' })), 'uncertain:another_payment'],
    ['no reference', 200, inBatch(paymentOf(order, { refCode: null })), 'uncertain:another_payment'],
    ['a fraction of a cent', 200, inBatch(paymentOf(order, shown(15.001, 'USD'))), 'uncertain:unexpected_body'],
    ['no amount', 200, inBatch(paymentOf(order, shown(0, 'USD'))), 'uncertain:unexpected_body'],
    ['an unknown currency', 200, inBatch(paymentOf(order, shown(15, 'ZZZ'))), 'uncertain:unexpected_body'],
    ['no JSON', 200, 'VERIFIED', 'uncertain:unreadable_body'],
    ['an unknown payee', 404, { code: 'PayeeUnknown', message: 'Who?' }, 'declined:declined'],
    ['an unknown currency code', 400, { code: 'UnknownCurrencyCode', message: '' }, 'declined:declined'],
    ['a refusal that may be about the reference', 400, { code: 'ParameterError' }, 'uncertain:unexpected_error stored'],
    ['an address that it does not have', 404, { code: 'NotFound' }, 'uncertain:unexpected_error stored'],
    ['a page of a proxy', 404, '<html></html>', 'uncertain:unreadable_body'],
    ['a reference of another instruction', 400, { code: 'RefCodeReused' }, 'key_conflict:key_conflict'],
    ['a reference that is being worked on', 409, { code: 'RefCodeInProgress' }, 'uncertain:http_409'],
    ['an error of its own', 500, UNKNOWN, 'uncertain:http_500 stored'],
    ['an outage', 503, UNKNOWN, 'uncertain:http_503'],
    ['a rate limit', 429, { code: 'TooManyRequests' }, 'not_taken:http_429'],
    ['no scope', 403, { code: 'Forbidden' }, 'not_taken:http_403'],
  ])('%s', async (_name, status, body, expected) => {
    const server = await serve({ batch: [[status, body]] });
    expect(await outcomeOf(sendAt(server.url))).toBe(expected);
    expect(server.timesAsked('batch')).toBe(1);
  });

  function shown(amount: number, currency: string) {
    return { amountSubmitted: { amount, currency } };
  }

  test('a reset is uncertain, and nothing is sent a second time', async () => {
    const server = await serve({ batch: [(request) => void request.socket.resetAndDestroy()] });
    expect(await outcomeOf(sendAt(server.url))).toBe('uncertain:reset');
    expect(server.timesAsked('batch')).toBe(1);
  });

  test('a refusal is shown in its own words, bounded', async () => {
    const message = `No such payee.\n${'long '.repeat(200)}`;
    const server = await serve({ batch: [[400, { code: 'PayeeUnknown', message }]] });
    const answer = await sendAt(server.url);
    if (answer.type !== 'declined') throw new Error(`Expected a decline, not ${answer.type}.`);
    expect(answer.detail.startsWith('No such payee. long')).toBe(true);
    expect(answer.detail.length).toBeLessThanOrEqual(300);
  });
});

test('the wire carries the reference without dashes and the amount with every digit, after a look-up', async () => {
  const large = orderTo('seller_1', money(999_999_999_999_990n, 'USD'));
  const server = await serve({ batch: [[200, inBatch(paymentOf(large))]] });
  await payoutsOf(tipaltiAt(server.url)).send(large, LIMITS);
  const code = refCodeOf(large.pkid);
  const [token, list, batch] = server.asked;
  expect(Object.fromEntries(new URLSearchParams(token?.body))).toEqual({
    grant_type: 'refresh_token',
    refresh_token: 'canary_refresh',
    client_id: 'client',
    client_secret: 'canary_client_secret',
  });
  expect(list).toMatchObject({ url: `/api/v1/payments?refCode=${code}&pageSize=200`, token: 'Bearer token_1' });
  const amount = '{"amount":9999999999999.90,"currency":"USD"}';
  expect(batch).toMatchObject({
    url: '/api/v1/payment-batches',
    token: 'Bearer token_1',
    body: `{"paymentInstructions":[{"payeeId":"seller_1","amountSubmitted":${amount},"refCode":"${code}"}]}`,
  });
});

describe('nothing is sent', () => {
  const foreign = paymentOf(orderTo('seller_2'));
  test.each<[string, Parameters<typeof serveScript>[0], string]>([
    ['after an error', { list: [[500, UNKNOWN]] }, 'not_taken:look_up_http_500'],
    ['after a page of a proxy', { list: [[404, '<html></html>']] }, 'not_taken:look_up_unreadable_body'],
    ['after "no such address"', { list: [[404, { code: 'NotFound' }]] }, 'not_taken:look_up_unexpected_error'],
    ['after another shape', { list: [[200, { data: [] }]] }, 'not_taken:look_up_unexpected_body'],
    ['after a list of everything', { list: [[200, listed(foreign)]] }, 'not_taken:look_up_not_filtered'],
    ['after one page of more', { list: [[200, { ...NONE, nextPageCursor: 'x' }]] }, 'not_taken:look_up_not_filtered'],
    ['after a reset', { list: [(request) => void request.socket.resetAndDestroy()] }, 'not_taken:look_up_reset'],
    ['after a rate limit', { list: [[429, UNKNOWN]] }, 'not_taken:http_429'],
    ['when a payment was found', { list: [[200, listed(foreign, PAID)]] }, 'succeeded'],
    ['when a decline was found', { list: [[200, listed({ ...PAID, status: 'Rejected' })]] }, 'declined:declined'],
    ['without a token', { token: [[500, 'away']] }, 'not_taken:sign_in_http_500'],
  ])('%s', async (_name, script, expected) => {
    const server = await serve(script);
    expect(await outcomeOf(sendAt(server.url))).toBe(expected);
    expect(server.timesAsked('batch')).toBe(0);
  });

  test('when the look-up takes more than half of the time', async () => {
    const server = await serve({ list: [(request) => void request.resume()] });
    expect(await outcomeOf(sendAt(server.url, { timeoutMs: 300 }))).toBe('not_taken:look_up_timeout');
    expect(server.timesAsked('batch')).toBe(0);
  });

  test('to nobody, or after the deadline', async () => {
    expect(await outcomeOf(sendAt(await closedUrl()))).toBe('not_taken:sign_in_refused');
    expect(await outcomeOf(sendAt('http://127.0.0.1:9', { timeoutMs: 0 }))).toBe('not_taken:deadline_before_send');
    const nan = { timeoutMs: Number.NaN };
    expect(await outcomeOf(sendAt('http://127.0.0.1:9', nan))).toBe('not_taken:deadline_before_send');
  });

  test('to a name that no payee can have, nor in a currency that nobody is paid in', async () => {
    const server = await serve({});
    const { send } = payoutsOf(tipaltiAt(server.url));
    expect(await outcomeOf(send(orderTo('seller with spaces'), LIMITS))).toBe('declined:declined');
    const error = await errorFrom(send(orderTo('seller_1', money(5n, 'CLF')), LIMITS));
    expect(error.code).toBe('provider-not-able');
    expect(server.timesAsked('batch')).toBe(0);
  });
});

describe('a look-up', () => {
  test('knows none, by reference and by id', async () => {
    const server = await serve({});
    expect(await outcomeOf(findAt(server.url))).toBe('not_found');
    expect(await outcomeOf(findAt(server.url, 'tpp_9'))).toBe('not_found');
    expect(server.timesAsked('one')).toBe(1);
  });

  test('goes on by the id that is on file', async () => {
    const server = await serve({ one: [[200, PAID]] });
    expect(await findAt(server.url, 'tpp_1')).toMatchObject({ type: 'succeeded', externId: 'tpp_1' });
  });

  test.each<[string, number, string | object]>([
    ['a page of a proxy', 404, '<html></html>'],
    ['an error', 500, UNKNOWN],
    ['a payment of another reference', 200, { ...PAID, refCode: 'x' }],
  ])('by id never takes %s for "there is none"', async (_name, status, body) => {
    expect(await outcomeOf(findAt((await serve({ one: [[status, body]] })).url, 'tpp_1'))).toMatch(/^uncertain:/);
  });

  const second = { ...PAID, id: 'tpp_2' };
  const refused = { ...PAID, id: 'tpp_3', status: 'Rejected' };
  const waiting = { ...PAID, id: 'tpp_4', status: 'Submitted' };
  test.each<[string, object[], string | null, object]>([
    ['the oldest of two', [second, PAID], null, { externId: 'tpp_1', otherExternIds: ['tpp_2'] }],
    ['the one on file of two', [second, PAID], 'tpp_2', { externId: 'tpp_2', otherExternIds: ['tpp_1'] }],
    ['the paid one beside a refused one', [refused, PAID], null, { externId: 'tpp_1', otherExternIds: [] }],
    ['the paid one before one on file that waits', [waiting, PAID], 'tpp_4', { otherExternIds: ['tpp_4'] }],
    ['the waiting one beside a refused one', [refused, waiting], null, { type: 'pending', externId: 'tpp_4' }],
  ])('shows %s', async (_name, items, externId, expected) => {
    const server = await serve({ list: [[200, listed(...items)]] });
    expect(await findAt(server.url, externId)).toMatchObject(expected);
  });
});

test('there is no second step, and a cancel says what has become of the payment', async () => {
  const server = await serve({ list: [[200, listed({ ...PAID, status: 'Canceled' })]] });
  const { cancel, confirm, stages, cancelable } = payoutsOf(tipaltiAt(server.url));
  expect([stages, cancelable]).toEqual([1, false]);
  expect(await outcomeOf(cancel(referenceOf(order), LIMITS))).toBe('declined:canceled');
  expect((await errorFrom(confirm(referenceOf(order), LIMITS))).code).toBe('internal');
});

describe('payees and balances', () => {
  const payee = { id: 'seller_1', status: 'ACTIVE', isPayable: true, notPayableReason: null };
  test.each<[string, number, object, string | null]>([
    ['a payee', 200, payee, 'payable'],
    ['one with something missing', 200, { ...payee, isPayable: false, notPayableReason: 'No tax form' }, 'pending'],
    ['one of a new status', 200, { ...payee, status: 'DREAMING' }, 'pending'],
    ['one that is suspended', 200, { ...payee, status: 'Suspended', isPayable: false }, 'blocked'],
    ['nobody', 404, { code: 'NotFound', message: 'No such payee.' }, null],
  ])('%s', async (_name, status, body, expected) => {
    const { findPayee } = tipaltiAt((await serve({ payee: [[status, body]] })).url);
    const view = (await findPayee?.('seller_1', LIMITS)) ?? null;
    expect(view?.status ?? null).toBe(expected);
    expect((view?.blockedReason ?? null) === null).toBe(expected === 'payable' || expected === null);
  });

  test('another payee than the one asked for is no answer', async () => {
    const { findPayee } = tipaltiAt((await serve({ payee: [[200, { ...payee, id: 'seller_2' }]] })).url);
    const error = await errorFrom(findPayee?.('seller_1', LIMITS) ?? Promise.resolve());
    expect(error.surprise).toMatchObject({ type: 'uncertain', reason: 'another_payee' });
  });

  test.each<[string, number, string, bigint | null | 'uncertain']>([
    ['every digit', 200, balances('90071992547409.93'), 9_007_199_254_740_993n],
    ['a debt', 200, balances('-5.00'), -500n],
    ['a currency that is not there', 200, '{"items":[]}', null],
    ['an account without the page', 404, '{"code":"NotFound"}', null],
    ['a client without the scope', 403, '{"code":"Forbidden"}', null],
    ['an outage', 503, 'away', 'uncertain'],
    ['an exponent', 200, balances('1e3'), 'uncertain'],
    ['another currency inside', 200, balances('5').replace('USD"}}', 'EUR"}}'), 'uncertain'],
  ])('a balance: %s', async (_name, status, text, expected) => {
    const provider = tipaltiAt((await serve({ balances: [[status, text]] })).url);
    const asked = provider.balance(money(1n, 'USD').currency, LIMITS);
    if (expected === 'uncertain') expect((await errorFrom(asked)).surprise?.type).toBe('uncertain');
    else expect(await asked).toBe(expected);
  });

  function balances(amount: string): string {
    return `{"items":[{"currency":"USD","availableBalance":{"amount":${amount},"currency":"USD"}}]}`;
  }
});
