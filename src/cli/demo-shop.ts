// The first half of the demo: what a shop does with its buyers' money, from the checkout to the sellers' accounts.

import { z } from 'zod';
import { expectHeard, expectWallet, hasSucceeded, type Stage, until } from './demo-checks.ts';
import { payForTrouble, playTrouble } from './demo-trouble.ts';

export async function playShop(stage: Stage): Promise<void> {
  await listen(stage);
  await registerSellers(stage);
  await pay(stage);
  await payAtPaypal(stage);
  await payAtSquare(stage);
  await payForTrouble(stage);
  await deliverAndRefund(stage);
  await payOutSellers(stage);
  await owe(stage);
  await countInYen(stage);
  await playTrouble(stage);
}

/** What the sandbox's providers keep of what comes in, as they do in the world: a share and a fixed part. */
const FEES = {
  stripe: { percent: '2.9', fixed: '30' },
  paypal: { percent: '3.49', fixed: '49' },
  square: { percent: '2.9', fixed: '30' },
};

const SELLERS = [
  { owner_id: 'ann', provider: 'stripe', account: 'acct_ann', due: '16000' },
  { owner_id: 'bea', provider: 'paypal', account: 'bea@example.com', due: '10444' },
  { owner_id: 'cem', provider: 'tipalti', account: 'payee-cem', due: '3000' },
];

async function listen({ client, screen, listener }: Stage): Promise<void> {
  screen.step('A web app that wants to hear of everything');
  const { status, body } = await client.showPost('/v1/webhook-endpoints', { url: listener.url, events: ['*'] });
  const { secret } = z.object({ secret: z.string() }).parse(body);
  listener.believe(secret);
  screen.claim('registered; the secret was shown this once', status === 201 && secret.startsWith('whsec_'));
  await client.setFees(FEES);
}

async function registerSellers({ client, screen }: Stage): Promise<void> {
  screen.step('Three sellers: a wallet here, and an account to be paid to, each at another provider');
  for (const { owner_id, provider, account } of SELLERS) {
    await client.post('/v1/wallets', { wallet_id: `${owner_id}-usd`, owner_id, kind: 'seller', currency: 'USD' });
    const payee = { payee_id: `payee-of-${owner_id}`, owner_id, provider, account };
    const { body } = await client.showPost('/v1/payees', payee);
    screen.claim(`${owner_id} can be paid`, body.status === 'payable');
  }
}

async function pay(stage: Stage): Promise<void> {
  const { client, screen } = stage;
  screen.step('A checkout of three orders, paid at Stripe. "fee" is our commission');
  await client.showPost('/v1/checkouts', checkout('shop-1', { provider: 'stripe', token: 'tok_ok_1' }));
  const paid = await client.showPost('/v1/checkouts/shop-1/pay?wait=20', { semantic_key: 'pay:shop-1' });
  screen.claim('paid', hasSucceeded(paid));
  screen.note('Nobody has it yet: it is pending until the orders are delivered.');
  await expectWallet(stage, 'ann-usd', { available: '0', pending: '10000' });
  await expectWallet(stage, 'bea-usd', { available: '0', pending: '5555' });
  await expectWallet(stage, 'cem-usd', { available: '0', pending: '3000' });
  await expectHeard(stage, ['payin.succeeded pay:shop-1']);
}

async function payAtPaypal(stage: Stage): Promise<void> {
  const { client, screen } = stage;
  screen.step('The same at PayPal, where the buyer has to approve first');
  await client.post('/v1/checkouts', checkout('shop-2', { provider: 'paypal', token: 'tok_action_2' }));
  const request = { semantic_key: 'pay:shop-2', return_url: 'https://shop.example/thanks' };
  const waiting = await client.showPost('/v1/checkouts/shop-2/pay?wait=20', request);
  const action = z.object({ type: z.string() }).nullable().parse(waiting.body.next_action);
  screen.claim('the shop sends the buyer to next_action.url', action?.type === 'redirect');
  screen.note('There the buyer clicks "Approve":');
  await client.showApprove(String(waiting.body.extern_payment_id));
  await until(async () => (await client.get('/v1/payins/pay:shop-2')).body.status !== 'in_process');
  const paid = await client.showGet('/v1/payins/pay:shop-2');
  screen.claim('paid: the approved order was captured', hasSucceeded(paid));
  await expectHeard(stage, ['payin.action_required pay:shop-2', 'payin.succeeded pay:shop-2']);
}

async function payAtSquare(stage: Stage): Promise<void> {
  const { client, screen } = stage;
  screen.step('And at Square');
  await client.post('/v1/checkouts', checkout('shop-3', { provider: 'square', token: 'tok_ok_3' }));
  const paid = await client.showPost('/v1/checkouts/shop-3/pay?wait=20', { semantic_key: 'pay:shop-3' });
  screen.claim('paid: reserved, then completed', hasSucceeded(paid));
  await expectWallet(stage, 'ann-usd', { available: '0', pending: '30000' });
}

async function deliverAndRefund(stage: Stage): Promise<void> {
  const { client, screen } = stage;
  screen.step('Two orders of the first checkout are delivered, the third is refunded');
  await client.showPost('/v1/orders/shop-1:ann/deliver');
  await client.post('/v1/orders/shop-1:bea/deliver');
  const refund = { semantic_key: 'refund:shop-1:cem', order_id: 'shop-1:cem', amount: '3000' };
  const refunded = await client.showPost('/v1/refunds?wait=20', refund);
  screen.claim('the buyer has the third part again', hasSucceeded(refunded));
  await expectWallet(stage, 'ann-usd', { available: '8000', pending: '20000' });
  await expectWallet(stage, 'bea-usd', { available: '5222', pending: '11110' });
  await expectWallet(stage, 'cem-usd', { available: '0', pending: '6000' });
  const { status, body } = await client.showPost('/v1/refunds', {
    ...refund,
    semantic_key: 'refund:more',
    amount: '1',
  });
  screen.claim('not a cent more goes back', status === 422 && body.code === 'refund-exceeds-payment');
  await expectHeard(stage, [
    'order.delivered shop-1:ann',
    'order.delivered shop-1:bea',
    `refund.succeeded ${refund.semantic_key}`,
  ]);
}

async function payOutSellers(stage: Stage): Promise<void> {
  const { client, screen } = stage;
  screen.step('The second checkout is delivered too, and the sellers are paid out: at Stripe, PayPal and Tipalti');
  for (const { owner_id } of SELLERS) await client.post(`/v1/orders/shop-2:${owner_id}/deliver`);
  for (const { owner_id, provider, due } of SELLERS) {
    const paid = await client.showPost('/v1/payouts?wait=20', {
      semantic_key: `payout:${owner_id}:1`,
      wallet_id: `${owner_id}-usd`,
      amount: due,
      currency: 'USD',
      provider,
      payee_id: `payee-of-${owner_id}`,
      confirm: true,
    });
    screen.claim(`${owner_id} has it`, hasSucceeded(paid));
    await expectWallet(stage, `${owner_id}-usd`, { posted: '0', held: '0' });
  }
  await expectHeard(
    stage,
    SELLERS.map(({ owner_id }) => `payout.succeeded payout:${owner_id}:1`),
  );
}

async function owe(stage: Stage): Promise<void> {
  const { client, screen } = stage;
  screen.step('A buyer sends back what its seller was paid for already');
  const refund = { semantic_key: 'refund:shop-1:ann', order_id: 'shop-1:ann', amount: '10000', reason: 'Did not fit' };
  screen.claim('the buyer is not kept waiting', hasSucceeded(await client.showPost('/v1/refunds?wait=20', refund)));
  screen.note('Of the 100.00 we give back our 20.00 of commission; 80.00 is what ann owes now:');
  await expectWallet(stage, 'ann-usd', { available: '0', debt: '8000' });
  screen.note('Her next delivery repays it before she gets anything:');
  await client.showPost('/v1/orders/shop-3:ann/deliver');
  await expectWallet(stage, 'ann-usd', { available: '0', debt: '0' });
}

async function countInYen(stage: Stage): Promise<void> {
  const { client, screen } = stage;
  screen.step('The same in yen, which have no cents: "12000" is 12,000 yen');
  await client.post('/v1/wallets', { wallet_id: 'yui-jpy', owner_id: 'yui', kind: 'seller', currency: 'JPY' });
  await client.showPost('/v1/checkouts', {
    checkout_id: 'shop-jp',
    buyer_id: 'buyer-jp',
    currency: 'JPY',
    payment_info: { provider: 'square', token: 'tok_ok_jp' },
    orders: [{ order_id: 'shop-jp:yui', seller_id: 'yui', amount: '12000', fee: '1200' }],
  });
  await client.post('/v1/checkouts/shop-jp/pay?wait=20', { semantic_key: 'pay:shop-jp' });
  await client.post('/v1/orders/shop-jp:yui/deliver');
  await expectWallet(stage, 'yui-jpy', { available: '10800', pending: '0' });
  const payout = { wallet_id: 'yui-jpy', amount: '10800', currency: 'JPY', provider: 'paypal', confirm: true };
  const order = { semantic_key: 'payout:yui:1', ...payout, destination: 'yui@example.com' };
  const paid = await client.showPost('/v1/payouts?wait=20', order);
  screen.claim('paid out at PayPal, as whole yen', hasSucceeded(paid));
  const wire = await wireAmountOf(stage, String(paid.body.pkid));
  screen.claim(`the book says ${wire}`, wire === '10800 JPY');
}

async function wireAmountOf({ client }: Stage, pkid: string): Promise<string> {
  let found = '';
  await until(async () => {
    const row = (await client.book()).find(({ key, direction }) => key === pkid && direction === 'out');
    found = `${row?.amount} ${row?.currency}`;
    return row !== undefined;
  });
  return found;
}

function checkout(id: string, payment_info: { provider: string; token: string }) {
  return {
    checkout_id: id,
    buyer_id: `buyer-of-${id}`,
    currency: 'USD',
    payment_info,
    orders: [
      { order_id: `${id}:ann`, seller_id: 'ann', amount: '10000', fee: '2000' },
      { order_id: `${id}:bea`, seller_id: 'bea', amount: '5555', fee: '333' },
      { order_id: `${id}:cem`, seller_id: 'cem', amount: '3000' },
    ],
  };
}
