// PayPal's access token: one sign-in for all calls, renewed in time, and never a reason to lose or repeat a payment.

import { afterEach, describe, expect, test } from 'vitest';
import { closedUrl, type LocalServer, serveRaw } from './local-server.ts';
import { errorFrom, outcomeOf } from './outcome.ts';
import { LIMITS, payinOf, payoutOf, paypalAt, quiet, referenceOf } from './paypal-rig.ts';
import { grant, type Said, type Script, servePaypal, TOKEN } from './paypal-server.ts';

const ORDER = '/v2/checkout/orders/O1';
const CAPTURE = `${ORDER}/capture`;
const order = payinOf('tok_1');
const reference = referenceOf(order, { externId: 'O1' });
const approvedBody = { id: 'O1', status: 'APPROVED', purchase_units: [{ custom_id: order.pkid }] };
const open: LocalServer[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

async function scripted(script: Script) {
  const server = await servePaypal(script);
  open.push(server);
  return { server, paypal: paypalAt(server.url) };
}

describe('the access token', () => {
  const approved: Script = { [ORDER]: { body: approvedBody } };
  const lines = (heard: readonly { line: string }[]) => heard.map(({ line }) => line);

  test('serves all calls, and is asked for once however many calls wait for it', async () => {
    const { server, paypal } = await scripted(approved);
    await Promise.all(Array.from({ length: 8 }, () => paypal.payin.find(reference, LIMITS)));
    expect(lines(server.heard).filter((line) => line === `POST ${TOKEN}`)).toHaveLength(1);
    expect(server.heard[0]?.headers.authorization).toBe(`Basic ${btoa('client:secret-canary')}`);
  });

  test('that PayPal forgot is renewed, and the call repeated once under the same key', async () => {
    const refused = { status: 401, body: { error: 'invalid_token', error_description: 'x' } };
    const said = [refused, { body: approvedBody }];
    const { server, paypal } = await scripted({ [CAPTURE]: said });
    expect(await outcomeOf(paypal.payin.confirm(reference, LIMITS))).toBe('pending:awaits_confirm');
    expect(lines(server.heard)).toEqual([`POST ${TOKEN}`, `POST ${CAPTURE}`, `POST ${TOKEN}`, `POST ${CAPTURE}`]);
    expect(server.heard[1]?.headers['paypal-request-id']).toBe(server.heard[3]?.headers['paypal-request-id']);
    expect(server.heard[3]?.headers.authorization).toBe('Bearer token-2');
  });

  test('that is refused twice is not taken, and asked for no third time', async () => {
    const errors: object[] = [];
    const { server } = await scripted({ [CAPTURE]: { status: 401, body: {} } });
    const paypal = paypalAt(server.url, { log: { ...quiet, error: (fields) => errors.push(fields) } });
    expect(await outcomeOf(paypal.payin.confirm(reference, LIMITS))).toBe('not_taken:http_401');
    expect(server.heard).toHaveLength(4);
    expect(errors).toEqual([{ provider: 'paypal', reason: 'http_401' }]);
  });

  test('whose life is over by the time it comes is not used again', async () => {
    const { server, paypal } = await scripted({ ...approved, [TOKEN]: { body: grant('short', 1e-6) } });
    await paypal.payin.find(reference, LIMITS);
    await paypal.payin.find(reference, LIMITS);
    expect(lines(server.heard).filter((line) => line === `POST ${TOKEN}`)).toHaveLength(2);
  });

  test.each<[string, Said, string]>([
    ['refused', { status: 401, body: { error: 'invalid_client' } }, 'not_taken:sign_in_http_401'],
    [
      'refused as malformed',
      { status: 400, body: { error: 'unsupported_grant_type' } },
      'not_taken:sign_in_unsupported_grant_type',
    ],
    ['in trouble', { status: 500, body: '' }, 'not_taken:sign_in_http_500'],
    ['something else', { body: { access_token: 'a b' } }, 'not_taken:sign_in_unexpected_body'],
  ])('whose sign-in is %s leaves the call not taken', async (_name, said, expected) => {
    const { server, paypal } = await scripted({ [TOKEN]: said });
    expect(await outcomeOf(paypal.payout.send(payoutOf('a@example.com'), LIMITS))).toBe(expected);
    expect(server.heard).toHaveLength(1);
  });

  test('that does not come in time ends the call by its own deadline, and nobody listens is not taken', async () => {
    const silent = await serveRaw((socket) => void socket.resume());
    open.push(silent);
    expect(await outcomeOf(paypalAt(silent.url).payin.send(order, { timeoutMs: 200 }))).toBe(
      'not_taken:sign_in_timeout',
    );
    expect(await outcomeOf(paypalAt(await closedUrl()).payin.send(order, LIMITS))).toBe('not_taken:sign_in_refused');
    const late = paypalAt('http://127.0.0.1:9').payin.send(order, { timeoutMs: 0 });
    expect(await outcomeOf(late)).toBe('not_taken:deadline_before_send');
  });
});

test('no error shows the secret, and each tells the way out', async () => {
  const { paypal } = await scripted({ [TOKEN]: { status: 401, body: { error: 'invalid_client' } } });
  const error = await errorFrom(paypal.payin.send(order, LIMITS));
  expect(JSON.stringify(error.detail)).not.toContain('canary');
  expect(error.detail).toMatch(/check the credentials/);
});
