// The opening of the market: wallets, their first money, and where the merchant wants to hear what happened.

import { z } from 'zod';
import { CURRENCY, WALLETS } from './market.ts';

/** Every final state of what the client asks for, and deliveries. */
const EVENTS = ['transfer.*', 'payout.*', 'payin.*', 'refund.*', 'order.delivered', 'review.opened'] as const;
const TIMEOUT_MS = 20_000;
const created = z.object({ secret: z.string() });

/** Returns the secret with which messages are signed. */
export async function openMarket(at: { url: string; key: string; receiverPort: number }): Promise<string> {
  for (const { walletId, kind, fundsMinor } of WALLETS) {
    await post(at, '/v1/wallets', { wallet_id: walletId, owner_id: walletId, kind, currency: CURRENCY });
    if (fundsMinor === 0n) continue;
    const funds = { wallet_id: walletId, amount: String(fundsMinor), currency: CURRENCY, reason: 'opening' };
    await post(at, '/v1/adjustments', { semantic_key: `opening-${walletId}`, ...funds });
  }
  const url = `http://127.0.0.1:${at.receiverPort}/hooks`;
  return created.parse(await post(at, '/v1/webhook-endpoints', { url, events: EVENTS })).secret;
}

async function post(at: { url: string; key: string }, path: string, body: object): Promise<unknown> {
  const response = await fetch(`${at.url}${path}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${at.key}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${path} was refused: ${response.status} ${text}`);
  return JSON.parse(text);
}
