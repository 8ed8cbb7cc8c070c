// Trouble after the payment: buyers dispute at their bank, and a shop cancels a checkout that is half delivered. The
// disputes are paid for early, because they need a few seconds to happen.

import { z } from 'zod';
import { expectHeard, expectWallet, type Stage, until } from './demo-checks.ts';

const LOST = { checkout: 'disputed-1', provider: 'stripe', token: 'tok_dispute_lost_1' } as const;
const WON = { checkout: 'disputed-2', provider: 'square', token: 'tok_dispute_won_2' } as const;

export async function payForTrouble({ client, screen }: Stage): Promise<void> {
  screen.step('Two more checkouts, whose buyers will complain to their banks; we come back to them below');
  await client.post('/v1/wallets', { wallet_id: 'dee-usd', owner_id: 'dee', kind: 'seller', currency: 'USD' });
  for (const { checkout, provider, token } of [LOST, WON]) {
    await client.showPost('/v1/checkouts', {
      checkout_id: checkout,
      buyer_id: `buyer-of-${checkout}`,
      currency: 'USD',
      payment_info: { provider, token },
      orders: [{ order_id: `${checkout}:dee`, seller_id: 'dee', amount: '5000', fee: '500' }],
    });
    const { body } = await client.post(`/v1/checkouts/${checkout}/pay?wait=20`, { semantic_key: `pay:${checkout}` });
    screen.claim(`${checkout} is paid`, body.status === 'succeeded');
  }
}

export async function playTrouble(stage: Stage): Promise<void> {
  await cancelHalf(stage);
  await dispute(stage);
}

async function cancelHalf(stage: Stage): Promise<void> {
  const { client, screen } = stage;
  screen.step('A checkout is cancelled when one of its two orders is delivered already');
  for (const owner_id of ['eve', 'fay']) {
    await client.post('/v1/wallets', { wallet_id: `${owner_id}-usd`, owner_id, kind: 'seller', currency: 'USD' });
  }
  await client.post('/v1/checkouts', {
    checkout_id: 'half',
    buyer_id: 'buyer-of-half',
    currency: 'USD',
    payment_info: { provider: 'paypal', token: 'tok_ok_half' },
    orders: [
      { order_id: 'half:eve', seller_id: 'eve', amount: '4000', fee: '400' },
      { order_id: 'half:fay', seller_id: 'fay', amount: '6000', fee: '600' },
    ],
  });
  await client.post('/v1/checkouts/half/pay?wait=20', { semantic_key: 'pay:half' });
  await client.post('/v1/orders/half:eve/deliver');
  await client.showPost('/v1/checkouts/half/cancel');
  await until(async () => (await client.get('/v1/orders/half:fay')).body.status === 'refunded');
  const { body } = await client.showGet('/v1/orders/half:fay');
  screen.claim('what was not delivered went back', body.refunded === '6000');
  await expectWallet(stage, 'eve-usd', { available: '3600', pending: '0' });
  await expectWallet(stage, 'fay-usd', { available: '0', pending: '0' });
}

const disputesBody = z.object({
  data: z.array(z.object({ dispute_id: z.string(), payin: z.string(), status: z.string() })),
});

async function dispute(stage: Stage): Promise<void> {
  const { client, screen } = stage;
  screen.step('The disputes: one was lost, the other won');
  const read = async () => disputesBody.parse((await client.get('/v1/disputes')).body).data;
  await until(async () => {
    const disputes = await read();
    return disputes.length === 2 && disputes.every(({ status }) => status !== 'open');
  });
  await client.showGet('/v1/disputes');
  const disputes = await read();
  const endOf = (checkout: string) => disputes.find(({ payin }) => payin === `pay:${checkout}`);
  const [lost, won] = [endOf(LOST.checkout), endOf(WON.checkout)];
  screen.claim('as the banks decided', lost?.status === 'lost' && won?.status === 'won');
  screen.note('The lost money is gone from what was pending; the other half stands there again, and is released:');
  await expectWallet(stage, 'dee-usd', { available: '0', pending: '5000', debt: '0' });
  await client.showPost(`/v1/orders/${WON.checkout}:dee/deliver`);
  await expectWallet(stage, 'dee-usd', { available: '4500', pending: '0' });
  await expectHeard(stage, [
    `dispute.opened ${lost?.dispute_id}`,
    `dispute.lost ${lost?.dispute_id}`,
    `dispute.won ${won?.dispute_id}`,
  ]);
}
