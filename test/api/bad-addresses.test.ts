// Addresses and queries that name nothing, or nothing that could be.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBooks } from './bad-bodies.ts';
import { isErrorOf, type Rig, startRig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
  await openBooks(rig);
});
afterAll(() => rig.stop());

describe('an address', () => {
  it.each([
    '/v1/nothing',
    '/v1/transfers/nobody',
    '/v1/transfers/%00',
    '/v1/transfers/%E0%A4%A',
    '/v1/transfers/..%2Fwallets',
    '/v1/transfers/__proto__',
    '/v1/transfers/a%20b',
    '/v1/wallets/nobody',
    '/v1/wallets/@bank:XYZ',
    '/v1/wallets/nobody/entries',
    '/v1/wallets/nobody/balance',
    '/v1/payouts/nobody',
    '/v1/payouts/nobody/timeline',
    '/v1/transfers/nobody/timeline',
    '/v1/payees/nobody',
    '/v1/checkouts/nobody',
    '/v1/checkouts/@nobody',
    '/v1/orders/nobody',
    '/v1/payins/nobody',
    '/v1/payins/nobody/timeline',
    '/v1/refunds/nobody',
    '/v1/refunds/%00/timeline',
    '/v1/disputes/nobody',
    '/v1/disputes/stripe:nobody',
    '/v1/unapplied/nobody',
    '/v1/unapplied/00000000-0000-4000-8000-000000000000',
    '/v1/discrepancies/nobody',
    '/v1/discrepancies/00000000-0000-4000-8000-000000000000',
    '/v1/adjustments/nobody',
    '/v1/treasury/nobody',
    '/v1/postings/nobody',
    '/v1/postings/00000000-0000-0000-0000-000000000000',
    '/problems/nothing',
  ])('%s that names nothing is 404', async (path) => {
    expect(isErrorOf(await rig.get(path))).toEqual({ status: 404, code: 'not-found' });
  });

  it.each([
    'payouts/nobody/confirm',
    'payouts/nobody/cancel',
    'payouts/nobody/query',
    'payins/nobody/confirm',
    'payins/nobody/cancel',
    'payins/nobody/query',
    'refunds/nobody/query',
    'checkouts/nobody/cancel',
    'orders/nobody/deliver',
  ])('of what does not exist does nothing: %s', async (action) => {
    expect(isErrorOf(await rig.post(`/v1/${action}`))).toEqual({ status: 404, code: 'not-found' });
  });

  it.each([
    ['checkouts/nobody/pay', { semantic_key: 'bad' }],
    ['payins/nobody/resolve', { verdict: 'failed', reason: 'x' }],
    ['refunds/nobody/resolve', { verdict: 'failed', reason: 'x' }],
    ['unapplied/00000000-0000-4000-8000-000000000000/resolve', { refund: true, reason: 'x' }],
  ])('of what does not exist takes nothing: %s', async (action, body) => {
    expect(isErrorOf(await rig.post(`/v1/${action}`, body))).toEqual({ status: 404, code: 'not-found' });
  });
});

describe('a query', () => {
  const LISTS = [
    '/v1/checkouts',
    '/v1/orders',
    '/v1/payins',
    '/v1/refunds',
    '/v1/disputes',
    '/v1/unapplied',
    '/v1/discrepancies',
    '/v1/transfers',
    '/v1/payouts',
    '/v1/wallets',
    '/v1/payees',
    '/v1/postings',
    '/v1/wallets/bad-a/entries',
  ];
  const BAD = [
    'limit=0',
    'limit=501',
    'limit=-1',
    'limit=x',
    'limit=1.5',
    'limit=',
    'limit=1&limit=2',
    'cursor=x',
    'cursor=%00',
    'cursor=WyIyMDI2LTAyLTMwVDAwOjAwOjAwLjAwMFoiXQ',
    'created_gte=yesterday',
    'created_lt=2026-13-01T00:00:00Z',
    'created_gte=0000-01-01T00:00:00Z',
    'created_gte=0001-01-01T00:00:00%2B12:00',
    'created_lt=9999-12-31T23:59:59-12:00',
    `cursor=${Buffer.from('["0000-01-01T00:00:00.000Z","x"]').toString('base64url')}`,
    'surprise=1',
    '__proto__=1',
  ];
  it.each(LISTS.flatMap((list) => BAD.map((query) => `${list}?${query}`)))('%s is refused', async (path) => {
    expect(isErrorOf(await rig.get(path))).toEqual({ status: 422, code: 'validation-failed' });
  });

  it.each([
    '/v1/transfers?status=done',
    '/v1/transfers?wallet_id=%00',
    '/v1/payouts?provider=nobody',
    '/v1/payouts?extern_payment_id=a%20b',
    '/v1/payees?status=x',
    '/v1/checkouts?status=done',
    '/v1/checkouts?seller_id=@x',
    '/v1/orders?status=open',
    '/v1/orders?checkout_id=',
    '/v1/payins?order_id=%00',
    '/v1/payins?status=paid',
    '/v1/refunds?to=payer',
    '/v1/disputes?status=failed',
    '/v1/unapplied?status=x',
    '/v1/discrepancies?status=x',
    '/v1/payins/bad?wait=31',
    '/v1/refunds/bad?wait=x',
    '/v1/wallets?kind=x',
    '/v1/postings?event=%27',
    '/v1/transfers/bad?wait=31',
    '/v1/transfers/bad?wait=-1',
    '/v1/transfers/bad?wait=x',
    '/v1/payouts/bad?wait=1e3',
    '/v1/wallets/bad-a/balance?at=x',
    '/v1/trial-balance?at=x',
    // What is not written yet cannot be told.
    '/v1/wallets/bad-a/balance?at=2999-01-01T00:00:00Z',
    '/v1/trial-balance?at=2999-01-01T00:00:00Z',
  ])('%s is refused', async (path) => {
    expect(isErrorOf(await rig.get(path))).toEqual({ status: 422, code: 'validation-failed' });
  });

  it.each(['/v1/wallets?currency=usd', '/v1/unapplied?currency=X', '/v1/trial-balance?currency=ZZZ'])(
    '%s is an invalid currency',
    async (path) => {
      expect(isErrorOf(await rig.get(path))).toEqual({ status: 422, code: 'invalid-currency' });
    },
  );

  it('with the cursor of another list is refused or finds nothing, and never breaks', async () => {
    const cursor = Buffer.from(JSON.stringify(['2026-01-01T00:00:00.000Z', "x'; DROP TABLE wallet; --"])).toString(
      'base64url',
    );
    for (const list of LISTS) expect([200, 422]).toContain((await rig.get(`${list}?cursor=${cursor}`)).status);
  });
});
