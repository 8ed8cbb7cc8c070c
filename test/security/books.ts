// Books with something of every kind in them, for requests that must not always miss.

import type { Json, Rig } from '../api/rig.ts';

/** The id that the document's examples name, so that they are about something. */
const EXAMPLE = 'seller-42';
const money = { amount: '1000', currency: 'USD' };
const payment_info = { provider: 'stripe', token: 'tok_ok_1' };

/** The ids of all that was made, and some that nothing has. */
export async function openBooks(rig: Rig): Promise<readonly string[]> {
  const made: string[] = [];
  async function make(path: string, body: Json): Promise<Json> {
    const { status, json, text } = await rig.post(path, body);
    if (status >= 300) throw new Error(`${path} was answered ${status}: ${text}`);
    return json;
  }
  for (const wallet_id of [EXAMPLE, 'fuzz-b']) {
    await make('/v1/wallets', { wallet_id, owner_id: wallet_id, kind: 'seller', currency: 'USD' });
    const funding = { semantic_key: `fund-${wallet_id}`, wallet_id, amount: '1000000', currency: 'USD' };
    const { posting_id } = await make('/v1/adjustments', { ...funding, reason: 'funds' });
    made.push(wallet_id, funding.semantic_key, String(posting_id));
  }
  await make('/v1/wallets', { wallet_id: 'fuzz-buyer', owner_id: 'fuzz-buyer', kind: 'buyer', currency: 'USD' });
  const payee = { payee_id: EXAMPLE, owner_id: EXAMPLE, provider: 'stripe', account: 'acct_ok_1' };
  await make('/v1/payees', payee);
  await make('/v1/transfers', { semantic_key: 'fuzz-transfer', from_wallet: EXAMPLE, to_wallet: 'fuzz-b', ...money });
  const payout = { wallet_id: EXAMPLE, provider: 'stripe', payee_id: EXAMPLE, ...money };
  await make('/v1/payouts', { ...payout, semantic_key: 'fuzz-payout', confirm: true });
  await make('/v1/payouts', { ...payout, semantic_key: 'fuzz-rest' });
  const orders = [1, 2].map((at) => ({ order_id: `fuzz-order-${at}`, seller_id: EXAMPLE, amount: '500', fee: '50' }));
  const checkout = { checkout_id: 'fuzz-checkout', buyer_id: 'fuzz-buyer', currency: 'USD', payment_info, orders };
  await make('/v1/checkouts', checkout);
  await make('/v1/checkouts/fuzz-checkout/pay', { semantic_key: 'fuzz-payin' });
  await make('/v1/payins', { semantic_key: 'fuzz-load', wallet_id: 'fuzz-b', payment_info, ...money });
  const ids = ['fuzz-buyer', 'fuzz-transfer', 'fuzz-payout', 'fuzz-rest', 'fuzz-checkout', 'fuzz-payin'];
  const platform = ['@provider:stripe:USD', '@bank:USD', '@equity:USD'];
  const none = ['nobody', '00000000-0000-4000-8000-000000000000'];
  return [...made, ...ids, ...orders.map(({ order_id }) => order_id), 'fuzz-load', ...platform, ...none];
}
