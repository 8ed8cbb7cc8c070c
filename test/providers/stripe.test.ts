// Payouts by the Stripe adapter with the official SDK: what an answer proves.

import { afterEach, describe, expect, test } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import { parseCurrency } from '../../src/domain/money.ts';
import { createStripe } from '../../src/providers/stripe.ts';
import { closedUrl, type LocalServer, serveHttp, serveRaw, serveText } from './local-server.ts';
import { outcomeOf } from './outcome.ts';

const REFUSED = { type: 'invalid_request_error', message: 'x' };

const log = { warn: () => undefined, error: () => undefined };
const pkid = pkidOf('payout', 'stripe-1');
const order = {
  pkid,
  semanticKey: 'stripe-1',
  key: pkid,
  money: money(1500n, 'USD'),
  beneficiary: 'acct_ok_1',
};
const limits = { timeoutMs: 10_000 };
const transfer = {
  id: 'tr_1',
  object: 'transfer',
  amount: 1500,
  amount_reversed: 0,
  created: 100,
  currency: 'usd',
  destination: 'acct_ok_1',
  transfer_group: pkid,
};
const open: LocalServer[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

function keep(server: LocalServer): LocalServer {
  open.push(server);
  return server;
}

function stripeAt(baseUrl: string) {
  return createStripe({ secretKey: 'sk_test_canary', webhookSecrets: [], baseUrl, live: false, log });
}

function payoutsAt(baseUrl: string) {
  const { payout } = stripeAt(baseUrl);
  if (payout === null) throw new Error('Stripe can pay.');
  return payout;
}

function payAt(baseUrl: string, timeoutMs = 10_000) {
  return payoutsAt(baseUrl).send(order, { timeoutMs });
}

describe('through the SDK the line between "not taken" and "uncertain" stays where it is', () => {
  test('nobody listens: not taken', async () => {
    expect(await outcomeOf(payAt(await closedUrl()))).toBe('not_taken:refused');
  });

  test('a reset is uncertain, and the SDK does not send a second time by itself', async () => {
    const server = keep(await serveRaw((socket) => void socket.once('data', () => socket.resetAndDestroy())));
    expect(await outcomeOf(payAt(server.url))).toBe('uncertain:reset');
    expect(server.seen).toHaveLength(1);
  });

  test('silence is uncertain', async () => {
    const server = keep(await serveRaw((socket) => void socket.resume()));
    expect(await outcomeOf(payAt(server.url, 200))).toBe('uncertain:timeout');
  });

  test('a deadline that has passed is not taken, rather than the 80 seconds of the SDK', async () => {
    expect(await outcomeOf(payAt('http://127.0.0.1:9', 0))).toBe('not_taken:deadline_before_send');
    expect(await outcomeOf(payAt('http://127.0.0.1:9', Number.NaN))).toBe('not_taken:deadline_before_send');
  });

  test.each<[string, number, unknown, string]>([
    ['an answer of another shape', 200, { id: 'tr_1' }, 'uncertain:unexpected_body'],
    ['a list', 200, [], 'uncertain:unexpected_body'],
    ['an error that calls itself a success', 200, { error: { type: 'card_error' } }, 'uncertain:unexpected_error'],
    ['a transfer of another payout', 200, { ...transfer, transfer_group: 'x' }, 'uncertain:another_payment'],
    ['a transfer in no group', 200, { ...transfer, transfer_group: null }, 'uncertain:unexpected_body'],
    ['an amount with a fraction', 200, { ...transfer, amount: 1.5 }, 'uncertain:unexpected_body'],
    ['an unknown currency', 200, { ...transfer, currency: 'zzz' }, 'uncertain:unexpected_body'],
    ['an error type we do not know', 400, { error: { type: 'new_error', message: 'x' } }, 'uncertain:unexpected_error'],
    ['a decline', 402, { error: { type: 'card_error', code: 'card_declined', message: 'x' } }, 'declined:declined'],
    ['a missing account', 404, { error: { ...REFUSED, code: 'resource_missing' } }, 'declined:declined'],
    ['an address that Stripe does not know', 404, { error: REFUSED }, 'uncertain:unexpected_error'],
    ['a transfer', 200, transfer, 'succeeded'],
  ])('%s', async (_name, status, body, expected) => {
    expect(await outcomeOf(payAt(keep(await serveText(status, JSON.stringify(body))).url))).toBe(expected);
  });
});

test('a refusal is shown in the words of Stripe, bounded and without credentials', async () => {
  const message = `Key sk_test_canary and whsec_abc are wrong.\n${'long '.repeat(200)}`;
  const body = { error: { type: 'invalid_request_error', message } };
  const answer = await payAt(keep(await serveText(400, JSON.stringify(body))).url);
  if (answer.type !== 'declined') throw new Error(`Expected a decline, not ${answer.type}.`);
  expect(answer.detail.startsWith('Key [secret] and [secret] are wrong. long')).toBe(true);
  expect(answer.detail.length).toBeLessThanOrEqual(300);
});

test('the wire carries our key, group and metadata, and only the base URL decides where to', async () => {
  let seen = {};
  const server = keep(
    await serveHttp(async (request, response) => {
      const body = Buffer.concat(await request.toArray()).toString();
      const { authorization, 'idempotency-key': key } = request.headers;
      seen = { url: request.url, authorization, key, body: Object.fromEntries(new URLSearchParams(body)) };
      response.end(JSON.stringify(transfer));
    }),
  );
  await payAt(`${server.url}/stripe`);
  expect(seen).toEqual({
    url: '/stripe/v1/transfers',
    authorization: 'Bearer sk_test_canary',
    key: pkid,
    body: {
      amount: '1500',
      currency: 'usd',
      destination: 'acct_ok_1',
      transfer_group: pkid,
      'metadata[pkid]': pkid,
      'metadata[semantic_key]': 'stripe-1',
    },
  });
});

describe('a look-up', () => {
  const list = (...data: object[]) => ({ object: 'list', data });
  const missing = { error: { type: 'invalid_request_error', code: 'resource_missing', message: 'No such transfer' } };
  const findAt = (baseUrl: string, externId: string | null) =>
    payoutsAt(baseUrl).find({ pkid, externId, key: pkid, payinExternId: null }, limits);

  test('keeps the oldest of several transfers and names the others', async () => {
    const newer = { ...transfer, id: 'tr_2', created: 200 };
    const sameSecond = { ...transfer, id: 'tr_3', created: 100 };
    const server = keep(await serveText(200, JSON.stringify(list(newer, sameSecond, transfer))));
    expect(await findAt(server.url, null)).toEqual({
      type: 'succeeded',
      externId: 'tr_1',
      money: money(1500n, 'USD'),
      beneficiary: 'acct_ok_1',
      reversedMinor: 0n,
      arrival: null,
      fee: null,
      otherExternIds: ['tr_3', 'tr_2'],
    });
  });

  test('by an id that Stripe does not know goes on by our own reference', async () => {
    const server = keep(
      await serveHttp((request, response) => {
        const isList = request.url?.startsWith('/v1/transfers?') ?? false;
        response.statusCode = isList ? 200 : 404;
        response.end(JSON.stringify(isList ? list(transfer) : missing));
      }),
    );
    expect(await outcomeOf(findAt(server.url, 'tr_unknown'))).toBe('succeeded');
    expect(server.seen).toHaveLength(2);
  });

  test.each<[string, number, string]>([
    ['a page of a proxy', 404, '<html></html>'],
    [
      'an address that Stripe does not have',
      404,
      '{"error":{"type":"invalid_request_error","message":"Unrecognized URL"}}',
    ],
    ['a list of another shape', 200, '{"data":[]}'],
    ['one transfer that cannot be read', 200, JSON.stringify(list(transfer, { id: 'tr_2' }))],
  ])('never takes %s for "there is no payment"', async (_name, status, text) => {
    expect(await outcomeOf(findAt(keep(await serveText(status, text)).url, null))).toMatch(/^uncertain:/);
  });

  test('shows what was taken back', async () => {
    const server = keep(await serveText(200, JSON.stringify(list({ ...transfer, amount_reversed: 400 }))));
    expect(await outcomeOf(findAt(server.url, null))).toBe('succeeded:reversed 400');
  });
});

function money(amountMinor: bigint, currency: string) {
  return { amountMinor, currency: parseCurrency(currency) };
}
