// A plain wire client for the sandbox's PayPal: signs in once per sandbox, and makes the calls of an operation.
import type { Sandbox } from '../../src/sandbox/server.ts';
import { send, type Wire } from './rig.ts';

const tokens = new WeakMap<Sandbox, Promise<string>>();

export async function signIn(sandbox: Sandbox): Promise<string> {
  const authorization = `Basic ${Buffer.from('client:secret').toString('base64')}`;
  const headers = { authorization, 'content-type': 'application/x-www-form-urlencoded' };
  const body = 'grant_type=client_credentials';
  const { json } = await send(sandbox, 'POST', '/paypal/v1/oauth2/token', { headers, body });
  return json.access_token;
}

export type PaypalCall = { key?: string; body?: unknown; token?: string; giveUp?: AbortSignal };

export async function paypal(sandbox: Sandbox, method: string, path: string, call: PaypalCall = {}): Promise<Wire> {
  const { key, body, giveUp } = call;
  const known = tokens.get(sandbox) ?? signIn(sandbox);
  tokens.set(sandbox, known);
  const authorization = `Bearer ${call.token ?? (await known)}`;
  const keyed = key === undefined ? {} : { 'paypal-request-id': key };
  return send(sandbox, method, `/paypal${path}`, {
    headers: { authorization, 'content-type': 'application/json', ...keyed },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(giveUp ? { giveUp } : {}),
  });
}

export type Order = { key: string; payer: string; value?: string; currency?: string };

export function createOrder(sandbox: Sandbox, { key, payer, value = '15.00', currency = 'USD' }: Order) {
  const unit = { reference_id: 'checkout', custom_id: key, amount: { currency_code: currency, value } };
  const source = { token: { id: payer, type: 'BILLING_AGREEMENT' } };
  const body = { intent: 'CAPTURE', purchase_units: [unit], payment_source: source };
  return paypal(sandbox, 'POST', '/v2/checkout/orders', { key, body });
}

export function captureOrder(sandbox: Sandbox, id: string, { key, giveUp }: { key: string; giveUp?: AbortSignal }) {
  const bound = giveUp ? { giveUp } : {};
  return paypal(sandbox, 'POST', `/v2/checkout/orders/${id}/capture`, { key, body: {}, ...bound });
}

/** A captured order, and the id of its capture. */
export async function captured(sandbox: Sandbox, order: Order): Promise<{ id: string; captureId: string }> {
  const { id } = (await createOrder(sandbox, order)).json;
  const { json } = await captureOrder(sandbox, id, { key: `${order.key}-c` });
  return { id, captureId: json.purchase_units[0].payments.captures[0].id };
}

export type Refund = { key: string; value?: string; currency?: string; giveUp?: AbortSignal };

export function refund(sandbox: Sandbox, captureId: string, { key, value, currency = 'USD', giveUp }: Refund) {
  const body = value === undefined ? {} : { amount: { currency_code: currency, value } };
  const bound = giveUp ? { giveUp } : {};
  return paypal(sandbox, 'POST', `/v2/payments/captures/${captureId}/refund`, { key, body, ...bound });
}

export type Payout = { key: string; receiver: string; value?: string; currency?: string; giveUp?: AbortSignal };

export function payOut(sandbox: Sandbox, { key, receiver, value = '15.00', currency = 'USD', giveUp }: Payout) {
  const type = receiver.includes('@') ? 'EMAIL' : receiver.startsWith('+') ? 'PHONE' : 'PAYPAL_ID';
  const items = [{ recipient_type: type, receiver, sender_item_id: key, amount: { value, currency } }];
  const header = { sender_batch_id: key, email_subject: 'You have been paid' };
  const body = { sender_batch_header: header, items };
  return paypal(sandbox, 'POST', '/v1/payments/payouts', { body, ...(giveUp ? { giveUp } : {}) });
}
