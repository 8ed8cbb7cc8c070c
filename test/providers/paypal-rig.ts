// A sandbox that sends its PayPal webhooks to us, the real adapter pointed at it, and the operations of the tests.

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { PaymentError } from '../../src/domain/errors.ts';
import { type Pkid, pkidOf, stepKeyOf } from '../../src/domain/id.ts';
import { type Money, parseCurrency } from '../../src/domain/money.ts';
import type { PayinOrder, PayoutOrder, Reference, RefundOrder } from '../../src/domain/provider.ts';
import { createPaypal, type PaypalOptions } from '../../src/providers/paypal.ts';
import type { BookRow } from '../../src/sandbox/payment.ts';
import { startSandbox } from '../../src/sandbox/server.ts';

export const WEBHOOK_ID = '8PT597110X687430LKGECATA';
/** Long enough for a busy machine, and never waited out where an answer comes. */
export const LIMITS = { timeoutMs: 20_000 };
/** For calls that get no answer. */
export const SHORT = { timeoutMs: 1_500 };
const EVENTUALLY_MS = 20_000;
const LOOK_AGAIN_MS = 50;

export const quiet = { warn: () => undefined, error: () => undefined };

export interface Delivery {
  readonly raw: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Rig {
  readonly url: string;
  readonly deliveries: readonly Delivery[];
  /** The money that moved for an operation, disputes, returns and fees left out. */
  moved(pkid: Pkid): BookRow[];
  /** One of the sandbox's own routes. */
  control(path: string, body?: object): Promise<void>;
  close(): Promise<void>;
}

export async function openRig(): Promise<Rig> {
  const folder = await mkdtemp(join(tmpdir(), 'remit-paypal-'));
  const deliveries: Delivery[] = [];
  const receiver = createServer(async (request, response) => {
    const raw = Buffer.concat(await request.toArray());
    const headers = Object.entries(request.headers).map(([key, value]) => [key, String(value)]);
    deliveries.push({ raw, headers: Object.fromEntries(headers) });
    response.end();
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const address = receiver.address();
  if (address === null || typeof address === 'string') throw new Error('The receiver got no port.');
  const sandbox = await startSandbox({
    port: 0,
    host: '127.0.0.1',
    dataFile: join(folder, 'sandbox.jsonl'),
    webhookUrl: `http://127.0.0.1:${address.port}`,
    webhookSecrets: { paypal: WEBHOOK_ID },
  });
  return {
    url: sandbox.url,
    deliveries,
    moved: (pkid) =>
      sandbox.book().filter(({ key, direction }) => key === pkid && ['in', 'out', 'refund'].includes(direction)),
    async control(path, body = {}) {
      const response = await fetch(`${sandbox.url}/_sandbox${path}`, { method: 'POST', body: JSON.stringify(body) });
      if (!response.ok) throw new Error(`The sandbox refused ${path}: ${await response.text()}`);
    },
    async close() {
      await sandbox.close();
      receiver.closeAllConnections();
      receiver.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The three kinds of payment of the adapter at an address, none of them null. */
export function paypalAt(url: string, options: Partial<PaypalOptions> = {}) {
  const provider = createPaypal({
    clientId: 'client',
    clientSecret: 'secret-canary',
    webhookId: WEBHOOK_ID,
    baseUrl: `${url}/paypal`,
    live: false,
    log: quiet,
    ...options,
  });
  const { payin, payout, refund, findPayee, findDispute, findRefund } = provider;
  if (payin === null || payout === null || refund === null) throw new Error('PayPal does all three.');
  if (findPayee === null || findDispute === null || findRefund === null) throw new Error('PayPal finds all three.');
  return { ...provider, payin, payout, refund, findPayee, findDispute, findRefund };
}

export type Paypal = ReturnType<typeof paypalAt>;

export function money(amountMinor: bigint, currency = 'USD'): Money {
  return { amountMinor, currency: parseCurrency(currency) };
}

export function payinOf(name: string, more: Partial<PayinOrder> = {}): PayinOrder {
  const pkid = pkidOf('payin', `paypal:${name}`);
  const pages = { returnUrl: 'https://shop.example/back', cancelUrl: 'https://shop.example/cart' };
  const buyer = { email: null, ip: null };
  const order = { pkid, semanticKey: name, key: pkid, money: money(1500n), token: name, buyer };
  return { ...order, ...pages, statementDescriptor: null, ...more };
}

export function payoutOf(beneficiary: string, more: Partial<PayoutOrder> = {}): PayoutOrder {
  const pkid = pkidOf('payout', `paypal:${beneficiary}`);
  return { pkid, semanticKey: beneficiary, key: pkid, money: money(1500n), beneficiary, ...more };
}

export function refundOf(name: string, payinExternId: string, more: Partial<RefundOrder> = {}): RefundOrder {
  const pkid = pkidOf('refund', `paypal:${name}`);
  return { pkid, semanticKey: name, key: pkid, money: money(500n), payinExternId, ...more };
}

/** What is known of an operation before its first answer; confirms have a key of their own. */
export function referenceOf(
  { pkid }: { pkid: Pkid },
  { externId = null, payinExternId = null }: { externId?: string | null; payinExternId?: string | null } = {},
): Reference {
  return { pkid, externId, key: stepKeyOf(pkid, 'confirm'), payinExternId };
}

/** The order of a pay-in that was created, approved or not. */
export async function created(paypal: Paypal, order: PayinOrder): Promise<Reference> {
  const answer = await paypal.payin.send(order, LIMITS);
  if (!('externId' in answer) || answer.externId === null) throw new Error(`No order came of ${answer.type}.`);
  return referenceOf(order, { externId: answer.externId });
}

/** A pay-in that was captured, by its order's id. */
export async function captured(paypal: Paypal, order: PayinOrder): Promise<string> {
  const answer = await paypal.payin.confirm(await created(paypal, order), LIMITS);
  if (answer.type !== 'succeeded') throw new Error(`The capture ended as ${answer.type}.`);
  return answer.externId;
}

/** A refund that somebody made in PayPal's own pages, so without an id of ours. */
export async function refundByHand(rig: Rig, captureId: string): Promise<string> {
  const ask = async (path: string, authorization: string, body: string) => {
    const headers = { authorization, 'content-type': 'application/json' };
    return (await fetch(`${rig.url}/paypal${path}`, { method: 'POST', headers, body })).json();
  };
  const basic = `Basic ${btoa('by:hand')}`;
  const { access_token: token } = grantBody.parse(
    await ask('/v1/oauth2/token', basic, 'grant_type=client_credentials'),
  );
  return refundBody.parse(await ask(`/v2/payments/captures/${captureId}/refund`, `Bearer ${token}`, '{}')).id;
}

const grantBody = z.object({ access_token: z.string() });
const refundBody = z.object({ id: z.string() });

/** Looks again until the answer fits; fails with the last one. */
export async function until<Value>(ask: () => Promise<Value> | Value, fits: (value: Value) => boolean): Promise<Value> {
  const deadline = performance.now() + EVENTUALLY_MS;
  for (;;) {
    const value = await ask();
    if (fits(value)) return value;
    if (performance.now() > deadline) throw new Error(`It never came about: ${String(value)}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}

/** "accepted", or the code of the refusal. */
export async function verdictOf(parse: Promise<unknown>): Promise<string> {
  try {
    await parse;
    return 'accepted';
  } catch (error) {
    if (error instanceof PaymentError) return error.code;
    throw error;
  }
}
