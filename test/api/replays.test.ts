// One key, one operation: whatever is sent again, at once, in another order or with other fields.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createJournal } from '../../src/ledger/journal.ts';
import { isErrorOf, type Rig, startRig } from './rig.ts';
import { openShop } from './shop.ts';

let rig: Rig;
beforeAll(async () => {
  // A lease this long gives a busy machine two seconds to send, so that one claim is enough.
  rig = await startRig({ LEASE_MS: '20000' });
  for (const wallet_id of ['rep-a', 'rep-b']) {
    await rig.post('/v1/wallets', { wallet_id, owner_id: `${wallet_id}-owner`, kind: 'seller', currency: 'USD' });
  }
  await rig.post('/v1/adjustments', {
    semantic_key: 'rep-fund',
    wallet_id: 'rep-a',
    amount: '1000000',
    currency: 'USD',
    reason: 'funds',
  });
  const shop = await openShop(rig);
  await shop.paid('rep-shop', { amounts: ['1000000'] });
});
afterAll(() => rig.stop());

const transfer = { from_wallet: 'rep-a', to_wallet: 'rep-b', amount: '100', currency: 'USD' };
const payout = { wallet_id: 'rep-a', amount: '100', currency: 'USD', provider: 'stripe', destination: 'acct_ok_rep' };
const adjustment = { wallet_id: 'rep-a', amount: '100', currency: 'USD', reason: 'test' };
const treasury = { from: '@bank:USD', to: '@provider:stripe:USD', amount: '100', currency: 'USD', reference: 'test' };

const payin = { wallet_id: 'rep-b', amount: '100', currency: 'USD', payment_info: { provider: 'stripe' } };
const refund = { order_id: 'rep-shop-1', amount: '100' };

const NAMED = [
  { path: '/v1/transfers', body: transfer, created: 202, change: { amount: '101' } },
  { path: '/v1/payouts', body: payout, created: 201, change: { destination: 'acct_ok_other' } },
  { path: '/v1/adjustments', body: adjustment, created: 201, change: { reason: 'other' } },
  { path: '/v1/treasury', body: treasury, created: 201, change: { reference: 'other' } },
  { path: '/v1/payins', body: payin, created: 202, change: { payment_info: { provider: 'stripe', token: 'pm_x' } } },
  { path: '/v1/refunds', body: refund, created: 202, change: { to: 'wallet' } },
] as const;

/** What a route takes for said when it is not. */
const DEFAULTS: Readonly<Record<string, object>> = {
  '/v1/transfers': { metadata: {} },
  '/v1/payouts': { metadata: {}, confirm: false },
  '/v1/payins': { metadata: {}, confirm: true },
  '/v1/refunds': { metadata: {}, to: 'payer' },
};

describe.each(NAMED)('$path', ({ path, body, created, change }) => {
  const nameOf = (suffix: string) => `rep${path.replaceAll('/', '-')}-${suffix}`;

  it('a hundred equal requests at once make one thing, and 99 are told that they are replays', async () => {
    const semantic_key = nameOf('hundred');
    const answers = await Promise.all(Array.from({ length: 100 }, () => rig.post(path, { semantic_key, ...body })));
    expect(answers.filter(({ status }) => status === created)).toHaveLength(1);
    const replays = answers.filter(({ status }) => status === 200);
    expect(replays).toHaveLength(99);
    expect(replays.every(({ headers }) => headers.get('Idempotency-Replayed') === 'true')).toBe(true);
    expect(new Set(answers.map(({ json }) => json.created_at)).size).toBe(1);
    expect(answers[0]?.headers.get('Location')).toBe(`${path}/${semantic_key}`);
  });

  it('the order of fields and spelled-out defaults make no other request', async () => {
    const semantic_key = nameOf('order');
    await rig.post(path, { semantic_key, ...body });
    const turned = Object.fromEntries(Object.entries({ semantic_key, ...body }).reverse());
    expect((await rig.post(path, { ...turned, ...DEFAULTS[path] })).status).toBe(200);
  });

  it('another body under the same key changes nothing', async () => {
    const semantic_key = nameOf('reused');
    const first = await rig.post(path, { semantic_key, ...body });
    expect(isErrorOf(await rig.post(path, { semantic_key, ...body, ...change }))).toEqual({
      status: 422,
      code: 'key-reused',
    });
    const now = await rig.get(`${path}/${semantic_key}`);
    expect(now.json).toMatchObject({ amount: first.json.amount, created_at: first.json.created_at });
  });

  it('the key may come as a header, alone or equal to the field', async () => {
    const key = nameOf('header');
    expect((await rig.post(path, body, { 'Idempotency-Key': key })).status).toBe(created);
    expect((await rig.post(path, { ...body, semantic_key: key }, { 'Idempotency-Key': key })).status).toBe(200);
    const both = await rig.post(path, { ...body, semantic_key: key }, { 'Idempotency-Key': `${key}-other` });
    expect(isErrorOf(both)).toEqual({ status: 422, code: 'validation-failed' });
  });
});

it('one key for two wallets from two processes at once is booked once, the other is a reuse', async () => {
  await rig.post('/v1/wallets', { wallet_id: 'rep-eur', owner_id: 'rep-eur', kind: 'seller', currency: 'EUR' });
  const { db, log } = rig.remit.app;
  const other = rig.with({ journal: createJournal({ db, log, onBatch: () => undefined }) });
  for (let round = 0; round < 20; round += 1) {
    const semantic_key = `rep-race-${round}`;
    const inEuro = { ...adjustment, semantic_key, wallet_id: 'rep-eur', currency: 'EUR' };
    const answers = await Promise.all([
      rig.call('POST', '/v1/adjustments', { body: { ...adjustment, semantic_key } }),
      rig.call('POST', '/v1/adjustments', { body: inEuro, api: other }),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 422]);
    expect(answers.map(({ json }) => json.code ?? 'booked').sort()).toEqual(['booked', 'key-reused']);
  }
});

describe('a wallet', () => {
  const wallet = { wallet_id: 'rep-w', owner_id: 'rep-w-owner', kind: 'seller', currency: 'USD' };

  it('is made once, however often and at once it is asked for', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => rig.post('/v1/wallets', wallet)));
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array.from({ length: 19 }, () => 200), 201]);
  });

  it('with other fields under its id is a reuse of the key', async () => {
    const answer = await rig.post('/v1/wallets', { ...wallet, metadata: { a: 1 } });
    expect(isErrorOf(answer)).toEqual({ status: 422, code: 'key-reused' });
  });

  it('under another id for the same owner, kind and currency names the one that exists', async () => {
    const answer = await rig.post('/v1/wallets', { ...wallet, wallet_id: 'rep-w-2' });
    expect(isErrorOf(answer)).toEqual({ status: 409, code: 'invalid-state' });
    expect(answer.json.detail).toContain('"rep-w"');
  });
});

describe('a payee', () => {
  const payee = { payee_id: 'rep-p', owner_id: 'rep-a-owner', provider: 'stripe', account: 'acct_ok_p' };

  it('is registered once, however often and at once it is asked for', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => rig.post('/v1/payees', payee)));
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array.from({ length: 19 }, () => 200), 201]);
  });

  it('with another account under its id is a reuse of the key', async () => {
    const answer = await rig.post('/v1/payees', { ...payee, account: 'acct_ok_q' });
    expect(isErrorOf(answer)).toEqual({ status: 422, code: 'key-reused' });
  });
});

describe('a checkout', () => {
  const order = { order_id: 'rep-c-1', seller_id: 'rep-a-owner', amount: '100' };
  const checkout = {
    checkout_id: 'rep-c',
    buyer_id: 'rep-buyer',
    currency: 'USD',
    payment_info: { provider: 'stripe' },
    orders: [order],
  };

  it('is made once, however often and at once it is asked for', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => rig.post('/v1/checkouts', checkout)));
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array.from({ length: 19 }, () => 200), 201]);
  });

  it('with other orders under its id is a reuse of the key', async () => {
    const answer = await rig.post('/v1/checkouts', { ...checkout, orders: [{ ...order, fee: '1' }] });
    expect(isErrorOf(answer)).toEqual({ status: 422, code: 'key-reused' });
  });

  it('is paid once by a hundred equal requests at once, and by none of a hundred others', async () => {
    const path = '/v1/checkouts/rep-c/pay';
    const many = (keyOf: (at: number) => string) =>
      Promise.all(Array.from({ length: 100 }, (_, at) => rig.post(path, { semantic_key: keyOf(at) })));
    const equal = await many(() => 'rep-c-pay');
    expect(equal.filter(({ status }) => status === 202)).toHaveLength(1);
    expect(equal.filter(({ status }) => status === 200)).toHaveLength(99);
    expect(new Set(equal.map(({ json }) => json.pkid)).size).toBe(1);
    const others = await many((at) => `rep-c-pay-${at}`);
    for (const answer of others) {
      expect(isErrorOf(answer)).toEqual({ status: 409, code: 'invalid-state' });
      expect(answer.headers.get('Location')).toBe('/v1/payins/rep-c-pay');
    }
  });

  it('one of many that want the same order at once gets it', async () => {
    const orders = [{ ...order, order_id: 'rep-wanted' }];
    const ask = (at: number) => rig.post('/v1/checkouts', { ...checkout, checkout_id: `rep-wants-${at}`, orders });
    const answers = await Promise.all(Array.from({ length: 10 }, (_, at) => ask(at)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array.from({ length: 9 }, () => 409)]);
  });
});

describe('a payout', () => {
  it('whose replay asks to confirm is confirmed, and only once', async () => {
    const body = { semantic_key: 'rep-confirm', ...payout };
    expect((await rig.post('/v1/payouts', body)).json.confirmed_at).toBeNull();
    const replay = await rig.post('/v1/payouts?wait=20', { ...body, confirm: true });
    expect(replay).toMatchObject({ status: 200, json: { status: 'succeeded', attempts: 1 } });
    const again = await rig.post('/v1/payouts', { ...body, confirm: true });
    expect(again.json).toMatchObject({
      confirmed_at: replay.json.confirmed_at,
      extern_payment_id: replay.json.extern_payment_id,
    });
  });

  it('can be replayed after its expiry has passed', async () => {
    const expires_at = new Date(Date.now() + 300).toISOString();
    const body = { semantic_key: 'rep-expiry', ...payout, expires_at };
    expect((await rig.post('/v1/payouts', body)).status).toBe(201);
    const expired = await rig.get('/v1/payouts/rep-expiry?wait=20');
    expect(expired.json.failure).toMatchObject({ code: 'expired' });
    expect(await rig.post('/v1/payouts', body)).toMatchObject({ status: 200, json: { status: 'failed' } });
  });
});

describe('a batch', () => {
  it('takes each item on its own and answers in order', async () => {
    const item = (semantic_key: string, more: object = {}) => ({ semantic_key, ...transfer, ...more });
    await rig.post('/v1/transfers', item('rep-batch-old'));
    const transfers = [
      item('rep-batch-1'),
      item('rep-batch-1'),
      item('rep-batch-1', { amount: '7' }),
      item('rep-batch-old', { amount: '7' }),
      item('rep-batch-2', { amount: 7 }),
      item('rep-batch-3', { to_wallet: 'nobody' }),
      item('rep-batch-4', { metadata: { cvc: '123' } }),
      item('rep-batch-5', { metadata: { text: 'a\u0000b' } }),
      transfer,
      'text',
      item('rep-batch-6'),
    ];
    const answer = await rig.post('/v1/transfers/batch', { transfers });
    expect(answer.status).toBe(202);
    const results = resultsOf(answer.json.results);
    expect(results.map(({ key }) => key)).toEqual([
      'rep-batch-1',
      'rep-batch-1',
      'rep-batch-1',
      'rep-batch-old',
      'rep-batch-2',
      'rep-batch-3',
      'rep-batch-4',
      'rep-batch-5',
      null,
      null,
      'rep-batch-6',
    ]);
    expect(results.map(({ code }) => code)).toEqual([
      null,
      null,
      'key-reused',
      'key-reused',
      'invalid-amount',
      'not-found',
      'card-data-not-accepted',
      'validation-failed',
      'semantic-key-missing',
      'validation-failed',
      null,
    ]);
    expect((await rig.get('/v1/transfers/rep-batch-6?wait=20')).json.status).toBe('succeeded');
  });

  it('of a thousand payouts is taken whole, and once more without a second payment', async () => {
    const payouts = Array.from({ length: 1000 }, (_, at) => ({ semantic_key: `rep-many-${at}`, ...payout }));
    const first = await rig.post('/v1/payouts/batch', { payouts });
    expect(resultsOf(first.json.results).every(({ code }) => code === null)).toBe(true);
    const again = await rig.post('/v1/payouts/batch', { payouts });
    expect(again.json).toEqual(first.json);
  });

  it.each([[[]], [Array.from({ length: 1001 }, () => 1)], ['text']])(
    'of %# items outside 1 to 1,000 is refused',
    async (transfers) => {
      const answer = await rig.post('/v1/transfers/batch', { transfers });
      expect(isErrorOf(answer)).toEqual({ status: 422, code: 'validation-failed' });
    },
  );

  it('has its own limit of 2 MiB', async () => {
    const large = { transfers: [{ semantic_key: 'rep-large', ...transfer, metadata: { text: 'x'.repeat(100_000) } }] };
    expect((await rig.post('/v1/transfers/batch', large)).status).toBe(202);
    const body = `{"transfers":[{"a":"${'x'.repeat(2 * 1024 * 1024)}"}]}`;
    expect(isErrorOf(await rig.post('/v1/transfers/batch', body))).toEqual({ status: 413, code: 'body-too-large' });
  });
});

function resultsOf(results: unknown): { key: unknown; code: unknown }[] {
  if (!Array.isArray(results)) throw new TypeError('A batch answers with results.');
  return results.map(({ semantic_key, problem }) => ({ key: semantic_key, code: problem?.code ?? null }));
}
