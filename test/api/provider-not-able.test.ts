// What a provider cannot move is refused before anything is kept: a currency it does not have, a fraction it does not
// write, more than its limit, less than its minimum. The advice names an amount that is then taken.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isErrorOf, type Json, type Rig, startRig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
  for (const currency of ['USD', 'HUF', 'KWD', 'JPY', 'MGA', 'TWD', 'CLF', 'XAD']) {
    const wallet = { wallet_id: `able-${currency}`, owner_id: 'able', kind: 'seller', currency };
    expect((await rig.post('/v1/wallets', wallet)).status).toBe(201);
  }
});
afterAll(() => rig.stop());

interface Row {
  readonly provider: string;
  readonly amount: string;
  readonly currency: string;
  /** What the advice says to send; null where another provider or currency is the only way. */
  readonly instead: string | null;
}

const row = (provider: string, amount: string, currency: string, instead: string | null = null): Row => ({
  provider,
  amount,
  currency,
  instead,
});

/** Refused for money that comes in, whether it pays a checkout or loads a wallet. */
const INCOMING: readonly Row[] = [
  row('paypal', '150050', 'HUF', '150000'),
  row('paypal', '50', 'HUF', '100'),
  row('paypal', '150', 'TWD', '100'),
  row('paypal', '1500', 'KWD'),
  row('paypal', '100000000000000000', 'USD', '99999999999999999'),
  row('stripe', '5121', 'KWD', '5120'),
  row('stripe', '550', 'MGA', '500'),
  row('stripe', '100000000', 'USD', '99999999'),
  row('stripe', '100000001', 'KWD', '99999990'),
  row('stripe', '49', 'USD', '50'),
  row('stripe', '49', 'JPY', '50'),
  row('stripe', '17499', 'HUF', '17500'),
  row('stripe', '1', 'CLF'),
  row('square', '5', 'XAD'),
  row('square', '9007199254740992', 'USD', '9007199254740991'),
  row('tipalti', '100', 'USD'),
  row('demobank', '100', 'USD'),
];

const OUTGOING: readonly Row[] = [
  row('paypal', '150050', 'HUF', '150000'),
  row('paypal', '150', 'TWD', '100'),
  row('paypal', '1500', 'KWD'),
  row('paypal', '2000001', 'USD', '2000000'),
  row('stripe', '5121', 'KWD', '5120'),
  row('stripe', '9', 'KWD', '10'),
  row('stripe', '17550', 'HUF', '17500'),
  row('stripe', '100000000', 'USD', '99999999'),
  row('stripe', '1', 'CLF'),
  row('tipalti', '1000000000000000', 'USD', '999999999999999'),
  row('tipalti', '1', 'CLF'),
  row('square', '100', 'USD'),
];

const name = ({ provider, amount, currency }: Row) => `${provider}-${amount}-${currency}`;
const infoOf = ({ provider }: Row) => ({ provider, token: 'tok_ok_1' });

function checkoutOf(asked: Row, amount: string): Json {
  const checkout_id = `able-${name(asked)}-${amount}`;
  const orders = [{ order_id: `${checkout_id}-1`, seller_id: 'able', amount }];
  return { checkout_id, buyer_id: 'able-buyer', currency: asked.currency, payment_info: infoOf(asked), orders };
}

function payinOf(asked: Row, amount: string): Json {
  const { currency } = asked;
  const semantic_key = `in-${name(asked)}-${amount}`;
  return { semantic_key, wallet_id: `able-${currency}`, amount, currency, payment_info: infoOf(asked), confirm: false };
}

function payoutOf(asked: Row, amount: string): Json {
  const { currency, provider } = asked;
  const destination = provider === 'paypal' ? 'able@example.com' : 'acct_ok_1';
  const semantic_key = `out-${name(asked)}-${amount}`;
  return { semantic_key, wallet_id: `able-${currency}`, amount, currency, provider, destination };
}

/** The first amount that the advice puts in quotes after "Send", or names as the most or the least. */
function advised(detail: unknown): string | null {
  const [, amount = null] = /(?:Send|at most|at least) "(\d+)" \(/.exec(String(detail)) ?? [];
  return amount;
}

describe.each([
  ['/v1/checkouts', 'checkout_id', INCOMING, checkoutOf],
  ['/v1/payins', 'semantic_key', INCOMING, payinOf],
  ['/v1/payouts', 'semantic_key', OUTGOING, payoutOf],
] as const)('%s', (path, key, rows, bodyOf) => {
  it.each(rows)('refuses $amount $currency at $provider, and takes what it advises', async (asked) => {
    const body = bodyOf(asked, asked.amount);
    const answer = await rig.post(path, body);
    expect(isErrorOf(answer)).toEqual({ status: 422, code: 'provider-not-able' });
    expect(answer.json.detail).toMatch(new RegExp(`^${asked.provider}: .*(Send|Choose) .*\\.$`));
    expect(advised(answer.json.detail)).toBe(asked.instead);
    expect((await rig.get(`${path}/${body[key]}`)).status).toBe(404);
    if (asked.instead === null) return;
    expect((await rig.post(path, bodyOf(asked, asked.instead))).status).toBe(201);
  });
});

describe('paying a checkout by other means than it was made for', () => {
  it.each([
    ['JPY', '49', row('stripe', '49', 'JPY')],
    ['HUF', '150050', row('paypal', '150050', 'HUF')],
    ['USD', '100000000', row('stripe', '100000000', 'USD')],
    ['USD', '100', row('tipalti', '100', 'USD')],
  ])('refuses %s %s where that provider cannot', async (_currency, amount, asked) => {
    const body = {
      ...checkoutOf({ ...asked, provider: 'square' }, amount),
      payment_info: infoOf(row('square', '', '')),
    };
    const made = await rig.post('/v1/checkouts', body);
    expect(made.status).toBe(201);
    const semantic_key = `pay-${name(asked)}`;
    const pay = { semantic_key, payment_info: infoOf(asked) };
    const answer = await rig.post(`/v1/checkouts/${made.json.checkout_id}/pay`, pay);
    expect(isErrorOf(answer)).toEqual({ status: 422, code: 'provider-not-able' });
    expect((await rig.get(`/v1/payins/${semantic_key}`)).status).toBe(404);
  });
});

it('whoever chose a provider that does no such payments is told which do', async () => {
  const [taken, paid] = ['stripe, paypal, square', 'stripe, paypal, tipalti, demobank'];
  const payin = await rig.post('/v1/payins', payinOf(row('tipalti', '100', 'USD'), '100'));
  expect(payin.json.detail).toBe(`tipalti: It takes no payments. Choose another provider: ${taken}.`);
  const payout = await rig.post('/v1/payouts', payoutOf(row('square', '100', 'USD'), '100'));
  expect(payout.json.detail).toBe(`square: It cannot pay out. Choose another provider: ${paid}.`);
  const payee = { payee_id: 'able-payee', owner_id: 'able', provider: 'square', account: 'acct_1' };
  const { json } = await rig.post('/v1/payees', payee);
  expect(json.detail).toBe(`square cannot pay out. Choose another provider: ${paid}.`);
});

describe('a destination that its provider could not even read', () => {
  const out = (provider: string, destination: string) => ({
    ...payoutOf(row(provider, '100', 'USD'), '100'),
    semantic_key: `to-${provider}-${Buffer.from(destination).toString('hex').slice(0, 80)}`,
    destination,
  });

  it.each([
    ['stripe', 'able@example.com'],
    ['stripe', 'acct 1'],
    ['stripe', 'ba_1'],
    ['paypal', 'able and able'],
    ['paypal', 'able@example@com'],
    ['paypal', '+49 call me'],
    ['tipalti', 'payee 1'],
    ['tipalti', 'p'.repeat(65)],
  ])('is refused before anything is kept, also in a batch: %s to %s', async (provider, destination) => {
    const body = out(provider, destination);
    const answer = await rig.post('/v1/payouts', body);
    expect(isErrorOf(answer)).toEqual({ status: 422, code: 'validation-failed' });
    expect(answer.json.errors).toEqual([{ pointer: '/destination', detail: expect.stringMatching(/Send .*\.$/) }]);
    expect((await rig.get(`/v1/payouts/${body.semantic_key}`)).status).toBe(404);
    const batch = await rig.post('/v1/payouts/batch', { payouts: [body, out(provider, 'acct_1')] });
    expect(batch.json.results).toMatchObject([{ problem: { code: 'validation-failed' } }, { status: 'initialized' }]);
  });

  it.each([
    ['stripe', 'acct_1032D82eZvKYlo2C'],
    ['paypal', 'able@example.com'],
    ['paypal', '+49 170 12345'],
    ['paypal', 'G83JXTJ5EHCQ2'],
    ['tipalti', 'payee@1'],
    ['demobank', 'any account name'],
  ])('is not one that it could: %s to %s', async (provider, destination) => {
    expect((await rig.post('/v1/payouts', out(provider, destination))).status).toBe(201);
  });
});

it('a batch of payouts is told of each item that its provider cannot pay', async () => {
  const asked = OUTGOING.map((one) => ({ ...payoutOf(one, one.amount), semantic_key: `many-${name(one)}` }));
  const { status, json } = await rig.post('/v1/payouts/batch', { payouts: asked });
  expect(status).toBe(202);
  const problem = { code: 'provider-not-able', status: 422 };
  expect(json.results).toMatchObject(asked.map(({ semantic_key }) => ({ semantic_key, problem })));
});

it('a checkout is refused of which one order could not be refunded by itself, though all could be paid', async () => {
  const body = checkoutOf(row('paypal', '30000', 'HUF'), '30000');
  const halves = [
    { order_id: 'half-1', seller_id: 'able', amount: '15050' },
    { order_id: 'half-2', seller_id: 'able', amount: '14950' },
  ];
  const answer = await rig.post('/v1/checkouts', { ...body, checkout_id: 'halves', orders: halves });
  expect(isErrorOf(answer)).toEqual({ status: 422, code: 'provider-not-able' });
  expect(answer.json.detail).toContain('"half-1"');
  const elsewhere = { ...body, checkout_id: 'halves', payment_info: infoOf(row('stripe', '', '')), orders: halves };
  expect((await rig.post('/v1/checkouts', elsewhere)).status).toBe(201);
  const pay = { semantic_key: 'pay-halves', payment_info: infoOf(row('paypal', '', '')) };
  expect(isErrorOf(await rig.post('/v1/checkouts/halves/pay', pay))).toMatchObject({ code: 'provider-not-able' });
});

describe('a refund', () => {
  /** A checkout of one order, paid at the provider that has to give it back. */
  async function paid(asked: Row): Promise<string> {
    const body = checkoutOf(asked, asked.amount);
    expect((await rig.post('/v1/checkouts', body)).status).toBe(201);
    const pay = { semantic_key: `pay-${body.checkout_id}` };
    const answer = await rig.post(`/v1/checkouts/${body.checkout_id}/pay?wait=20`, pay);
    expect(answer.json).toMatchObject({ status: 'succeeded' });
    return `${body.checkout_id}-1`;
  }

  it.each([
    [row('paypal', '150000', 'HUF', '500'), '550'],
    [row('paypal', '150000', 'HUF', '100'), '50'],
    [row('stripe', '5120', 'KWD', '330'), '331'],
    [row('stripe', '5120', 'KWD', '10'), '9'],
    [row('stripe', '1000', 'MGA', '500'), '550'],
  ])('of a part that the provider cannot send is refused, and taken as advised: $0 $1', async (asked, amount) => {
    const order_id = await paid({ ...asked, amount: String(Number(asked.amount) + 1000 * Number(amount)) });
    const refund = (part: string) =>
      rig.post('/v1/refunds', { semantic_key: `${order_id}-${part}`, order_id, amount: part });
    const answer = await refund(amount);
    expect(isErrorOf(answer)).toEqual({ status: 422, code: 'provider-not-able' });
    expect(advised(answer.json.detail)).toBe(asked.instead);
    expect((await rig.get(`/v1/refunds/${order_id}-${amount}`)).status).toBe(404);
    expect((await rig.get(`/v1/orders/${order_id}`)).json).toMatchObject({ refunding: '0', refunded: '0' });
    expect((await refund(String(asked.instead))).status).toBe(202);
  });

  it('has no minimum of its own, and no more than the order is told of what the provider could not move', async () => {
    const order_id = await paid(row('stripe', '50', 'USD'));
    const refund = (part: string) =>
      rig.post('/v1/refunds', { semantic_key: `${order_id}-${part}`, order_id, amount: part });
    expect(isErrorOf(await refund('51'))).toEqual({ status: 422, code: 'refund-exceeds-payment' });
    expect(isErrorOf(await refund('100000000'))).toEqual({ status: 422, code: 'refund-exceeds-payment' });
    expect((await refund('1')).status).toBe(202);
  });

  it('into a wallet asks nothing of the provider', async () => {
    const buyer = { wallet_id: 'able-buyer-kwd', owner_id: 'able-buyer', kind: 'buyer', currency: 'KWD' };
    expect((await rig.post('/v1/wallets', buyer)).status).toBe(201);
    const order_id = await paid(row('stripe', '7770', 'KWD'));
    const refund = { semantic_key: `${order_id}-wallet`, order_id, amount: '7', to: 'wallet' };
    expect((await rig.post('/v1/refunds?wait=20', refund)).json).toMatchObject({ status: 'succeeded' });
  });
});
