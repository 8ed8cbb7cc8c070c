// The wire of the requests to Square, and what is refused before anything is sent.

import { afterEach, describe, expect, test } from 'vitest';
import { PaymentError } from '../../src/domain/errors.ts';
import { type LocalServer, serveHttp } from './local-server.ts';
import { errorFrom, outcomeOf } from './outcome.ts';
import { LIMITS, money, payinOf, referenceOf, refundOf, squareAt } from './square-rig.ts';

const SPLIT = 'Send that or less: split the amount.';

const open: LocalServer[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

describe('the wire carries what was ordered and nothing else, and only the base URL decides where to', () => {
  async function requestOf(call: (made: ReturnType<typeof squareAt>) => Promise<unknown>) {
    const seen: object[] = [];
    const server = await serveHttp(async (request, response) => {
      const body: unknown = JSON.parse(Buffer.concat(await request.toArray()).toString());
      const { authorization, 'square-version': version } = request.headers;
      seen.push({ path: `${request.method} ${request.url}`, authorization, version, body });
      response.writeHead(502).end();
    });
    open.push(server);
    await call(squareAt(`${server.url}/square`)).catch(() => null);
    return seen;
  }

  const credentials = { authorization: 'Bearer EAAA_canary', version: '2026-09-16' };
  const order = payinOf('cnon:ok', { amount: money(9_007_199_254_740_991n, 'KWD') });

  test('a pay-in', async () => {
    const asked = {
      ...order,
      statementDescriptor: 'Shop of twenty-five chars',
      buyer: { email: 'a@example.com', ip: '::1' },
    };
    const body = {
      source_id: 'cnon:ok',
      idempotency_key: order.pkid,
      amount_money: { amount: 9_007_199_254_740_991, currency: 'KWD' },
      autocomplete: false,
      reference_id: order.pkid,
      location_id: 'LSANDBOX00001',
      statement_description_identifier: 'Shop of twenty-five ',
      buyer_email_address: 'a@example.com',
    };
    const sent = await requestOf(({ payin }) => payin.send(asked, LIMITS));
    expect(sent).toEqual([{ path: 'POST /square/v2/payments', ...credentials, body }]);
  });

  test('a refund', async () => {
    const refund = refundOf('P_1', 'wire', money(5n));
    const amount = { amount: 5, currency: 'USD' };
    const reason = `Refund ${refund.pkid}`;
    const body = { idempotency_key: refund.pkid, payment_id: 'P_1', amount_money: amount, reason };
    const sent = await requestOf((made) => made.refund.send(refund, LIMITS));
    expect(sent).toEqual([{ path: 'POST /square/v2/refunds', ...credentials, body }]);
  });

  test('a cancel by key, whose key is that of the create', async () => {
    const sent = await requestOf(({ payin }) =>
      payin.cancel({ ...referenceOf(order), key: 'of a later step' }, LIMITS),
    );
    const body = { idempotency_key: order.pkid };
    expect(sent).toEqual([{ path: 'POST /square/v2/payments/cancel', ...credentials, body }]);
  });
});

describe('what Square cannot do is said in advance, and never sent', () => {
  test.each<[bigint, string, string]>([
    [5n, 'XAD', 'Square does not take XAD. Choose another provider, or another currency.'],
    [0n, 'USD', 'Square takes at least "1" (0.01 USD). Send that or more.'],
    [0n, 'JPY', 'Square takes at least "1" (1 JPY). Send that or more.'],
    [9_007_199_254_740_992n, 'JPY', `Square takes at most "9007199254740991" (9007199254740991 JPY) at once. ${SPLIT}`],
    [
      9_007_199_254_740_992n,
      'KWD',
      `Square takes at most "9007199254740991" (9007199254740.991 KWD) at once. ${SPLIT}`,
    ],
  ])('%s %s', async (amountMinor, currency, advice) => {
    const { payin, refund } = squareAt('http://127.0.0.1:9');
    const amount = money(amountMinor, currency);
    expect([payin.refusalOf(amount), refund.refusalOf(amount)]).toEqual([advice, advice]);
    for (const call of [
      payin.send(payinOf('tok', { amount }), LIMITS),
      refund.send(refundOf('P_1', 'x', amount), LIMITS),
    ]) {
      const error = await errorFrom(call);
      expect(error).toBeInstanceOf(PaymentError);
      expect([error.code, error.detail]).toEqual(['provider-not-able', advice]);
    }
  });

  test.each(['USD', 'JPY', 'KWD', 'HUF'])('one unit of %s is no problem', (currency) => {
    expect(squareAt('http://127.0.0.1:9').payin.refusalOf(money(1n, currency))).toBeNull();
  });

  test('a pay-in without a token is declined with the way out, because only a browser can make one', async () => {
    const { payin } = squareAt('http://127.0.0.1:9');
    expect(await outcomeOf(payin.send(payinOf(null), LIMITS))).toBe('declined:declined');
    expect(await payin.send(payinOf(null), LIMITS)).toMatchObject({
      detail: expect.stringContaining('payment_info.token'),
    });
  });

  test('there are no payouts, no payees and no balance', async () => {
    const { provider } = squareAt('http://127.0.0.1:9');
    expect([provider.payout, provider.findPayee, provider.live]).toEqual([null, null, false]);
    expect(await provider.balance(money(1n).currency, LIMITS)).toBeNull();
  });
});
