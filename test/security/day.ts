// A day of the shop in which every field that may hold a secret holds one, and in which much goes wrong.

import { PROVIDERS } from '../../src/domain/provider.ts';
import { type Answer, type CallOptions, rowsOf } from '../api/rig.ts';
import { until } from '../harness/until.ts';
import type { Receiver } from '../jobs/webhook-out-rig.ts';
import { SENT } from './canaries.ts';
import { bodyTakers, doors } from './doors.ts';
import { membersIn, withValue } from './schema.ts';

type Call = (method: string, path: string, options?: CallOptions) => Promise<Answer>;

/** By what becomes of them: words of the sandbox. */
const WORDS = ['ok', 'decline', 'html', 'paid_then_500', 'error_stored'];
const FEW_WORDS = ['ok', 'html'];
/** One of them lives through everything that there is, the others through what is theirs: their own way to speak. */
const wordsOf = (provider: string) => (provider === 'stripe' ? WORDS : FEW_WORDS);
/** Above the limit of every route. */
const TOO_LARGE = 2 * 1024 * 1024 + 1;
const metadata = { note: SENT.metadata };
const money = { amount: '1000', currency: 'USD' };

/** Returns the secret of the endpoint that heard of it. */
export async function liveThrough({ call, receiver }: { call: Call; receiver: Receiver }): Promise<string> {
  async function make(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer['json']> {
    const { status, json, text } = await call('POST', path, { body, headers });
    if (status >= 300) throw new Error(`${path} was answered ${status}: ${text}`);
    return json;
  }
  const endpoint = await make('/v1/webhook-endpoints', { url: receiver.url, events: ['*'] });
  await make('/v1/wallets', { wallet_id: 'seller', owner_id: 'seller', kind: 'seller', currency: 'USD', metadata });
  const funds = { semantic_key: 'funds', wallet_id: 'seller', amount: '900000', currency: 'USD', reason: SENT.reason };
  await make('/v1/adjustments', funds);
  const treasury = { from: '@bank:USD', to: '@provider:stripe:USD', ...money, reference: SENT.reference };
  await make('/v1/treasury', { semantic_key: 'bank', ...treasury });
  const account = `acct_ok_${SENT.account}`;
  await make('/v1/payees', { payee_id: 'payee', owner_id: 'seller', provider: 'stripe', account, metadata });
  await make('/v1/payouts', { semantic_key: 'to-payee', ...outOf('stripe'), payee_id: 'payee', confirm: true });
  for (const provider of ['stripe', 'paypal', 'tipalti', 'demobank']) {
    for (const word of wordsOf(provider)) {
      const payout = { ...outOf(provider), destination: `acct_${word}_${SENT.destination}`, confirm: true };
      const { status } = await call('POST', '/v1/payouts', {
        body: { semantic_key: `${provider}-${word}`, ...payout },
      });
      if (status >= 500) throw new Error(`A payout through ${provider} was answered ${status}.`);
    }
  }
  for (const provider of ['stripe', 'paypal', 'square']) {
    for (const word of wordsOf(provider))
      await buy(make, { id: `${provider}-${word}`, provider, token: `tok_${word}_${SENT.token}` });
  }
  const refund = { order_id: 'stripe-ok-order', amount: '100', reason: SENT.reason, metadata };
  await until(
    async () => (await call('GET', '/v1/payins/stripe-ok')).json.status,
    (status) => status === 'succeeded',
  );
  await make('/v1/refunds', { semantic_key: 'refund', ...refund });
  await call('POST', '/v1/payouts/stripe-error_stored/resolve', { body: { verdict: 'failed', reason: SENT.reason } });
  await call('POST', '/v1/payouts/stripe-paid_then_500/query', { headers: { traceparent: SENT.query } });
  await untilTold({ call, receiver });
  return String(endpoint.secret);
}

async function buy(
  make: (path: string, body: unknown) => Promise<unknown>,
  { id, provider, token }: { id: string; provider: string; token: string },
): Promise<void> {
  const order = { order_id: `${id}-order`, seller_id: 'seller', amount: '1000', fee: '100' };
  const checkout = { checkout_id: id, buyer_id: 'buyer', currency: 'USD', orders: [order], metadata };
  await make('/v1/checkouts', { ...checkout, payment_info: { provider, token } });
  const buyer = { email: SENT.email, ip: SENT.ip };
  const urls = { return_url: SENT.returnUrl, cancel_url: SENT.returnUrl };
  await make(`/v1/checkouts/${id}/pay`, { semantic_key: id, ...urls, buyer, metadata });
}

function outOf(provider: string) {
  return { wallet_id: 'seller', provider, ...money, metadata };
}

/** Each was tried, whatever comes of it later, and the merchant has heard of all kinds. */
async function untilTold({ call, receiver }: { call: Call; receiver: Receiver }): Promise<void> {
  const untried = async (plural: string) =>
    rowsOf(await call('GET', `/v1/${plural}?limit=500`)).filter(({ attempts }) => attempts === 0).length;
  await until(
    async () => (await untried('payouts')) + (await untried('payins')),
    (count) => count === 0,
  );
  await until(
    async () => new Set(receiver.received.map(({ body }) => body.type)),
    (types) =>
      ['payin.succeeded', 'payout.succeeded', 'payout.failed', 'refund.succeeded'].every((type) => types.has(type)),
  );
}

/** Everything that a caller may hand over by mistake, refused in every way that there is. */
export async function sendBadRequests(options: {
  call: Call;
  /** What a person sends who mistyped the key. */
  basic: Record<string, string>;
  /** A key that may read only. */
  reader: string;
}): Promise<void> {
  const { call, basic, reader } = options;
  for (const { method, address, body } of doors) {
    const given = body === undefined ? {} : { body };
    await call(method, address, { ...given, key: null, headers: { Authorization: `Bearer ${SENT.wrongKey}` } });
    await call(method, `${address}?cursor=${SENT.query}&key=${SENT.query}`, given);
    if (method === 'GET') await call(method, address);
    const Cookie = `remit_session=${SENT.cookie}`;
    await call(method, address, { ...given, key: null, headers: { Cookie, 'X-Request-Id': `<${SENT.cookie}>` } });
  }
  for (const { address, schema, body } of bodyTakers()) {
    if (schema === null) continue;
    for (const place of membersIn(schema)) {
      for (const value of [`${SENT.token}\u0000`, [SENT.token]]) {
        await call('POST', address, { body: withValue(body, schema, { ...place, value }) });
      }
    }
    await call('POST', address, { body: `{"token":"${SENT.token}"` });
    await call('POST', address, { body, key: reader });
    await call('POST', address, { body: SENT.token.padEnd(TOO_LARGE) });
    await call('POST', address, { body: { token: SENT.token }, headers: { 'Content-Type': 'text/plain' } });
  }
  for (const provider of PROVIDERS) {
    const signatures = [
      'Stripe-Signature',
      'X-Square-Hmacsha256-Signature',
      'PayPal-Transmission-Sig',
      'webhook-signature',
    ];
    const headers = Object.fromEntries(signatures.map((name) => [name, SENT.signature]));
    await call('POST', `/webhooks/${provider}`, { key: null, headers, body: { id: SENT.token, type: SENT.token } });
    await call('POST', `/webhooks/${provider}`, { key: null, headers, body: SENT.token });
  }
  for (const path of ['/', '/admin/queues', '/metrics']) await call('GET', path, { key: null, headers: basic });
}
