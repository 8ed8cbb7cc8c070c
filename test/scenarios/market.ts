// The words that scenarios of buyers and sellers are told in: checkouts over HTTP, and what must agree in the end.

import { expect } from 'vitest';
import { until } from '../harness/process.ts';
import { FINAL, type Json, type Story, violations } from './story.ts';

export interface Sale {
  readonly checkoutId: string;
  readonly provider: string;
  readonly currency?: string;
  readonly token?: string;
  readonly orders: readonly { readonly seller: string; readonly amount: string; readonly fee?: string }[];
}

/** The last look that a busy machine may need stands a minute after the one before. */
const FINAL_WITHIN_MS = 180_000;
const NOTHING: Json = {};
const PROVIDERS = ['stripe', 'paypal', 'square', 'tipalti', 'demobank'];
const SIGN: Readonly<Record<string, bigint>> = {
  in: 1n,
  out: -1n,
  refund: -1n,
  return: 1n,
  dispute: -1n,
  dispute_won: 1n,
  fee: -1n,
};

export async function openSeller(story: Story, seller: string, currency = 'USD'): Promise<string> {
  const body = { wallet_id: seller, owner_id: seller, kind: 'seller', currency };
  expect((await story.insist('/v1/wallets', body)).status).toBeLessThan(300);
  return seller;
}

/** Orders are named after the checkout: "<checkout>-1" and so on. */
export async function sell(story: Story, sale: Sale): Promise<void> {
  const { checkoutId, provider, currency = 'USD', token = 'tok_ok_1', orders } = sale;
  const body = {
    checkout_id: checkoutId,
    buyer_id: `${checkoutId}-buyer`,
    currency,
    payment_info: { provider, token },
    orders: orders.map(({ seller, amount, fee = '0' }, index) => ({
      order_id: `${checkoutId}-${index + 1}`,
      seller_id: seller,
      amount,
      fee,
    })),
  };
  const made = await story.insist('/v1/checkouts', body);
  expect({ status: made.status, said: made.json.detail }).toEqual({
    status: expect.toBeOneOf([200, 201]),
    said: undefined,
  });
}

/** Waits for the end of what a POST began. */
export async function ended(story: Story, path: string, body: Record<string, unknown>, at: string): Promise<Json> {
  const answer = await story.insist(path, body);
  expect({ status: answer.status, said: answer.json.detail }).toEqual({
    status: expect.toBeOneOf([200, 202]),
    said: undefined,
  });
  return finalAt(story, at);
}

export function finalAt(story: Story, at: string): Promise<Json> {
  const look = async () => {
    const { json } = await story.get(`${at}?wait=5`).catch(() => ({ json: NOTHING }));
    return FINAL.includes(String(json.status)) ? json : null;
  };
  return until(`${at} is final`, look, FINAL_WITHIN_MS);
}

export const pay = (story: Story, checkoutId: string, key = `pay-${checkoutId}`): Promise<Json> =>
  ended(story, `/v1/checkouts/${checkoutId}/pay`, { semantic_key: key }, `/v1/payins/${key}`);

export const refund = (
  story: Story,
  orderId: string,
  amount: string,
  key = `back-${orderId}-${amount}`,
): Promise<Json> => ended(story, '/v1/refunds', { semantic_key: key, order_id: orderId, amount }, `/v1/refunds/${key}`);

export const payOut = (
  story: Story,
  out: { seller: string; amount: string; currency?: string; provider: string; to: string; key?: string },
): Promise<Json> => {
  const { seller, amount, currency = 'USD', provider, to, key = `out-${seller}` } = out;
  const body = { semantic_key: key, wallet_id: seller, amount, currency, provider, destination: to, confirm: true };
  return ended(story, '/v1/payouts', body, `/v1/payouts/${key}`);
};

export async function deliver(story: Story, orderId: string): Promise<Json> {
  const { status, json } = await story.insist(`/v1/orders/${orderId}/deliver`, {});
  expect({ status, said: json.detail }).toEqual({ status: 200, said: undefined });
  return json;
}

/** The audit finds nothing, and each provider wallet is what the provider's own book adds up to. */
export async function expectMarketAgrees(story: Story): Promise<void> {
  const theirs = new Map<string, bigint>();
  for (const { provider, currency, direction, amount } of await story.book()) {
    const name = `@provider:${provider}:${currency}`;
    theirs.set(name, (theirs.get(name) ?? 0n) + (SIGN[direction] ?? 0n) * BigInt(amount));
  }
  const currencies = new Set([...theirs.keys()].map((name) => name.split(':')[2] ?? ''));
  const names = PROVIDERS.flatMap((provider) => [...currencies].map((currency) => `@provider:${provider}:${currency}`));
  const ours = new Map<string, bigint>();
  for (const name of names) {
    const { json } = await story.get(`/v1/wallets/${encodeURIComponent(name)}`);
    ours.set(name, -BigInt(String(json.posted ?? '0')));
  }
  const differing = names.filter((name) => (theirs.get(name) ?? 0n) !== ours.get(name));
  expect(differing.map((name) => ({ name, theirs: theirs.get(name) ?? 0n, ours: ours.get(name) }))).toEqual([]);
  expect(await violations(story)).toEqual([]);
}
