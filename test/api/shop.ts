// A shop over HTTP: sellers with wallets, checkouts with orders, and what happens at the provider besides.

import { expect } from 'vitest';
import type { Answer, Json, Rig } from './rig.ts';

export interface Shop {
  seller(sellerId: string, currency?: string): Promise<void>;
  buyer(buyerId: string): Promise<void>;
  /** An open checkout: "c" has the orders "c-1", "c-2" and so on, of the amounts given, each with a fee of 10. */
  checkout(
    checkoutId: string,
    options?: { token?: string; provider?: string; amounts?: readonly string[] },
  ): Promise<Answer>;
  pay(checkoutId: string, more?: Json): Promise<Answer>;
  /** A checkout whose pay-in "<id>-pay" succeeded. */
  paid(checkoutId: string, options?: { token?: string; amounts?: readonly string[] }): Promise<Answer>;
  refund(orderId: string, amount: string, more?: Json): Promise<Answer>;
  /** Asks for it until it is as it should be; nothing outside calls us here, so `nudge` asks the provider first. */
  eventually(path: string, shape: object, nudge?: () => Promise<unknown>): Promise<Json>;
  /** The provider's dispute of a pay-in, looked at now; false until there is one in this status. */
  dispute(payin: Json, status: string): Promise<boolean>;
  approve(externId: unknown): Promise<void>;
}

export const SELLER = 'shop-seller';
export const BUYER = 'shop-buyer';

export async function openShop(rig: Rig): Promise<Shop> {
  const { app, sandbox } = rig.remit;
  const made = async (path: string, body: Json) => {
    const answer = await rig.post(path, body);
    expect([path, answer.json, answer.status]).toEqual([path, answer.json, 201]);
    return answer;
  };
  const shop: Shop = {
    async seller(owner_id, currency = 'USD') {
      const wallet_id = `${owner_id}-${currency.toLowerCase()}`;
      await made('/v1/wallets', { wallet_id, owner_id, kind: 'seller', currency });
    },
    async buyer(owner_id) {
      await made('/v1/wallets', { wallet_id: `${owner_id}-usd`, owner_id, kind: 'buyer', currency: 'USD' });
    },
    checkout: (checkout_id, { token = 'pm_card_ok', provider = 'stripe', amounts = ['1000'] } = {}) =>
      made('/v1/checkouts', {
        checkout_id,
        buyer_id: BUYER,
        currency: 'USD',
        payment_info: { provider, token },
        orders: amounts.map((amount, at) => ({
          order_id: `${checkout_id}-${at + 1}`,
          seller_id: SELLER,
          amount,
          fee: '10',
        })),
      }),
    pay: (checkoutId, more = {}) =>
      rig.post(`/v1/checkouts/${checkoutId}/pay?wait=20`, { semantic_key: `${checkoutId}-pay`, ...more }),
    async paid(checkoutId, options = {}) {
      await shop.checkout(checkoutId, options);
      const answer = await shop.pay(checkoutId);
      expect(answer.json).toMatchObject({ status: 'succeeded' });
      return answer;
    },
    refund: (order_id, amount, more = {}) =>
      rig.post('/v1/refunds?wait=20', { semantic_key: `${order_id}-refund-${amount}`, order_id, amount, ...more }),
    async eventually(path, shape, nudge = async () => undefined) {
      const read = async () => {
        await nudge();
        return (await rig.get(path)).json;
      };
      await expect.poll(read, { timeout: 20_000, interval: 150 }).toMatchObject(shape);
      return (await rig.get(path)).json;
    },
    async dispute(payin, status) {
      const list = `${sandbox.url}/stripe/v1/disputes?payment_intent=${payin.extern_payment_id}`;
      const response = await fetch(list, { headers: { Authorization: `Bearer ${app.config.stripe.secretKey}` } });
      const [, id] = /"id":"(dp_[^"]+)"/.exec(await response.text()) ?? [];
      if (id === undefined) return false;
      await app.disputes.look('stripe', id);
      const { json } = await rig.get(`/v1/disputes/stripe:${id}`);
      return json.status === status;
    },
    async approve(externId) {
      const response = await fetch(`${sandbox.url}/_sandbox/approve/${externId}`, { method: 'POST' });
      expect(response.status).toBe(200);
    },
  };
  await shop.seller(SELLER);
  await shop.buyer(BUYER);
  return shop;
}
