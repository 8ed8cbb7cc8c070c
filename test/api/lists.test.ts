// Lists show every row once, newest first, whatever arrives between two pages; statements add up.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Rig, rowsOf, startRig } from './rig.ts';

let rig: Rig;
const OWNERS = Array.from({ length: 7 }, (_, at) => `list-owner-${at}`);

beforeAll(async () => {
  rig = await startRig();
  for (const owner_id of OWNERS) {
    const id = owner_id.replace('owner', 'w');
    await rig.post('/v1/wallets', { wallet_id: id, owner_id, kind: 'seller', currency: 'USD' });
    await rig.post('/v1/payees', { payee_id: `${id}-p`, owner_id, provider: 'stripe', account: 'acct_ok' });
    await rig.post('/v1/adjustments', {
      semantic_key: `fund-${id}`,
      wallet_id: id,
      amount: '1000',
      currency: 'USD',
      reason: 'funds',
    });
    await rig.post('/v1/treasury', {
      semantic_key: `bank-${id}`,
      from: '@provider:stripe:USD',
      to: '@bank:USD',
      amount: '5',
      currency: 'USD',
      reference: 'statement 7',
    });
    await rig.post('/v1/payouts', {
      semantic_key: `${id}-payout`,
      wallet_id: id,
      amount: '1',
      currency: 'USD',
      provider: 'stripe',
      payee_id: `${id}-p`,
    });
    await rig.post('/v1/transfers?wait=20', {
      semantic_key: `${id}-transfer`,
      from_wallet: id,
      to_wallet: 'list-w-0',
      amount: '10',
      currency: 'USD',
    });
    await rig.post('/v1/checkouts', {
      checkout_id: `${id}-checkout`,
      buyer_id: 'list-buyer',
      currency: 'USD',
      payment_info: { provider: 'stripe', token: 'pm_card_ok' },
      orders: [{ order_id: `${id}-order`, seller_id: owner_id, amount: '100' }],
    });
    await rig.post(`/v1/checkouts/${id}-checkout/pay?wait=20`, { semantic_key: `${id}-payin` });
    await rig.post('/v1/refunds?wait=20', { semantic_key: `${id}-refund`, order_id: `${id}-order`, amount: '60' });
  }
});
afterAll(() => rig.stop());

const LISTS = [
  { path: '/v1/wallets', id: 'wallet_id' },
  { path: '/v1/payees', id: 'payee_id' },
  { path: '/v1/payouts', id: 'semantic_key' },
  { path: '/v1/transfers', id: 'semantic_key' },
  { path: '/v1/checkouts', id: 'checkout_id' },
  { path: '/v1/orders', id: 'order_id' },
  { path: '/v1/payins', id: 'semantic_key' },
  { path: '/v1/refunds', id: 'semantic_key' },
  { path: '/v1/adjustments', id: 'semantic_key' },
  { path: '/v1/treasury', id: 'semantic_key' },
  { path: '/v1/postings', id: 'posting_id' },
  { path: '/v1/wallets/list-w-0/entries', id: 'seq' },
];

describe.each(LISTS)('$path', ({ path, id }) => {
  it('shows every row once over its pages, newest first', async () => {
    const whole = await rig.get(`${path}?limit=500`);
    const seen: unknown[] = [];
    let cursor: unknown = null;
    do {
      const page = await rig.get(`${path}?limit=2${cursor === null ? '' : `&cursor=${cursor}`}`);
      expect(rowsOf(page).length).toBeLessThanOrEqual(2);
      expect(page.json.has_more).toBe(page.json.next_cursor !== null);
      seen.push(...rowsOf(page).map((row) => row[id]));
      cursor = page.json.next_cursor;
    } while (cursor !== null);
    expect(seen).toEqual(rowsOf(whole).map((row) => row[id]));
    expect(seen.length).toBeGreaterThan(5);
    const times = rowsOf(whole).map((row) => String(row.created_at));
    expect(times).toEqual([...times].sort().reverse());
  });

  it('is bounded by the times asked for', async () => {
    const whole = rowsOf(await rig.get(`${path}?limit=500`));
    const middle = String(whole[3]?.created_at);
    const later = rowsOf(await rig.get(`${path}?limit=500&created_gte=${middle}`));
    const earlier = rowsOf(await rig.get(`${path}?limit=500&created_lt=${middle}`));
    expect([...later, ...earlier].map((row) => row[id])).toEqual(whole.map((row) => row[id]));
    expect(later.every((row) => String(row.created_at) >= middle)).toBe(true);
  });
});

describe('a filter', () => {
  it.each([
    ['/v1/wallets?owner_id=list-owner-1&kind=seller', 'wallet_id', ['list-w-1']],
    ['/v1/wallets?owner_id=list-owner-1&kind=pending', 'wallet_id', ['@pending:list-owner-1:USD']],
    ['/v1/wallets?kind=equity&currency=USD', 'wallet_id', ['@equity:USD']],
    ['/v1/wallets?kind=buyer', 'wallet_id', []],
    ['/v1/payees?owner_id=list-owner-2&provider=stripe&status=payable', 'payee_id', ['list-w-2-p']],
    ['/v1/payouts?wallet_id=list-w-3&status=initialized&provider=stripe', 'semantic_key', ['list-w-3-payout']],
    ['/v1/payouts?status=succeeded', 'semantic_key', []],
    ['/v1/payouts?extern_payment_id=tr_none', 'semantic_key', []],
    ['/v1/transfers?wallet_id=list-w-4&status=succeeded', 'semantic_key', ['list-w-4-transfer']],
    ['/v1/transfers?status=in_process', 'semantic_key', []],
    ['/v1/checkouts?status=paid&seller_id=list-owner-1', 'checkout_id', ['list-w-1-checkout']],
    ['/v1/orders?status=paid&seller_id=list-owner-2', 'order_id', ['list-w-2-order']],
    ['/v1/payins?order_id=list-w-3-order&status=succeeded', 'semantic_key', ['list-w-3-payin']],
    ['/v1/refunds?seller_id=list-owner-4&provider=stripe', 'semantic_key', ['list-w-4-refund']],
    ['/v1/refunds?wallet_id=list-w-4', 'semantic_key', []],
    ['/v1/adjustments?wallet_id=list-w-5', 'semantic_key', ['fund-list-w-5']],
    ['/v1/adjustments?wallet_id=@bank:USD', 'semantic_key', []],
    ['/v1/treasury?wallet_id=@bank:USD&limit=1', 'semantic_key', ['bank-list-w-6']],
    ['/v1/treasury?wallet_id=@provider:paypal:USD', 'semantic_key', []],
  ])('%s finds exactly what it says', async (path, id, ids) => {
    expect(rowsOf(await rig.get(path)).map((row) => row[id])).toEqual(ids);
  });

  it.each(['adjustments', 'treasury'])('of %s shows each as its own address does', async (name) => {
    const [newest] = rowsOf(await rig.get(`/v1/${name}`));
    expect((await rig.get(`/v1/${name}/${newest?.semantic_key}`)).json).toEqual(newest);
  });

  it('by event and wallet finds the postings with their entries', async () => {
    const [posting, ...others] = rowsOf(await rig.get('/v1/postings?event=transfer&wallet_id=list-w-5'));
    expect(others).toEqual([]);
    expect(posting?.ref).toEqual({ kind: 'transfer', semantic_key: 'list-w-5-transfer' });
    expect((await rig.get(`/v1/postings/${posting?.posting_id}`)).json).toEqual(posting);
  });
});

describe('the books', () => {
  it('a statement of account ends in the balance, and each line follows from the one before', async () => {
    const wallet = (await rig.get('/v1/wallets/list-w-0')).json;
    const entries = rowsOf(await rig.get('/v1/wallets/list-w-0/entries'));
    expect(entries[0]?.balance_after).toBe(wallet.posted);
    const sum = entries.reduce((total, entry) => total + BigInt(String(entry.amount)), 0n);
    expect(sum.toString()).toBe(wallet.posted);
  });

  it('a statement of account may begin and end at any time, also at that of an entry', async () => {
    const path = '/v1/wallets/list-w-0/entries?limit=500';
    const entries = rowsOf(await rig.get(path));
    const times = entries.map((entry) => Date.parse(String(entry.created_at)));
    const around = times.flatMap((time) => [time - 1, time, time + 1]).map((time) => new Date(time).toISOString());
    for (const at of [...around, '2020-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z']) {
      const [from, until] = [await rig.get(`${path}&created_gte=${at}`), await rig.get(`${path}&created_lt=${at}`)];
      expect(rowsOf(from)).toEqual(entries.filter((_entry, place) => (times[place] ?? 0) >= Date.parse(at)));
      expect(rowsOf(until)).toEqual(entries.filter((_entry, place) => (times[place] ?? 0) < Date.parse(at)));
      const last = entries.find((_entry, place) => (times[place] ?? 0) <= Date.parse(at));
      const then = await rig.get(`/v1/wallets/list-w-0/balance?at=${at}`);
      if (Date.parse(at) > Date.now()) expect(then.status).toBe(422);
      else expect(then.json.posted).toBe(last?.balance_after ?? '0');
    }
  });

  it('the balance at the time of an entry is the balance after it', async () => {
    const entries = rowsOf(await rig.get('/v1/wallets/list-w-0/entries'));
    const first = entries.at(-1);
    const then = await rig.get(`/v1/wallets/list-w-0/balance?at=${first?.created_at}`);
    expect(then.json).toMatchObject({ posted: first?.balance_after, held: '0' });
    expect((await rig.get('/v1/wallets/list-w-0/balance?at=2020-01-01T00:00:00Z')).json.posted).toBe('0');
    const now = await rig.get('/v1/wallets/list-w-0/balance');
    expect(now.json.posted).toBe(entries[0]?.balance_after);
  });

  it('the trial balance names every kind and sums to zero, now and then', async () => {
    const now = new Date().toISOString();
    for (const path of [
      '/v1/trial-balance',
      '/v1/trial-balance?currency=USD',
      `/v1/trial-balance?currency=USD&at=${now}`,
    ]) {
      const { json } = await rig.get(path);
      expect(json.total).toBe('0');
      const kinds = new Map(rowsOf({ json }).map(({ kind, posted }) => [kind, posted]));
      expect(kinds.size).toBe(10);
      expect(kinds.get('seller')).toBe('7000');
      expect(kinds.get('equity')).toBe('-7000');
    }
  });

  it('platform wallets are read like any other', async () => {
    const { json } = await rig.get('/v1/wallets/@equity:USD');
    expect(json).toMatchObject({ kind: 'equity', owner_id: '@platform', posted: '-7000', pending: '0', debt: '0' });
  });

  it("a seller's wallet shows what is pending and what is owed", async () => {
    const { db } = rig.remit.app;
    await db.em().getConnection().execute(`UPDATE wallet SET posted = -30 WHERE wallet_id = '@debt:list-owner-6:USD'`);
    expect((await rig.get('/v1/wallets/list-w-6')).json).toMatchObject({ posted: '990', pending: '40', debt: '30' });
  });
});
