// A sandbox with its webhooks, and what the contract suite does to a provider in it.

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Pkid, pkidOf, stepKeyOf } from '../../src/domain/id.ts';
import { type Money, parseCurrency } from '../../src/domain/money.ts';
import type { Answer, Payments, PayoutOrder, Provider, ProviderEvent, Reference } from '../../src/domain/provider.ts';
import { createDemobank } from '../../src/providers/demobank.ts';
import { createStripe } from '../../src/providers/stripe.ts';
import { startSandbox } from '../../src/sandbox/server.ts';

export const USD = parseCurrency('USD');
/** Long enough for a busy machine, and never waited out where an answer comes. */
export const LIMITS = { timeoutMs: 20_000 };
const SECRETS = { stripe: 'whsec_contract', demobank: 'demobank_contract' };
const log = { warn: () => undefined, error: () => undefined };

export interface Payout {
  readonly pkid: Pkid;
  readonly money: Money;
  readonly beneficiary: string;
}

export interface Rig {
  readonly url: string;
  /** The events that arrived and verified, by the payout they name. */
  readonly events: ReadonlyMap<Pkid, ProviderEvent>;
  timesMoved(payout: Payout): number;
  close(): Promise<void>;
}

export async function openRig(): Promise<Rig> {
  const folder = await mkdtemp(join(tmpdir(), 'remit-contract-'));
  const events = new Map<Pkid, ProviderEvent>();
  const receiver = createServer((request, response) => {
    receive(request).then(
      (event) => {
        if (event.pkid !== null) events.set(event.pkid, event);
        response.end();
      },
      () => response.writeHead(401).end(),
    );
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
    webhookSecrets: SECRETS,
  });
  return {
    url: sandbox.url,
    events,
    timesMoved: ({ pkid }) => sandbox.book().filter((row) => row.key === pkid && row.direction === 'out').length,
    async close() {
      await sandbox.close();
      receiver.closeAllConnections();
      receiver.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export type Made = 'stripe' | 'demobank';

export const MAKE: Readonly<Record<Made, (url: string, secretKey?: string) => Provider>> = {
  stripe: (url, secretKey = 'sk_test_contract') =>
    createStripe({ secretKey, webhookSecrets: [SECRETS.stripe], baseUrl: `${url}/stripe`, live: false, log }),
  demobank: (url, secretKey = 'contract') =>
    createDemobank({ secretKey, webhookSecrets: [SECRETS.demobank], baseUrl: `${url}/demobank`, log }),
};

interface Keys {
  readonly key: string;
  readonly limits?: { timeoutMs: number };
}

export async function payWithKeys(provider: Provider, payout: Payout, { key, limits = LIMITS }: Keys): Promise<Answer> {
  const { stages, confirm } = payoutsOf(provider);
  if (stages === 1) return firstCall(provider, payout, { key, limits });
  const created = await firstCall(provider, payout, { key });
  const externId = created.type === 'pending' ? created.externId : null;
  if (externId === null) throw new Error('The first stage should have answered with an id.');
  const { pkid } = payout;
  return confirm({ pkid, externId, key: stepKeyOf(pkid, `confirm:${key}`), payinExternId: null }, limits);
}

export function firstCall(provider: Provider, payout: Payout, { key, limits = LIMITS }: Keys = { key: payout.pkid }) {
  return payoutsOf(provider).send({ ...payout, semanticKey: payout.beneficiary, key }, limits);
}

export function payoutsOf({ name, payout }: Provider): Payments<PayoutOrder> {
  if (payout === null) throw new Error(`${name} cannot pay.`);
  return payout;
}

export function payoutTo(name: Made, beneficiary: string): Payout {
  return {
    pkid: pkidOf('payout', `${name}:${beneficiary}`),
    money: { amountMinor: 1500n, currency: USD },
    beneficiary,
  };
}

export function referenceOf({ pkid }: Payout): Reference {
  return { pkid, externId: null, key: pkid, payinExternId: null };
}

async function receive(request: IncomingMessage): Promise<ProviderEvent> {
  const raw = Buffer.concat(await request.toArray());
  const name = request.url === '/stripe' ? 'stripe' : 'demobank';
  const headers = Object.fromEntries(Object.entries(request.headers).map(([key, value]) => [key, String(value)]));
  return MAKE[name]('http://127.0.0.1:9').parseWebhook(raw, headers, new Date());
}
