// A sandbox on a throw-away file, with plain wire clients for both providers and a webhook receiver.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Stripe from 'stripe';
import type { BookRow } from '../../src/sandbox/payment.ts';
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/sandbox/server.ts';

export const SECRETS = { stripe: 'whsec_test_of_the_sandbox', demobank: 'demobank-secret' };

export function freshFile(): { path: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'remit-sandbox-'));
  return { path: join(folder, 'sandbox.jsonl'), remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export function start(dataFile: string, more: Partial<SandboxOptions> = {}): Promise<Sandbox> {
  return startSandbox({ port: 0, host: '127.0.0.1', dataFile, webhookUrl: null, webhookSecrets: SECRETS, ...more });
}

/** What came back over the wire: 'none' when no answer came in time, 'reset' when the connection broke. */
export type Wire = { status: number | 'none' | 'reset'; headers: Headers; text: string; json: Json };
// Tests read foreign JSON by path, and a wrong path fails the assertion.
type Json = ReturnType<typeof JSON.parse>;

const ANSWER_MS = 20_000; // for an answer that is coming, on a busy machine

/** When the caller stops waiting. */
type Patience = { giveUp?: AbortSignal };

export async function send(
  sandbox: { url: string },
  method: string,
  path: string,
  options: { headers?: Record<string, string>; body?: string } & Patience = {},
): Promise<Wire> {
  const { headers = {}, body, giveUp = AbortSignal.timeout(ANSWER_MS) } = options;
  try {
    const response = await fetch(sandbox.url + path, {
      method,
      headers,
      signal: giveUp,
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: parsed(text) };
  } catch (error) {
    // A broken connection is a TypeError of fetch; anything else is a mistake in the test.
    if (!giveUp.aborted && !(error instanceof TypeError)) throw error;
    return { status: giveUp.aborted ? 'none' : 'reset', headers: new Headers(), text: '', json: null };
  }
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export function control(sandbox: Sandbox, method: string, path: string, body?: unknown): Promise<Wire> {
  return send(sandbox, method, `/_sandbox${path}`, body === undefined ? {} : { body: JSON.stringify(body) });
}

export type Transfer = { key: string; destination: string; amount?: string; group?: string } & Patience;

export function transfer(sandbox: Sandbox, { key, destination, amount = '1500', group = key, giveUp }: Transfer) {
  const body = new URLSearchParams({ amount, currency: 'usd', destination, transfer_group: group }).toString();
  return stripePost(sandbox, '/v1/transfers', { key, body, ...(giveUp ? { giveUp } : {}) });
}

export function stripePost(
  sandbox: { url: string },
  path: string,
  { key, ...rest }: { key: string; body: string } & Patience,
): Promise<Wire> {
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const headers = { authorization: 'Bearer sk_test_1', 'idempotency-key': key, ...form };
  return send(sandbox, 'POST', `/stripe${path}`, { headers, ...rest });
}

export function stripeGet(sandbox: Sandbox, path: string): Promise<Wire> {
  return send(sandbox, 'GET', `/stripe${path}`, { headers: { authorization: 'Bearer sk_test_1' } });
}

export type BankCall = { key?: string; body?: unknown } & Patience;

export function bank(sandbox: Sandbox, method: string, path: string, { key, body, giveUp }: BankCall = {}) {
  const keyed = key === undefined ? {} : { 'idempotency-key': key };
  return send(sandbox, method, `/demobank/v1${path}`, {
    headers: { authorization: 'Bearer any', 'content-type': 'application/json', ...keyed },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(giveUp ? { giveUp } : {}),
  });
}

export async function createPayment(sandbox: Sandbox, { key, destination }: { key: string; destination: string }) {
  const body = { reference: key, amount: '1500', currency: 'USD', destination };
  const created = await bank(sandbox, 'POST', '/payments', { key, body });
  return String(created.json.id);
}

/** The official client, pointed at the sandbox; it knows no path prefix, so its fetch adds one. */
export function officialClient(sandbox: Sandbox): Stripe {
  const prefixed: typeof fetch = (input, init) => {
    const { pathname, search } = new URL(input instanceof Request ? input.url : input);
    return fetch(`${sandbox.url}/stripe${pathname}${search}`, init);
  };
  return new Stripe('sk_test_1', {
    httpClient: Stripe.createFetchHttpClient(prefixed),
    maxNetworkRetries: 0,
    telemetry: false,
  });
}

/** Makes a call and hangs up once the sandbox has dealt with it, unless its answer is on the way. */
export async function hangUp(
  sandbox: Sandbox,
  key: string,
  call: (giveUp: AbortSignal) => Promise<Wire>,
): Promise<Wire> {
  const seen = async () => {
    const { json } = await control(sandbox, 'GET', `/calls?key=${key}`);
    return json.data.filter((one: Record<string, unknown>) => one.method === 'POST' && one.call_key === key);
  };
  const before = (await seen()).length;
  const caller = new AbortController();
  const answered = call(caller.signal);
  const calls = await until(seen, (list) => list.length > before);
  const last = calls.at(-1);
  if (last.answer === 'held' || last.fault === 'slow') caller.abort();
  return answered;
}

export function rows(sandbox: Sandbox, key: string): BookRow[] {
  return sandbox.book().filter((row) => row.key === key);
}

/** Asks again until the answer fits; fails with the last one after twenty seconds. */
export async function until<T>(ask: () => Promise<T> | T, fits: (value: T) => boolean): Promise<T> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const value = await ask();
    if (fits(value)) return value;
    if (Date.now() > deadline) throw new Error(`it never came about; the last look gave ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
}

export type Received = { path: string; headers: IncomingHttpHeaders; body: string };

/** Takes webhooks; `statusFor` decides the answer, 200 unless told. */
export async function receiver(statusFor: (received: Received) => number = () => 200) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const one = { path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString('utf8') };
      received.push(one);
      response.writeHead(statusFor(one)).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/webhooks`,
    received,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
