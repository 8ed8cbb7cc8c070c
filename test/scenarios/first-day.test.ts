// A fresh data folder, everything in one process, nothing but HTTP: the story a new user plays on the first day.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Home, openHome, type Running } from '../harness/process.ts';
import { expectBooksAgree, type Story, tell, violations } from './story.ts';

let home: Home;
let remit: Running;
let story: Story;
beforeAll(async () => {
  home = openHome();
  remit = await home.start('all');
  story = tell(home);
});
afterAll(() => home.close());

test('a start says where everything is in at most six lines', () => {
  const lines = remit.stdout().trimEnd().split('\n');
  expect(lines.length).toBeLessThanOrEqual(6);
  expect(lines[0]).toMatch(/^API +http:\/\/127\.0\.0\.1:\d+/);
  expect(remit.stdout()).toContain(home.folder);
  expect(remit.stdout()).toMatch(/^Key +as given in REMIT_BOOTSTRAP_KEY {2}\(id [0-9a-f-]{36}\)$/m);
  expect(remit.stdout() + remit.stderr()).not.toContain(home.key);
});

test('money comes in, moves and leaves, and every balance is exact', async () => {
  await story.wallet('alice', '10000');
  await story.wallet('bob');
  const transfer = { semantic_key: 'first', from_wallet: 'alice', to_wallet: 'bob', amount: '2500', currency: 'USD' };
  const moved = await story.post('/v1/transfers?wait=5', transfer);
  expect(moved).toMatchObject({ status: 202, json: { status: 'succeeded' } });
  expect(await story.available('alice')).toBe('7500');
  expect(await story.available('bob')).toBe('2500');

  const created = await story.post('/v1/payouts', payout('first-payout', 'alice', { amount: '4000' }));
  expect(created).toMatchObject({ status: 201, json: { status: 'initialized' } });
  expect(await story.book()).toEqual([]);
  const confirmed = await story.post('/v1/payouts/first-payout/confirm?wait=10');
  expect(confirmed).toMatchObject({
    status: 202,
    json: { status: 'succeeded', extern_payment_id: expect.any(String) },
  });
  expect(await story.book()).toMatchObject([{ direction: 'out', key: confirmed.json.pkid, amount: '4000' }]);
  expect(await story.available('alice')).toBe('3500');
  await expectBooksAgree(story);
});

describe('idempotency', () => {
  const same = { semantic_key: 'hundred', from_wallet: 'much', to_wallet: 'little', amount: '100', currency: 'USD' };
  beforeAll(async () => {
    await story.wallet('much', '100000');
    await story.wallet('little');
  });

  test('the same request sent a hundred times at once makes one row and moves money once', async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => story.post('/v1/transfers?wait=10', same)));
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
    const replays = answers.filter(({ status }) => status === 200);
    expect(replays).toHaveLength(99);
    expect(replays.filter(({ headers }) => headers.get('Idempotency-Replayed') !== 'true')).toEqual([]);
    expect(new Set(answers.map(({ json }) => json.pkid)).size).toBe(1);
    expect(await story.available('little')).toBe('100');
    const rows = (await story.operations('transfers')).filter((one) => one.semantic_key === 'hundred');
    expect(rows).toHaveLength(1);
  });

  test('the same payout sent a hundred times at once pays once', async () => {
    const body = payout('hundred', 'much', { confirm: true });
    const answers = await Promise.all(Array.from({ length: 100 }, () => story.post('/v1/payouts?wait=20', body)));
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array(99).fill(200), 202]);
    const json = answers[0]?.json;
    expect((await story.book()).filter(({ key }) => key === String(json?.pkid))).toHaveLength(1);
  });

  test('the same key with another amount is refused and changes nothing', async () => {
    await story.post('/v1/transfers?wait=10', same);
    const before = await story.available('much');
    const other = await story.post('/v1/transfers', { ...same, amount: '101' });
    expect(other).toMatchObject({ status: 422, json: { code: 'key-reused', type: '/problems/key-reused' } });
    expect(await story.available('much')).toBe(before);
    expect((await story.get('/v1/transfers/hundred')).json).toMatchObject({ amount: '100', status: 'succeeded' });
  });
});

describe('concurrency', () => {
  test('of two hundred transfers at once exactly the affordable hundred succeed', async () => {
    await story.wallet('spender', '100000');
    await story.wallet('shop');
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        story.post('/v1/transfers?wait=30', transfer(`buy-${index}`, 'spender', 'shop')),
      ),
    );
    expect(answers.filter(({ status }) => status !== 202)).toEqual([]);
    const ends = answers.map(({ json }) => (json.failure === null ? json.status : json.failure?.code));
    expect(ends.filter((end) => String(end) === 'succeeded')).toHaveLength(100);
    expect(ends.filter((end) => String(end) === 'insufficient_funds')).toHaveLength(100);
    expect(await story.available('spender')).toBe('0');
    expect(await story.available('shop')).toBe('100000');
  });

  test('transfers against each other by the hundred never meet in a deadlock', async () => {
    await story.wallet('left', '1000000');
    await story.wallet('right', '1000000');
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, index) => {
        const [from, to] = index % 2 === 0 ? ['left', 'right'] : ['right', 'left'];
        return story.post('/v1/transfers?wait=30', transfer(`swap-${index}`, from ?? '', to ?? ''));
      }),
    );
    expect(answers.filter(({ json }) => String(json.status) !== 'succeeded')).toEqual([]);
    expect(await story.available('left')).toBe('1000000');
    expect(readFileSync(join(home.folder, 'postgres.log'), 'utf8')).not.toMatch(/deadlock detected/);
  });
});

describe('who may do what', () => {
  let writer: string;
  beforeAll(async () => {
    const made = await home.run(['keys', 'create', '--scopes', 'read,write']);
    expect(made.code).toBe(0);
    writer = made.stdout.trim();
    await story.wallet('plain', '5000');
  });

  test('a key without "operate" neither adjusts, nor moves platform money, nor resolves', async () => {
    await story.post('/v1/payouts', payout('guarded', 'plain', {}));
    const treasury = {
      semantic_key: 't-1',
      from: '@bank:USD',
      to: '@provider:stripe:USD',
      amount: '5',
      currency: 'USD',
      reference: 'r',
    };
    const adjustment = { semantic_key: 'a-1', wallet_id: 'plain', amount: '5', currency: 'USD', reason: 'gift' };
    const attempts: [string, unknown][] = [
      ['/v1/treasury', treasury],
      ['/v1/adjustments', adjustment],
      ['/v1/payouts/guarded/resolve', { verdict: 'succeeded', reason: 'because' }],
    ];
    for (const [path, body] of attempts) {
      const refused = await story.call('POST', path, { body, key: writer });
      expect({ path, status: refused.status, code: refused.json.code }).toEqual({
        path,
        status: 403,
        code: 'forbidden',
      });
    }
    expect(await story.available('plain')).toBe('5000');
  });

  test("no route lets any key name a platform wallet where a person's is meant", async () => {
    const platform = '@equity:USD';
    const owner = { owner_id: 'o', kind: 'seller', currency: 'USD' };
    const attempts: [string, unknown][] = [
      ['/v1/wallets', { wallet_id: '@mine:USD', ...owner }],
      ['/v1/wallets', { wallet_id: 'fine', ...owner, owner_id: '@o' }],
      ['/v1/transfers', transfer('p-1', platform, 'plain')],
      ['/v1/transfers', transfer('p-2', 'plain', platform)],
      ['/v1/payouts', payout('p-3', '@provider:stripe:USD', {})],
      ['/v1/adjustments', { semantic_key: 'p-4', wallet_id: platform, amount: '5', currency: 'USD', reason: 'r' }],
      ['/v1/payees', { payee_id: '@p', owner_id: 'o', provider: 'stripe', account: 'acct_ok_1' }],
    ];
    for (const [path, body] of attempts) {
      const refused = await story.post(path, body);
      expect({ path, body, status: refused.status, code: refused.json.code }).toEqual({
        path,
        body,
        status: 422,
        code: 'wallet-not-allowed',
      });
    }
  });

  test('treasury moves money between a provider and the bank, and nowhere else', async () => {
    const move = {
      semantic_key: 'to-bank',
      from: '@provider:stripe:USD',
      to: '@bank:USD',
      amount: '7',
      currency: 'USD',
      reference: 'r',
    };
    const posted = async () => {
      const { json } = await story.get(`/v1/wallets/${encodeURIComponent('@provider:stripe:USD')}`);
      return BigInt(String(json.posted));
    };
    const before = await posted();
    expect((await story.post('/v1/treasury', move)).status).toBe(201);
    // What Stripe sent to the bank it owes us no longer, so its wallet is that much nearer to zero.
    expect(await posted()).toBe(before + 7n);
    const elsewhere = [
      { ...move, semantic_key: 't-2', to: 'plain' },
      { ...move, semantic_key: 't-3', from: '@equity:USD' },
      { ...move, semantic_key: 't-4', to: '@equity:USD' },
      { ...move, semantic_key: 't-5', to: '@provider:demobank:USD' },
    ];
    for (const body of elsewhere) expect((await story.post('/v1/treasury', body)).status).toBe(422);
  });
});

test.each(['meta', 'wait', 'active', '123', 'a:b:c'])('a key named "%s" works like any other', async (key) => {
  await story.wallet('odd-names', '100000');
  await story.wallet('odd-names-to');
  const moved = await story.post('/v1/transfers?wait=10', transfer(key, 'odd-names', 'odd-names-to'));
  expect(moved).toMatchObject({ status: 202, json: { status: 'succeeded', semantic_key: key } });
  const paid = await story.post('/v1/payouts?wait=10', payout(key, 'odd-names', { confirm: true }));
  expect(paid).toMatchObject({ status: 202, json: { status: 'succeeded', semantic_key: key } });
  expect((await story.get(`/v1/payouts/${key}`)).json).toMatchObject({ status: 'succeeded' });
  expect((await story.get(`/v1/transfers/${encodeURIComponent(key)}/timeline`)).status).toBe(200);
});

test('after all of this the audit finds nothing, over HTTP and on the command line', async () => {
  expect(await violations(story)).toEqual([]);
  const audit = await home.run(['audit']);
  expect(audit).toMatchObject({ code: 0, stdout: expect.stringContaining('The books are right.') });
});

function transfer(key: string, from: string, to: string): Record<string, string> {
  return { semantic_key: key, from_wallet: from, to_wallet: to, amount: '1000', currency: 'USD' };
}

function payout(key: string, walletId: string, more: { amount?: string; confirm?: boolean }): Record<string, unknown> {
  const destination = 'acct_ok_1';
  return {
    semantic_key: key,
    wallet_id: walletId,
    amount: '1000',
    currency: 'USD',
    provider: 'stripe',
    destination,
    ...more,
  };
}
