// Buyers and sellers on one platform, over HTTP: every provider that takes money, every provider that pays it out, and
// books that agree to the minor unit in each currency.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Home, openHome } from '../harness/process.ts';
import { deliver, expectMarketAgrees, openSeller, pay, payOut, refund, sell } from './market.ts';
import { type Story, tell } from './story.ts';

let home: Home;
let story: Story;
beforeAll(async () => {
  home = openHome();
  await home.start('all');
  story = tell(home);
});
afterAll(() => home.close());

/** What pays out: where it goes, and in which of the three sellers' turns. */
const PAYOUTS = [
  { provider: 'stripe', to: 'acct_ok_1' },
  { provider: 'paypal', to: 'seller_ok_1@example.com' },
  { provider: 'tipalti', to: 'seller_ok_1' },
] as const;

describe.each([
  ['stripe', 'USD'],
  ['paypal', 'USD'],
  ['square', 'USD'],
  ['stripe', 'JPY'],
  ['paypal', 'JPY'],
  ['square', 'JPY'],
  ['stripe', 'KWD'],
  ['square', 'KWD'],
] as const)('a checkout of three sellers through %s in %s', (provider, currency) => {
  test('is paid, delivered twice, refunded once, paid out, and every book agrees', async () => {
    const checkoutId = `${provider}-${currency}`.toLowerCase();
    const sellers = await Promise.all([1, 2, 3].map((n) => openSeller(story, `${checkoutId}-s${n}`, currency)));
    const amounts = ['100000', '55550', '30000'];
    const orders = sellers.map((seller, index) => ({ seller, amount: amounts[index] ?? '0', fee: '3330' }));
    await sell(story, { checkoutId, provider, currency, orders });
    expect(await pay(story, checkoutId)).toMatchObject({ status: 'succeeded', amount: '185550', currency });
    await deliver(story, `${checkoutId}-1`);
    await deliver(story, `${checkoutId}-2`);
    expect(await refund(story, `${checkoutId}-3`, '30000')).toMatchObject({ status: 'succeeded' });
    expect((await story.get(`/v1/checkouts/${checkoutId}`)).json).toMatchObject({ status: 'closed' });
    const [one = '', two = '', three = ''] = sellers;
    expect(await story.available(one)).toBe('96670');
    expect(await story.available(two)).toBe('52220');
    expect(await story.available(three)).toBe('0');
    for (const [index, { provider: payer, to }] of PAYOUTS.entries()) {
      // KWD goes in steps of ten where a provider has it at all.
      const out = { seller: one, amount: '20000', currency, provider: payer, to, key: `${checkoutId}-out-${index}` };
      if (currency === 'KWD' && payer === 'paypal') continue;
      expect(await payOut(story, out)).toMatchObject({ status: 'succeeded', provider: payer });
    }
    await expectMarketAgrees(story);
  });
});

test('two tabs that pay one checkout with two keys: one pay-in, one conflict that names it', async () => {
  const seller = await openSeller(story, 'tabs-seller');
  await sell(story, { checkoutId: 'tabs', provider: 'stripe', orders: [{ seller, amount: '1000' }] });
  const answers = await Promise.all(
    ['tab-1', 'tab-2'].map((key) => story.post('/v1/checkouts/tabs/pay', { semantic_key: key })),
  );
  expect(answers.map(({ status }) => status).toSorted()).toEqual([202, 409]);
  const refused = answers.find(({ status }) => status === 409);
  const taken = answers.find(({ status }) => status === 202);
  expect(refused?.json).toMatchObject({ code: 'invalid-state' });
  expect(refused?.headers.get('location')).toBe(`/v1/payins/${String(taken?.json.semantic_key)}`);
});

test('of fifty refunds of 10.00 at once on an order of 100.00 ten are taken and forty refused', async () => {
  const seller = await openSeller(story, 'fifty-seller');
  await sell(story, { checkoutId: 'fifty', provider: 'stripe', orders: [{ seller, amount: '10000' }] });
  await pay(story, 'fifty');
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      story.post('/v1/refunds?wait=30', { semantic_key: `fifty-${index}`, order_id: 'fifty-1', amount: '1000' }),
    ),
  );
  expect(answers.filter(({ json }) => String(json.status) === 'succeeded')).toHaveLength(10);
  const refused = answers.filter(({ status }) => status === 422);
  expect(refused).toHaveLength(40);
  expect(new Set(refused.map(({ json }) => json.code))).toEqual(new Set(['refund-exceeds-payment']));
  const { json } = await story.get('/v1/payins/pay-fifty');
  const back = (await story.book()).filter(({ direction, amount }) => direction === 'refund' && amount === '1000');
  expect(back).toHaveLength(10);
  expect(json).toMatchObject({ status: 'succeeded' });
  await expectMarketAgrees(story);
});

test('a seller who was paid out in full owes what is refunded, and the next delivery pays it back first', async () => {
  const seller = await openSeller(story, 'owes');
  await sell(story, { checkoutId: 'owes-1st', provider: 'stripe', orders: [{ seller, amount: '10000', fee: '1000' }] });
  await pay(story, 'owes-1st');
  await deliver(story, 'owes-1st-1');
  await payOut(story, { seller, amount: '9000', provider: 'stripe', to: 'acct_ok_1' });
  await refund(story, 'owes-1st-1', '10000');
  expect((await story.get('/v1/wallets/owes')).json).toMatchObject({ available: '0', debt: '9000' });
  await sell(story, { checkoutId: 'owes-2nd', provider: 'square', orders: [{ seller, amount: '12000' }] });
  await pay(story, 'owes-2nd');
  await deliver(story, 'owes-2nd-1');
  expect((await story.get('/v1/wallets/owes')).json).toMatchObject({ available: '3000', debt: '0' });
  const tooMuch = await payOut(story, {
    seller,
    amount: '3001',
    provider: 'stripe',
    to: 'acct_ok_1',
    key: 'owes-more',
  });
  expect(tooMuch).toMatchObject({ status: 'failed', failure: { code: 'insufficient_funds' } });
  await expectMarketAgrees(story);
});
