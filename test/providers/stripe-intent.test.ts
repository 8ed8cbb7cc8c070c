// What an answer about a PaymentIntent proves, whatever server gives it, and what a pay-in writes on the wire.

import { afterAll, describe, expect, test } from 'vitest';
import { closedUrl, type LocalServer, serveHttp, serveRaw, serveText } from './local-server.ts';
import { outcomeOf } from './outcome.ts';
import { LIMITS } from './rig.ts';
import { money, payinOf, referenceOf, stripeAt } from './stripe-rig.ts';

const order = payinOf('wire');
const { pkid } = order;
const intent = {
  id: 'pi_1',
  object: 'payment_intent',
  amount_received: 1500,
  client_secret: 'pi_1_secret_x',
  currency: 'usd',
  last_payment_error: null,
  latest_charge: 'ch_1',
  metadata: { pkid },
  next_action: null,
  status: 'succeeded',
  transfer_group: pkid,
};
const open: LocalServer[] = [];

function keep(server: LocalServer): string {
  open.push(server);
  return server.url;
}

const answering = async (status: number, body: object) => keep(await serveText(status, JSON.stringify(body)));

afterAll(() => Promise.all(open.map((server) => server.close())));

describe('a look-up by id', () => {
  const redirect = (url: string) => ({ next_action: { redirect_to_url: { url } } });
  const error = { last_payment_error: { message: 'Your card was declined.' } };

  test.each<[string, object, string]>([
    ['that is paid', {}, 'succeeded'],
    ['that only the group proves to be ours', { metadata: {} }, 'succeeded'],
    ['that only the metadata prove to be ours', { transfer_group: null }, 'succeeded'],
    ['that is nobody’s', { metadata: {}, transfer_group: null }, 'uncertain:another_payment'],
    ['of another operation', { metadata: { pkid: 'x' }, transfer_group: 'x' }, 'uncertain:another_payment'],
    ['that is worked on', { status: 'processing' }, 'pending'],
    ['that waits for a capture', { status: 'requires_capture' }, 'pending'],
    ['that waits for its first try', { status: 'requires_payment_method' }, 'action_required'],
    ['that was refused', { status: 'requires_payment_method', ...error }, 'declined:declined'],
    ['that waits for its confirm', { status: 'requires_confirmation' }, 'action_required'],
    ['that waits for the buyer', { status: 'requires_action' }, 'action_required'],
    ['that waits and does not say for what', { status: 'requires_action', client_secret: null }, 'pending'],
    ['that was cancelled', { status: 'canceled' }, 'declined:canceled'],
    ['in a status we do not know', { status: 'new' }, 'pending'],
    ['that is paid with nothing', { amount_received: 0 }, 'uncertain:unexpected_body'],
    ['with a fraction', { amount_received: 1.5 }, 'uncertain:unexpected_body'],
    ['in an unknown currency', { currency: 'zzz' }, 'uncertain:unexpected_body'],
    ['that sends the buyer to a script', redirect('javascript:alert(1)'), 'uncertain:unexpected_body'],
    ['without a status', { status: null }, 'uncertain:unexpected_body'],
  ])('of an intent %s', async (_name, change, expected) => {
    const warnings: object[] = [];
    const { payin } = stripeAt(await answering(200, { ...intent, ...change }), warnings);
    expect(await outcomeOf(payin.find(referenceOf(order, 'pi_1'), LIMITS))).toBe(expected);
    const isOdd = _name.endsWith('do not know') || _name.endsWith('for what');
    expect(warnings).toHaveLength(isOdd ? 1 : 0);
  });

  test('tells where the buyer goes, or else the secret for the script in the page', async () => {
    const waiting = { ...intent, status: 'requires_action' };
    const away = stripeAt(await answering(200, { ...waiting, ...redirect('https://bank.example/3ds') }));
    expect(await away.payin.find(referenceOf(order, 'pi_1'), LIMITS)).toEqual({
      type: 'action_required',
      externId: 'pi_1',
      nextAction: { type: 'redirect', url: 'https://bank.example/3ds', expiresAt: null },
    });
    const here = stripeAt(await answering(200, waiting));
    expect(await here.payin.find(referenceOf(order, 'pi_1'), LIMITS)).toMatchObject({
      nextAction: { type: 'client_secret', clientSecret: 'pi_1_secret_x' },
    });
  });

  test('tells the money that came, and the fee in the currency of our balance', async () => {
    const line = { id: 'txn_1', object: 'balance_transaction', fee: 45, currency: 'eur' };
    const body = { ...intent, amount_received: 1200, latest_charge: { balance_transaction: line } };
    expect(await stripeAt(await answering(200, body)).payin.find(referenceOf(order, 'pi_1'), LIMITS)).toEqual({
      type: 'succeeded',
      externId: 'pi_1',
      money: money(1200n),
      beneficiary: null,
      reversedMinor: 0n,
      arrival: null,
      fee: { externId: 'txn_1', money: money(45n, 'EUR') },
      otherExternIds: [],
    });
  });
});

describe('a look-up by our key', () => {
  const charge = (payment_intent: string | null, status: string, created = 100) => ({
    payment_intent,
    status,
    created,
  });
  const list = (...data: object[]) => ({ object: 'list', data });
  const search = (...ids: string[]) => ({ object: 'search_result', data: ids.map((id) => ({ id, created: 100 })) });
  const refusal = { error: { type: 'invalid_request_error', message: 'Search is not available in your country.' } };

  interface Answering {
    readonly charges: object;
    readonly found?: object;
    /** Of the search. */
    readonly status?: number;
  }

  /** Answers with the charges of the group, the result of the search, and any intent asked for by its id. */
  async function stripeWith({ charges, found = search(), status = 200 }: Answering) {
    const server = await serveHttp((request, response) => {
      const url = request.url ?? '';
      const isSearch = url.startsWith('/v1/payment_intents/search');
      response.statusCode = isSearch ? status : 200;
      const id = /^\/v1\/payment_intents\/(pi_\w+)/.exec(url)?.[1];
      const body = isSearch ? found : url.startsWith('/v1/charges?') ? charges : { ...intent, id };
      response.end(JSON.stringify(body));
    });
    return stripeAt(keep(server)).payin.find(referenceOf(order), LIMITS);
  }

  test.each<[string, object, string, string[]]>([
    ['the only one', list(charge('pi_1', 'succeeded')), 'pi_1', []],
    ['one that was tried several times', list(charge('pi_1', 'succeeded', 200), charge('pi_1', 'failed')), 'pi_1', []],
    [
      'the one that was paid first, and the other paid one',
      list(charge('pi_3', 'succeeded', 300), charge('pi_2', 'succeeded', 200), charge('pi_1', 'failed')),
      'pi_2',
      ['pi_3'],
    ],
    ['none but refused ones', list(charge('pi_2', 'failed', 200), charge('pi_1', 'failed')), 'pi_1', []],
  ])('finds %s', async (_name, charges, externId, otherExternIds) => {
    expect(await stripeWith({ charges })).toMatchObject({ type: 'succeeded', externId, otherExternIds });
  });

  test('finds one without a charge by the search, which may be missing or busy', async () => {
    expect(await stripeWith({ charges: list(), found: search('pi_7') })).toMatchObject({ externId: 'pi_7' });
    expect(await stripeWith({ charges: list() })).toEqual({ type: 'not_found' });
    for (const status of [400, 429]) {
      expect(await stripeWith({ charges: list(), found: refusal, status })).toEqual({ type: 'not_found' });
    }
    expect(await outcomeOf(stripeWith({ charges: list(), found: refusal, status: 500 }))).toMatch(/^uncertain:/);
    expect(await stripeWith({ charges: list(charge(null, 'succeeded')) })).toEqual({ type: 'not_found' });
  });

  test.each<[string, object, object]>([
    ['a list of another shape', { data: [] }, search()],
    ['a charge that cannot be read', list({ payment_intent: 'pi_1' }), search()],
    ['a search of another shape', list(), { data: [] }],
  ])('never takes %s for "there is no payment"', async (_name, charges, found) => {
    expect(await outcomeOf(stripeWith({ charges, found }))).toBe('uncertain:unexpected_body');
  });
});

describe('a refusal at the first call', () => {
  const refused = (more: object, type = 'card_error') => ({ error: { type, message: 'No.', ...more } });
  const left = (status: string, more = {}) => ({ payment_intent: { ...intent, status, ...more } });

  test.each<[string, number, object, string, boolean]>([
    ['leaves an intent that can be paid', 402, refused(left('requires_payment_method')), 'declined:declined', true],
    ['leaves an intent that can be confirmed', 400, refused(left('requires_confirmation')), 'declined:declined', true],
    ['leaves nothing', 402, refused({}), 'declined:declined', false],
    ['of the request', 400, refused({}, 'invalid_request_error'), 'declined:declined', false],
    ['is none when the intent is paid', 402, refused(left('succeeded')), 'succeeded', false],
    ['is none when the intent is worked on', 402, refused(left('processing')), 'pending', false],
    [
      'with an intent that is not ours',
      402,
      refused(left('canceled', { metadata: {}, transfer_group: null })),
      'uncertain:another_payment',
      false,
    ],
    ['with an intent that cannot be read', 402, refused({ payment_intent: {} }), 'uncertain:unexpected_body', false],
    ['of a kind we do not know', 400, refused({}, 'new_error'), 'uncertain:unexpected_error', false],
    ['by an address that is not there', 404, refused({}, 'invalid_request_error'), 'uncertain:unexpected_error', false],
    ['by a proxy', 502, {}, 'uncertain:http_502', false],
  ])('%s', async (_name, status, body, expected, isOpen) => {
    const { payin } = stripeAt(await answering(status, body));
    expect(await outcomeOf(payin.send(order, LIMITS))).toBe(expected);
    if (!expected.startsWith('declined')) return;
    const answer = await payin.send(order, LIMITS);
    expect(answer).toMatchObject({ isOpen, externId: isOpen ? 'pi_1' : null, detail: 'No.' });
  });

  test('nobody listens: not taken; a reset: uncertain, and sent once', async () => {
    expect(await outcomeOf(stripeAt(await closedUrl()).payin.send(order, LIMITS))).toBe('not_taken:refused');
    const server = await serveRaw((socket) => void socket.once('data', () => socket.resetAndDestroy()));
    expect(await outcomeOf(stripeAt(keep(server)).payin.send(order, LIMITS))).toBe('uncertain:reset');
    expect(server.seen).toHaveLength(1);
  });

  test('a deadline that has passed is not taken', async () => {
    const { payin } = stripeAt('http://127.0.0.1:9');
    expect(await outcomeOf(payin.send(order, { timeoutMs: 0 }))).toBe('not_taken:deadline_before_send');
    expect(await outcomeOf(payin.cancel(referenceOf(order), { timeoutMs: 0 }))).toBe('not_taken:deadline_before_send');
  });

  test('all requests of a look-up share one deadline', async () => {
    const server = await serveHttp((request, response) => {
      if (request.url?.startsWith('/v1/charges?')) response.end(JSON.stringify({ object: 'list', data: [] }));
    });
    const { payin } = stripeAt(keep(server));
    expect(await outcomeOf(payin.find(referenceOf(order), { timeoutMs: 500 }))).toBe('uncertain:timeout');
    expect(server.seen).toHaveLength(2);
  });
});

describe('on the wire', () => {
  async function written(more: Partial<typeof order>): Promise<Record<string, string>> {
    let seen = {};
    const server = await serveHttp(async (request, response) => {
      const body = Buffer.concat(await request.toArray()).toString();
      seen = { key: request.headers['idempotency-key'], ...Object.fromEntries(new URLSearchParams(body)) };
      response.end(JSON.stringify(intent));
    });
    await stripeAt(keep(server)).payin.send({ ...order, ...more }, LIMITS);
    return seen;
  }

  const always = {
    key: pkid,
    amount: '1500',
    currency: 'usd',
    transfer_group: pkid,
    'metadata[pkid]': pkid,
    'metadata[semantic_key]': 'wire',
    'expand[0]': 'latest_charge.balance_transaction',
    'automatic_payment_methods[enabled]': 'true',
  };
  const confirmed = { confirm: 'true', payment_method: 'pm_ok_1' };

  test('a pay-in with a token is confirmed as it is made, under our key', async () => {
    const buyer = { email: 'buyer@shop.example', ip: '203.0.113.9' };
    expect(await written({ buyer, statementDescriptor: 'Order 17' })).toEqual({
      ...always,
      ...confirmed,
      'automatic_payment_methods[allow_redirects]': 'always',
      return_url: 'https://shop.example/back',
      receipt_email: 'buyer@shop.example',
      statement_descriptor_suffix: 'Order 17',
    });
  });

  test('without a place to come back to nobody is sent away, and without a token nothing is confirmed', async () => {
    const stays = { ...always, ...confirmed, 'automatic_payment_methods[allow_redirects]': 'never' };
    expect(await written({ returnUrl: null })).toEqual(stays);
    expect(await written({ token: null })).toEqual(always);
  });

  test.each([
    ['Café <Noir> "Zoë" *1*', 'Cafe Noir Zoe 1'],
    ['A name that is far too long to stand there', 'A name that is far too'],
    ['12345', undefined],
    ['注文', undefined],
    ['  ', undefined],
  ])('the descriptor %j is written %j', async (statementDescriptor, suffix) => {
    expect((await written({ statementDescriptor })).statement_descriptor_suffix).toBe(suffix);
  });
});
