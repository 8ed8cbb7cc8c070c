// A sale: a checkout of one or two orders is paid, and each order is then delivered, refunded (also by more than there
// is, from several sides at once), or cancelled with its checkout.

import type { Request } from './asking.ts';
import { BUYERS, CURRENCY, SELLERS } from './market.ts';
import type { Teller } from './teller.ts';

const PAYING = [
  'ok',
  'ok',
  'ok',
  'decline',
  'paid_then_500',
  'timeout_before',
  'paid_then_reset',
  'error_before',
  'html',
  'slow',
  'refund_paid_then_500',
  'refund_timeout_before',
  'refund_paid_then_reset',
  'refund_decline',
] as const;

const REFUNDS_AT_ONCE = 3;

interface Order {
  readonly orderId: string;
  readonly amountMinor: number;
}

export async function tellSale(teller: Teller): Promise<void> {
  const { asker, chance, untilFinal } = teller;
  const { checkout, orders, checkoutId } = saleOf(teller);
  if ((await asker.ask(checkout)).status >= 300) return;
  const key = `pay-${checkoutId}`;
  const path = `/v1/checkouts/${checkoutId}/pay`;
  const { status } = await asker.ask({ key, kind: 'payin', path, body: { semantic_key: key } });
  if (status >= 300) return;
  if ((await untilFinal('payins', key)) !== 'succeeded') return;
  const after = chance.one('after', ['deliver', 'deliver', 'refund', 'both', 'both', 'cancel'] as const);
  if (after === 'cancel') {
    const cancel = { key: `cancel-${checkoutId}`, kind: 'step', path: `/v1/checkouts/${checkoutId}/cancel`, body: {} };
    await asker.ask({ ...cancel, kind: 'step' });
    return;
  }
  await Promise.all(
    orders.flatMap((order) => [
      ...(after === 'refund' ? [] : [deliver(teller, order)]),
      ...(after === 'deliver' ? [] : refundAtOnce(teller, order)),
    ]),
  );
}

function saleOf({ chance, number }: Teller) {
  const checkoutId = `c-${number}`;
  const provider = chance.one('provider', ['stripe', 'paypal', 'square']);
  const orders = Array.from({ length: chance.whole('orders', 1, 2) }, (_, index) => {
    const amountMinor = chance.whole(`amount ${index}`, 500, 20_000);
    const fee = String(Math.floor((amountMinor * chance.whole(`fee ${index}`, 0, 20)) / 100));
    const seller_id = SELLERS[chance.whole(`seller ${index}`, 0, SELLERS.length - 1)];
    return { order_id: `o-${number}-${index}`, seller_id, amount: String(amountMinor), fee };
  });
  const body = {
    checkout_id: checkoutId,
    buyer_id: BUYERS[number % BUYERS.length],
    currency: CURRENCY,
    payment_info: { provider, token: `tok_${chance.one('word', PAYING)}` },
    orders,
  };
  const checkout: Request = { key: checkoutId, kind: 'checkout', path: '/v1/checkouts', body };
  const asked: Order[] = orders.map(({ order_id, amount }) => ({ orderId: order_id, amountMinor: Number(amount) }));
  return { checkout, checkoutId, orders: asked };
}

async function deliver({ asker }: Teller, { orderId }: Order): Promise<void> {
  await asker.ask({ key: `deliver-${orderId}`, kind: 'step', path: `/v1/orders/${orderId}/deliver`, body: {} });
}

/** Each asks for about half, so that not all of them can have it. */
function refundAtOnce({ asker, chance, untilFinal }: Teller, { orderId, amountMinor }: Order): Promise<void>[] {
  return Array.from({ length: REFUNDS_AT_ONCE }, async (_, index) => {
    const key = `r-${orderId}-${index}`;
    const amount = Math.max(1, Math.floor(amountMinor * (0.35 + 0.3 * chance.fraction(`part ${key}`))));
    const to = chance.one(`to ${key}`, ['payer', 'payer', 'payer', 'wallet'] as const);
    const body = { semantic_key: key, order_id: orderId, amount: String(amount), to };
    const { status } = await asker.ask({ key, kind: 'refund', path: '/v1/refunds', body });
    if (status < 300) await untilFinal('refunds', key);
  });
}
