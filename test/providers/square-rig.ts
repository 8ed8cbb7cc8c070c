// A sandbox that plays Square, with a receiver of its webhooks, and the real adapter pointed at it.

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Pkid, pkidOf } from '../../src/domain/id.ts';
import { parseCurrency } from '../../src/domain/money.ts';
import type {
  Answer,
  PayinOrder,
  Payments,
  Provider,
  ProviderEvent,
  Reference,
  RefundOrder,
} from '../../src/domain/provider.ts';
import { createSquare } from '../../src/providers/square.ts';
import type { BookRow } from '../../src/sandbox/payment.ts';
import { startSandbox } from '../../src/sandbox/server.ts';

/** Long enough for a busy machine, and never waited out where an answer comes. */
export const LIMITS = { timeoutMs: 20_000 };
const KEY = 'square-rig-signature-key';
export const HOOK_URL = 'https://shop.example.com/webhooks/square';
/** Looks at the sandbox until something holds: its own delays are two seconds. */
const ASK_AGAIN_MS = 50;
const ASK_FOR_MS = 20_000;

interface Warning {
  readonly fields: object;
  readonly message: string;
}

interface Made {
  readonly provider: Provider;
  readonly payin: Payments<PayinOrder>;
  readonly refund: Payments<RefundOrder>;
  readonly warnings: Warning[];
}

export function squareAt(baseUrl: string, notificationUrl = HOOK_URL): Made {
  const warnings: Warning[] = [];
  const note = (fields: object, message: string) => void warnings.push({ fields, message });
  const provider = createSquare({
    accessToken: 'EAAA_canary',
    signatureKeys: ['older key', KEY],
    notificationUrl,
    locationId: 'LSANDBOX00001',
    baseUrl,
    live: false,
    log: { warn: note, error: note },
  });
  const { payin, refund } = provider;
  if (payin === null || refund === null) throw new Error('Square takes pay-ins and gives refunds.');
  return { provider, payin, refund, warnings };
}

export function money(amountMinor: bigint, currency = 'USD') {
  return { amountMinor, currency: parseCurrency(currency) };
}

export function payinOf(token: string | null, { name = token ?? 'none', amount = money(1500n) } = {}): PayinOrder {
  const pkid = pkidOf('payin', `square:${name}`);
  return {
    pkid,
    semanticKey: name,
    key: pkid,
    money: amount,
    token,
    returnUrl: null,
    cancelUrl: null,
    statementDescriptor: null,
    buyer: { email: null, ip: null },
  };
}

export function refundOf(payinExternId: string, name: string, amount = money(1500n)): RefundOrder {
  const pkid = pkidOf('refund', `square:${name}`);
  return { pkid, semanticKey: name, key: pkid, money: amount, payinExternId };
}

export function referenceOf({ pkid }: { pkid: Pkid }, externId: string | null = null): Reference {
  return { pkid, externId, key: pkid, payinExternId: null };
}

export function idOf(answer: Answer): string {
  if (answer.type === 'not_found' || answer.externId === null) throw new Error(`${answer.type} has no id.`);
  return answer.externId;
}

export interface SquareRig extends Made {
  readonly url: string;
  /** What arrived and verified. */
  readonly events: readonly ProviderEvent[];
  /** Which way money moved for an operation, in order. */
  moved(pkid: Pkid): BookRow['direction'][];
  control(path: string, body: object): Promise<void>;
  close(): Promise<void>;
}

export async function openSquare(): Promise<SquareRig> {
  const folder = await mkdtemp(join(tmpdir(), 'remit-square-'));
  const events: ProviderEvent[] = [];
  const server = createServer(async (request, response) => {
    const raw = Buffer.concat(await request.toArray());
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
    events.push(await made.provider.parseWebhook(raw, headers, new Date()));
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The receiver got no port.');
  const webhookUrl = `http://127.0.0.1:${address.port}`;
  const sandbox = await startSandbox({
    port: 0,
    host: '127.0.0.1',
    dataFile: join(folder, 'sandbox.jsonl'),
    webhookUrl,
    webhookSecrets: { square: KEY },
  });
  const made = squareAt(`${sandbox.url}/square`, `${webhookUrl}/square`);
  return {
    ...made,
    url: sandbox.url,
    events,
    moved: (pkid) => sandbox.book().flatMap(({ key, direction }) => (key === pkid ? [direction] : [])),
    async control(path, body) {
      const response = await fetch(`${sandbox.url}/_sandbox${path}`, { method: 'POST', body: JSON.stringify(body) });
      if (!response.ok) throw new Error(`The sandbox refused ${path}: ${await response.text()}`);
    },
    async close() {
      await sandbox.close();
      server.closeAllConnections();
      server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Asks again until the answer fits. */
export async function until<Value>(ask: () => Promise<Value> | Value, fits: (value: Value) => boolean): Promise<Value> {
  const endsAt = Date.now() + ASK_FOR_MS;
  for (;;) {
    const value = await ask();
    if (fits(value)) return value;
    if (Date.now() > endsAt) throw new Error('It never came about.');
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
  }
}
