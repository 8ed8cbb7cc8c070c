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

const NO_ANSWER_MS = 700;

export async function send(
  sandbox: { url: string },
  method: string,
  path: string,
  options: { headers?: Record<string, string>; body?: string; patienceMs?: number } = {},
): Promise<Wire> {
  const { headers = {}, body, patienceMs = NO_ANSWER_MS } = options;
  try {
    const signal = AbortSignal.timeout(patienceMs);
    const response = await fetch(sandbox.url + path, {
      method,
      headers,
      signal,
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: parsed(text) };
  } catch (error) {
    const isLate = error instanceof Error && error.name === 'TimeoutError';
    return { status: isLate ? 'none' : 'reset', headers: new Headers(), text: '', json: null };
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
  const options = body === undefined ? {} : { body: JSON.stringify(body) };
  return send(sandbox, method, `/_sandbox${path}`, { ...options, patienceMs: 10_000 });
}

export type Transfer = { key: string; destination: string; amount?: string; group?: string; patienceMs?: number };

export function transfer(sandbox: Sandbox, { key, destination, amount = '1500', group = key, patienceMs }: Transfer) {
  const body = new URLSearchParams({ amount, currency: 'usd', destination, transfer_group: group }).toString();
  return stripePost(sandbox, '/v1/transfers', { key, body, ...(patienceMs ? { patienceMs } : {}) });
}

export function stripePost(
  sandbox: { url: string },
  path: string,
  { key, ...rest }: { key: string; body: string; patienceMs?: number },
): Promise<Wire> {
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const headers = { authorization: 'Bearer sk_test_1', 'idempotency-key': key, ...form };
  return send(sandbox, 'POST', `/stripe${path}`, { headers, ...rest });
}

export function stripeGet(sandbox: Sandbox, path: string): Promise<Wire> {
  return send(sandbox, 'GET', `/stripe${path}`, { headers: { authorization: 'Bearer sk_test_1' } });
}

export type BankCall = { key?: string; body?: unknown; patienceMs?: number };

export function bank(sandbox: Sandbox, method: string, path: string, { key, body, patienceMs }: BankCall = {}) {
  const keyed = key === undefined ? {} : { 'idempotency-key': key };
  return send(sandbox, method, `/demobank/v1${path}`, {
    headers: { authorization: 'Bearer any', 'content-type': 'application/json', ...keyed },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(patienceMs === undefined ? {} : { patienceMs }),
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

export function rows(sandbox: Sandbox, key: string): BookRow[] {
  return sandbox.book().filter((row) => row.key === key);
}

/** Asks again until the answer fits; fails with the last one after ten seconds. */
export async function until<T>(ask: () => Promise<T> | T, fits: (value: T) => boolean): Promise<T> {
  const deadline = Date.now() + 10_000;
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
