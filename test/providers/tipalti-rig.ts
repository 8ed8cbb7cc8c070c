// The Tipalti adapter at a sandbox, or at a server that answers as a test says and writes down what it was asked.

import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Pkid, pkidOf } from '../../src/domain/id.ts';
import { type Money, parseCurrency } from '../../src/domain/money.ts';
import type { Payments, PayoutOrder, Provider, Reference } from '../../src/domain/provider.ts';
import { createTipalti } from '../../src/providers/tipalti.ts';
import { startSandbox } from '../../src/sandbox/server.ts';
import { type LocalServer, serveHttp } from './local-server.ts';

/** Long enough for a busy machine, and never waited out where an answer comes. */
export const LIMITS = { timeoutMs: 20_000 };
export const SECRET = 'canary_client_secret';

export interface Logged {
  readonly level: 'warn' | 'error';
  readonly fields: object;
}

interface Making {
  readonly refreshToken?: string;
  readonly keyRetentionMs?: number;
  readonly ipnUrl?: string;
  readonly logged?: Logged[];
}

/** `url` is where the three hosts of Tipalti are played. */
export function tipaltiAt(url: string, { refreshToken = 'canary_refresh', ipnUrl, logged, ...more }: Making = {}) {
  return createTipalti({
    clientId: 'client',
    clientSecret: SECRET,
    refreshToken,
    payer: 'Remit',
    baseUrl: url,
    authUrl: `${url}/connect/token`,
    ipnUrl: ipnUrl ?? `${url}/notif/ipn.aspx`,
    live: false,
    log: {
      warn: (fields) => void logged?.push({ level: 'warn', fields }),
      error: (fields) => void logged?.push({ level: 'error', fields }),
    },
    ...more,
  });
}

export function payoutsOf(provider: Provider): Payments<PayoutOrder> {
  if (provider.payout === null) throw new Error('Tipalti can pay.');
  return provider.payout;
}

export async function openSandbox(webhookUrl: string | null = null) {
  const folder = await mkdtemp(join(tmpdir(), 'remit-tipalti-'));
  const options = { port: 0, host: '127.0.0.1' as const, webhookUrl, webhookSecrets: {} };
  const sandbox = await startSandbox({ ...options, dataFile: join(folder, 'sandbox.jsonl') });
  const control = async (path: string, body: object) => {
    const response = await fetch(`${sandbox.url}/_sandbox${path}`, { method: 'POST', body: JSON.stringify(body) });
    if (!response.ok) throw new Error(await response.text());
  };
  return {
    url: `${sandbox.url}/tipalti`,
    control,
    rows: (pkid: Pkid) => sandbox.book().filter((row) => row.key === pkid),
    timesMoved: (pkid: Pkid) => sandbox.book().filter((row) => row.key === pkid && row.direction === 'out').length,
    async timesAsked(pkid: Pkid, method: string): Promise<number> {
      const response = await fetch(`${sandbox.url}/_sandbox/calls?key=${pkid}`);
      const { data }: { data: { method: string }[] } = JSON.parse(await response.text());
      return data.filter((call) => call.method === method).length;
    },
    async close() {
      await sandbox.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export function money(amountMinor: bigint, currency: string): Money {
  return { amountMinor, currency: parseCurrency(currency) };
}

export function orderTo(beneficiary: string, paid = money(1500n, 'USD')): PayoutOrder {
  const pkid = pkidOf('payout', `tipalti:${beneficiary}:${paid.currency}:${paid.amountMinor}`);
  return { pkid, semanticKey: beneficiary, key: pkid, money: paid, beneficiary };
}

export function referenceOf({ pkid }: { readonly pkid: Pkid }, externId: string | null = null): Reference {
  return { pkid, externId, key: pkid, payinExternId: null };
}

/** Status and JSON text (or an object), or a function that does as it likes. */
type Reply = readonly [number, string | object] | ((request: IncomingMessage, response: ServerResponse) => void);

/** Replies by what is asked; the first one goes to the first request, the last one to all that are left. */
type Script = Partial<Record<'token' | 'list' | 'one' | 'batch' | 'payee' | 'balances' | 'proof', readonly Reply[]>>;

export interface Scripted extends LocalServer {
  readonly asked: { readonly what: string; readonly url: string; readonly body: string; readonly token: string }[];
  timesAsked(what: keyof Script): number;
}

export const TOKEN = { access_token: 'token_1', expires_in: 3600, token_type: 'Bearer' };
export const NONE = { items: [], nextPageCursor: null };

export async function serveScript(script: Script): Promise<Scripted> {
  const asked: Scripted['asked'] = [];
  const defaults: Script = { token: [[200, TOKEN]], list: [[200, NONE]] };
  const server = await serveHttp(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    const what = nameOf(request.url ?? '', request.method ?? '');
    const replies = script[what] ?? defaults[what] ?? [[404, { code: 'NotFound', message: 'Not in the script.' }]];
    const before = asked.filter((one) => one.what === what).length;
    asked.push({ what, url: request.url ?? '', body, token: request.headers.authorization ?? '' });
    const reply = replies[Math.min(before, replies.length - 1)];
    if (typeof reply === 'function') return reply(request, response);
    const [status, given] = reply ?? [500, ''];
    response.writeHead(status);
    response.end(typeof given === 'string' ? given : JSON.stringify(given));
  });
  return { ...server, asked, timesAsked: (what) => asked.filter((one) => one.what === what).length };
}

function nameOf(url: string, method: string): keyof Script {
  if (url.startsWith('/connect/token')) return 'token';
  if (url.startsWith('/notif/')) return 'proof';
  if (method === 'POST') return 'batch';
  if (url.startsWith('/api/v1/payments?')) return 'list';
  if (url.startsWith('/api/v1/payments/')) return 'one';
  return url.startsWith('/api/v1/payees/') ? 'payee' : 'balances';
}

/** A payment as Tipalti's list shows it; as an instruction of a batch with `inBatch`. */
export function paymentOf({ pkid, beneficiary, money: paid }: PayoutOrder, more: object = {}) {
  const amountSubmitted = { amount: Number(paid.amountMinor) / 100, currency: paid.currency };
  const refCode = pkid.replaceAll('-', '');
  return { id: 'tpp_1', refCode, payeeId: beneficiary, amountSubmitted, status: 'Paid', reason: null, ...more };
}

export function inBatch({ id, ...rest }: ReturnType<typeof paymentOf>) {
  return { id: 'tpb_1', paymentInstructions: [{ ...rest, id: `${id}_i`, paymentId: id }] };
}

/** Asks again until the answer fits; fails with the last one after twenty seconds. */
export async function until<T>(ask: () => Promise<T> | T, fits: (value: T) => boolean): Promise<T> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const value = await ask();
    if (fits(value)) return value;
    if (Date.now() > deadline) throw new Error(`It never came about; the last look gave ${String(value)}.`);
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
}
